//! IP in a frame, behind its link header ([`super::link`]): tags and labels, IPv4 and IPv6, what stands above them.
//!
//! Captures are often cut after the headers, so every length comes from the IP header, and
//! what the frame does not hold is left open.
//!
//! Sources: IEEE 802.1Q, RFC 791, RFC 8200, RFC 3032 and RFC 4448 (MPLS),
//! RFC 2516 (PPPoE).

use rahdar_model::Address;
use rahdar_model::flow::protocol;

/// MPLS, as an ethertype.
pub(super) const ETHERTYPE_MPLS: u16 = 0x8847;

/// The most tags, labels and session headers before IP that are looked through. Chosen here:
/// QinQ over MPLS over PPPoE needs six.
const TAGS_MAX: usize = 16;

/// The most IPv6 extension headers that are looked through. Chosen here: RFC 8200 §4.1 has seven.
const EXTENSION_HEADERS_MAX: usize = 16;

/// Extension headers of IPv6 by protocol number (IANA).
const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const NO_NEXT_HEADER: u8 = 59;
const DESTINATION: u8 = 60;
const MOBILITY: u8 = 135;
const HIP: u8 = 139;
const SHIM6: u8 = 140;

/// Transports beside TCP and UDP whose header begins with two ports (IANA).
const DCCP: u8 = 33;
const SCTP: u8 = 132;
const UDP_LITE: u8 = 136;

/// What a frame holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Content<'f> {
    Ip(IpPacket<'f>),
    /// ARP, LLDP and the like.
    NoIp,
    /// An IP packet whose header cannot be used.
    Malformed(&'static str),
    /// A link type that is not read.
    UnknownLink,
}

/// One IP packet.
#[derive(Debug, Clone, Copy)]
pub(crate) struct IpPacket<'f> {
    pub(crate) src: Address,
    pub(crate) dst: Address,
    /// The protocol above IP and its extension headers.
    pub(crate) protocol: u8,
    /// Octets of the packet on the wire, IP header included.
    pub(crate) octets: u64,
    /// Octets above IP and its extension headers on the wire.
    pub(crate) payload_octets: u64,
    /// What was captured of them.
    pub(crate) payload: &'f [u8],
    pub(crate) fragment: Option<Fragment>,
}

/// A piece of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fragment {
    pub(crate) id: u32,
    /// Whether it is the one with the transport header.
    pub(crate) first: bool,
    pub(crate) last: bool,
    /// Where the payload begins in the part of the packet that came in pieces, in octets: not 0 in the first piece
    /// if extension headers stand there.
    pub(crate) offset: u64,
}

/// Goes through tags, labels and session headers to IP. `wire` is the length of `octets` on the wire.
pub(super) fn by_ethertype(ethertype: Option<u16>, octets: &[u8], wire: usize) -> Content<'_> {
    let Some(mut ethertype) = ethertype else { return Content::NoIp };
    let mut at = 0;
    let mut is_pseudowire = false;
    for _ in 0..TAGS_MAX {
        let rest = octets.get(at..).unwrap_or_default();
        let wire = wire.saturating_sub(at);
        (ethertype, at) = match (ethertype, rest) {
            (0x0800 | 0x86dd, _) if is_pseudowire => return guessed(rest, wire),
            (0x0800 | 0x86dd, _) => return by_version(rest, wire),
            // 802.1Q, 802.1ad, and two numbers that stood for it before: tag, then ethertype.
            (0x8100 | 0x88a8 | 0x9100 | 0x9200, [_, _, high, low, ..]) => {
                (u16::from_be_bytes([*high, *low]), at + 4)
            }
            // What follows the label whose lowest bit of the third octet is set is seen by its
            // first four bits only: IP by its version, or else a control word (RFC 4385 §3) and an
            // Ethernet frame (RFC 4448 §4.6), unless it is a frame without one.
            (ETHERTYPE_MPLS | 0x8848, [_, _, bottom, _, rest @ ..]) if bottom & 1 == 1 => match rest {
                [first, ..] if matches!(first >> 4, 4 | 6) => return guessed(rest, wire.saturating_sub(4)),
                [0, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, high, low, ..] => {
                    is_pseudowire = true;
                    (u16::from_be_bytes([*high, *low]), at + 4 + 4 + 14)
                }
                _ => return Content::NoIp,
            },
            (ETHERTYPE_MPLS | 0x8848, [_, _, _, _, ..]) => (ethertype, at + 4),
            // PPPoE session: version and type, code, session, length, then PPP.
            (0x8864, [0x11, 0, _, _, _, _, rest @ ..]) => match of_ppp(rest) {
                Some((ethertype, octets)) => (ethertype, at + 6 + octets),
                None => return Content::NoIp,
            },
            // 802.3 length, then LLC and SNAP with an ethertype.
            (0..0x0600, [0xaa, 0xaa, 3, 0, 0, 0, high, low, ..]) => {
                (u16::from_be_bytes([*high, *low]), at + 8)
            }
            _ => return Content::NoIp,
        };
    }
    Content::NoIp
}

/// A packet that is IP if it can be, and if the rest of the frame is long enough for it.
fn guessed(octets: &[u8], wire: usize) -> Content<'_> {
    match by_version(octets, wire) {
        Content::Ip(packet) if packet.octets <= wire as u64 => Content::Ip(packet),
        _ => Content::NoIp,
    }
}

/// The ethertype that says the same as a header of PPP (IANA, PPP numbers), and the octets of the
/// header. Address and control may be left out, and the first octet of the protocol if it is zero
/// (RFC 1661 §6.5 and §6.6).
pub(super) fn of_ppp(octets: &[u8]) -> Option<(u16, usize)> {
    let at = if octets.starts_with(&[0xff, 0x03]) { 2 } else { 0 };
    match octets.get(at..)? {
        [0x21, ..] => Some((0x0800, at + 1)),
        [0x57, ..] => Some((0x86dd, at + 1)),
        [0x00, 0x21, ..] => Some((0x0800, at + 2)),
        [0x00, 0x57, ..] => Some((0x86dd, at + 2)),
        [0x02, 0x81, ..] => Some((ETHERTYPE_MPLS, at + 2)),
        _ => None,
    }
}

/// A packet that nothing but its version says to be IP.
pub(super) fn bare(octets: &[u8], wire: usize) -> Content<'_> {
    match octets.first().map(|first| first >> 4) {
        Some(4 | 6) => by_version(octets, wire),
        _ => Content::NoIp,
    }
}

fn by_version(octets: &[u8], wire: usize) -> Content<'_> {
    match octets.first().map(|first| first >> 4) {
        Some(4) => ipv4(octets, wire),
        Some(6) => ipv6(octets, wire),
        _ => Content::Malformed("the packet is neither IPv4 nor IPv6"),
    }
}

fn ipv4(octets: &[u8], wire: usize) -> Content<'_> {
    let Some(header) = octets.first_chunk::<20>() else {
        return Content::Malformed("the IPv4 header is cut off");
    };
    let header_octets = usize::from(header[0] & 0x0f) * 4;
    let total = match u16::from_be_bytes([header[2], header[3]]) {
        // The network card was to cut this packet up and to fill in the length (TSO).
        0 => wire,
        total => usize::from(total),
    };
    if header_octets < 20 || total < header_octets {
        return Content::Malformed("the lengths of the IPv4 header contradict each other");
    }
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    let (more, offset) = (fragment & 0x2000 != 0, fragment & 0x1fff);
    Content::Ip(IpPacket {
        src: v4(&header[12..]),
        dst: v4(&header[16..]),
        protocol: header[9],
        octets: total as u64,
        payload_octets: (total - header_octets) as u64,
        payload: octets.get(header_octets..octets.len().min(total)).unwrap_or_default(),
        fragment: (more || offset > 0).then(|| Fragment {
            id: u16::from_be_bytes([header[4], header[5]]).into(),
            first: offset == 0,
            last: !more,
            offset: u64::from(offset) * 8,
        }),
    })
}

fn ipv6(octets: &[u8], wire: usize) -> Content<'_> {
    const HEADER_OCTETS: usize = 40;
    let Some(header) = octets.first_chunk::<HEADER_OCTETS>() else {
        return Content::Malformed("the IPv6 header is cut off");
    };
    let mut next = header[6];
    let total = match u16::from_be_bytes([header[4], header[5]]) {
        // A jumbogram (RFC 2675), or a packet that the network card was to cut up.
        0 if next != NO_NEXT_HEADER => wire.max(HEADER_OCTETS),
        payload => HEADER_OCTETS + usize::from(payload),
    };
    let octets = &octets[..octets.len().min(total)];
    let mut at = HEADER_OCTETS;
    let mut fragment = None;
    let mut fragmented_at = at;
    for _ in 0..EXTENSION_HEADERS_MAX {
        // A later fragment begins in the middle of what its first one began.
        if fragment.is_some_and(|f: Fragment| !f.first) {
            break;
        }
        let Some([following, length, ..]) = octets.get(at..) else { break };
        let header_octets = match next {
            HOP_BY_HOP | ROUTING | DESTINATION | MOBILITY | HIP | SHIM6 => (usize::from(*length) + 1) * 8,
            AUTHENTICATION => (usize::from(*length) + 2) * 4,
            FRAGMENT => {
                let Some([_, _, high, low, id @ ..]) = octets.get(at..at + 8) else { break };
                let offset_and_more = u16::from_be_bytes([*high, *low]) & 0xfff9;
                fragmented_at = at + 8;
                // One that is whole (RFC 6946) is no piece.
                fragment = (offset_and_more != 0).then(|| Fragment {
                    id: id.first_chunk().map_or(0, |id| u32::from_be_bytes(*id)),
                    first: offset_and_more >> 3 == 0,
                    last: offset_and_more & 1 == 0,
                    // It counts units of eight octets, and stands above three bits.
                    offset: u64::from(offset_and_more & 0xfff8),
                });
                8
            }
            _ => break,
        };
        at += header_octets;
        next = *following;
    }
    if let Some(fragment) = &mut fragment {
        fragment.offset += (at - fragmented_at) as u64;
    }
    Content::Ip(IpPacket {
        src: v6(&header[8..]),
        dst: v6(&header[24..]),
        protocol: next,
        octets: total as u64,
        payload_octets: total.saturating_sub(at) as u64,
        payload: octets.get(at..).unwrap_or_default(),
        fragment,
    })
}

fn v4(octets: &[u8]) -> Address {
    octets.first_chunk().map_or(Address::UNSPECIFIED, |bits| Address::from_v4_bits(u32::from_be_bytes(*bits)))
}

fn v6(octets: &[u8]) -> Address {
    octets.first_chunk().map_or(Address::UNSPECIFIED, |bits| Address::from_bits(u128::from_be_bytes(*bits)))
}

impl<'f> IpPacket<'f> {
    /// Whether some of the packet was on the wire and is not in the capture.
    pub(crate) fn is_cut(&self) -> bool {
        (self.payload.len() as u64) < self.payload_octets
    }

    /// The beginning of what a UDP packet carries, and its octets on the wire.
    pub(crate) fn udp_beginning(&self) -> Option<(&'f [u8], usize)> {
        let length = u16::from_be_bytes(*self.payload.get(4..)?.first_chunk()?);
        let octets = usize::from(length).checked_sub(UDP_HEADER_OCTETS)?;
        Some((self.payload.get(UDP_HEADER_OCTETS..)?, octets))
    }
}

pub(super) const UDP_HEADER_OCTETS: usize = 8;

/// The bits of the offset and flags of TCP that are flags, some of them reserved (RFC 9293 §3.1).
const TCP_FLAGS: u16 = 0x0fff;

/// What stands in the transport header, as far as a flow needs it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Transport {
    /// 0 where there is none, or where it was not captured.
    pub(crate) src_port: u16,
    pub(crate) dst_port: u16,
    /// Flags of TCP, twelve bits.
    pub(crate) tcp_flags: Option<u16>,
    /// Type and code of ICMP.
    pub(crate) icmp: Option<(u8, u8)>,
    /// Octets of the header, if the protocol's is known.
    pub(crate) header_octets: Option<u64>,
}

impl Transport {
    /// The transport header at the beginning of the packet's payload.
    pub(crate) fn of(ip: &IpPacket<'_>) -> Self {
        let at = |at: usize| ip.payload.get(at).copied();
        let word =
            |at: usize| ip.payload.get(at..).and_then(<[u8]>::first_chunk).map(|w| u16::from_be_bytes(*w));
        let ports = |header_octets| Self {
            src_port: word(0).unwrap_or(0),
            dst_port: word(2).unwrap_or(0),
            header_octets: Some(header_octets),
            ..Self::default()
        };
        match ip.protocol {
            protocol::TCP => {
                const HEADER_OCTETS: u64 = 20;
                let said = at(12).map_or(HEADER_OCTETS, |offset| u64::from(offset >> 4) * 4);
                Self { tcp_flags: word(12).map(|word| word & TCP_FLAGS), ..ports(said.max(HEADER_OCTETS)) }
            }
            protocol::UDP | UDP_LITE => ports(UDP_HEADER_OCTETS as u64),
            SCTP => ports(12),
            DCCP => ports(at(4).map_or(12, |offset| u64::from(offset) * 4)),
            protocol::ICMP | protocol::ICMPV6 => {
                Self { icmp: at(0).zip(at(1)), header_octets: Some(8), ..Self::default() }
            }
            _ => Self::default(),
        }
    }
}
