//! Routing tables as collectors dump them: MRT `TABLE_DUMP` and `TABLE_DUMP_V2` (RFC 6396, RFC 8050).
//!
//! Of each prefix it is told which AS announced it, as the peers of the collector saw it, the most seen first.
//! [`open`] tells a dump from other files; [`Rib::read`] gives its prefixes one by one, in no more memory than
//! the largest record takes.
//!
//! A dump that is cut is refused: a prefix that is not there would read as one that nobody announced.
//! A route that cannot be read is left out and counted. Routes without a path (of the collector's own AS),
//! multicast and other families are left out.

mod entry;

use std::io::{self, Read};
use std::ops::ControlFlow;

use rahdar_model::{Address, Prefix, Timestamp};
use thiserror::Error;

use crate::bgp::entry::{Form, Origins};
use crate::window::Window;
use crate::{WireError, peel};

/// Octets of one record at most. Chosen here: a prefix seen by 1,000 peers with paths of 1,000 octets takes one
/// million; the format could say four thousand millions.
const RECORD_OCTETS_MAX: usize = 16 << 20;
/// Octets before the body of a record: time, type, subtype, length (RFC 6396 §2).
const HEADER_OCTETS: usize = 12;

/// `TABLE_DUMP` (RFC 6396 §4.2).
const TABLE_DUMP: u16 = 12;
/// `TABLE_DUMP_V2` (RFC 6396 §4.3).
const TABLE_DUMP_V2: u16 = 13;

/// A file, with its compression taken off.
pub enum Opened<'a> {
    /// A dump of a routing table.
    Rib(Rib<'a>),
    /// Anything else, from its beginning.
    Other(Box<dyn Read + 'a>),
}

/// A dump of a routing table.
pub struct Rib<'a>(Box<dyn Read + 'a>);

/// What a dump was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RibTally {
    /// When its first record was written.
    pub at: Timestamp,
    /// The BGP identifier of the collector, which looks like an address, where the dump has it.
    pub collector: Option<Address>,
    /// Prefixes given, some of them more than once.
    pub prefixes: u64,
    /// Routes and records that could not be read.
    pub refused: u64,
}

/// Why a dump was not read.
#[derive(Debug, Error)]
pub enum RibError {
    /// It ends within a record. Fetch it again.
    #[error("the dump is cut at octet {at}: fetch it again")]
    Cut {
        /// Where the record begins.
        at: u64,
    },
    /// A record is longer than any can be, or of a kind that has no place in a dump.
    #[error("what stands at octet {at} is no record of a routing table")]
    NoRecord {
        /// Where.
        at: u64,
    },
    /// The reader failed, or the file is a bomb.
    #[error("the dump could not be read to its end")]
    Read(#[from] io::Error),
    /// The caller stopped.
    #[error("the dump was not read to its end")]
    Stopped,
}

/// Takes the compression (gzip, zstd, bzip2, xz, lz4) off a file and sees whether it is a dump.
///
/// # Errors
/// [`WireError::Empty`], [`WireError::Unsupported`] for files inside files and for BGP updates,
/// [`WireError::Read`].
pub fn open(input: &mut dyn Read) -> Result<Opened<'_>, WireError> {
    let peeled = peel::peel(input)?;
    let kind = peeled.head.first_chunk::<HEADER_OCTETS>().map(Header::of);
    match kind {
        Some(header) if header.form().is_some() => Ok(Opened::Rib(Rib(Box::new(peeled.into_reader())))),
        Some(header) if header.is_update() => Err(WireError::Unsupported { kind: "BGP updates in MRT" }),
        _ => Ok(Opened::Other(Box::new(peeled.into_reader()))),
    }
}

impl Rib<'_> {
    /// Gives each prefix and its origins. A prefix may come more than once, with origins of its own.
    ///
    /// # Errors
    /// [`RibError`]; nothing that was given may be kept then.
    pub fn read(
        mut self,
        visit: &mut dyn FnMut(Prefix, &[u32]) -> ControlFlow<()>,
    ) -> Result<RibTally, RibError> {
        let mut window = Window::new(&mut *self.0);
        let mut tally = RibTally::default();
        let mut origins = Origins::default();
        while window.more()? || !window.view().is_empty() {
            let at = window.offset();
            if !window.reach(HEADER_OCTETS)? {
                return Err(RibError::Cut { at });
            }
            let header = window.view().first_chunk().map(Header::of).ok_or(RibError::Cut { at })?;
            if header.kind != TABLE_DUMP && header.kind != TABLE_DUMP_V2 || header.octets > RECORD_OCTETS_MAX
            {
                return Err(RibError::NoRecord { at });
            }
            if !window.reach(HEADER_OCTETS + header.octets)? {
                return Err(RibError::Cut { at });
            }
            if at == 0 {
                tally.at = Timestamp::from_seconds(header.seconds.into());
            }
            let body = &window.view()[HEADER_OCTETS..HEADER_OCTETS + header.octets];
            match header.form() {
                Some(Form::Peers) => tally.collector = tally.collector.or(body.first_chunk().map(identifier)),
                Some(Form::OtherFamily) | None => {}
                Some(form) => match entry::route(form, body, &mut origins) {
                    Some(prefix) => {
                        tally.refused += origins.refused();
                        let told = origins.told();
                        if !told.is_empty() {
                            tally.prefixes += 1;
                            if visit(prefix, told).is_break() {
                                return Err(RibError::Stopped);
                            }
                        }
                    }
                    None => tally.refused += 1,
                },
            }
            window.pass(HEADER_OCTETS + header.octets);
        }
        Ok(tally)
    }
}

/// The identifier at the beginning of the table of peers (RFC 6396 §4.3.1).
fn identifier(octets: &[u8; 4]) -> Address {
    Address::from_v4_bits(u32::from_be_bytes(*octets))
}

/// The header of an MRT record (RFC 6396 §2).
#[derive(Debug, Clone, Copy)]
struct Header {
    seconds: u32,
    kind: u16,
    subtype: u16,
    octets: usize,
}

impl Header {
    fn of(octets: &[u8; HEADER_OCTETS]) -> Self {
        let [a, b, c, d, kind_hi, kind_lo, sub_hi, sub_lo, e, f, g, h] = *octets;
        Self {
            seconds: u32::from_be_bytes([a, b, c, d]),
            kind: u16::from_be_bytes([kind_hi, kind_lo]),
            subtype: u16::from_be_bytes([sub_hi, sub_lo]),
            octets: u32::from_be_bytes([e, f, g, h]) as usize,
        }
    }

    /// The form of its body, if that belongs to a dump.
    fn form(self) -> Option<Form> {
        if self.octets > RECORD_OCTETS_MAX {
            return None;
        }
        Some(match (self.kind, self.subtype) {
            (TABLE_DUMP, 1) => Form::Old { is_v4: true },
            (TABLE_DUMP, 2) => Form::Old { is_v4: false },
            (TABLE_DUMP_V2, 1) => Form::Peers,
            (TABLE_DUMP_V2, 2) => Form::Rib { is_v4: true, has_path_id: false },
            (TABLE_DUMP_V2, 4) => Form::Rib { is_v4: false, has_path_id: false },
            (TABLE_DUMP_V2, 8) => Form::Rib { is_v4: true, has_path_id: true },
            (TABLE_DUMP_V2, 10) => Form::Rib { is_v4: false, has_path_id: true },
            (TABLE_DUMP_V2, 3 | 5..=7 | 9 | 11 | 12) => Form::OtherFamily,
            _ => return None,
        })
    }

    /// BGP4MP and BGP4MP_ET (RFC 6396 §4.4).
    fn is_update(self) -> bool {
        matches!((self.kind, self.subtype), (16 | 17, 0..=11)) && self.octets <= RECORD_OCTETS_MAX
    }
}
