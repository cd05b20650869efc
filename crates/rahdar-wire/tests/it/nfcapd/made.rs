//! Files as nfdump 1.6 and 1.7 write them, with documentation addresses only.

use std::io::Write;

use bzip2::Compression;
use bzip2::write::BzEncoder;

/// 2021-08-15T00:00:00Z in milliseconds.
pub(crate) const BEGIN_MS: u64 = 1_628_985_600_000;

/// How a file is compressed, by the numbers of nfdump 1.7.
pub(crate) const COMPRESSIONS: [(u8, &str); 5] =
    [(0, "no compression"), (1, "LZO"), (2, "bzip2"), (3, "LZ4"), (4, "zstd")];

/// A block of records: how many it says it has, and their octets.
pub(crate) fn block(kind: u16, records: &[Vec<u8>], compression: u8) -> Vec<u8> {
    let octets = records.concat();
    let stored = match compression {
        0 => octets,
        1 => lzo(&octets),
        2 => {
            let mut encoder = BzEncoder::new(Vec::new(), Compression::best());
            encoder.write_all(&octets).unwrap();
            encoder.finish().unwrap()
        }
        3 => lz4_flex::block::compress(&octets),
        4 => zstd::bulk::compress(&octets, 3).unwrap(),
        other => panic!("no compression `{other}`"),
    };
    let mut block = Vec::new();
    block.extend((records.len() as u32).to_le_bytes());
    block.extend((stored.len() as u32).to_le_bytes());
    block.extend(kind.to_le_bytes());
    block.extend([0; 2]);
    block.extend(stored);
    block
}

/// A record: type, length and body.
pub(crate) fn record(kind: u16, body: &[u8]) -> Vec<u8> {
    let length = (body.len() + 4) as u16;
    [&kind.to_le_bytes()[..], &length.to_le_bytes(), body].concat()
}

/// A file of nfdump 1.7 with one block: header, block, appendix.
pub(crate) fn v2(compression: u8, records: &[Vec<u8>]) -> Vec<u8> {
    v2_of(compression, &[block(3, records, compression)], 0)
}

/// A file of nfdump 1.7 with these blocks and this many sequence failures.
pub(crate) fn v2_of(compression: u8, blocks: &[Vec<u8>], failures: u64) -> Vec<u8> {
    let mut statistics = vec![0; 120];
    for number in [BEGIN_MS, BEGIN_MS + 60_000, failures] {
        statistics.extend(number.to_le_bytes());
    }
    let appendix = block(3, &[record(0x8001, b"here\0\0"), record(0x8002, &statistics)], compression);
    let mut file =
        vec![0x0c, 0xa5, 2, 0, 0, 8, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, compression, 0, 1, 0, 1, 0, 0, 0];
    file.extend((40 + blocks.concat().len() as u64).to_le_bytes());
    file.extend([0; 4]);
    file.extend((blocks.len() as u32).to_le_bytes());
    file.extend(blocks.concat());
    file.extend(appendix);
    file
}

/// The header of a flow record of nfdump 1.7.
#[derive(Clone, Copy)]
pub(crate) struct Head {
    pub(crate) exporter: u16,
    pub(crate) flags: u8,
    pub(crate) version: u8,
}

/// Flow export of version 9, from the first exporter, not multiplied.
pub(crate) const HEAD: Head = Head { exporter: 1, flags: 0, version: 9 };

/// A flow record of nfdump 1.7: its elements by type.
pub(crate) fn v2_flow(head: Head, elements: &[(u16, Vec<u8>)]) -> Vec<u8> {
    let mut body = (elements.len() as u16).to_le_bytes().to_vec();
    body.extend([0; 2]);
    body.extend(head.exporter.to_le_bytes());
    body.extend([head.flags, head.version]);
    for (kind, element) in elements {
        body.extend(record(*kind, element));
    }
    record(11, &body)
}

/// Times, counters and ports, as both layouts have them.
#[derive(Clone, Copy)]
pub(crate) struct Common {
    pub(crate) first_ms: u64,
    pub(crate) last_ms: u64,
    pub(crate) received_ms: u64,
    pub(crate) packets: u64,
    pub(crate) octets: u64,
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    pub(crate) protocol: u8,
    pub(crate) tcp_flags: u8,
}

/// An HTTPS flow of a second and a half.
pub(crate) const COMMON: Common = Common {
    first_ms: BEGIN_MS + 250,
    last_ms: BEGIN_MS + 1_750,
    received_ms: BEGIN_MS + 9_000,
    packets: 10,
    octets: 1_520,
    src_port: 50_000,
    dst_port: 443,
    protocol: 6,
    tcp_flags: 0x1b,
};

/// The element of times, counters and ports.
pub(crate) fn generic(common: Common) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    for number in [common.first_ms, common.last_ms, common.received_ms, common.packets, common.octets] {
        body.extend(number.to_le_bytes());
    }
    body.extend(common.src_port.to_le_bytes());
    body.extend(common.dst_port.to_le_bytes());
    body.extend([common.protocol, common.tcp_flags, 0, 0]);
    (1, body)
}

/// The element of IPv4 addresses: 192.0.2.1 to 198.51.100.7.
pub(crate) fn v4() -> (u16, Vec<u8>) {
    (2, V4_PAIR.to_vec())
}

/// 192.0.2.1 and 198.51.100.7 as numbers of the machine.
pub(crate) const V4_PAIR: [u8; 8] = [1, 2, 0, 192, 7, 100, 51, 198];

/// The element of IPv6 addresses: 2001:db8::1 to 2001:db8::2.
pub(crate) fn v6() -> (u16, Vec<u8>) {
    (3, [v6_number(1), v6_number(2)].concat())
}

/// 2001:db8:: and this last octet, as two numbers of the machine.
pub(crate) fn v6_number(last: u64) -> Vec<u8> {
    [0x2001_0db8_0000_0000u64.to_le_bytes(), last.to_le_bytes()].concat()
}

/// Numbers of four octets, one after the other.
pub(crate) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// Numbers of eight octets, one after the other.
pub(crate) fn longs(longs: &[u64]) -> Vec<u8> {
    longs.iter().flat_map(|long| long.to_le_bytes()).collect()
}

/// An exporter record: 192.0.2.200 as nfdump wrote it until 1.7.7.
pub(crate) fn exporter(number: u16, version: u32, domain: u32) -> Vec<u8> {
    let mut body = words(&[version, 0, 0, 0xc000_02c8, 0]);
    body.extend(2u16.to_le_bytes());
    body.extend(number.to_le_bytes());
    body.extend(domain.to_le_bytes());
    record(7, &body)
}

/// The statistics of exporters: number and sequence failures.
pub(crate) fn exporter_statistics(exporters: &[(u32, u32)]) -> Vec<u8> {
    let mut body = (exporters.len() as u32).to_le_bytes().to_vec();
    for (number, failures) in exporters {
        body.extend(words(&[*number, *failures]));
        body.extend(longs(&[100, 2_000]));
    }
    record(8, &body)
}

/// A sampler record of nfdump 1.6.
pub(crate) fn sampler_v1(exporter: u16, id: i32, interval: u32, mode: u16) -> Vec<u8> {
    let mut body = words(&[id as u32, interval]);
    body.extend(mode.to_le_bytes());
    body.extend(exporter.to_le_bytes());
    record(9, &body)
}

/// A sampler record of nfdump 1.7: so many packets taken, so many left out.
pub(crate) fn sampler_v2(exporter: u16, id: i64, taken: u32, left_out: u32) -> Vec<u8> {
    let mut body = exporter.to_le_bytes().to_vec();
    body.extend(1u16.to_le_bytes());
    body.extend(id.to_le_bytes());
    body.extend(words(&[taken, left_out]));
    record(15, &body)
}

/// A file of nfdump 1.6 with one block. `compression` is a number of nfdump 1.7.
pub(crate) fn v1(compression: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let flags = [0, 0x1, 0x8, 0x10][usize::from(compression)];
    v1_of(flags, "here", &[block(2, records, compression)], 0)
}

/// A file of nfdump 1.6 with these flags, this name of the source, these blocks, and this many
/// sequence failures.
pub(crate) fn v1_of(flags: u8, ident: &str, blocks: &[Vec<u8>], failures: u32) -> Vec<u8> {
    let mut file = vec![0x0c, 0xa5, 1, 0, flags, 0, 0, 0];
    file.extend((blocks.len() as u32).to_le_bytes());
    file.extend(ident.bytes());
    file.resize(140 + 120, 0);
    let begin_s = (BEGIN_MS / 1_000) as u32;
    file.extend(words(&[begin_s, begin_s + 60, 0, failures]));
    file.extend(blocks.concat());
    file
}

/// The extensions of nfdump 1.6, and their octets.
pub(crate) const EXTENSIONS: [(u16, usize); 35] = [
    (4, 4),
    (5, 8),
    (6, 4),
    (7, 8),
    (8, 4),
    (9, 4),
    (10, 16),
    (11, 4),
    (12, 16),
    (13, 4),
    (14, 4),
    (15, 8),
    (16, 4),
    (17, 8),
    (18, 4),
    (19, 8),
    (20, 16),
    (21, 16),
    (22, 40),
    (23, 4),
    (24, 16),
    (25, 4),
    (26, 8),
    (27, 8),
    (37, 20),
    (38, 4),
    (39, 8),
    (40, 32),
    (41, 24),
    (42, 24),
    (43, 72),
    (45, 24),
    (46, 12),
    (47, 8),
    (48, 8),
];

/// A map of nfdump 1.6 with these extensions.
pub(crate) fn map(number: u16, extensions: &[u16]) -> Vec<u8> {
    let length = |id: &u16| EXTENSIONS.iter().find(|(known, _)| known == id).map_or(0, |(_, length)| *length);
    let octets: usize = extensions.iter().map(length).sum();
    let mut body = [number.to_le_bytes(), (octets as u16).to_le_bytes()].concat();
    body.extend(extensions.iter().chain(&[0]).flat_map(|id| id.to_le_bytes()));
    body.resize(body.len().next_multiple_of(4), 0);
    record(2, &body)
}

/// A flow record of nfdump 1.6 with counters of four octets, and what its extensions hold.
pub(crate) fn v1_flow(map: u16, common: Common, extensions: &[u8]) -> Vec<u8> {
    v1_flow_of(0, map, common, &V4_PAIR, &words(&[common.packets as u32, common.octets as u32]), extensions)
}

/// A flow record of nfdump 1.6 with these flags, addresses and counters.
pub(crate) fn v1_flow_of(
    flags: u8,
    map: u16,
    common: Common,
    addresses: &[u8],
    counters: &[u8],
    extensions: &[u8],
) -> Vec<u8> {
    let mut body = v1_common(flags, 9, map, common);
    body.extend([1, 0, 0, 0]);
    body.extend([addresses, counters, extensions].concat());
    record(10, &body)
}

/// What stands in every flow record of nfdump 1.6. `tag` is the version or the exporter.
pub(crate) fn v1_common(flags: u8, tag: u8, map: u16, common: Common) -> Vec<u8> {
    let mut body = vec![flags, tag];
    body.extend(map.to_le_bytes());
    body.extend(((common.first_ms % 1_000) as u16).to_le_bytes());
    body.extend(((common.last_ms % 1_000) as u16).to_le_bytes());
    body.extend(words(&[(common.first_ms / 1_000) as u32, (common.last_ms / 1_000) as u32]));
    body.extend([0, common.tcp_flags, common.protocol, 0]);
    body.extend(common.src_port.to_le_bytes());
    body.extend(common.dst_port.to_le_bytes());
    body
}

/// Small files that between them use every part of the reader.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let extensions = [words(&[3, 4, 64_496, 64_497]), longs(&[8, 900, COMMON.received_ms])].concat();
    let old = [
        exporter(1, 9, 7),
        sampler_v1(1, -1, 100, 1),
        map(3, &[5, 7, 15, 17, 27]),
        v1_flow(3, COMMON, &extensions),
        v1_flow_of(0x87, 3, COMMON, &v6().1, &longs(&[1_000, 152_000]), &extensions),
        exporter_statistics(&[(1, 2)]),
    ];
    let new = [
        exporter(1, 9, 7),
        sampler_v2(1, -1, 1, 99),
        v2_flow(
            HEAD,
            &[generic(COMMON), v4(), (4, vec![1; 16]), (5, longs(&[1, 8, 900])), (7, words(&[1, 2]))],
        ),
        v2_flow(
            HEAD,
            &[generic(COMMON), v6(), (12, words(&[0xc000_02c9])), (18, vec![0; 12]), (19, vec![1; 16])],
        ),
        exporter_statistics(&[(1, 2)]),
    ];
    vec![v1(0, &old), v2(0, &new), v2(1, &new)]
}

/// LZO1X of everything, with literals and with matches of the plainest kind.
fn lzo(octets: &[u8]) -> Vec<u8> {
    const NEAR: usize = 16_384;
    const SHORTEST: usize = 4;
    let mut stream = Vec::new();
    // Where the last match says how many literals follow it.
    let mut last_match = None;
    let mut last_seen = std::collections::HashMap::new();
    let (mut at, mut literals_from) = (0, 0);
    while at < octets.len() {
        let key = octets.get(at..at + SHORTEST);
        let before = key.and_then(|key| last_seen.insert(key, at)).filter(|before| at - before <= NEAR);
        let Some(before) = before else {
            at += 1;
            continue;
        };
        let same = octets[at..].iter().zip(&octets[before..]).take_while(|(a, b)| a == b).count();
        literals(&octets[literals_from..at], last_match, &mut stream);
        length(0x20, same - 2, 31, &mut stream);
        last_match = Some(stream.len());
        stream.extend((((at - before - 1) << 2) as u16).to_le_bytes());
        at += same;
        literals_from = at;
    }
    literals(&octets[literals_from..], last_match, &mut stream);
    stream.extend([0x11, 0, 0]);
    stream
}

fn literals(octets: &[u8], last_match: Option<usize>, stream: &mut Vec<u8>) {
    match (octets.len(), last_match) {
        (0, _) => {}
        (count @ 1..=3, Some(at)) => stream[at] |= count as u8,
        (count @ 1..=3, None) => stream.push(17 + count as u8),
        (count, _) => length(0, count - 3, 15, stream),
    }
    stream.extend(octets);
}

fn length(instruction: u8, length: usize, most: usize, stream: &mut Vec<u8>) {
    if length <= most {
        stream.push(instruction | length as u8);
        return;
    }
    stream.push(instruction);
    let left = length - most;
    stream.extend(std::iter::repeat_n(0, (left - 1) / 255));
    stream.push(((left - 1) % 255 + 1) as u8);
}
