//! Made export messages, with documentation addresses only.

use crate::made::{BEGIN_S, ETHERNET, pcap, udp};

/// When made messages are exported: an hour after made captures begin, in seconds.
pub(super) const EXPORT_S: u32 = BEGIN_S + 3_600;

/// How long made exporters have been up at [`EXPORT_S`], in milliseconds.
pub(super) const UPTIME_MS: u32 = 10_000_000;

/// The template that most tests use, with its number.
pub(super) const FLOWS: u16 = 256;

/// What is in it: addresses, ports, protocol, flags, packets, octets, first and last.
pub(super) const FLOW_FIELDS: &[(u16, u16)] =
    &[(8, 4), (12, 4), (7, 2), (11, 2), (4, 1), (6, 1), (2, 4), (1, 4), (22, 4), (21, 4)];

/// A record of [`FLOW_FIELDS`]: TCP from 192.0.2.10:50000 to 198.51.100.7:443 in ten packets, from
/// 60 to 50 seconds before [`EXPORT_S`].
pub(super) fn flow(octets: u128) -> Vec<u8> {
    record(&[
        (0xc000_020a, 4),
        (0xc633_6407, 4),
        (50_000, 2),
        (443, 2),
        (6, 1),
        (0x1b, 1),
        (10, 4),
        (octets, 4),
        (u128::from(UPTIME_MS) - 60_000, 4),
        (u128::from(UPTIME_MS) - 50_000, 4),
    ])
}

/// A record: values, each with its octets.
pub(super) fn record(values: &[(u128, usize)]) -> Vec<u8> {
    values.iter().flat_map(|(value, octets)| value.to_be_bytes()[16 - octets..].to_vec()).collect()
}

/// A set: its number and what is in it.
pub(super) fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &(body.len() as u16 + 4).to_be_bytes(), body].concat()
}

fn words(words: &[u16]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_be_bytes()).collect()
}

fn fields(fields: &[(u16, u16)]) -> Vec<u8> {
    fields.iter().flat_map(|(element, length)| words(&[*element, *length])).collect()
}

/// A template without the set around it.
pub(super) fn template(id: u16, of: &[(u16, u16)]) -> Vec<u8> {
    [words(&[id, of.len() as u16]), fields(of)].concat()
}

/// A set with one v9 template.
pub(super) fn v9_template(id: u16, of: &[(u16, u16)]) -> Vec<u8> {
    set(0, &template(id, of))
}

/// A set with one v9 options template of these scopes and options.
pub(super) fn v9_options_template(id: u16, scopes: &[(u16, u16)], options: &[(u16, u16)]) -> Vec<u8> {
    let octets = |of: &[(u16, u16)]| 4 * of.len() as u16;
    let head = words(&[id, octets(scopes), octets(options)]);
    set(1, &[head, fields(scopes), fields(options)].concat())
}

/// A set with one IPFIX template. Fields beyond 32,767 are followed by their enterprise number,
/// written as two more fields.
pub(super) fn ipfix_template(id: u16, of: &[(u16, u16)]) -> Vec<u8> {
    set(2, &counted(id, of, &[]))
}

/// A set with one IPFIX options template, its first field the scope.
pub(super) fn ipfix_options_template(id: u16, of: &[(u16, u16)]) -> Vec<u8> {
    set(3, &counted(id, of, &[1]))
}

fn counted(id: u16, of: &[(u16, u16)], scope_count: &[u16]) -> Vec<u8> {
    let enterprises = of.iter().filter(|(element, _)| *element >= 1 << 15).count();
    let count = (of.len() - enterprises) as u16;
    [words(&[id, count]), words(scope_count), fields(of)].concat()
}

/// The two halves of the enterprise number of reverse elements, as a field of
/// [`ipfix_template`].
pub(super) const REVERSE: (u16, u16) = (0, 29305);

/// An element under an enterprise number.
pub(super) const fn enterprise(element: u16) -> u16 {
    element | 1 << 15
}

/// Who exports what when.
#[derive(Clone, Copy)]
pub(super) struct Header {
    pub(super) export_s: u32,
    pub(super) uptime_ms: u32,
    pub(super) domain: u32,
}

impl Header {
    /// The header of an export this many seconds after [`EXPORT_S`].
    pub(super) fn after(seconds: u32) -> Self {
        Self { export_s: EXPORT_S + seconds, uptime_ms: UPTIME_MS + 1_000 * seconds, domain: 7 }
    }

    /// A v9 message of these sets.
    pub(super) fn v9(self, sets: &[Vec<u8>]) -> Vec<u8> {
        let mut message = words(&[9, sets.len() as u16]);
        for word in [self.uptime_ms, self.export_s, 1, self.domain] {
            message.extend(word.to_be_bytes());
        }
        [message, sets.concat()].concat()
    }

    /// An IPFIX message of these sets.
    pub(super) fn ipfix(self, sets: &[Vec<u8>]) -> Vec<u8> {
        let sets = sets.concat();
        let mut message = words(&[10, sets.len() as u16 + 16]);
        for word in [self.export_s, 1, self.domain] {
            message.extend(word.to_be_bytes());
        }
        [message, sets].concat()
    }

    /// A v5 datagram with this sampling field and these records.
    pub(super) fn v5(self, sampling: u16, records: &[Vec<u8>]) -> Vec<u8> {
        let mut datagram = words(&[5, records.len() as u16]);
        for word in [self.uptime_ms, self.export_s, 0, 1] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend([1, 2]);
        datagram.extend(sampling.to_be_bytes());
        [datagram, records.concat()].concat()
    }
}

/// A v9 message exported at [`EXPORT_S`].
pub(super) fn v9(sets: &[Vec<u8>]) -> Vec<u8> {
    Header::after(0).v9(sets)
}

/// An IPFIX message exported at [`EXPORT_S`].
pub(super) fn ipfix(sets: &[Vec<u8>]) -> Vec<u8> {
    Header::after(0).ipfix(sets)
}

/// A v5 record of this protocol and destination port, with this many packets and octets and these
/// uptimes; all else as in [`flow`].
pub(super) fn v5_record(
    protocol: u8,
    dst_port: u16,
    (packets, octets): (u32, u32),
    (first, last): (u32, u32),
) -> Vec<u8> {
    record(&[
        (0xc000_020a, 4),
        (0xc633_6407, 4),
        (0, 4),
        (3, 2),
        (4, 2),
        (packets.into(), 4),
        (octets.into(), 4),
        (first.into(), 4),
        (last.into(), 4),
        (50_000, 2),
        (dst_port.into(), 2),
        (0, 1),
        (0x1b, 1),
        (protocol.into(), 1),
        (0, 1),
        (64_496, 2),
        (64_497, 2),
        (0, 4),
    ])
}

/// A capture of datagrams from an exporter to port 2055, a second apart.
pub(super) fn capture(from: &str, datagrams: &[Vec<u8>]) -> Vec<u8> {
    let frames: Vec<_> = datagrams
        .iter()
        .zip(0..)
        .map(|(datagram, second)| ((3_600 + second) * 1_000, udp(from, "203.0.113.1:2055", datagram)))
        .collect();
    pcap(ETHERNET, &frames)
}
