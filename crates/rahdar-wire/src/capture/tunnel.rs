//! Tunnels: a packet in a packet.
//!
//! The packet inside is what counts: its ends talk, those of the outer one are the road
//! (docs/decisions/0006-inner-flow.md). A tunnel is opened if a whole IP header is found inside
//! and its length fits; else the outer packet stays what it is.
//!
//! Sources: RFC 2003 and RFC 4213 (IP in IP), RFC 2784 and RFC 2890 (GRE), RFC 2637 (PPTP), RFC 3378
//! (EtherIP), RFC 4023 and RFC 7510 (MPLS), RFC 7348 and draft-smith-vxlan-group-policy (VXLAN),
//! RFC 8926 (Geneve), draft-foschiano-erspan, 3GPP TS 29.281 (GTP-U).

use rahdar_model::flow::protocol;

use super::frame::{self, Content, IpPacket, UDP_HEADER_OCTETS};
use super::link;

/// The most tunnels that are opened, one in the other: how deep they may be nested where nobody
/// says otherwise (RFC 2473 §6.6).
pub(crate) const TUNNELS_MAX: usize = 4;

/// Tunnels by protocol number (IANA).
const IPV4_IN_IP: u8 = 4;
const IPV6_IN_IP: u8 = 41;
const GRE: u8 = 47;
const ETHERIP: u8 = 97;
const MPLS_IN_IP: u8 = 137;

/// Tunnels by UDP port (IANA). Linux used another port for VXLAN before there was one, and
/// container networks still do.
const VXLAN: u16 = 4789;
const VXLAN_LINUX: u16 = 8472;
const GENEVE: u16 = 6081;
const MPLS_IN_UDP: u16 = 6635;
const GTP_U: u16 = 2152;

/// The most extension headers of GTP-U that are looked through. Chosen here: the standard has eight kinds.
const GTP_EXTENSIONS_MAX: usize = 8;

/// What a tunnel says to be inside, beside ethertypes (IANA, IEEE 802 numbers).
const ETHERNET: u16 = 0x6558;
const PPP: u16 = 0x880b;
const ERSPAN: u16 = 0x88be;
const ERSPAN_III: u16 = 0x22eb;

/// A packet that was found in tunnels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inner<'f> {
    pub(crate) packet: IpPacket<'f>,
    /// Whether it is a tunnel as well, one too many to be opened.
    pub(crate) goes_deeper: bool,
}

/// The innermost packet that is read; none if `packet` is no tunnel.
pub(crate) fn innermost<'f>(packet: &IpPacket<'f>) -> Option<Inner<'f>> {
    let mut packet = opened(packet)?;
    for _ in 1..TUNNELS_MAX {
        match opened(&packet) {
            Some(next) => packet = next,
            None => return Some(Inner { packet, goes_deeper: false }),
        }
    }
    Some(Inner { packet, goes_deeper: opened(&packet).is_some() })
}

/// The packet in a packet.
fn opened<'f>(packet: &IpPacket<'f>) -> Option<IpPacket<'f>> {
    let is_piece = packet.fragment.is_some();
    if packet.fragment.is_some_and(|fragment| !fragment.first) {
        return None;
    }
    let (octets, wire) = (packet.payload, packet.payload_octets as usize);
    let content = match packet.protocol {
        IPV4_IN_IP => link::content(link::IPV4, octets, wire),
        IPV6_IN_IP => link::content(link::IPV6, octets, wire),
        MPLS_IN_IP => link::content(link::MPLS, octets, wire),
        ETHERIP => match octets {
            [0x30, 0, rest @ ..] => link::content(link::ETHERNET, rest, wire.saturating_sub(2)),
            _ => return None,
        },
        GRE => gre(octets, wire)?,
        protocol::UDP => udp(octets, wire)?,
        _ => return None,
    };
    match content {
        // The first piece of a packet holds the beginning of a longer one.
        Content::Ip(inner) if is_piece || inner.octets <= packet.payload_octets => Some(inner),
        _ => None,
    }
}

/// GRE of version 0, but not with source routes (RFC 1701), and of version 1, which is PPTP.
fn gre(octets: &[u8], wire: usize) -> Option<Content<'_>> {
    const CHECKSUM: u8 = 0x80;
    const KEY: u8 = 0x20;
    const NUMBER: u8 = 0x10;
    const ACKNOWLEDGED: u8 = 0x80;
    let [flags, version, high, low] = *octets.first_chunk()?;
    let kind = u16::from_be_bytes([high, low]);
    let options = (flags & (CHECKSUM | KEY | NUMBER)).count_ones() as usize;
    let at = match version & 0x07 {
        0 if flags & !(CHECKSUM | KEY | NUMBER | 0x03) == 0 => 4 + 4 * options,
        1 if flags & !NUMBER == KEY && kind == PPP => {
            4 + 4 * options + 4 * usize::from(version & ACKNOWLEDGED != 0)
        }
        _ => return None,
    };
    let rest = octets.get(at..)?;
    let mirror = match kind {
        // Of the kind without a number nothing stands before the frame.
        ERSPAN if flags & NUMBER == 0 => 0,
        ERSPAN if rest.first()? >> 4 == 1 => 8,
        // The last bit of the header says that eight more octets follow.
        ERSPAN_III if rest.first()? >> 4 == 2 => 12 + 8 * usize::from(rest.get(11)? & 1),
        ERSPAN | ERSPAN_III => return None,
        kind => return Some(of_kind(kind, rest, wire.saturating_sub(at))),
    };
    Some(of_kind(ETHERNET, rest.get(mirror..)?, wire.saturating_sub(at + mirror)))
}

/// Tunnels over UDP. A port alone says little: what stands there must be a header of the tunnel.
fn udp(octets: &[u8], wire: usize) -> Option<Content<'_>> {
    let port = u16::from_be_bytes(*octets.get(2..)?.first_chunk()?);
    let rest = octets.get(UDP_HEADER_OCTETS..)?;
    let wire = wire.saturating_sub(UDP_HEADER_OCTETS);
    match port {
        VXLAN | VXLAN_LINUX => vxlan(rest, wire),
        GENEVE => geneve(rest, wire),
        GTP_U => gtp(rest, wire),
        MPLS_IN_UDP => Some(link::content(link::MPLS, rest, wire)),
        _ => None,
    }
}

/// VXLAN, with a group policy or without: the flag that a network is named. Whatever else is set is ignored on
/// receipt (RFC 7348 §5).
fn vxlan(octets: &[u8], wire: usize) -> Option<Content<'_>> {
    const NETWORK: u8 = 0x08;
    let [flags, ..] = octets.first_chunk::<8>()?;
    (flags & NETWORK != 0).then(|| of_kind(ETHERNET, &octets[8..], wire.saturating_sub(8)))
}

/// Geneve of version 0, unless it is a message of its own (O).
fn geneve(octets: &[u8], wire: usize) -> Option<Content<'_>> {
    let [options, flags, high, low, _, _, _, 0] = *octets.first_chunk::<8>()? else { return None };
    if options >> 6 != 0 || flags & !0x40 != 0 {
        return None;
    }
    let at = 8 + 4 * usize::from(options);
    Some(of_kind(u16::from_be_bytes([high, low]), octets.get(at..)?, wire.saturating_sub(at)))
}

/// GTP-U of version 1, if it carries a packet of a user: mobile networks. Its options are there together, or not at all.
fn gtp(octets: &[u8], wire: usize) -> Option<Content<'_>> {
    const OPTIONS: u8 = 0x07;
    const EXTENDED: u8 = 0x04;
    const PACKET: u8 = 0xff;
    let [flags, PACKET, high, low, ..] = *octets.first_chunk::<8>()? else { return None };
    if flags & !OPTIONS != 0x30 || usize::from(u16::from_be_bytes([high, low])) > wire.saturating_sub(8) {
        return None;
    }
    let mut at = 8;
    if flags & OPTIONS != 0 {
        at += 4;
        let mut next = if flags & EXTENDED != 0 { *octets.get(at - 1)? } else { 0 };
        for _ in 0..GTP_EXTENSIONS_MAX {
            if next == 0 {
                break;
            }
            at += 4 * usize::from(*octets.get(at).filter(|length| **length > 0)?);
            next = *octets.get(at - 1)?;
        }
    }
    Some(frame::bare(octets.get(at..)?, wire.saturating_sub(at)))
}

fn of_kind(kind: u16, octets: &[u8], wire: usize) -> Content<'_> {
    match kind {
        ETHERNET => link::content(link::ETHERNET, octets, wire),
        PPP => link::content(link::PPP, octets, wire),
        ethertype => frame::by_ethertype(Some(ethertype), octets, wire),
    }
}
