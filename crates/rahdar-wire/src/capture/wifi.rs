//! Frames of Wi-Fi (IEEE 802.11), as monitors capture them: data frames that are not encrypted hold LLC, SNAP and IP.
//!
//! Before the frame a monitor may put a header of its own: radiotap, Prism or AVS. Frames of management, without
//! data, or encrypted are no IP. A frame that holds several packets at once (A-MSDU) is refused. When it is wrong: a
//! frame that was sent again is counted again, and so is one that an access point passes on.
//!
//! Sources: IEEE 802.11-2020 §9.2 and §9.3.2; radiotap.org; tcpdump.org/linktypes.

use super::frame::{Content, by_ethertype};

const CUT: Content<'_> = Content::Malformed("the header of the link is cut off");

/// Flags of radiotap: octets between header and data up to a multiple of four, and a wrong check sequence.
const PADDED: u8 = 0x20;
const FAILED: u8 = 0x40;

/// A frame behind a header of radiotap.
pub(super) fn radiotap(octets: &[u8], length: usize) -> Content<'_> {
    let Some([0, _, low, high]) = octets.first_chunk() else { return CUT };
    let at = usize::from(u16::from_le_bytes([*low, *high]));
    let (Some(header), Some(rest)) = (octets.get(..at), octets.get(at..)) else { return CUT };
    frame(rest, length.saturating_sub(at), radiotap_flags(header).unwrap_or(0))
}

/// The flags in a header of radiotap. They are the second field, the first is a clock of eight octets; before the
/// fields stand words that say which there are, as long as the highest bit of one announces another.
fn radiotap_flags(header: &[u8]) -> Option<u8> {
    const CLOCK: u32 = 1;
    const FLAGS: u32 = 1 << 1;
    const MORE: u32 = 1 << 31;
    let words = header.get(4..)?.as_chunks::<4>().0;
    let present = u32::from_le_bytes(*words.first()?);
    let more = words.iter().take_while(|word| u32::from_le_bytes(**word) & MORE != 0).count();
    let at = 4 + 4 * (more + 1);
    let at = if present & CLOCK != 0 { at.next_multiple_of(8) + 8 } else { at };
    if present & FLAGS != 0 { header.get(at).copied() } else { None }
}

/// A frame behind a header of Prism, or of AVS, which took its place and tells its own length.
pub(super) fn prism(octets: &[u8], length: usize) -> Content<'_> {
    const PRISM_OCTETS: usize = 144;
    let Some([a, b, c, _, length_octets @ ..]) = octets.first_chunk::<8>() else { return CUT };
    let at = match (a, b, c) {
        (0x80, 0x21, 0x10) => u32::from_be_bytes(*length_octets) as usize,
        _ => PRISM_OCTETS,
    };
    match octets.get(at..) {
        Some(rest) => frame(rest, length.saturating_sub(at), 0),
        None => CUT,
    }
}

/// A frame of 802.11; `flags` are those of radiotap.
pub(super) fn frame(octets: &[u8], length: usize, flags: u8) -> Content<'_> {
    const HEADER_OCTETS: usize = 24;
    /// The frame goes from one access point to another: it has a fourth address.
    const BETWEEN: u8 = 0x03;
    const ENCRYPTED: u8 = 0x40;
    const ORDERED: u8 = 0x80;
    /// What the first octet says of a data frame: that it has no data, that it has a class of service.
    const EMPTY: u8 = 0x40;
    const CLASSED: u8 = 0x80;
    const AGGREGATED: u8 = 0x80;
    let Some([kind, control, ..]) = octets.first_chunk::<2>() else { return CUT };
    if kind & 0x0f != 0x08 || kind & EMPTY != 0 || control & ENCRYPTED != 0 {
        return Content::NoIp;
    }
    if flags & FAILED != 0 {
        return Content::Malformed("the check sequence of the frame is wrong");
    }
    let Some(header) = octets.first_chunk::<HEADER_OCTETS>() else { return CUT };
    // A later piece of a frame holds no header of IP.
    if header[22] & 0x0f != 0 {
        return Content::NoIp;
    }
    let mut at = HEADER_OCTETS + if control & BETWEEN == BETWEEN { 6 } else { 0 };
    if kind & CLASSED != 0 {
        let Some(class) = octets.get(at) else { return CUT };
        if class & AGGREGATED != 0 {
            return Content::Malformed("the frame holds several packets (A-MSDU), which are not read");
        }
        at += 2 + if control & ORDERED != 0 { 4 } else { 0 };
    }
    if flags & PADDED != 0 {
        at = at.next_multiple_of(4);
    }
    by_ethertype(Some(0), octets.get(at..).unwrap_or_default(), length.saturating_sub(at))
}
