//! What a file says about itself: layout, compression, how many blocks follow.

use rahdar_model::Timestamp;
use rahdar_model::time::Window;

use super::block::Compression;
use crate::{Detection, Format};

/// Octets of the header of nfdump 1.6: header and statistics.
const V1_OCTETS: usize = V1_STATISTICS + V1_STATISTICS_OCTETS;

/// Octets of the header of nfdump 1.7, as 64-bit machines write it.
const V2_OCTETS: usize = 40;

/// Octets of the longer of the two headers.
pub(super) const OCTETS_MAX: usize = V1_OCTETS;

/// Where the name of the source stands in the header of nfdump 1.6, and its octets.
const V1_IDENT: usize = 12;
const V1_IDENT_OCTETS: usize = 128;

/// Where the statistics begin in the header of nfdump 1.6, and their octets.
const V1_STATISTICS: usize = V1_IDENT + V1_IDENT_OCTETS;
const V1_STATISTICS_OCTETS: usize = 136;

/// Octets of the statistics of nfdump 1.7.
const V2_STATISTICS_OCTETS: usize = 144;

/// The name that nfcapd gives a source to which nobody gave one.
const NO_IDENT: &str = "none";

/// Sees by content whether an input is a file of nfdump, and whether it is read.
pub(crate) fn detect(head: &[u8]) -> Option<Detection> {
    Some(match head {
        [0x0c, 0xa5, 1, 0, ..] => Detection::Known(Format::Nfcapd),
        [0x0c, 0xa5, 2, 0, ..] => match head.get(16..18) {
            Some([compression, _]) if Compression::of_v2(*compression).is_none() => {
                Detection::Unsupported("nfcapd of an unknown compression")
            }
            Some([_, encryption]) if *encryption != 0 => Detection::Unsupported("an encrypted nfcapd file"),
            _ => Detection::Known(Format::Nfcapd),
        },
        [0x0c, 0xa5, 3, 0, ..] => Detection::Unsupported("nfcapd of nfdump 1.8 (write it with nfdump 1.7)"),
        [0xa5, 0x0c, 0, 1..=3, ..] => Detection::Unsupported("nfcapd of a big-endian machine"),
        _ => return None,
    })
}

/// The layout of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// nfdump 1.6.
    V1,
    /// nfdump 1.7.
    V2,
}

/// The header of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) layout: Layout,
    pub(super) compression: Compression,
    /// How long it is.
    pub(super) octets: usize,
    /// How many blocks follow; none if the file was never closed, or does not say.
    pub(super) blocks: Option<u32>,
    /// What the operator of nfcapd called the source.
    pub(super) ident: Option<String>,
    /// Whether all addresses of the file stand for others.
    pub(super) is_anonymised: bool,
    pub(super) statistics: Statistics,
}

/// What the file says about all of its flows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Statistics {
    /// How many there are.
    pub(super) flows: u64,
    /// From the first to the last of them, in milliseconds.
    first_ms: u64,
    last_ms: u64,
    /// Datagrams that did not follow on the one before.
    pub(super) sequence_failures: u64,
}

impl Header {
    /// Reads a header of a file that [`detect`] knows; none if it is cut.
    pub(super) fn read(head: &[u8]) -> Option<Self> {
        if head.get(2) == Some(&1) { Self::read_v1(head) } else { Self::read_v2(head) }
    }

    fn read_v1(head: &[u8]) -> Option<Self> {
        /// Flag of a file whose addresses stand for others.
        const ANONYMISED: u32 = 0x2;
        let head = head.get(..V1_OCTETS)?;
        let flags = u32_at(head, 4)?;
        let ident = &head[V1_IDENT..V1_STATISTICS];
        let ident = ident.split(|octet| *octet == 0).next().unwrap_or_default();
        let ident = String::from_utf8_lossy(ident).replace(char::is_control, " ");
        let statistics = &head[V1_STATISTICS..];
        let ms = |seconds_at, ms_at| {
            Some(u64::from(u32_at(statistics, seconds_at)?) * 1_000 + u64::from(u16_at(statistics, ms_at)?))
        };
        Some(Self {
            layout: Layout::V1,
            compression: Compression::of_v1(flags),
            octets: V1_OCTETS,
            blocks: Some(u32_at(head, 8)?).filter(|blocks| *blocks > 0),
            ident: Some(ident).filter(|ident| !ident.is_empty() && ident != NO_IDENT),
            is_anonymised: flags & ANONYMISED != 0,
            statistics: Statistics {
                flows: u64_at(statistics, 0)?,
                first_ms: ms(120, 128)?,
                last_ms: ms(124, 130)?,
                sequence_failures: u32_at(statistics, 132)?.into(),
            },
        })
    }

    fn read_v2(head: &[u8]) -> Option<Self> {
        let head = head.get(..V2_OCTETS)?;
        let blocks = u32_at(head, 36)?;
        // Whoever closes a file writes its appendix.
        let appendix = u16_at(head, 18)?;
        Some(Self {
            layout: Layout::V2,
            compression: Compression::of_v2(head[16])?,
            octets: V2_OCTETS,
            blocks: (appendix > 0).then(|| blocks.saturating_add(appendix.into())),
            ident: None,
            is_anonymised: false,
            statistics: Statistics::default(),
        })
    }
}

impl Statistics {
    /// Reads the statistics in the appendix of nfdump 1.7; none if they are cut.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let body = body.get(..V2_STATISTICS_OCTETS)?;
        Some(Self {
            flows: u64_at(body, 0)?,
            first_ms: u64_at(body, 120)?,
            last_ms: u64_at(body, 128)?,
            sequence_failures: u64_at(body, 136)?,
        })
    }

    /// From the first to the last flow, if the file says so.
    pub(super) fn window(&self) -> Option<Window> {
        let is_said = self.first_ms > 0 && self.first_ms <= self.last_ms;
        is_said.then(|| Window::new(from_ms(self.first_ms), from_ms(self.last_ms.saturating_add(1))))
    }
}

/// The time of so many milliseconds.
pub(super) fn from_ms(ms: u64) -> Timestamp {
    Timestamp::from_micros(i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1_000))
}

pub(super) fn u16_at(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().copied().map(u16::from_le_bytes)
}

pub(super) fn u32_at(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().copied().map(u32::from_le_bytes)
}

pub(super) fn u64_at(octets: &[u8], at: usize) -> Option<u64> {
    octets.get(at..)?.first_chunk().copied().map(u64::from_le_bytes)
}
