//! Inputs as a whole: compressed, empty, cut, unreadable, unknown.

use std::io::{self, Read, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockSize, FrameEncoder, FrameInfo};
use rahdar_wire::{Format, Options, WireError, is_damage};

use crate::kept::{BOMB, decode_all, decoded};
use crate::made::{CONN_HEADER, CONN_ROW, ETHERNET, pcap, tcp};

fn gzip(octets: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn zstd(octets: &[u8]) -> Vec<u8> {
    zstd::encode_all(octets, 3).unwrap()
}

fn bzip2(octets: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn xz(octets: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

fn lz4(octets: &[u8]) -> Vec<u8> {
    let info = FrameInfo::new().block_size(BlockSize::Max64KB);
    let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
    encoder.write_all(octets).unwrap();
    encoder.finish().unwrap()
}

type Compress = fn(&[u8]) -> Vec<u8>;

const COMPRESSIONS: [Compress; 5] = [gzip, zstd, bzip2, xz, lz4];

/// A log whose rows differ enough that compression leaves something to cut.
fn log(rows: u32) -> Vec<u8> {
    let mut log = CONN_HEADER.as_bytes().to_vec();
    for row in 0..rows {
        let uid = format!("C{:08x}", row.wrapping_mul(2_654_435_761));
        log.extend(CONN_ROW.replace("CAbc1", &uid).bytes());
    }
    log
}

/// The message of the error that an input gives, with its causes.
fn error(input: impl Read) -> String {
    let (_, result) = decode_all(input, &Options::default());
    let error = result.unwrap_err();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[test]
fn compression_is_peeled_whatever_its_pieces() {
    let plain = log(100);
    let (expected, _) = decoded(&plain);
    let (first, second) = plain.split_at(plain.len() / 2);
    for compress in COMPRESSIONS {
        for compressed in [compress(&plain), [compress(first), compress(second)].concat()] {
            let (kept, tally) = decoded(&compressed);
            assert_eq!(kept.flows, expected.flows);
            assert_eq!(tally.refused, 0);
        }
    }
    // A skippable frame (RFC 8878 §3.1.2) first, as parallel compressors write them.
    let (kept, _) = decoded(&[&[0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7][..], &zstd(&plain)].concat());
    assert_eq!(kept.flows, expected.flows);
}

#[test]
fn what_came_before_a_cut_is_kept_and_the_cut_is_named() {
    let plain = log(6_000);
    for compressed in COMPRESSIONS.map(|compress| compress(&plain)) {
        let (kept, tally) = decoded(&compressed[..compressed.len() * 3 / 4]);
        assert!(kept.flows.len() > 2_000, "{}", kept.flows.len());
        assert_eq!(tally.refused, 1);
        let problem = kept.problems().pop().unwrap();
        assert!(problem.starts_with("input: the compressed input is damaged"), "{problem}");
        assert!(problem.ends_with("what came before is kept"), "{problem}");
    }
}

#[test]
fn a_compressed_input_without_one_readable_record_is_an_error() {
    let compressed = gzip(&log(10));
    let text = error(&compressed[..12]);
    assert!(text.starts_with("the input could not be read to its end: "), "{text}");
}

#[test]
fn a_small_file_that_is_cut_gives_what_came_before() {
    let plain = log(100);
    for compress in [gzip as fn(&[u8]) -> Vec<u8>, xz] {
        let compressed = compress(&plain);
        let (kept, tally) = decoded(&compressed[..compressed.len() * 3 / 4]);
        assert!((20..100).contains(&kept.flows.len()), "{}", kept.flows.len());
        assert_eq!(tally.refused, 1);
    }
}

#[test]
fn of_blocks_that_are_not_whole_the_error_says_that_nothing_can_be_kept() {
    for (compress, block) in [
        (zstd as fn(&[u8]) -> Vec<u8>, "zstd is unpacked by blocks of up to 128 KiB"),
        (bzip2, "bzip2 is unpacked by blocks of up to 900 kB"),
        (lz4, "lz4 is unpacked by blocks of up to 4 MiB"),
    ] {
        let compressed = compress(&log(100));
        let text = error(&compressed[..compressed.len() / 2]);
        assert!(text.ends_with(&format!("; {block}, and the first is not whole")), "{text}");
    }
}

#[test]
fn a_failing_reader_is_told_from_a_damaged_stream() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let plain = log(20_000);
    for (input, some) in [(plain.clone(), true), (gzip(&plain), true), (Vec::new(), false)] {
        let cut = &input[..input.len() / 2];
        let (kept, result) = decode_all(cut.chain(Broken), &Options::default());
        let Err(WireError::Read { tally, source }) = result else { panic!("{result:?}") };
        assert_eq!(source.to_string(), "the disk is gone");
        assert_eq!(tally.decoded, kept.flows.len() as u64);
        assert_eq!(tally.decoded > 0, some);
    }
}

#[test]
fn a_cut_is_named_wherever_it_is() {
    let plain = log(20);
    let (expected, _) = decoded(&plain);
    for compressed in COMPRESSIONS.map(|compress| compress(&plain)) {
        for end in 1..compressed.len() {
            match decode_all(&compressed[..end], &Options::default()) {
                (kept, Ok(tally)) => {
                    assert!(kept.flows.len() <= expected.flows.len() && tally.refused > 0, "{end}")
                }
                // Too little is left to see what it is.
                (
                    _,
                    Err(WireError::Read { .. } | WireError::Unknown { .. } | WireError::Unsupported { .. }),
                ) => {}
                (_, Err(error)) => panic!("{end}: {error}"),
            }
        }
    }
}

#[test]
fn a_bomb_is_refused_as_a_whole() {
    let mut log = log(10);
    log.extend(std::iter::repeat_n(b'\n', 18 << 20));
    for compressed in COMPRESSIONS.map(|compress| compress(&log)) {
        let (_, result) = decode_all(&*compressed, &Options::default());
        let Err(WireError::Read { source, .. }) = result else { panic!("{result:?}") };
        assert!(!is_damage(&source));
        assert_eq!(source.to_string(), BOMB);
    }
}

#[test]
fn errors_say_what_is_wrong_and_what_is_read() {
    let formats: Vec<String> =
        Format::ALL.iter().map(|format| format!("{} (`{}`)", format.about(), format.word())).collect();
    let reads = format!("rahdar reads {}", formats.join(", "));
    assert!(
        reads.starts_with("rahdar reads Zeek conn.log, dns.log, ssl.log, http.log or files.log (`zeek`), "),
        "{reads}"
    );
    assert_eq!(error(&b""[..]), "the input is empty");
    assert_eq!(error(&*gzip(b"")), "the input is empty");
    assert_eq!(
        error(&b"  To whom it may\nconcern"[..]),
        format!("the input begins with the text `To whom it may`; {reads}")
    );
    assert_eq!(
        error(&b"\x7fELF\0"[..]),
        format!("the input begins with the octets `\\x7fELF\\x00`; {reads}")
    );
    assert_eq!(error(&b"PK\x03\x04"[..]), "rahdar does not read a zip archive (unpack it first)");
    assert_eq!(
        error(&b"\x83\x10\0 \0\0\0\0\xe5q-\xcb\0\0\0\0"[..]),
        "rahdar does not read data of Argus (print it so: `ra -nn -u -c , -s +ltime +dur +spkts +dpkts +sbytes +dbytes`)"
    );
    assert_eq!(
        error(&b"GMBU\0\x02\0\0"[..]),
        "rahdar does not read a capture of Microsoft Network Monitor (convert it: `editcap -F pcap`)"
    );
    assert_eq!(
        error(&b"\xff\xfet\0s\0"[..]),
        "rahdar does not read text in UTF-16 (make it UTF-8 first: `iconv -f utf-16 -t utf-8`)"
    );
    for compress in COMPRESSIONS {
        let text = "rahdar does not read a compressed file inside a compressed file";
        assert_eq!(error(&*gzip(&compress(&log(1)))), text);
        assert_eq!(error(&*compress(&gzip(&log(1)))), text);
    }
}

#[test]
fn errors_name_the_likeliest_remedy() {
    let unnamed = "rahdar does not read rows of nfdump's CSV without the names of their columns (print these: leave `-q` out)";
    let of_nfdump = [
        "2021-08-15 00:00:00,2021-08-15 00:00:01,1.500,192.0.2.10,198.51.100.7,50000,443,TCP,...AP.SF,0,0,10,1520,0,0\n",
        "2021-08-15 00:00:00.250,1.500,TCP,192.0.2.10,50000,198.51.100.7,443,10,1520,1\n",
    ];
    for rows in of_nfdump {
        assert_eq!(error(rows.as_bytes()), unnamed);
    }
    let people = "rahdar does not read what nfdump prints for people (print it so: `nfdump -o csv`)";
    let row = "2021-08-15 00:00:00.250 CREATE   Ignore TCP       192.0.2.10:50000 ->     198.51.100.7:443  0.0.0.0:0 -> 0.0.0.0:0   4.5 M  0\n";
    let header =
        "Event time               Event  XEvent Proto      Src IP Addr:Port          Dst IP Addr:Port\n";
    for text in
        [format!("{header}{row}"), row.to_owned(), row.replace("192.0.2.10:50000", "2001:db8::1.50000")]
    {
        assert_eq!(error(text.as_bytes()), people);
    }
    for (text, looks) in [
        (
            "192.0.2.10;198.51.100.7;443\n",
            "`192.0.2.10;198.51.100.7;443`: rows without the names of their columns",
        ),
        (
            "who,whom\n192.0.2.10,198.51.100.7\n",
            "`who,whom`: a table whose columns have names that are not known",
        ),
        ("<!DOCTYPE html>\n", "`<!DOCTYPE html>`: a page of the web, not a file"),
        ("{\"a\":1}\n", "`{\"a\":1}`: JSON without the keys of a log that is read"),
    ] {
        let error = error(text.as_bytes());
        assert!(error.starts_with(&format!("the input begins with the text {looks} (")), "{error}");
        assert!(error.contains("); rahdar reads "), "{error}");
    }
    let looks =
        "the input begins with the octets `\\x00\\t\\x00\\x01\\x00`: an export datagram that is damaged (";
    let error = error(&b"\0\x09\0\x01\0"[..]);
    assert!(error.starts_with(looks), "{error}");
}

#[test]
fn a_text_given_as_packets_is_refused_by_what_it_is() {
    let options = Options { format: Format::from_word("packets"), ..Options::default() };
    let (_, result) = decode_all(&b"hello"[..], &options);
    assert!(
        result.unwrap_err().to_string().starts_with("the input begins with the text `hello`; rahdar reads ")
    );
}

#[test]
fn a_cut_capture_keeps_what_came_before() {
    let frame = tcp("192.0.2.1:1000", "198.51.100.7:80", 0x02, 0);
    let capture = pcap(ETHERNET, &[(0, frame.clone()), (1, frame)]);
    for (cut, problem) in [
        (capture.len() - 1, "octet 94: the capture is cut off in a packet; nothing after it is read"),
        (24 + 70 + 5, "octet 94: the capture is cut off in a packet header; nothing after it is read"),
    ] {
        let (kept, tally) = decoded(&capture[..cut]);
        assert_eq!((kept.packets(), tally.decoded, tally.refused), (1, 1, 1));
        assert_eq!(kept.problems(), [problem]);
    }
}
