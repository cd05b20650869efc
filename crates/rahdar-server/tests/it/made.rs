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
        for word in [1, before.wrapping_add(40 + n), 3_590_000, 3_595_000] {
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

/// The fields of the template: addresses, octets, packets, start, end, sampling interval.
const FIELDS: [(u16, u16); 7] = [(8, 4), (12, 4), (1, 4), (2, 4), (150, 4), (151, 4), (34, 4)];

/// The set with the template.
pub(crate) fn template() -> Vec<u8> {
    template_with(&FIELDS)
}

/// The same without the sampling interval.
pub(crate) fn template_of_no_rate() -> Vec<u8> {
    template_with(&FIELDS[..6])
}

fn template_with(fields: &[(u16, u16)]) -> Vec<u8> {
    let mut body = [TEMPLATE.to_be_bytes(), (fields.len() as u16).to_be_bytes()].concat();
    for (element, length) in fields {
        body.extend(element.to_be_bytes());
        body.extend(length.to_be_bytes());
    }
    set(2, &body)
}

/// A set of `count` flows of a hundred octets.
pub(crate) fn flows(count: u32) -> Vec<u8> {
    flows_sampled(count, 1)
}

/// The same, one packet in so many being metered.
pub(crate) fn flows_sampled(count: u32, sampling: u16) -> Vec<u8> {
    flows_of((0..count).map(|_| 100), sampling)
}

/// A set of four octets that only its template could explain.
pub(crate) fn small_set() -> Vec<u8> {
    set(TEMPLATE, &[0; 4])
}

/// A set of `count` flows of [`template_of_no_rate`].
pub(crate) fn flows_of_no_rate(count: u32) -> Vec<u8> {
    let of_rate = flows(count);
    set(TEMPLATE, &of_rate[4..].chunks(28).flat_map(|flow| flow[..24].to_vec()).collect::<Vec<_>>())
}

/// A set of `count` flows, `before` having been sent. Each has octets of its own, and none that a
/// flow of [`v5`] has.
pub(crate) fn numbered_flows(before: u32, count: u32) -> Vec<u8> {
    flows_of((before..before + count).map(|n| 1_000_000_000 + n), 1)
}

fn flows_of(octets: impl Iterator<Item = u32>, sampling: u16) -> Vec<u8> {
    let mut body = Vec::new();
    for octets in octets {
        body.extend([192, 0, 2, 10, 198, 51, 100, 7]);
        for word in [octets, 1, EXPORTED_S - 10, EXPORTED_S - 5, sampling.into()] {
            body.extend(word.to_be_bytes());
        }
    }
    set(TEMPLATE, &body)
}

/// A NetFlow v9 datagram, so many having been sent before: the template, and `count` flows.
pub(crate) fn v9(before: u32, uptime_ms: u32, count: u32, sampling: u16) -> Vec<u8> {
    let mut template = [TEMPLATE.to_be_bytes(), 7u16.to_be_bytes()].concat();
    for (element, length) in [(8u16, 4u16), (12, 4), (1, 4), (2, 4), (22, 4), (21, 4), (34, 4)] {
        template.extend(element.to_be_bytes());
        template.extend(length.to_be_bytes());
    }
    let mut body = Vec::new();
    for _ in 0..count {
        body.extend([192, 0, 2, 10, 198, 51, 100, 7]);
        for word in [100, 1, uptime_ms - 500, uptime_ms - 100, sampling.into()] {
            body.extend(word.to_be_bytes());
        }
    }
    let mut datagram = [9u16.to_be_bytes(), (1 + count as u16).to_be_bytes()].concat();
    for word in [uptime_ms, EXPORTED_S, before, 1] {
        datagram.extend(word.to_be_bytes());
    }
    [datagram, set(0, &template), set(TEMPLATE, &body)].concat()
}

/// Moves the time of export, which stands at this octet.
pub(crate) fn later(datagram: &mut [u8], octet: usize, seconds: u32) {
    datagram[octet..octet + 4].copy_from_slice(&(EXPORTED_S + seconds).to_be_bytes());
}

/// A pcap file of 300 conversations over TCP, UDP and ICMP, each of a few packets.
pub(crate) fn capture() -> Vec<u8> {
    let mut file = Vec::new();
    for word in [0xa1b2_c3d4u32, 2 << 16 | 4, 0, 0, 65_535, 1] {
        file.extend(word.to_be_bytes());
    }
    for conversation in 0..300u16 {
        for packet in 0..4 + u32::from(conversation % 5) {
            let protocol = [6, 17, 1][usize::from(conversation % 3)];
            let frame = frame(protocol, 20_000 + conversation, usize::from(conversation % 400));
            let time = [EXPORTED_S + u32::from(conversation) / 10, packet * 1_000];
            for word in [time[0], time[1], frame.len() as u32, frame.len() as u32] {
                file.extend(word.to_be_bytes());
            }
            file.extend(frame);
        }
    }
    file
}

/// An Ethernet frame of an IPv4 packet of this protocol.
fn frame(protocol: u8, port: u16, payload_octets: usize) -> Vec<u8> {
    let mut transport = [port.to_be_bytes(), 443u16.to_be_bytes()].concat();
    match protocol {
        6 => transport.extend([0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x10, 4, 0, 0, 0, 0, 0]),
        17 => transport.extend([(8 + payload_octets as u16).to_be_bytes(), [0; 2]].concat()),
        _ => transport = vec![8, 0, 0, 0, 0, 1, (port >> 8) as u8, port as u8],
    }
    transport.resize(transport.len() + payload_octets, b'x');
    let mut packet = vec![0x45, 0];
    packet.extend((20 + transport.len() as u16).to_be_bytes());
    packet.extend([0, 1, 0, 0, 64, protocol, 0, 0, 192, 0, 2, 10, 198, 51, 100, (port % 250) as u8]);
    let sum: u32 = packet.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    packet[10..12].copy_from_slice(&(!folded as u16).to_be_bytes());
    packet.extend(transport);
    [&[2; 12], &[8, 0][..], &packet].concat()
}
