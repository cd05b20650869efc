//! What is known of exporters, on disk beside the spool: the state of the decoder after the last
//! segment that is stored.
//!
//! ```text
//! magic "rahdarST" · version u32 · last segment u64 · CRC-32 of what follows, and of the last segment, u32
//! · octets of voices u32 · voices · the decoder's own
//! ```

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::spool::sync_folder;
use crate::voices::Voices;

/// The first octets of the file.
const MAGIC: &[u8; 8] = b"rahdarST";

/// The version that is written and read here.
const VERSION: u32 = 2;

/// Octets before the voices and their length.
const HEAD_OCTETS: usize = 24;

/// The state of the decoder after a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// The last segment that is in it, and stored; 0 before the first.
    pub(crate) applied: u64,
    /// For whom senders speak.
    pub(crate) voices: Voices,
    /// The decoder's own words.
    pub(crate) decoder: Vec<u8>,
}

/// Reads the state in `folder`; none if there is none yet.
///
/// # Errors
/// [`ErrorKind::InvalidData`] if it is damaged, or what the disk fails with.
pub(crate) fn read(folder: &Path) -> io::Result<Option<State>> {
    let octets = match fs::read(path(folder)) {
        Ok(octets) => octets,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match parsed(&octets) {
        Some(state) => Ok(Some(state)),
        None => Err(io::Error::new(ErrorKind::InvalidData, "the file is damaged or of another version")),
    }
}

/// Replaces the state in `folder`. When this returns, the new one is on disk; if it fails, or the
/// machine stops, the old one is there.
///
/// # Errors
/// What the disk fails with.
pub(crate) fn write(folder: &Path, state: &State) -> io::Result<()> {
    let voices = state.voices.save();
    let mut rest = Vec::with_capacity(4 + voices.len() + state.decoder.len());
    rest.extend((voices.len() as u32).to_be_bytes());
    rest.extend(voices);
    rest.extend(&state.decoder);
    let mut octets = Vec::with_capacity(HEAD_OCTETS + rest.len());
    octets.extend(MAGIC);
    octets.extend(VERSION.to_be_bytes());
    octets.extend(state.applied.to_be_bytes());
    octets.extend(sum(state.applied, &rest).to_be_bytes());
    octets.extend(rest);
    let next = folder.join("state.next");
    let mut file = File::create(&next)?;
    file.write_all(&octets)?;
    file.sync_all()?;
    fs::rename(next, path(folder))?;
    sync_folder(folder)
}

fn parsed(octets: &[u8]) -> Option<State> {
    let (head, content) = octets.split_first_chunk::<HEAD_OCTETS>()?;
    let rest = head.strip_prefix(MAGIC)?.strip_prefix(&VERSION.to_be_bytes())?;
    let (applied, expected) = rest.split_first_chunk()?;
    let applied = u64::from_be_bytes(*applied);
    if *expected != sum(applied, content).to_be_bytes() {
        return None;
    }
    let (voices_octets, content) = content.split_first_chunk()?;
    let (voices, decoder) = content.split_at_checked(u32::from_be_bytes(*voices_octets) as usize)?;
    Some(State { applied, voices: Voices::restore(voices)?, decoder: decoder.to_vec() })
}

fn sum(applied: u64, content: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&applied.to_be_bytes());
    hasher.update(content);
    hasher.finalize()
}

fn path(folder: &Path) -> PathBuf {
    folder.join("state")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_comes_back_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let mut voices = Voices::default();
        voices.learn("192.0.2.1".parse().unwrap(), &"192.0.2.2".into());
        let voices = Voices::restore(&voices.save()).unwrap();
        let state = State { applied: 41, voices, decoder: b"templates".to_vec() };
        write(folder.path(), &state).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(state));
        let whole = fs::read(path(folder.path())).unwrap();
        for bit in 0..8 * whole.len() {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(parsed(&flipped), None, "{bit}");
        }
        for end in 0..whole.len() {
            assert_eq!(parsed(&whole[..end]), None, "{end}");
        }
    }
}
