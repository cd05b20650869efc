//! Packets that came in pieces: only the first piece has ports, and flow export is read from all of them together.
//!
//! A later piece that comes before its first waits for it. Pieces of flow export wait until all are there, other
//! pieces go on at once. What waits is bounded in number, octets and age; what is given up is traffic without ports,
//! or refused export.
//!
//! Pieces that overlap are refused with all of their datagram (RFC 5722 §3, RFC 8200 §4.5), also in IPv4; a piece that
//! came twice is one. A first piece that differs from the one before begins another datagram: numbers come again.
//!
//! When it is wrong: a datagram that lost a piece, and another of the same number within [`AGE_US`] whose pieces are
//! not in order, may be joined to one (RFC 4963). Checksums are not looked at: addresses in captures are often altered.

use std::collections::{BTreeMap, HashMap, VecDeque};

use rahdar_model::flow::protocol;
use rahdar_model::{Address, Timestamp};

use super::frame::{Fragment, IpPacket, Transport, UDP_HEADER_OCTETS};

/// The most packets whose pieces are known. Chosen here: far above what a link has in
/// flight, far below what memory could hold.
const FRAGMENTED_MAX: usize = 4_096;

/// The most octets that wait. Chosen here: 256 datagrams of the largest size.
const WAITING_OCTETS_MAX: usize = 16 << 20;

/// What a piece that waits costs beside its payload, in octets. Chosen here: about what it does.
const PIECE_OCTETS: usize = 256;

/// How far apart the first and the last piece of a packet may be: 15 s (RFC 791 §3.2). A number of 16 bits does not come
/// again in it below 4,000 packets a second between two hosts.
const AGE_US: i64 = 15_000_000;

/// Why flow export in pieces is refused.
pub(crate) const MISSING: &str = "a datagram of flow export came in pieces, and some of them are missing";
pub(crate) const NO_ROOM: &str = "a datagram of flow export came in more pieces at once than are kept";
pub(crate) const OVERLAP: &str = "the pieces of a datagram of flow export overlap or contradict each other";
pub(crate) const CUT: &str = "the capture has only the beginning of a datagram of flow export";

/// A piece that waits, or waited.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) number: u64,
    pub(crate) time: Timestamp,
    fragment: Fragment,
    protocol: u8,
    octets: u64,
    payload_octets: u64,
    payload: Vec<u8>,
}

impl Piece {
    fn of(ip: &IpPacket<'_>, fragment: Fragment, number: u64, time: Timestamp) -> Self {
        let IpPacket { protocol, octets, payload_octets, payload, .. } = *ip;
        Self { number, time, fragment, protocol, octets, payload_octets, payload: payload.to_vec() }
    }

    /// Where it ends in its packet.
    fn end(&self) -> u64 {
        self.fragment.offset + self.payload_octets
    }

    /// The piece as it came, between these ends.
    pub(crate) fn packet(&self, ends: Ends) -> IpPacket<'_> {
        IpPacket {
            src: ends.src,
            dst: ends.dst,
            protocol: self.protocol,
            octets: self.octets,
            payload_octets: self.payload_octets,
            payload: &self.payload,
            fragment: Some(self.fragment),
        }
    }

    /// Whether it has the transport header.
    pub(crate) fn is_first(&self) -> bool {
        self.fragment.first
    }

    fn is_cut(&self) -> bool {
        (self.payload.len() as u64) < self.payload_octets
    }
}

/// Who sent a packet to whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Ends {
    pub(crate) src: Address,
    pub(crate) dst: Address,
}

/// The transport header of a packet, and the protocol that it is of.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Head {
    pub(crate) transport: Transport,
    /// None where the first piece never came.
    pub(crate) protocol: Option<u8>,
}

/// What becomes of a piece.
pub(crate) enum Taken {
    /// It is traffic of this packet.
    Traffic(Head),
    /// It belongs to what was read otherwise, or refused.
    Beside,
    /// It waits.
    Waits,
}

/// What became of pieces that waited.
pub(crate) enum Decided {
    /// They are traffic of one packet, in the order in which they came.
    Traffic(Ends, Head, Vec<Piece>),
    /// They seem to be flow export, and are all there, in the order of their packet.
    Whole(Ends, Head, Vec<Piece>),
    /// They are flow export that cannot be read: the number of the first of them, how many, and why.
    Refused(u64, u64, &'static str),
    /// So many are beside.
    Beside(u64),
}

/// Identifies a packet (RFC 791 §3.2, RFC 8200 §4.5: there the protocol is not part of it).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    ends: Ends,
    protocol: u8,
    id: u32,
}

impl Key {
    fn of(ip: &IpPacket<'_>, fragment: Fragment) -> Self {
        let protocol = if ip.src.is_v4() { ip.protocol } else { 0 };
        Self { ends: Ends { src: ip.src, dst: ip.dst }, protocol, id: fragment.id }
    }
}

/// What is known of a packet.
enum State {
    /// The first piece is not there yet; these wait for it.
    Headless(Vec<Piece>),
    /// The first piece was traffic.
    Traffic(Head),
    /// The first piece was flow export; the others gather.
    Export(Head, Gathered),
    /// It was read, opened or refused.
    Over,
}

struct Entry {
    since: Timestamp,
    /// Tells it from those that had its key before.
    serial: u64,
    state: State,
}

/// The packets that came in pieces.
pub(crate) struct Fragments {
    known: HashMap<Key, Entry>,
    /// The keys in the order of their coming: the oldest makes room.
    order: VecDeque<(Key, u64)>,
    serial: u64,
    /// Octets that wait.
    waiting: usize,
    decided: Vec<Decided>,
}

impl Fragments {
    pub(crate) fn new() -> Self {
        Self { known: HashMap::new(), order: VecDeque::new(), serial: 0, waiting: 0, decided: Vec::new() }
    }

    /// What was decided since, in order.
    pub(crate) fn decided(&mut self) -> Vec<Decided> {
        std::mem::take(&mut self.decided)
    }

    /// Takes one piece. `is_export` is asked whether a first piece, with this transport header, begins flow export.
    pub(crate) fn take(
        &mut self,
        ip: &IpPacket<'_>,
        fragment: Fragment,
        number: u64,
        time: Timestamp,
        is_export: impl FnOnce(&Transport) -> bool,
    ) -> Taken {
        let key = Key::of(ip, fragment);
        self.forget_old(key, time);
        if fragment.first {
            return self.first(key, Piece::of(ip, fragment, number, time), Transport::of(ip), is_export);
        }
        match self.known.get_mut(&key).map(|entry| &mut entry.state) {
            Some(State::Traffic(head)) => return Taken::Traffic(later(*head)),
            Some(State::Over) => return Taken::Beside,
            Some(State::Headless(pieces)) => {
                let piece = Piece::of(ip, fragment, number, time);
                self.waiting += weight(&piece);
                pieces.push(piece);
            }
            Some(State::Export(..)) => return self.gather(key, Piece::of(ip, fragment, number, time)),
            None => {
                let piece = Piece::of(ip, fragment, number, time);
                self.waiting += weight(&piece);
                self.begin(key, time, State::Headless(vec![piece]));
            }
        }
        self.make_room();
        Taken::Waits
    }

    /// Takes note that the first piece was a tunnel and was opened: the one inside is counted whole.
    pub(crate) fn opened(&mut self, ip: &IpPacket<'_>, fragment: Fragment, time: Timestamp) {
        let key = Key::of(ip, fragment);
        self.forget_old(key, time);
        match self.end(key) {
            Some(State::Headless(pieces)) => self.decided.push(Decided::Beside(pieces.len() as u64)),
            Some(other) => self.give_up(key.ends, other, MISSING),
            None => {}
        }
        self.begin(key, time, State::Over);
    }

    /// Gives up what has waited for too long at this time.
    pub(crate) fn sweep(&mut self, time: Timestamp) {
        while let Some((key, serial)) = self.order.front().copied() {
            match self.known.get(&key).filter(|entry| entry.serial == serial) {
                Some(entry) if time.since(entry.since) <= AGE_US => return,
                Some(_) => self.drop_oldest(MISSING),
                None => _ = self.order.pop_front(),
            }
        }
    }

    /// Gives up all that waits.
    pub(crate) fn finish(&mut self) {
        while !self.order.is_empty() {
            self.drop_oldest(MISSING);
        }
    }

    fn first(
        &mut self,
        key: Key,
        piece: Piece,
        transport: Transport,
        is_export: impl FnOnce(&Transport) -> bool,
    ) -> Taken {
        let mut waited = Vec::new();
        match self.known.get(&key).map(|entry| &entry.state) {
            Some(State::Export(_, gathered)) if gathered.has(&piece) => return Taken::Beside,
            _ => match self.end(key) {
                Some(State::Headless(pieces)) => waited = pieces,
                Some(other) => self.give_up(key.ends, other, MISSING),
                None => {}
            },
        }
        let head = Head { transport, protocol: Some(piece.protocol) };
        let time = piece.time;
        if piece.protocol != protocol::UDP || !is_export(&transport) {
            self.begin(key, time, State::Traffic(head));
            if !waited.is_empty() {
                self.decided.push(Decided::Traffic(key.ends, later(head), waited));
            }
            return Taken::Traffic(head);
        }
        self.begin(key, time, State::Export(head, Gathered::default()));
        let taken = self.gather(key, piece);
        for piece in waited {
            // It was not counted yet.
            if let Taken::Beside = self.gather(key, piece) {
                self.decided.push(Decided::Beside(1));
            }
        }
        taken
    }

    /// Adds a piece to those of flow export. [`Taken::Beside`] if it is not needed.
    fn gather(&mut self, key: Key, piece: Piece) -> Taken {
        let Some(Entry { state, .. }) = self.known.get_mut(&key) else { return Taken::Beside };
        let State::Export(head, gathered) = state else { return Taken::Beside };
        let octets = weight(&piece);
        let why = match gathered.add(piece) {
            Added::Again => return Taken::Beside,
            Added::New if gathered.is_cut => CUT,
            Added::New if gathered.is_whole() => {
                let (head, pieces) = (*head, std::mem::take(gathered).into_pieces());
                *state = State::Over;
                self.waiting -= pieces.iter().map(weight).sum::<usize>() - octets;
                self.decided.push(Decided::Whole(key.ends, head, pieces));
                return Taken::Waits;
            }
            Added::New => {
                self.waiting += octets;
                self.make_room();
                return Taken::Waits;
            }
            Added::Overlaps => OVERLAP,
        };
        let pieces = std::mem::take(gathered).into_pieces();
        *state = State::Over;
        // The last one is among them unless it overlaps.
        let counted = if why == OVERLAP { 0 } else { octets };
        self.waiting -= pieces.iter().map(weight).sum::<usize>() - counted;
        self.refuse(&pieces, why);
        if why == OVERLAP { Taken::Beside } else { Taken::Waits }
    }

    fn begin(&mut self, key: Key, since: Timestamp, state: State) {
        self.serial += 1;
        self.known.insert(key, Entry { since, serial: self.serial, state });
        self.order.push_back((key, self.serial));
        self.make_room();
    }

    /// Takes a packet out.
    fn end(&mut self, key: Key) -> Option<State> {
        let Entry { state, .. } = self.known.remove(&key)?;
        self.waiting -= match &state {
            State::Headless(pieces) => pieces.iter().map(weight).sum(),
            State::Export(_, gathered) => gathered.pieces.values().map(weight).sum(),
            State::Traffic(_) | State::Over => 0,
        };
        Some(state)
    }

    /// Ends what had the key so long ago that the next piece is of another packet.
    fn forget_old(&mut self, key: Key, time: Timestamp) {
        let is_old = |entry: &Entry| time.since(entry.since).saturating_abs() > AGE_US;
        if self.known.get(&key).is_some_and(is_old)
            && let Some(state) = self.end(key)
        {
            self.give_up(key.ends, state, MISSING);
        }
    }

    fn make_room(&mut self) {
        while self.order.len() > FRAGMENTED_MAX || self.waiting > WAITING_OCTETS_MAX {
            self.drop_oldest(NO_ROOM);
        }
    }

    fn drop_oldest(&mut self, why: &'static str) {
        let Some((key, serial)) = self.order.pop_front() else { return };
        if self.known.get(&key).is_some_and(|entry| entry.serial == serial)
            && let Some(state) = self.end(key)
        {
            self.give_up(key.ends, state, why);
        }
    }

    fn give_up(&mut self, ends: Ends, state: State, why: &'static str) {
        match state {
            State::Headless(pieces) => {
                self.decided.push(Decided::Traffic(ends, later(Head::default()), pieces));
            }
            State::Export(_, gathered) => self.refuse(&gathered.into_pieces(), why),
            State::Traffic(_) | State::Over => {}
        }
    }

    fn refuse(&mut self, pieces: &[Piece], why: &'static str) {
        let first = pieces.iter().map(|piece| piece.number).min().unwrap_or(0);
        self.decided.push(Decided::Refused(first, pieces.len() as u64, why));
    }
}

/// The header for a later piece: the whole of it stands above.
pub(crate) fn later(head: Head) -> Head {
    Head { transport: Transport { tcp_flags: None, header_octets: Some(0), ..head.transport }, ..head }
}

/// What a piece that waits costs, in octets.
fn weight(piece: &Piece) -> usize {
    PIECE_OCTETS + piece.payload.len()
}

/// The pieces of one datagram, none over another.
#[derive(Default)]
struct Gathered {
    /// By where they begin.
    pieces: BTreeMap<u64, Piece>,
    /// Octets of all of them.
    octets: u64,
    /// Where the last one ends.
    end: Option<u64>,
    is_cut: bool,
}

/// What adding a piece did.
enum Added {
    New,
    /// The same piece is there.
    Again,
    Overlaps,
}

impl Gathered {
    /// Whether the same piece is there.
    fn has(&self, piece: &Piece) -> bool {
        let same = self.pieces.get(&piece.fragment.offset);
        same.is_some_and(|same| same.fragment == piece.fragment && same.payload == piece.payload)
    }

    fn add(&mut self, piece: Piece) -> Added {
        if self.has(&piece) {
            return Added::Again;
        }
        let (begin, end) = (piece.fragment.offset, piece.end());
        let before = self.pieces.range(..begin).next_back();
        let after = self.pieces.range(begin..).next();
        let is_over = before.is_some_and(|(_, before)| before.end() > begin)
            || after.is_some_and(|(after, _)| *after < end || *after == begin);
        let is_behind = self.end.is_some_and(|last| end > last || piece.fragment.last)
            || piece.fragment.last
                && self.pieces.last_key_value().is_some_and(|(_, piece)| piece.end() > end);
        if is_over || is_behind {
            return Added::Overlaps;
        }
        if piece.fragment.last {
            self.end = Some(end);
        }
        self.octets += piece.payload_octets;
        self.is_cut |= piece.is_cut();
        self.pieces.insert(begin, piece);
        Added::New
    }

    /// Whether all are there: none is over another, so their octets tell.
    fn is_whole(&self) -> bool {
        let begin = self.pieces.first_key_value().filter(|(_, piece)| piece.fragment.first);
        begin.is_some_and(|(begin, _)| self.end == Some(begin + self.octets))
    }

    fn into_pieces(self) -> Vec<Piece> {
        self.pieces.into_values().collect()
    }
}

/// What the UDP datagram in these pieces carries; none if they hold less than it says.
pub(crate) fn carried(pieces: &[Piece]) -> Option<Vec<u8>> {
    let mut octets: Vec<u8> = pieces.iter().flat_map(|piece| piece.payload.iter().copied()).collect();
    let length = usize::from(u16::from_be_bytes(*octets.get(4..)?.first_chunk()?));
    if length < UDP_HEADER_OCTETS || length > octets.len() {
        return None;
    }
    octets.truncate(length);
    octets.drain(..UDP_HEADER_OCTETS);
    Some(octets)
}
