//! Blocks of records, and their compression.

use bzip2::{Decompress, Status};
use zstd::bulk::Decompressor;

use super::header::{Layout, u16_at, u32_at};
use super::lzo;

/// Octets of the header of a block.
pub(super) const HEADER: usize = 12;

/// The largest block of records, stored and unpacked: the buffer that nfdump itself reads into.
/// nfcapd writes blocks of 1 MiB, since 1.7.5 of 2 MiB.
pub(super) const BLOCK_OCTETS_MAX: usize = 5 << 20;

/// How the blocks of a file are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compression {
    None,
    Lzo,
    Bzip2,
    Lz4,
    Zstd,
}

impl Compression {
    /// The compression that the flags of nfdump 1.6 say.
    pub(super) fn of_v1(flags: u32) -> Self {
        match flags {
            _ if flags & 0x1 != 0 => Self::Lzo,
            _ if flags & 0x8 != 0 => Self::Bzip2,
            _ if flags & 0x10 != 0 => Self::Lz4,
            _ => Self::None,
        }
    }

    /// The compression of this number of nfdump 1.7.
    pub(super) fn of_v2(number: u8) -> Option<Self> {
        Some(match number {
            0 => Self::None,
            1 => Self::Lzo,
            2 => Self::Bzip2,
            3 => Self::Lz4,
            4 => Self::Zstd,
            _ => return None,
        })
    }

    fn word(self) -> &'static str {
        match self {
            Self::None => "no compression",
            Self::Lzo => "LZO",
            Self::Bzip2 => "bzip2",
            Self::Lz4 => "LZ4",
            Self::Zstd => "zstd",
        }
    }
}

/// The header of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// How many records it should hold.
    pub(super) records: u32,
    /// How many octets of the file it has, without this header.
    pub(super) octets: usize,
    kind: u16,
    flags: u16,
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Records of flows and of what belongs to them.
    Records,
    /// Something else that nfdump keeps in such files: histograms, catalogues, lookup tables.
    Other,
    /// Flows of nfdump 1.5, before records had headers.
    Old,
    /// Nothing that nfdump writes.
    Unknown,
}

impl Block {
    /// Reads the header of a block; none if it is cut.
    pub(super) fn read(octets: &[u8]) -> Option<Self> {
        Some(Self {
            records: u32_at(octets, 0)?,
            octets: u32_at(octets, 4)? as usize,
            kind: u16_at(octets, 8)?,
            flags: u16_at(octets, 10)?,
        })
    }

    /// What a block of this kind holds in a file of this layout.
    pub(super) fn content(&self, layout: Layout) -> Content {
        match (layout, self.kind) {
            (Layout::V1, 2) | (Layout::V2, 2 | 3) => Content::Records,
            (Layout::V1, 3 | 4) | (Layout::V2, 4) => Content::Other,
            (_, 1) => Content::Old,
            _ => Content::Unknown,
        }
    }

    /// Whether it is stored as it is, though the file is compressed. nfdump 1.6 had flags for
    /// this, but never used them.
    pub(super) fn is_plain(&self, layout: Layout) -> bool {
        const UNCOMPRESSED: u16 = 0x1;
        layout == Layout::V2 && self.flags & UNCOMPRESSED != 0
    }
}

/// Takes the compression off blocks, in one room that is used again.
pub(super) struct Unpacker {
    compression: Compression,
    room: Vec<u8>,
    zstd: Option<Decompressor<'static>>,
}

/// A block that cannot be unpacked, and what it was packed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damaged(pub(super) &'static str);

impl Unpacker {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, room: Vec::new(), zstd: None }
    }

    /// Whether a block can only be unpacked if all of it is there.
    pub(super) fn needs_all(&self) -> bool {
        self.compression != Compression::None
    }

    /// The records of a block. They take no more than [`BLOCK_OCTETS_MAX`].
    pub(super) fn unpack<'b>(&'b mut self, stored: &'b [u8]) -> Result<&'b [u8], Damaged> {
        if self.compression == Compression::None {
            return Ok(stored);
        }
        if self.room.is_empty() {
            self.room = vec![0; BLOCK_OCTETS_MAX];
        }
        let octets = match self.compression {
            Compression::None => None,
            Compression::Lzo => lzo::unpack(stored, &mut self.room).ok(),
            Compression::Bzip2 => bunzip(stored, &mut self.room),
            Compression::Lz4 => lz4_flex::block::decompress_into(stored, &mut self.room).ok(),
            Compression::Zstd => {
                let zstd = self.zstd.get_or_insert_default();
                zstd.decompress_to_buffer(stored, &mut self.room[..]).ok()
            }
        };
        match octets {
            Some(octets) => Ok(&self.room[..octets]),
            None => Err(Damaged(self.compression.word())),
        }
    }
}

/// Unpacks a bzip2 stream into `room`; how many octets it holds, if it is whole and fits.
fn bunzip(stream: &[u8], room: &mut [u8]) -> Option<usize> {
    let mut bzip2 = Decompress::new(false);
    loop {
        let (taken, given) = (bzip2.total_in() as usize, bzip2.total_out() as usize);
        match bzip2.decompress(&stream[taken..], &mut room[given..]) {
            Ok(Status::StreamEnd) => return Some(bzip2.total_out() as usize),
            Ok(_) if (bzip2.total_in() as usize, bzip2.total_out() as usize) != (taken, given) => {}
            _ => return None,
        }
    }
}
