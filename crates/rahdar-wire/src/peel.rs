//! Takes the compression off an input: gzip, zstd, bzip2, xz or lz4, of any number of members.
//!
//! What comes out is bounded, not what goes in: a few octets of a bomb make gigabytes. A stream that
//! grows beyond reason is refused as a whole, and so is one inside another.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io::{self, BufRead, BufReader, Cursor, ErrorKind, Read};
use std::rc::Rc;

use bzip2::bufread::MultiBzDecoder;
use flate2::bufread::MultiGzDecoder;
use liblzma::bufread::XzDecoder;
use liblzma::stream::{CONCATENATED, Stream};
use lz4_flex::frame::FrameDecoder;

use crate::WireError;

/// Octets of the beginning that the format is seen by. Chosen here: the header lines of a Zeek
/// log with all its columns take two thousand, the longest export datagram 65,535.
pub(crate) const HEAD_OCTETS: usize = 66 << 10;

/// Uncompressed octets before the growth of a compressed stream is judged (`reliability.md` §3).
const GROWTH_FREE_OCTETS: u64 = 16 << 20;

/// The most that a compressed stream may grow. Logs and captures grow 5 to 30 times; a bomb of
/// zeros grows 255 times under lz4, 1,032 under DEFLATE, more under the others (`reliability.md` §3).
const GROWTH_MAX: u64 = 200;

/// The most memory that xz may take, in octets. Its largest preset, `-9`, needs 65 MiB (`xz(1)`).
const XZ_OCTETS_MAX: u64 = 80 << 20;

/// The largest zstd window, 2^27 octets: the limit of the zstd program itself unless told otherwise.
const ZSTD_WINDOW_LOG_MAX: u32 = 27;

/// An input with its compression taken off.
pub(crate) struct Peeled<'a> {
    /// The first octets, at most [`HEAD_OCTETS`].
    pub(crate) head: Vec<u8>,
    /// Whether the head is all there is.
    pub(crate) whole: bool,
    rest: Box<dyn Read + 'a>,
}

impl<'a> Peeled<'a> {
    /// The input from its beginning.
    pub(crate) fn into_reader(self) -> impl Read + 'a {
        Cursor::new(self.head).chain(self.rest)
    }
}

/// Compression by its magic number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    Gzip,
    Zstd,
    Bzip2,
    Xz,
    Lz4,
}

/// Takes off the compression and reads the head.
pub(crate) fn peel(input: &mut dyn Read) -> Result<Peeled<'_>, WireError> {
    let taken = Rc::new(Cell::new(0));
    let mut counted = Counted { input, taken: taken.clone() };
    let (magic, damage) = read_up_to(&mut counted, MAGIC_OCTETS).map_err(nothing_read)?;
    if let Some(error) = damage {
        return Err(nothing_read(error));
    }
    if magic.is_empty() {
        return Err(WireError::Empty);
    }
    let compression = compression_of(&magic);
    let input = BufReader::new(Cursor::new(magic).chain(counted));
    let stream: Box<dyn Read + '_> = match compression {
        None => Box::new(input),
        Some(Compression::Gzip) => Box::new(MultiGzDecoder::new(input)),
        Some(Compression::Zstd) => {
            let mut stream = zstd::Decoder::with_buffer(input).map_err(nothing_read)?;
            stream.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(nothing_read)?;
            Box::new(stream)
        }
        Some(Compression::Bzip2) => Box::new(MultiBzDecoder::new(input)),
        Some(Compression::Xz) => {
            let stream = Stream::new_stream_decoder(XZ_OCTETS_MAX, CONCATENATED);
            Box::new(XzDecoder::new_stream(input, stream.map_err(|error| nothing_read(error.into()))?))
        }
        Some(Compression::Lz4) => Box::new(Lz4::new(input)),
    };
    let mut rest = match compression {
        None => stream,
        Some(_) => Box::new(Grown { stream, given: 0, taken }),
    };
    let (head, damage) = match read_up_to(&mut rest, HEAD_OCTETS) {
        Err(error) if is_damage(&error) => return Err(nothing_read(without_block(compression, error))),
        read => read.map_err(nothing_read)?,
    };
    if head.is_empty() {
        return Err(damage.map_or(WireError::Empty, nothing_read));
    }
    if compression.is_some() && compression_of(&head).is_some() {
        return Err(WireError::Unsupported { kind: "a compressed file inside a compressed file" });
    }
    let whole = head.len() < HEAD_OCTETS && damage.is_none();
    let rest: Box<dyn Read + '_> = match damage {
        None => rest,
        Some(error) => Box::new(Failing(Some(error))),
    };
    Ok(Peeled { head, whole, rest })
}

/// Octets of the longest magic number here.
const MAGIC_OCTETS: usize = 6;

fn compression_of(magic: &[u8]) -> Option<Compression> {
    match magic {
        [0x1f, 0x8b, 0x08, ..] => Some(Compression::Gzip),
        // A zstd frame, and a skippable frame (RFC 8878 §3.1.1, §3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Compression::Bzip2),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Some(Compression::Xz),
        [0x04, 0x22, 0x4d, 0x18, ..] => Some(Compression::Lz4),
        _ => None,
    }
}

/// Reads up to `octets`. A failure after the first octet comes beside what was read.
fn read_up_to(input: &mut dyn Read, octets: usize) -> io::Result<(Vec<u8>, Option<io::Error>)> {
    let mut read = Vec::new();
    let mut limited = input.take(octets as u64);
    match limited.read_to_end(&mut read) {
        Ok(_) => Ok((read, None)),
        Err(error) if read.is_empty() => Err(error),
        Err(error) => Ok((read, Some(error))),
    }
}

/// Says of a damaged stream why nothing came of it, if its compression has blocks that must be whole.
fn without_block(compression: Option<Compression>, error: io::Error) -> io::Error {
    let block = match compression {
        Some(Compression::Zstd) => "zstd is unpacked by blocks of up to 128 KiB",
        Some(Compression::Bzip2) => "bzip2 is unpacked by blocks of up to 900 kB",
        Some(Compression::Lz4) => "lz4 is unpacked by blocks of up to 4 MiB",
        None | Some(Compression::Gzip | Compression::Xz) => return error,
    };
    io::Error::new(error.kind(), format!("{error}; {block}, and the first is not whole"))
}

fn nothing_read(source: io::Error) -> WireError {
    WireError::Read { tally: Default::default(), source }
}

/// Whether an error of an opened input says that its compressed stream is damaged, and what came
/// before can be kept: not if reading it failed, and not if it grows beyond reason.
pub fn is_damage(error: &io::Error) -> bool {
    !error.get_ref().is_some_and(|inner| inner.is::<ReaderFailed>() || inner.is::<GrowsTooMuch>())
}

/// The input, its octets counted and its errors marked as its own.
struct Counted<'a> {
    input: &'a mut dyn Read,
    taken: Rc<Cell<u64>>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.input.read(buffer) {
            Ok(read) => {
                self.taken.set(self.taken.get() + read as u64);
                Ok(read)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(error),
            Err(error) => Err(io::Error::new(error.kind(), ReaderFailed(error))),
        }
    }
}

/// The reader that was handed to this room failed.
#[derive(Debug)]
struct ReaderFailed(io::Error);

impl fmt::Display for ReaderFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Error for ReaderFailed {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.0.source()
    }
}

/// An uncompressed stream that stops when it has grown beyond reason.
struct Grown<R> {
    stream: R,
    given: u64,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Grown<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        judge_growth(self.taken.get(), self.given)?;
        let read = self.stream.read(buffer)?;
        self.given += read as u64;
        Ok(read)
    }
}

/// Judges what was unpacked by what it was packed in, both in octets. Whoever unpacks asks here, so
/// that a bomb of any kind ends the same way: nothing of it is kept. Half of an input would be in the
/// way when the whole comes unpacked, for that is another input.
pub(crate) fn judge_growth(packed: u64, unpacked: u64) -> io::Result<()> {
    if is_beyond_reason(packed, unpacked) {
        return Err(io::Error::new(ErrorKind::InvalidData, GrowsTooMuch));
    }
    Ok(())
}

/// Whether so many octets are too many for what they were packed in.
pub(crate) fn is_beyond_reason(packed: u64, unpacked: u64) -> bool {
    unpacked > GROWTH_FREE_OCTETS && unpacked / GROWTH_MAX > packed
}

/// The stream is a bomb, or might as well be one.
#[derive(Debug)]
struct GrowsTooMuch;

impl fmt::Display for GrowsTooMuch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "it grows more than {GROWTH_MAX} times when it is unpacked, and is refused as a whole; if you trust it, unpack it first"
        )
    }
}

impl Error for GrowsTooMuch {}

/// The frames of an lz4 stream. The decoder stops at the end of each, and takes a cut between two blocks
/// for one: here only the end of the input between two frames is an end.
struct Lz4<R: Read> {
    frames: FrameDecoder<Uncut<R>>,
    is_within: bool,
}

impl<R: BufRead> Lz4<R> {
    fn new(input: R) -> Self {
        Self { frames: FrameDecoder::new(Uncut(input)), is_within: false }
    }
}

impl<R: BufRead> Read for Lz4<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.is_within || !self.frames.get_mut().0.fill_buf()?.is_empty() {
            let read = self.frames.read(buffer)?;
            self.is_within = read > 0;
            if self.is_within || buffer.is_empty() {
                return Ok(read);
            }
        }
        Ok(0)
    }
}

/// An input whose end is an error: who reads it knows that there is more.
struct Uncut<R>(R);

impl<R: Read> Read for Uncut<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer)? {
            0 if !buffer.is_empty() => Err(io::Error::new(ErrorKind::InvalidData, "it ends within a frame")),
            read => Ok(read),
        }
    }
}

/// Fails once, then ends.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
