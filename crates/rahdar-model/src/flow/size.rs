//! Which packets and octets can belong together.

use super::Quality;

/// Octets of the shortest and of the longest packet of IP (RFC 791 §3.1).
pub const PACKET_OCTETS: (u64, u64) = (20, 65_535);

/// What is doubtful about the counters of one direction. A counter that nobody told is stored as 0 and marked, and
/// the other is not held against it. Octets beside no packets are those of a source that counts octets alone, as firewalls
/// do: it tells no packets.
#[inline]
pub fn doubt(packets: Option<u64>, octets: Option<u64>) -> Quality {
    match (packets, octets) {
        (Some(0), Some(1..)) | (None, _) | (_, None) => Quality::CONTENT_GAP,
        (Some(packets), Some(octets)) if is_impossible(packets, octets) => Quality::IMPOSSIBLE_SIZE,
        (Some(_), Some(_)) => Quality::NONE,
    }
}

/// Whether no such number of packets has so many octets.
fn is_impossible(packets: u64, octets: u64) -> bool {
    let (least, most) = PACKET_OCTETS;
    octets < packets.saturating_mul(least) || octets > packets.saturating_mul(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packet_has_20_to_65_535_octets() {
        for (octets, told) in [
            (39, Quality::IMPOSSIBLE_SIZE),
            (40, Quality::NONE),
            (131_070, Quality::NONE),
            (131_071, Quality::IMPOSSIBLE_SIZE),
        ] {
            assert_eq!(doubt(Some(2), Some(octets)), told, "{octets}");
        }
        assert_eq!(doubt(Some(u64::MAX), Some(u64::MAX)), Quality::NONE);
    }

    #[test]
    fn a_counter_that_nobody_told_is_not_held_against_the_other() {
        assert_eq!(doubt(Some(0), Some(0)), Quality::NONE);
        for (packets, octets) in [(None, Some(900)), (Some(9), None), (None, None), (Some(0), Some(900))] {
            assert_eq!(doubt(packets, octets), Quality::CONTENT_GAP, "{packets:?} {octets:?}");
        }
    }
}
