//! The columns of what is stored: the one table from which schemas, batches and documents follow.
//!
//! Flows have [`flow::COLUMNS`]; resolutions, handshakes and gaps have theirs in [`fact`].
//! To add a column: a field in the record, a row in its table, `cargo xtask docs`.

/// A column that is a field of the record, or what two closures say. Columns of flows also say where each
/// protocol has them: NetFlow v5, IPFIX, Zeek, packets.
macro_rules! column {
    ($name:ident, $kind:ident, $null:ident, $about:literal $(, $origin:literal)*) => {
        column!(
            stringify!($name),
            $kind,
            $null,
            $about,
            $($origin,)*
            |r| r.$name.store(),
            |r, v| if let Some(value) = Stored::load(v) { r.$name = value }
        )
    };
    ($name:expr, $kind:ident, $null:ident, $about:literal, $get:expr, $set:expr) => {
        column!($name, $kind, $null, $about, "", "", "", "", $get, $set)
    };
    ($name:expr, $kind:ident, $null:ident, $about:literal, $v5:literal, $ipfix:literal, $zeek:literal, $packets:literal, $get:expr, $set:expr) => {
        Column {
            name: $name,
            kind: Kind::$kind,
            nullable: column!(@ $null),
            about: $about,
            origin: Origin { netflow_v5: $v5, ipfix: $ipfix, zeek: $zeek, packets: $packets },
            get: $get,
            set: $set,
        }
    };
    (@ nullable) => { true };
    (@ required) => { false };
}

/// A column that holds half an address.
macro_rules! half {
    ($name:literal, $field:ident, $half:tt, $about:literal $(, $origin:literal)*) => {
        column!(
            $name,
            Int64,
            required,
            $about,
            $($origin,)*
            |r| Value::Int(r.$field.halves().$half),
            |r, v| if let Value::Int(n) = v {
                let mut halves = r.$field.halves();
                halves.$half = n;
                r.$field = Address::from_halves(halves.0, halves.1);
            }
        )
    };
}

pub mod fact;
pub mod flow;

use std::sync::Arc;

use crate::fact::{Loss, Unit};
use crate::flow::{Direction, Initiator, Quality, Sampler, SamplingSource};
use crate::time::Timestamp;

/// A kind of record that is kept in a table of its own.
///
/// Every table has the columns `day`, by which it is partitioned, and [`Row::TIME`].
pub trait Row: Clone + Send + Sync + 'static {
    /// The table's name.
    const TABLE: &'static str;
    /// One row of it, in words.
    const ROW: &'static str;
    /// The column of the time that a row belongs to.
    const TIME: &'static str;
    /// The columns, in the order of the table; `day` first. A constant, so that code can be made for each column.
    const COLUMNS: &'static [Column<Self>];

    /// A record that says nothing.
    fn blank() -> Self;

    /// The time that the row belongs to.
    fn time(&self) -> Timestamp;

    /// Where the record came from, for messages.
    fn origin(&self) -> String;
}

/// How a column is stored. Delta knows no unsigned and no fixed binary types, so these are all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Days since 1970-01-01 (Arrow `Date32`).
    Date,
    /// Microseconds since 1970-01-01T00:00:00 UTC (Arrow `Timestamp(µs, "UTC")`).
    Timestamp,
    /// 16-bit signed integer.
    Int16,
    /// 32-bit signed integer.
    Int32,
    /// 64-bit signed integer.
    Int64,
    /// UTF-8 text.
    Text,
}

impl Kind {
    /// `n`, or the nearest number that the kind can hold.
    const fn saturate(self, n: i64) -> i64 {
        let (least, most) = match self {
            Self::Int16 => (i16::MIN as i64, i16::MAX as i64),
            Self::Date | Self::Int32 => (i32::MIN as i64, i32::MAX as i64),
            Self::Timestamp | Self::Int64 | Self::Text => return n,
        };
        if n < least {
            least
        } else if n > most {
            most
        } else {
            n
        }
    }
}

/// One value on its way between a record and a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Not known.
    Null,
    /// A number, a day or a time, by the column's kind.
    Int(i64),
    /// A text.
    Text(&'a str),
}

/// One column of the table of `R`.
pub struct Column<R> {
    /// Name in the table and in SQL.
    pub name: &'static str,
    /// How it is stored.
    pub kind: Kind,
    /// Whether it may be null.
    pub nullable: bool,
    /// What it holds, with unit; one sentence for `docs/schema.md`.
    pub about: &'static str,
    /// Where each protocol has it, for `docs/protocols.md`; nowhere for facts, which
    /// `docs/formats.md` has.
    pub origin: Origin,
    /// Reads the column from a record.
    pub get: for<'a> fn(&'a R) -> Value<'a>,
    /// Writes the column into a record. A null leaves the field as it is in an empty record.
    pub set: fn(&mut R, Value<'_>),
}

impl<R> Column<R> {
    /// Reads the column from a record as it is stored: numbers beyond the kind's range saturate.
    pub fn stored<'a>(&self, record: &'a R) -> Value<'a> {
        match (self.get)(record) {
            Value::Int(n) => Value::Int(self.kind.saturate(n)),
            other => other,
        }
    }
}

/// Where a column comes from, per protocol; empty where the protocol does not have it.
pub struct Origin {
    /// NetFlow v5: field of the header or record (Cisco).
    pub netflow_v5: &'static str,
    /// NetFlow v9 and IPFIX: information element numbers (IANA).
    pub ipfix: &'static str,
    /// Zeek `conn.log`: field.
    pub zeek: &'static str,
    /// Packets: how it is assembled.
    pub packets: &'static str,
}

/// A value of the record's field as it is stored. Counters above `i64::MAX` saturate.
trait Stored: Sized {
    fn store(&self) -> Value<'_>;
    fn load(value: Value<'_>) -> Option<Self>;
}

macro_rules! stored_integer {
    ($($t:ty),+) => {$(
        impl Stored for $t {
            fn store(&self) -> Value<'_> {
                Value::Int(i64::try_from(*self).unwrap_or(i64::MAX))
            }
            fn load(value: Value<'_>) -> Option<Self> {
                match value {
                    Value::Int(n) => Self::try_from(n).ok(),
                    _ => None,
                }
            }
        }
    )+};
}
stored_integer!(u8, u16, u32, u64);

macro_rules! stored_code {
    ($($t:ty),+) => {$(
        impl Stored for $t {
            fn store(&self) -> Value<'_> {
                Value::Int(i64::from(self.code()))
            }
            fn load(value: Value<'_>) -> Option<Self> {
                Self::from_code(u8::load(value)?)
            }
        }
    )+};
}
stored_code!(Direction, Initiator, Sampler);

impl Stored for Timestamp {
    fn store(&self) -> Value<'_> {
        Value::Int(self.micros())
    }
    fn load(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Int(us) => Some(Self::from_micros(us)),
            _ => None,
        }
    }
}

impl Stored for Quality {
    fn store(&self) -> Value<'_> {
        Value::Int(i64::from(self.bits()))
    }
    fn load(value: Value<'_>) -> Option<Self> {
        u32::load(value).map(Self::from_bits)
    }
}

impl Stored for bool {
    fn store(&self) -> Value<'_> {
        Value::Int(i64::from(*self))
    }
    fn load(value: Value<'_>) -> Option<Self> {
        u8::load(value).map(|n| n != 0)
    }
}

macro_rules! stored_word {
    ($($t:ty),+) => {$(
        impl Stored for $t {
            fn store(&self) -> Value<'_> {
                Value::Text(self.word())
            }
            fn load(value: Value<'_>) -> Option<Self> {
                match value {
                    Value::Text(word) => Self::from_word(word),
                    _ => None,
                }
            }
        }
    )+};
}
stored_word!(SamplingSource, Loss, Unit);

impl Stored for Arc<str> {
    fn store(&self) -> Value<'_> {
        Value::Text(self)
    }
    fn load(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.into()),
            _ => None,
        }
    }
}

impl Stored for String {
    fn store(&self) -> Value<'_> {
        if self.is_empty() { Value::Null } else { Value::Text(self) }
    }
    fn load(value: Value<'_>) -> Option<Self> {
        match value {
            Value::Text(text) => Some(text.to_owned()),
            _ => None,
        }
    }
}

impl<T: Stored> Stored for Option<T> {
    fn store(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::store)
    }
    fn load(value: Value<'_>) -> Option<Self> {
        T::load(value).map(Some)
    }
}
