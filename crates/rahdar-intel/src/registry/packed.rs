//! A dump as octets to be kept.
//!
//! In order: eight octets of magic; the length of the label (u32) and the label, a JSON object; each part
//! in the order of the label; the BLAKE3 hash of all that stands before. Numbers are little-endian.
//! A part by prefix: texts; how many rows are IPv4 and how many IPv6 (u32 each); first addresses
//! (u32, then u128), lengths of 128 (u8), numbers of texts (u32). A part by AS: texts; rows (u32); AS (u32); numbers of
//! texts (u32). Texts: how many (u32), each its length (u8) and octets. The table of 1.3 million prefixes takes 15 MB.
//!
//! What does not fit is [`Damaged`], wherever it was damaged: no length is believed before the octets
//! are there.

use rahdar_model::{Address, Day};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::registry::number::NumberTable;
use crate::registry::prefix::PrefixTable;
use crate::registry::{Dump, Part, Table, Topic};

const MAGIC: &[u8; 8] = b"rahdarN1";
const HASH_OCTETS: usize = 32;
/// Octets of a label at most; chosen here: one has three hundred.
pub(crate) const LABEL_OCTETS_MAX: usize = 4 << 10;
/// Octets that hold the label of any dump.
pub const HEAD_OCTETS: usize = MAGIC.len() + 4 + LABEL_OCTETS_MAX;

/// What is kept is not what was written. Import the file again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the kept dump is damaged at its {0}; import its file again")]
pub struct Damaged(&'static str);

/// What a dump is, without its rows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label {
    /// Whose word it is.
    pub source: String,
    /// As of which day.
    pub as_of: Day,
    /// What it tells, and in how many rows.
    pub topics: Vec<(Topic, usize)>,
}

impl Label {
    /// The label of this dump.
    pub fn of(dump: &Dump) -> Self {
        let topics = dump.parts.iter().map(|part| (part.topic, part.table.len())).collect();
        Self { source: dump.source.clone(), as_of: dump.as_of, topics }
    }

    /// Whether it tells of this topic.
    pub fn tells(&self, topic: Topic) -> bool {
        self.topics.iter().any(|(told, _)| *told == topic)
    }

    /// A name for its file, the same for every dump of the same source and day: lower-case letters,
    /// digits and `-`.
    pub fn slug(&self) -> String {
        format!("{}-{}", rahdar_model::intelligence::ClusterId::of_name(&self.source), self.as_of)
            .chars()
            .filter(|c| c.is_ascii_alphanumeric() || *c == '-')
            .collect()
    }
}

#[derive(Serialize, Deserialize)]
struct Written {
    source: String,
    /// Days since 1970-01-01.
    as_of: i32,
    topics: Vec<(String, usize)>,
}

/// The octets of a dump.
pub fn pack(dump: &Dump) -> Vec<u8> {
    let label = Label::of(dump);
    let written = Written {
        source: label.source,
        as_of: label.as_of.0,
        topics: label.topics.into_iter().map(|(topic, rows)| (topic.word().to_owned(), rows)).collect(),
    };
    let label = serde_json::to_vec(&written).unwrap_or_default();
    let mut out = MAGIC.to_vec();
    count(&mut out, label.len());
    out.extend_from_slice(&label);
    for part in &dump.parts {
        match &part.table {
            Table::Prefixes(table) => pack_prefixes(&mut out, table),
            Table::Numbers(table) => pack_numbers(&mut out, table),
        }
    }
    let hash = blake3::hash(&out);
    out.extend_from_slice(hash.as_bytes());
    out
}

fn pack_prefixes(out: &mut Vec<u8>, table: &PrefixTable) {
    pack_texts(out, table.texts());
    let is_v4 = |row: &(u128, u8, u32)| Address::from_bits(row.0).v4_bits().filter(|_| row.1 >= 96);
    let (v4, v6) = (
        || table.rows().filter_map(|row| is_v4(&row)),
        || table.rows().filter(move |row| is_v4(row).is_none()),
    );
    count(out, v4().count());
    count(out, v6().count());
    v4().for_each(|first| out.extend_from_slice(&first.to_le_bytes()));
    v6().for_each(|row| out.extend_from_slice(&row.0.to_le_bytes()));
    // Lengths and numbers in the same order: IPv4 first.
    let ordered = || table.rows().filter(move |row| is_v4(row).is_some()).chain(v6());
    ordered().for_each(|row| out.push(row.1));
    ordered().for_each(|row| out.extend_from_slice(&row.2.to_le_bytes()));
}

fn pack_numbers(out: &mut Vec<u8>, table: &NumberTable) {
    pack_texts(out, table.texts());
    count(out, table.len());
    table.rows().for_each(|(asn, _)| out.extend_from_slice(&asn.to_le_bytes()));
    table.rows().for_each(|(_, number)| out.extend_from_slice(&number.to_le_bytes()));
}

fn pack_texts(out: &mut Vec<u8>, texts: &[Box<str>]) {
    count(out, texts.len());
    for text in texts {
        out.push(text.len().min(255) as u8);
        out.extend_from_slice(&text.as_bytes()[..text.len().min(255)]);
    }
}

fn count(out: &mut Vec<u8>, n: usize) {
    out.extend_from_slice(&(n as u32).to_le_bytes());
}

/// The label of a dump, by its first [`HEAD_OCTETS`], or by all of it.
///
/// # Errors
/// [`Damaged`].
pub fn label(head: &[u8]) -> Result<Label, Damaged> {
    read_label(&mut Octets(head))
}

fn read_label(octets: &mut Octets<'_>) -> Result<Label, Damaged> {
    if octets.take(MAGIC.len()) != Some(MAGIC) {
        return Err(Damaged("magic number"));
    }
    let damaged = Damaged("label");
    let length = octets.u32().ok_or(damaged)? as usize;
    let label = octets.take(length).filter(|_| length <= LABEL_OCTETS_MAX).ok_or(damaged)?;
    let written: Written = serde_json::from_slice(label).map_err(|_| damaged)?;
    let topic = |(word, rows): (String, usize)| Some((Topic::from_word(&word)?, rows));
    let topics = written.topics.into_iter().map(topic).collect::<Option<_>>().ok_or(damaged)?;
    Ok(Label { source: written.source, as_of: Day(written.as_of), topics })
}

/// The dump that these octets are.
///
/// # Errors
/// [`Damaged`].
pub fn unpack(octets: &[u8]) -> Result<Dump, Damaged> {
    let body = octets.len().checked_sub(HASH_OCTETS).ok_or(Damaged("end"))?;
    let (body, hash) = octets.split_at(body);
    if blake3::hash(body).as_bytes() != hash {
        return Err(Damaged("hash"));
    }
    let mut octets = Octets(body);
    let label = read_label(&mut octets)?;
    let mut parts = Vec::new();
    for (topic, _) in label.topics {
        let table = if topic.is_by_prefix() {
            Table::Prefixes(octets.prefixes().ok_or(Damaged("prefixes"))?)
        } else {
            Table::Numbers(octets.numbers().ok_or(Damaged("AS numbers"))?)
        };
        parts.push(Part { topic, table });
    }
    Ok(Dump { source: label.source, as_of: label.as_of, parts })
}

/// Octets, the first of which are taken off.
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u32s(&mut self, n: usize) -> Option<Vec<u32>> {
        let octets = self.take(n.checked_mul(4)?)?;
        Some(
            octets
                .chunks_exact(4)
                .map(|four| u32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect(),
        )
    }

    fn texts(&mut self) -> Option<Vec<Box<str>>> {
        let n = self.u32()? as usize;
        let mut texts = Vec::new();
        for _ in 0..n {
            let length = self.take(1)?[0];
            texts.push(std::str::from_utf8(self.take(length.into())?).ok()?.into());
        }
        Some(texts)
    }

    fn prefixes(&mut self) -> Option<PrefixTable> {
        let texts = self.texts()?;
        let (v4, v6) = (self.u32()? as usize, self.u32()? as usize);
        let mut firsts: Vec<u128> =
            self.u32s(v4)?.into_iter().map(|first| Address::from_v4_bits(first).bits()).collect();
        let wide = self.take(v6.checked_mul(16)?)?;
        firsts.extend(
            wide.chunks_exact(16).filter_map(|octets| Some(u128::from_le_bytes(octets.try_into().ok()?))),
        );
        let bits = self.take(v4.checked_add(v6)?)?.to_vec();
        let numbers = self.u32s(v4 + v6)?;
        // IPv6 rows below the mapped addresses sort before IPv4.
        let below = firsts[v4..].partition_point(|first| *first < MAPPED);
        let mut rows: Vec<(u128, u8, u32)> = firsts
            .into_iter()
            .zip(bits)
            .zip(numbers)
            .map(|((first, bits), number)| (first, bits, number))
            .collect();
        rows[..v4 + below].rotate_left(v4);
        let (firsts, (bits, numbers)) =
            rows.into_iter().map(|(first, bits, number)| (first, (bits, number))).unzip();
        PrefixTable::of(firsts, bits, numbers, texts)
    }

    fn numbers(&mut self) -> Option<NumberTable> {
        let texts = self.texts()?;
        let n = self.u32()? as usize;
        NumberTable::of(self.u32s(n)?, self.u32s(n)?, texts)
    }
}

/// The first IPv4 address among the IPv6 addresses.
const MAPPED: u128 = 0xffff_0000_0000;
