//! Made sFlow datagrams, with documentation addresses only.

use crate::made::{BEGIN_S, ETHERNET, pcap, tcp, udp};

/// The agent of made datagrams, 192.0.2.1.
pub(super) const AGENT: u32 = 0xc000_0201;

/// How long made agents have been up when they send their first datagram, in milliseconds.
pub(super) const UPTIME_MS: u32 = 10_000_000;

/// Words, one after the other.
pub(super) fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

/// A datagram of [`AGENT`], sub-agent 7, sent so many seconds after its first as its number says.
pub(super) fn datagram(number: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    datagram_of(&[1, AGENT], number, samples)
}

/// A datagram of the agent with this address, which comes with its kind.
pub(super) fn datagram_of(agent: &[u32], number: u32, samples: &[Vec<u8>]) -> Vec<u8> {
    let uptime_ms = UPTIME_MS.wrapping_add(number.wrapping_mul(1_000));
    let head = [&[5], agent, &[7, number, uptime_ms, samples.len() as u32]].concat();
    [words(&head), samples.concat()].concat()
}

/// A sample or a record: its kind and what is in it.
pub(super) fn of_kind(kind: u32, body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    body.resize(body.len().next_multiple_of(4), 0);
    [words(&[kind, body.len() as u32]), body].concat()
}

/// The head of a flow sample.
#[derive(Clone, Copy)]
pub(super) struct Flow {
    pub(super) number: u32,
    pub(super) source: u32,
    pub(super) rate: u32,
    pub(super) pool: u32,
    pub(super) drops: u32,
    pub(super) input: u32,
    pub(super) output: u32,
}

impl Default for Flow {
    /// The first sample of interface 3, to interface 4, one packet of 512.
    fn default() -> Self {
        Self { number: 1, source: 3, rate: 512, pool: 0, drops: 0, input: 3, output: 4 }
    }
}

impl Flow {
    /// A flow sample of these records.
    pub(super) fn sample(self, records: &[Vec<u8>]) -> Vec<u8> {
        let Self { number, source, rate, pool, drops, input, output } = self;
        let head = [number, source, rate, pool, drops, input, output, records.len() as u32];
        of_kind(1, &[words(&head), records.concat()].concat())
    }

    /// The same as an expanded flow sample. Formats of interfaces are the two highest bits, as in the
    /// compact one.
    pub(super) fn expanded(self, records: &[Vec<u8>]) -> Vec<u8> {
        let Self { number, source, rate, pool, drops, input, output } = self;
        let of = |interface: u32| [interface >> 30, interface & 0x3fff_ffff];
        let head =
            [&[number, 0, source, rate, pool, drops][..], &of(input), &of(output), &[records.len() as u32]]
                .concat();
        of_kind(3, &[words(&head), records.concat()].concat())
    }
}

/// A record of a sampled header: what it begins with, its length on the wire, what was stripped.
pub(super) fn header(protocol: u32, length: u32, stripped: u32, octets: &[u8]) -> Vec<u8> {
    let head = words(&[protocol, length, stripped, octets.len() as u32]);
    of_kind(1, &[head, octets.to_vec()].concat())
}

/// A record of a sampled Ethernet frame, from whose length the check sequence was stripped.
pub(super) fn frame(octets: &[u8]) -> Vec<u8> {
    header(1, octets.len() as u32 + 4, 4, octets)
}

/// A record of a sampled TCP packet of 1,000 octets of payload, of which the first 100 are there.
pub(super) fn tcp_frame() -> Vec<u8> {
    let frame = tcp("192.0.2.10:50000", "198.51.100.7:443", 0x18, 1_000);
    header(1, frame.len() as u32 + 4, 4, &frame[..154])
}

/// A capture of datagrams from 198.51.100.1, a second apart.
pub(super) fn capture(datagrams: &[Vec<u8>]) -> Vec<u8> {
    let frames: Vec<_> = datagrams
        .iter()
        .zip(0..)
        .map(|(datagram, s)| (s * 1_000, udp("198.51.100.1:50000", "203.0.113.1:6343", datagram)))
        .collect();
    pcap(ETHERNET, &frames)
}

/// When the n-th datagram of [`capture`] came, from 0, in seconds.
pub(super) fn arrival_s(n: i64) -> i64 {
    i64::from(BEGIN_S) + n
}
