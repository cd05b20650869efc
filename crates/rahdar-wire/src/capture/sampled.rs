//! The beginning of a packet that an exporter sampled, as sFlow and IPFIX send it, into a record.

use rahdar_model::flow::FlowRecord;

use super::frame::{self, IpPacket, Transport};
use super::{link, tunnel};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// An IP packet: the record says which.
    Flow,
    /// A frame without IP.
    NoFlow,
    /// A packet that cannot be used, and why.
    Unreadable(&'static str),
}

/// Fills the record with the innermost IP packet in the beginning `octets` of a frame that had `length` of
/// them: ends, protocol, flags, octets. Tunnels are opened as in captures.
pub(crate) fn fill(link: u16, octets: &[u8], length: usize, record: &mut FlowRecord) -> Content {
    match link::content(link, octets, length) {
        frame::Content::Ip(outer) => {
            ip(&tunnel::innermost(&outer).map_or(outer, |inner| inner.packet), record);
            Content::Flow
        }
        frame::Content::Malformed(why) => Content::Unreadable(why),
        frame::Content::NoIp => Content::NoFlow,
        frame::Content::UnknownLink => {
            Content::Unreadable("the packet begins with a header that is not read")
        }
    }
}

fn ip(ip: &IpPacket<'_>, record: &mut FlowRecord) {
    // A later piece begins in the middle: it has no ports to be read.
    let transport = match ip.fragment {
        Some(fragment) if !fragment.first => Transport { header_octets: Some(0), ..Transport::default() },
        _ => Transport::of(ip),
    };
    record.src = ip.src;
    record.dst = ip.dst;
    record.protocol = ip.protocol;
    record.octets = ip.octets;
    record.src_port = transport.src_port;
    record.dst_port = transport.dst_port;
    record.tcp_flags = transport.tcp_flags;
    record.icmp_type = transport.icmp.map(|(kind, _)| kind);
    record.icmp_code = transport.icmp.map(|(_, code)| code);
    record.payload_octets = transport.header_octets.map(|octets| ip.payload_octets.saturating_sub(octets));
}
