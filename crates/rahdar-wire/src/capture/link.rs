//! What stands behind the link header of a frame, by the type of the link.
//!
//! Source: tcpdump.org/linktypes.

use super::frame::{Content, ETHERTYPE_MPLS, bare, by_ethertype, of_ppp};
use super::wifi;

/// Link types that are read.
const NULL: u16 = 0;
pub(crate) const ETHERNET: u16 = 1;
pub(crate) const PPP: u16 = 9;
const RAW_BSD: [u16; 2] = [12, 14];
const PPP_SERIAL: u16 = 50;
const PPPOE: u16 = 51;
const ATM: u16 = 100;
pub(crate) const RAW: u16 = 101;
const C_HDLC: u16 = 104;
const WIFI: u16 = 105;
const LOOP: u16 = 108;
const IPSEC: u16 = 109;
const LINUX_SLL: u16 = 113;
const PRISM: u16 = 119;
const RADIOTAP: u16 = 127;
const AVS: u16 = 163;
const PPP_PPPD: u16 = 166;
const PPI: u16 = 192;
const PPP_WITH_DIRECTION: u16 = 204;
const C_HDLC_WITH_DIRECTION: u16 = 205;
pub(crate) const MPLS: u16 = 219;
pub(crate) const IPV4: u16 = 228;
pub(crate) const IPV6: u16 = 229;
const LINUX_SLL2: u16 = 276;

/// An ethertype that means a PPPoE session.
const ETHERTYPE_PPPOE: u16 = 0x8864;

/// The name of a link type that is not read, for those that captures of networks have.
pub(crate) fn name(link: u16) -> Option<&'static str> {
    Some(match link {
        6 => "Token Ring",
        8 => "SLIP",
        10 => "FDDI",
        99 => "Symantec firewall",
        107 => "Frame Relay",
        117 => "pflog",
        122 => "Fibre Channel",
        123 => "ATM of SunOS",
        138 => "FireWire",
        143 => "DOCSIS",
        147..=162 => "of a user",
        130..=137 | 178..=183 | 194 => "of Juniper",
        187 | 201 => "Bluetooth",
        189 | 220 | 249 => "USB",
        195 | 215 | 230 => "802.15.4",
        226 => "IPNET of Solaris",
        227 => "CAN",
        239 => "NFLOG",
        242 | 247 => "InfiniBand",
        252 => "what Wireshark exported from above the link",
        253 => "Netlink",
        _ => return None,
    })
}

/// Finds IP in the captured `octets` of a frame that had `length` of them.
pub(crate) fn content<'f>(link: u16, octets: &'f [u8], length: usize) -> Content<'f> {
    let rest = |at: usize| octets.get(at..).unwrap_or_default();
    let wire = |at: usize| length.saturating_sub(at);
    let ethertype =
        |at: usize| octets.get(at..).and_then(<[u8]>::first_chunk).map(|t| u16::from_be_bytes(*t));
    match link {
        ETHERNET => by_ethertype(ethertype(12), rest(14), wire(14)),
        LINUX_SLL => by_ethertype(ethertype(14), rest(16), wire(16)),
        LINUX_SLL2 => by_ethertype(ethertype(0), rest(20), wire(20)),
        MPLS => by_ethertype(Some(ETHERTYPE_MPLS), octets, length),
        PPPOE => by_ethertype(Some(ETHERTYPE_PPPOE), octets, length),
        // LLC and SNAP, as in 802.3.
        ATM => by_ethertype(Some(0), octets, length),
        PPP => ppp(octets, length),
        PPP_WITH_DIRECTION => ppp(rest(1), wire(1)),
        // A direction in place of the address.
        PPP_PPPD => ppp(rest(2), wire(2)),
        C_HDLC => by_ethertype(ethertype(2), rest(4), wire(4)),
        C_HDLC_WITH_DIRECTION => by_ethertype(ethertype(3), rest(5), wire(5)),
        // The first octet is an address: that of Cisco, or the one of PPP.
        PPP_SERIAL if matches!(octets.first(), Some(0x0f | 0x8f)) => content(C_HDLC, octets, length),
        PPP_SERIAL => ppp(octets, length),
        // The address family before it differs between systems; the version of IP says the same.
        NULL | LOOP => bare(rest(4), wire(4)),
        IPSEC => bare(rest(12), wire(12)),
        RAW | IPV4 | IPV6 => bare(octets, length),
        _ if RAW_BSD.contains(&link) => bare(octets, length),
        WIFI => wifi::frame(octets, length, 0),
        RADIOTAP => wifi::radiotap(octets, length),
        PRISM | AVS => wifi::prism(octets, length),
        PPI => match octets.first_chunk() {
            Some([_, _, low, high, RADIO, 0, 0, 0]) => {
                let at = usize::from(u16::from_le_bytes([*low, *high]));
                wifi::frame(rest(at), wire(at), 0)
            }
            Some(_) => Content::UnknownLink,
            None => Content::Malformed("the header of the link is cut off"),
        },
        _ => Content::UnknownLink,
    }
}

/// The link type of 802.11, as PPI has it.
const RADIO: u8 = WIFI as u8;

fn ppp(octets: &[u8], length: usize) -> Content<'_> {
    match of_ppp(octets) {
        Some((ethertype, at)) => {
            by_ethertype(Some(ethertype), octets.get(at..).unwrap_or_default(), length.saturating_sub(at))
        }
        None => Content::NoIp,
    }
}
