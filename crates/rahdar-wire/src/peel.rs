//! Takes the compression off an input: gzip of any number of members, zstd of any number of frames.

use std::cell::Cell;
use std::error::Error;
use std::fmt;
use std::io::{self, BufReader, Cursor, ErrorKind, Read};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use crate::WireError;

/// Octets of the beginning that the format is seen by. Chosen here: the header lines of a Zeek
/// log with all its columns take two thousand, the longest export datagram 65,535.
pub(crate) const HEAD_OCTETS: usize = 66 << 10;

/// Uncompressed octets before the growth of a compressed stream is judged (`reliability.md` §3).
pub(crate) const GROWTH_FREE_OCTETS: u64 = 16 << 20;

/// The most that a compressed stream may grow. Logs and captures grow 5 to 30 times; a bomb of
/// zeros grows 1,032 times under DEFLATE, more under zstd (`reliability.md` §3).
pub(crate) const GROWTH_MAX: u64 = 200;

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
    let mut rest: Box<dyn Read + '_> = match compression {
        None => Box::new(input),
        Some(Compression::Gzip) => Box::new(Grown { stream: MultiGzDecoder::new(input), given: 0, taken }),
        Some(Compression::Zstd) => {
            let mut stream = zstd::Decoder::with_buffer(input).map_err(nothing_read)?;
            stream.window_log_max(ZSTD_WINDOW_LOG_MAX).map_err(nothing_read)?;
            Box::new(Grown { stream, given: 0, taken })
        }
    };
    let (head, damage) = read_up_to(&mut rest, HEAD_OCTETS).map_err(nothing_read)?;
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
const MAGIC_OCTETS: usize = 4;

fn compression_of(magic: &[u8]) -> Option<Compression> {
    match magic {
        [0x1f, 0x8b, 0x08, ..] => Some(Compression::Gzip),
        // A zstd frame, and a skippable frame (RFC 8878 §3.1.1, §3.1.2).
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Compression::Zstd),
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

fn nothing_read(source: io::Error) -> WireError {
    WireError::Read { tally: Default::default(), source }
}

/// Whether an error of an opened input says that its compressed stream is damaged, and not that
/// reading it failed.
pub fn is_damage(error: &io::Error) -> bool {
    !error.get_ref().is_some_and(|inner| inner.is::<ReaderFailed>())
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
        if self.given > GROWTH_FREE_OCTETS && self.given / GROWTH_MAX > self.taken.get() {
            let text = format!("the compressed stream grows more than {GROWTH_MAX} times");
            return Err(io::Error::new(ErrorKind::InvalidData, text));
        }
        let read = self.stream.read(buffer)?;
        self.given += read as u64;
        Ok(read)
    }
}

/// Fails once, then ends.
struct Failing(Option<io::Error>);

impl Read for Failing {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}
