//! Inputs that nobody should write: cut anywhere, changed anywhere, random. Nothing may panic,
//! and the counts must add up, which [`decode_all`] checks.

use proptest::prelude::*;
use rahdar_wire::{Format, Options, detect};

use crate::capture;
use crate::cloud;
use crate::eve;
use crate::exports;
use crate::kept::decode_all;
use crate::made::{
    CONN_HEADER, CONN_JSON, CONN_ROW, DNS_HEADER, DNS_JSON, DNS_ROW, ETHERNET, SSL_HEADER, SSL_JSON, SSL_ROW,
    enhanced, ethernet, icmp, interface, ip, pcap, section, tcp, udp,
};
use crate::nfcapd;
use crate::nfdump;
use crate::silk;
use crate::tables;

/// Small inputs that between them use every part of the decoders.
pub(crate) fn seeds() -> Vec<(Format, Vec<u8>)> {
    let frames = [
        tcp("192.0.2.1:1000", "198.51.100.7:80", 0x02, 5),
        udp("[2001:db8::1]:1000", "[2001:db8::2]:53", b"question"),
        icmp("192.0.2.1", "198.51.100.7", 8, 0, 8),
    ];
    let timed: Vec<_> = frames.iter().cloned().zip(0..).map(|(frame, ms)| (ms, frame)).collect();
    let blocks: Vec<_> = frames.iter().flat_map(|frame| enhanced(0, 0, frame)).collect();
    let mut seeds = vec![
        (Format::ZeekTsv, format!("{CONN_HEADER}{CONN_ROW}{CONN_ROW}").into_bytes()),
        (Format::ZeekJson, format!("{CONN_JSON}{CONN_JSON}").into_bytes()),
        (Format::ZeekTsv, format!("{DNS_HEADER}{DNS_ROW}{DNS_ROW}").into_bytes()),
        (Format::ZeekTsv, format!("{SSL_HEADER}{SSL_ROW}{SSL_ROW}").into_bytes()),
        (Format::ZeekJson, format!("{DNS_JSON}{SSL_JSON}").into_bytes()),
        (Format::ZeekJson, format!("[{},{}]", CONN_JSON.trim_end(), CONN_JSON.trim_end()).into_bytes()),
        (Format::Eve, eve::sample().into_bytes()),
        (Format::Eve, format!("[{},\n{}]", eve::flow().trim_end(), eve::flow().trim_end()).into_bytes()),
        (Format::Eve, eve::wrapped().repeat(2).into_bytes()),
        (Format::Eve, eve::prefixed().repeat(2).into_bytes()),
        (Format::Gcp, format!("{}{}", cloud::GCP, cloud::GCP).into_bytes()),
        (Format::Azure, cloud::nsg(2, &cloud::TUPLES).into_bytes()),
        (Format::Aws, tables::AWS.as_bytes().to_vec()),
        (Format::NfdumpCsv, nfdump::CSV.replace(",tr\n", ",x\n").into_bytes()),
        (Format::NfdumpJson, nfdump::JSON.as_bytes().to_vec()),
        (Format::NfdumpPipe, nfdump::PIPE.as_bytes().to_vec()),
        (Format::Aws, cloud::MESSAGES.as_bytes().to_vec()),
        (Format::Silk, silk::SILK.as_bytes().to_vec()),
        (Format::Silk, silk::HEXADECIMAL.as_bytes().to_vec()),
        (Format::Argus, tables::ARGUS.as_bytes().to_vec()),
        (Format::Packets, pcap(ETHERNET, &timed)),
        (Format::Packets, [section(), interface(ETHERNET, &[(9, &[9])]), blocks].concat()),
        (Format::Packets, pcap(ETHERNET, &tunnels())),
        (Format::Packets, exports::over_tcp()),
        (Format::Packets, capture::with_statistics()),
        (Format::Eve, eve::dropping().into_bytes()),
    ];
    for (link, frame) in capture::wifi() {
        seeds.push((Format::Packets, pcap(link, &[(0, frame.clone()), (1, frame)])));
    }
    seeds.extend(nfcapd::seeds().into_iter().map(|seed| (Format::Nfcapd, seed)));
    seeds
}

/// One packet in tunnels of many kinds, one in the other.
fn tunnels() -> Vec<(u64, Vec<u8>)> {
    let inner = tcp("192.0.2.1:1000", "198.51.100.7:80", 0x02, 5);
    let vxlan = udp("203.0.113.1:6", "203.0.113.2:4789", &[&[8, 0, 0, 0, 0, 0, 1, 0], &inner[..]].concat());
    let labels = [0, 1, 1, 64, 0, 0, 0, 0];
    let (src, dst) = ("203.0.113.3".parse().unwrap(), "203.0.113.4".parse().unwrap());
    let gre =
        ethernet(&ip(src, dst, 47, &[&[0x20, 0, 0x88, 0x47, 0, 0, 0, 1], &labels[..], &vxlan].concat()));
    let geneve = [&[1, 0, 0x08, 0, 0, 0, 1, 0, 0, 0, 0, 0], &inner[14..]].concat();
    let geneve = udp("203.0.113.1:6", "203.0.113.2:6081", &geneve);
    let erspan = [&[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20][..], &[0; 10], &[1], &[0; 8], &inner].concat();
    let session = [&[2; 12][..], &[0x88, 0x64, 0x11, 0, 0, 1, 0, 47, 0, 0x21], &inner[14..]].concat();
    let gtp = [&[0x34, 0xff, 0, 53, 0, 0, 0, 7, 0, 0, 0, 0x85, 1, 0x10, 0, 0][..], &inner[14..]].concat();
    let gtp = udp("203.0.113.1:6", "203.0.113.2:2152", &gtp);
    vec![(0, gre), (1, geneve), (2, ethernet(&ip(src, dst, 47, &erspan))), (3, session), (4, gtp)]
}

fn decode_as(format: Format, input: &[u8]) {
    let forced = Options { format: Some(format), ..Options::default() };
    for options in [Options::default(), forced] {
        let _ = decode_all(input, &options);
    }
}

#[test]
fn an_input_may_end_anywhere() {
    for (format, seed) in seeds() {
        for end in 0..seed.len() {
            decode_as(format, &seed[..end]);
        }
    }
}

#[test]
fn an_octet_may_be_anything() {
    for (format, seed) in seeds() {
        for at in 0..seed.len() {
            for octet in [0, 0xff, seed[at] ^ 1, seed[at] ^ 0x80, b'\t', b'"'] {
                let mut changed = seed.clone();
                changed[at] = octet;
                decode_as(format, &changed);
            }
        }
    }
}

#[test]
fn what_is_cut_is_kept_up_to_there() {
    for (format, seed) in seeds() {
        let mut before = 0;
        for end in 1..=seed.len() {
            let options = Options { format: Some(format), ..Options::default() };
            let (_, result) = decode_all(&seed[..end], &options);
            let decoded = result.map_or(0, |tally| tally.decoded);
            assert!(decoded >= before, "{format} cut at {end}");
            before = decoded;
        }
        assert!(before >= 2, "{format}");
    }
}

#[test]
fn c16_text_that_is_cut_within_a_letter_is_survived() {
    // The longest text that is kept ends at every octet of a letter of two, three or four.
    for letter in ["\u{e9}", "\u{20ac}", "\u{1f600}"] {
        for shift in 0..4 {
            let text = "a".repeat(shift) + &letter.repeat(600);
            let logs = [
                (CONN_HEADER, CONN_ROW.replace("ssl", &text)),
                ("", CONN_JSON.replace("ssl", &text)),
                (DNS_HEADER, DNS_ROW.replace("WWW.example.ORG", &text).replace("web.example.org", &text)),
                ("", DNS_JSON.replace("WWW.example.ORG", &text).replace("web.example.org", &text)),
                (SSL_HEADER, SSL_ROW.replace("CN=www.example.org", &text)),
                ("", SSL_JSON.replace("CN=www.example.org", &text)),
                ("", eve::sample().replace("example", &text)),
            ];
            for (header, row) in logs {
                let (_, result) = decode_all(format!("{header}{row}").as_bytes(), &Options::default());
                assert!(result.unwrap().decoded > 0, "{header}{row}");
            }
        }
    }
}

#[test]
fn c20_a_value_of_any_length_is_named_in_short() {
    let endless = "x".repeat(1 << 20);
    for log in [
        format!("{CONN_HEADER}{}", CONN_ROW.replace("192.0.2.10", &endless)),
        format!("{CONN_JSON}{}", CONN_JSON.replace("192.0.2.10", &endless)),
        format!("{DNS_JSON}{}", DNS_JSON.replace("192.0.2.10", &endless)),
        tables::AWS.replace("192.0.2.10", &endless),
        format!("{}{}", cloud::GCP, cloud::GCP.replace("192.0.2.10", &endless)),
    ] {
        let (kept, result) = decode_all(log.as_bytes(), &Options::default());
        assert!(result.unwrap().refused > 0);
        assert!(
            kept.problems.iter().all(|problem| problem.text.len() < 200),
            "{:?}",
            kept.problems[0].text.len()
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_octets_are_survived(octets in prop::collection::vec(any::<u8>(), 0..2_000), whole in any::<bool>()) {
        detect(&octets, whole);
        for format in Format::ALL {
            decode_as(format, &octets);
        }
    }

    #[test]
    fn random_octets_behind_a_good_beginning_are_survived(
        seed in 0..seeds().len(),
        keep in 0usize..600,
        octets in prop::collection::vec(any::<u8>(), 0..500),
    ) {
        let (format, seed) = seeds().swap_remove(seed);
        let input = [&seed[..keep.min(seed.len())], &octets].concat();
        decode_as(format, &input);
    }
}
