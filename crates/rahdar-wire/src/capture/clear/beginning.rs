//! Beginnings that go over several segments of TCP, joined in order.

use std::collections::{BTreeMap, HashMap};

use rahdar_model::Timestamp;
use rahdar_model::sink::SinkError;

use crate::capture::stream::{Connection, Segment};

/// Octets of a beginning at most. Chosen here: the first certificate of a chain stands in the first few thousand.
const OCTETS_MAX: usize = 1 << 14;

/// What a segment that came early costs beside its octets. Chosen here, no less than it takes.
const SEGMENT_OCTETS: usize = 96;

/// Beginnings that wait for more at once, 48 MiB at most. Chosen here.
const OPEN_MAX: usize = 1_024;

/// How long one waits: 15 s, as pieces of packets do.
const AGE_US: i64 = 15_000_000;

/// The packet with which a beginning began, and when that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct First {
    pub(super) packet: u64,
    pub(super) time: Timestamp,
}

/// The beginnings that wait for more.
#[derive(Default)]
pub(super) struct Beginnings(HashMap<Connection, Beginning>);

/// One side of a connection, from some segment on.
struct Beginning {
    first: First,
    /// The number of its first octet.
    number: u32,
    octets: Vec<u8>,
    /// Segments that came before those before them, by where they begin.
    early: BTreeMap<usize, Vec<u8>>,
}

impl Beginnings {
    /// Takes a segment that `begins` something, or goes on with what another began. `read` gets all that is there of it
    /// in order, and says whether it waits for more.
    pub(super) fn take(
        &mut self,
        connection: Connection,
        segment: &Segment<'_>,
        begins: fn(&[u8]) -> bool,
        mut read: impl FnMut(&[u8], First) -> Result<bool, SinkError>,
    ) -> Result<(), SinkError> {
        let is_beginning = begins(segment.octets);
        if let Some(known) = self.0.get_mut(&connection)
            && let Some(has_grown) = known.take(segment, is_beginning)
        {
            let waits = !has_grown || read(&known.octets, known.first)?;
            if !waits || known.octets.len() >= OCTETS_MAX {
                self.0.remove(&connection);
            }
            return Ok(());
        }
        self.0.remove(&connection);
        let first = First { packet: segment.packet, time: segment.time };
        if is_beginning && read(segment.octets, first)? && segment.octets.len() < OCTETS_MAX {
            self.make_room(segment.time);
            self.0.insert(connection, Beginning::of(segment, first));
        }
        Ok(())
    }

    /// Forgets what has waited too long, or the oldest, where there is no room for one more.
    fn make_room(&mut self, now: Timestamp) {
        if self.0.len() < OPEN_MAX {
            return;
        }
        self.0.retain(|_, known| !known.is_old(now));
        if self.0.len() == OPEN_MAX {
            let oldest = self.0.iter().min_by_key(|(connection, known)| (known.first.packet, **connection));
            let oldest = oldest.map(|(connection, _)| *connection);
            oldest.and_then(|oldest| self.0.remove(&oldest));
        }
    }
}

impl Beginning {
    fn of(segment: &Segment<'_>, first: First) -> Self {
        Self { first, number: segment.number, octets: segment.octets.to_vec(), early: BTreeMap::new() }
    }

    fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.first.time) > AGE_US
    }

    /// Whether more is there in order than before; none if the segment belongs to something else.
    fn take(&mut self, segment: &Segment<'_>, is_beginning: bool) -> Option<bool> {
        let ahead = segment.number.wrapping_sub(self.number).cast_signed();
        if ahead < 0 && !is_beginning {
            // Sent again, from before, or to keep the connection alive.
            return Some(false);
        }
        let at = usize::try_from(ahead).unwrap_or(OCTETS_MAX);
        if at >= OCTETS_MAX || self.is_old(segment.time) {
            return None;
        }
        if at > self.octets.len() {
            let held: usize = self.early.values().map(|early| early.len() + SEGMENT_OCTETS).sum();
            if held + segment.octets.len() + SEGMENT_OCTETS <= OCTETS_MAX {
                self.early.entry(at).or_insert_with(|| segment.octets.to_vec());
            }
            return Some(false);
        }
        let before = self.octets.len();
        self.append(at, segment.octets);
        while let Some(next) = self.early.first_entry().filter(|next| *next.key() <= self.octets.len()) {
            let (at, octets) = next.remove_entry();
            self.append(at, &octets);
        }
        Some(self.octets.len() > before)
    }

    /// Appends what is new of octets that begin no later than what is there ends.
    fn append(&mut self, at: usize, octets: &[u8]) {
        let known = self.octets.len() - at;
        self.octets.extend_from_slice(octets.get(known..).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(port: u16) -> Connection {
        Connection {
            src: "192.0.2.1".parse().unwrap(),
            src_port: port,
            dst: "203.0.113.1".parse().unwrap(),
            dst_port: 443,
        }
    }

    /// What is read of segments of `<…>`: each a port, a number, octets and seconds; all that is whole.
    fn read(segments: &[(u16, u32, &str, i64)]) -> Vec<(String, u64)> {
        let (mut beginnings, mut whole) = (Beginnings::default(), Vec::new());
        for (packet, (port, number, octets, seconds)) in (1..).zip(segments) {
            let time = Timestamp::from_seconds(*seconds);
            let segment = Segment { number: *number, octets: octets.as_bytes(), packet, time };
            let begins = |octets: &[u8]| octets.starts_with(b"<");
            beginnings
                .take(connection(*port), &segment, begins, |octets, first| {
                    let is_whole = octets.contains(&b'>');
                    if is_whole {
                        whole.push((String::from_utf8(octets.to_vec()).unwrap(), first.packet));
                    }
                    Ok(!is_whole)
                })
                .unwrap();
        }
        assert!(beginnings.0.len() <= OPEN_MAX);
        assert!(beginnings.0.values().all(|known| known.early.len() <= OCTETS_MAX / SEGMENT_OCTETS));
        whole
    }

    fn is(octets: &str, packet: u64) -> Vec<(String, u64)> {
        vec![(octets.to_owned(), packet)]
    }

    #[test]
    fn segments_are_joined_in_whatever_order_they_come() {
        assert_eq!(read(&[(1, 9, "<ab>cd", 0)]), is("<ab>cd", 1));
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 11, "bc", 0), (1, 13, "d>", 0)]), is("<abcd>", 1));
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 13, "d>", 0), (1, 11, "bc", 0)]), is("<abcd>", 1));
        // One that comes again, longer, and one across the wrap of numbers.
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 9, "<ab", 0), (1, 11, "bc>", 0)]), is("<abc>", 1));
        assert_eq!(read(&[(1, u32::MAX, "<a", 0), (1, 1, "b>", 0)]), is("<ab>", 1));
    }

    #[test]
    fn what_belongs_to_something_else_is_not_joined() {
        let other_connection = [(1, 9, "<a", 0), (2, 11, "b>", 0)];
        let too_late = [(1, 9, "<a", 0), (1, 11, "b>", 16)];
        let no_beginning = [(1, 9, "a", 0), (1, 10, "<b>", 0)];
        let missing = [(1, 9, "<a", 0), (1, 12, "b>", 0)];
        for segments in [&other_connection[..], &too_late, &missing] {
            assert_eq!(read(segments), [], "{segments:?}");
        }
        assert_eq!(read(&no_beginning), is("<b>", 2));
        // The port is used again.
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 500_000, "<c>", 1)]), is("<c>", 2));
    }

    #[test]
    fn what_was_said_before_ends_no_beginning() {
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 8, "x", 0), (1, 11, "b>", 0)]), is("<ab>", 1));
        assert_eq!(read(&[(1, 9, "<a", 0), (1, 2, "<b>", 0), (1, 11, "c>", 0)]), is("<b>", 2));
    }

    #[test]
    fn what_never_ends_is_forgotten() {
        let long = "x".repeat(1_000);
        let mut segments = vec![(1, 0, "<", 0)];
        segments.extend((0..20).map(|n| (1, 1 + n * 1_000, long.as_str(), 0)));
        segments.push((1, 20_001, ">", 0));
        assert_eq!(read(&segments), []);
        // Small segments, all before the second, are too many to wait.
        let mut segments = vec![(1, 0, "<", 0)];
        segments.extend((2..=1_000).rev().map(|number| (1, number, ">", 0)));
        assert_eq!(read(&segments), []);
    }

    #[test]
    fn the_oldest_goes_first_where_there_is_no_room() {
        let mut segments: Vec<_> = (0..=OPEN_MAX as u16).map(|port| (port, 0, "<", 0)).collect();
        segments.extend([(0, 1, ">", 0), (1, 1, ">", 0)]);
        assert_eq!(read(&segments), is("<>", 2));
    }
}
