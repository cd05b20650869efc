//! The frames of an lz4 stream, also of one that is cut.
//!
//! The decoder stops at the end of each frame, and takes a cut between two blocks for one: here only the end of the
//! input between two frames is an end. It unpacks whole blocks of up to 4 MiB, so a small file that is cut would give
//! nothing: of a block that is cut, what stands before the cut is unpacked here.
//!
//! Source: LZ4 Frame Format Description 1.6.4; LZ4 Block Format Description.

use std::io::{self, BufRead, Cursor, ErrorKind, Read};

use lz4_flex::frame::FrameDecoder;

/// Octets that a block may refer back to.
const HISTORY_OCTETS: usize = 64 << 10;

/// The most octets of a block, packed or not.
const BLOCK_OCTETS_MAX: usize = 4 << 20;

/// The frames of a stream, unpacked.
pub(super) struct Lz4<R: Read> {
    frames: FrameDecoder<Recorded<R>>,
    is_within: bool,
    /// What the frame says in its header of how its blocks are packed.
    flags: u8,
    /// The end of what was given, of frames whose blocks refer to each other.
    history: Vec<u8>,
    /// What stood before a cut, and the error that follows it.
    cut: Option<(Cursor<Vec<u8>>, Option<io::Error>)>,
}

impl<R: BufRead> Lz4<R> {
    pub(super) fn new(input: R) -> Self {
        let frames = FrameDecoder::new(Recorded { input, block: Vec::new(), is_cut: false });
        Self { frames, is_within: false, flags: 0, history: Vec::new(), cut: None }
    }

    /// Reads on in the frame, and remembers what a cut in a later block needs.
    fn read_frame(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.frames.get_mut().block.clear();
        let read = self.frames.read(buffer);
        if let Some(flags) = Header::flags(&self.frames.get_ref().block).filter(|_| !self.is_within) {
            self.flags = flags;
            self.history.clear();
        }
        match &read {
            Ok(read) if self.flags & Header::INDEPENDENT == 0 => {
                self.history.extend_from_slice(&buffer[..*read]);
                if self.history.len() > 2 * HISTORY_OCTETS {
                    self.history.drain(..self.history.len() - HISTORY_OCTETS);
                }
            }
            _ => {}
        }
        read
    }

    /// What can be unpacked of the block that the input ends in.
    fn unpack_cut(&mut self) -> Vec<u8> {
        let recorded = self.frames.get_ref();
        let header = if self.is_within { 0 } else { Header::octets(&recorded.block).unwrap_or(usize::MAX) };
        let Some((size, packed)) = recorded.block.get(header..).and_then(<[u8]>::split_first_chunk::<4>)
        else {
            return Vec::new();
        };
        const UNPACKED: u32 = 1 << 31;
        if u32::from_le_bytes(*size) & UNPACKED != 0 {
            return packed.to_vec();
        }
        let mut unpacked = std::mem::take(&mut self.history);
        let before = unpacked.len();
        unpack(packed, &mut unpacked, before + BLOCK_OCTETS_MAX);
        unpacked.split_off(before)
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((rest, error)) = &mut self.cut {
                return match (rest.read(buffer)?, error.take()) {
                    (0, Some(error)) if !buffer.is_empty() => Err(error),
                    (read, left) => {
                        *error = left;
                        Ok(read)
                    }
                };
            }
            if !self.is_within && self.frames.get_mut().input.fill_buf()?.is_empty() {
                return Ok(0);
            }
            match self.read_frame(buffer) {
                Err(error) if self.frames.get_ref().is_cut => {
                    self.cut = Some((Cursor::new(self.unpack_cut()), Some(error)));
                }
                read => {
                    let read = read?;
                    self.is_within = read > 0;
                    if self.is_within || buffer.is_empty() {
                        return Ok(read);
                    }
                }
            }
        }
    }
}

/// The header of a frame: a magic number, flags, the size of blocks, a size and a dictionary if flags say so, a check.
struct Header;

impl Header {
    const INDEPENDENT: u8 = 0x20;
    const SIZED: u8 = 0x08;
    const WITH_DICTIONARY: u8 = 0x01;

    fn flags(frame: &[u8]) -> Option<u8> {
        match frame {
            [0x04, 0x22, 0x4d, 0x18, flags, ..] => Some(*flags),
            _ => None,
        }
    }

    fn octets(frame: &[u8]) -> Option<usize> {
        let flags = Self::flags(frame)?;
        let has = |flag| usize::from(flags & flag != 0);
        Some(7 + 8 * has(Self::SIZED) + 4 * has(Self::WITH_DICTIONARY))
    }
}

/// Unpacks a block up to where it is cut, behind what stands in `into` already; to `most` octets there.
fn unpack(packed: &[u8], into: &mut Vec<u8>, most: usize) {
    /// Octets of the shortest repetition.
    const REPEATED_MIN: usize = 4;
    let mut rest = packed.iter().copied();
    while let Some(token) = rest.next() {
        let Some(literals) = length(token >> 4, &mut rest) else { return };
        into.extend(rest.by_ref().take(literals.min(most - into.len())));
        let (Some(low), Some(high)) = (rest.next(), rest.next()) else { return };
        let Some(repeated) = length(token & 0x0f, &mut rest) else { return };
        let back = usize::from(u16::from_le_bytes([low, high]));
        let Some(from) = into.len().checked_sub(back).filter(|_| back > 0) else { return };
        for at in from..from + (repeated + REPEATED_MIN).min(most - into.len()) {
            into.push(into[at]);
        }
    }
}

/// A length of which the token holds the beginning; none if it is cut.
fn length(beginning: u8, rest: &mut impl Iterator<Item = u8>) -> Option<usize> {
    let mut length = usize::from(beginning);
    if beginning == 0x0f {
        loop {
            let more = rest.next()?;
            length += usize::from(more);
            if more < u8::MAX {
                break;
            }
        }
    }
    Some(length)
}

/// An input whose end is an error, for who reads it knows that there is more; and what was read of it last.
struct Recorded<R> {
    input: R,
    block: Vec<u8>,
    is_cut: bool,
}

impl<R: Read> Read for Recorded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer)? {
            0 if !buffer.is_empty() => {
                self.is_cut = true;
                Err(io::Error::new(ErrorKind::InvalidData, "it ends within a frame"))
            }
            read => {
                self.block.extend_from_slice(&buffer[..read]);
                Ok(read)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use lz4_flex::frame::{BlockMode, BlockSize, FrameEncoder, FrameInfo};

    use super::*;

    fn packed(plain: &[u8], mode: BlockMode) -> Vec<u8> {
        let info = FrameInfo::new().block_mode(mode).block_size(BlockSize::Max64KB);
        let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn what_stands_before_a_cut_is_given() {
        let rows =
            (0..4_000u32).map(|n| format!("{n} 192.0.2.{} {}\n", n % 251, n.wrapping_mul(2_654_435_761)));
        let plain = rows.collect::<String>().into_bytes();
        for mode in [BlockMode::Independent, BlockMode::Linked] {
            let packed = [packed(&plain, mode), packed(&plain, mode)].concat();
            let mut most = 0;
            for end in (0..packed.len()).step_by(487).chain([packed.len() - 1]) {
                let mut given = Vec::new();
                let read = Lz4::new(&packed[..end]).read_to_end(&mut given);
                assert_eq!(read.is_err(), end != 0 && end != packed.len() / 2, "{end}");
                assert!(given == [&plain[..], &plain].concat()[..given.len()], "{end}");
                // No more is missing than what few octets may stand for.
                assert!(given.len() >= most, "{end}");
                assert!(
                    given.len() * packed.len() + 2_000 * packed.len() >= 2 * plain.len() * end * 3 / 4,
                    "{end}"
                );
                most = given.len();
            }
        }
    }

    #[test]
    fn a_block_that_is_wrong_ends_where_it_is() {
        for (packed, expected) in [
            (&b"\x30abc\x03\x00"[..], &b"abcabca"[..]),
            (b"\x30abc\x04\x00", b"abc"),
            (b"\x30abc\x00\x00", b"abc"),
            (b"\x3fabc\x01\x00\xff", b"abc"),
            (b"\xf0\xff", b""),
            (b"\x3f", b""),
        ] {
            let mut into = Vec::new();
            unpack(packed, &mut into, 64);
            assert_eq!(into, expected, "{packed:?}");
        }
        let mut into = Vec::new();
        unpack(b"\x1fa\x01\x00\xff\xff\x00", &mut into, 64);
        assert_eq!(into, [b'a'; 64]);
    }
}
