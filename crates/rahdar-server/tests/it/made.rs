//! Made exports, with documentation addresses only.

/// 2021-08-15T00:00:00Z, when made exports are sent, in seconds.
pub(crate) const EXPORTED_S: u32 = 1_628_985_600;

/// A NetFlow v5 datagram of `count` flows, `before` having been sent. Each flow of an exporter has
/// octets of its own, so that they tell which came.
pub(crate) fn v5(before: u32, count: u16) -> Vec<u8> {
    let mut datagram = Vec::new();
    for word in [5u32 << 16 | u32::from(count), 3_600_000, EXPORTED_S, 0, before, 0] {
        datagram.extend(word.to_be_bytes());
    }
    for n in 0..u32::from(count) {
        datagram.extend([192, 0, 2, 10, 198, 51, 100, 7, 0, 0, 0, 0, 0, 1, 0, 2]);
        for word in [1, 40 + before + n, 3_590_000, 3_595_000] {
            datagram.extend(word.to_be_bytes());
        }
        datagram.extend([0xc0, 0x00, 1, 187, 0, 0x18, 6, 0]);
        datagram.extend([0; 8]);
    }
    datagram
}

/// Octets of the flows that [`v5`] makes of these numbers.
pub(crate) fn v5_octets(numbers: std::ops::Range<u32>) -> u64 {
    numbers.map(|n| u64::from(40 + n)).sum()
}

/// The template of the IPFIX flows below.
const TEMPLATE: u16 = 256;

/// An IPFIX message of these sets.
pub(crate) fn ipfix(sequence: u32, domain: u32, sets: &[Vec<u8>]) -> Vec<u8> {
    let body = sets.concat();
    let mut message = vec![0, 10];
    message.extend((16 + body.len() as u16).to_be_bytes());
    for word in [EXPORTED_S, sequence, domain] {
        message.extend(word.to_be_bytes());
    }
    message.extend(body);
    message
}

/// A set.
fn set(id: u16, body: &[u8]) -> Vec<u8> {
    [&id.to_be_bytes()[..], &(4 + body.len() as u16).to_be_bytes(), body].concat()
}

/// The set with the template: addresses, octets, packets, start, end; and that nothing is sampled.
pub(crate) fn template() -> Vec<u8> {
    let mut body = [TEMPLATE.to_be_bytes(), 7u16.to_be_bytes()].concat();
    for (element, length) in [(8u16, 4u16), (12, 4), (1, 4), (2, 4), (150, 4), (151, 4), (34, 4)] {
        body.extend(element.to_be_bytes());
        body.extend(length.to_be_bytes());
    }
    set(2, &body)
}

/// A set of `count` flows of a hundred octets.
pub(crate) fn flows(count: u32) -> Vec<u8> {
    let mut body = Vec::new();
    for _ in 0..count {
        body.extend([192, 0, 2, 10, 198, 51, 100, 7]);
        for word in [100, 1, EXPORTED_S - 10, EXPORTED_S - 5, 1] {
            body.extend(word.to_be_bytes());
        }
    }
    set(TEMPLATE, &body)
}
