//! How what is known of exporters is written down, so that it survives a restart: numbers in
//! big-endian order, lists with their length before them. Only the same version reads it back.

use thiserror::Error;

/// The state cannot be read: it is damaged, or another version wrote it. Begin without it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the state of the collector is damaged or of another version")]
pub struct Damaged;

/// Writes numbers and lists.
#[derive(Debug, Default)]
pub(crate) struct Writer(Vec<u8>);

/// Declares methods that write a number.
macro_rules! write_numbers {
    ($($name:ident)+) => { $(
        pub(crate) fn $name(&mut self, number: $name) {
            self.0.extend(number.to_be_bytes());
        }
    )+ };
}

/// Declares methods that read a number.
macro_rules! read_numbers {
    ($($name:ident)+) => { $(
        pub(crate) fn $name(&mut self) -> Result<$name, Damaged> {
            self.array().map($name::from_be_bytes)
        }
    )+ };
}

impl Writer {
    write_numbers! { u8 u16 u32 u64 u128 i64 }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.u32(octets.len() as u32);
        self.0.extend(octets);
    }

    pub(crate) fn option<T>(&mut self, value: Option<T>, write: impl FnOnce(&mut Self, T)) {
        self.u8(u8::from(value.is_some()));
        if let Some(value) = value {
            write(self, value);
        }
    }

    pub(crate) fn list<T>(
        &mut self,
        items: impl ExactSizeIterator<Item = T>,
        mut write: impl FnMut(&mut Self, T),
    ) {
        self.u32(items.len() as u32);
        for item in items {
            write(self, item);
        }
    }

    pub(crate) fn into_octets(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what [`Writer`] wrote.
#[derive(Debug)]
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) fn new(octets: &'a [u8]) -> Self {
        Self(octets)
    }

    read_numbers! { u8 u16 u32 u64 u128 i64 }

    pub(crate) fn octets(&mut self) -> Result<&'a [u8], Damaged> {
        let octets = self.u32()? as usize;
        let (taken, rest) = self.0.split_at_checked(octets).ok_or(Damaged)?;
        self.0 = rest;
        Ok(taken)
    }

    pub(crate) fn option<T>(
        &mut self,
        read: impl FnOnce(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Option<T>, Damaged> {
        match self.u8()? {
            0 => Ok(None),
            1 => read(self).map(Some),
            _ => Err(Damaged),
        }
    }

    /// Reads a list. Every item is at least an octet, so that a wrong length ends with the octets.
    pub(crate) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, Damaged>,
    ) -> Result<Vec<T>, Damaged> {
        let items = self.u32()?;
        (0..items).map(|_| read(self)).collect()
    }

    /// Whether everything was read.
    pub(crate) fn end(&self) -> Result<(), Damaged> {
        if self.0.is_empty() { Ok(()) } else { Err(Damaged) }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Damaged)?;
        self.0 = rest;
        Ok(*taken)
    }
}
