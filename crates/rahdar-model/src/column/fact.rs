//! The columns of facts: what telemetry says beside flows.

use std::sync::Arc;

use super::{Column, Kind, Origin, Row, Stored, Value};
use crate::address::Address;
use crate::fact::{Answer, Gap, Handshake, Loss, Resolution, Unit};
use crate::time::{Timestamp, Window};

/// A column that holds half an address of an answer.
macro_rules! answer_half {
    ($name:literal, $half:tt, $about:literal) => {
        column!(
            $name,
            Int64,
            nullable,
            $about,
            |r| match &r.answer {
                Answer::Address(address) => Value::Int(address.halves().$half),
                Answer::None | Answer::Text(_) => Value::Null,
            },
            |r, v| if let Value::Int(n) = v {
                let mut halves = match &r.answer {
                    Answer::Address(address) => address.halves(),
                    Answer::None | Answer::Text(_) => (0, 0),
                };
                halves.$half = n;
                r.answer = Answer::Address(Address::from_halves(halves.0, halves.1));
            }
        )
    };
}

macro_rules! day {
    ($time:expr, $about:literal) => {
        column!("day", Date, required, $about, |r| Value::Int(i64::from($time(r).day().0)), |_, _| {})
    };
}

impl Row for Resolution {
    const TABLE: &'static str = "resolutions";
    const ROW: &'static str = "resolution";
    const TIME: &'static str = "time";
    const COLUMNS: &'static [Column<Self>] = &RESOLUTIONS;

    fn blank() -> Self {
        Self::new(Arc::default(), Arc::default())
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn origin(&self) -> String {
        format!("record {} of `{}`", self.source_row, self.source)
    }
}

const RESOLUTIONS: [Column<Resolution>; 16] = [
    day!(Row::time, "UTC day of `time`; the table is partitioned by it"),
    column!(time, Timestamp, required, "when it was seen"),
    half!("client_hi", client, 0, "upper half of who asked"),
    half!("client_lo", client, 1, "lower half of who asked"),
    half!("server_hi", server, 0, "upper half of who was asked"),
    half!("server_lo", server, 1, "lower half of who was asked"),
    column!(name, Text, nullable, "the name in question: lower case, no final dot"),
    column!(question, Int32, nullable, "the type in question: 1 A, 28 AAAA, 16 TXT (IANA DNS RR TYPE)"),
    column!(
        response,
        Int32,
        nullable,
        "how the server answered: 0 no error, 3 no such name (IANA DNS RCODE)"
    ),
    answer_half!("answer_hi", 0, "upper half of the address that the name stands for"),
    answer_half!("answer_lo", 1, "lower half of the address that the name stands for"),
    column!(
        "answer_text",
        Text,
        nullable,
        "an answer that is no address: an alias, a mail host, a text",
        |r| match &r.answer {
            Answer::Text(text) => Value::Text(text),
            Answer::None | Answer::Address(_) => Value::Null,
        },
        |r, v| if let Value::Text(text) = v {
            r.answer = Answer::Text(text.to_owned());
        }
    ),
    column!(ttl_s, Int64, nullable, "how long the answer may be kept, in seconds"),
    column!(exporter, Text, required, "who saw it"),
    column!(source, Text, required, "the file or spool segment that it came from"),
    column!(source_row, Int64, required, "the record's number in it, from 1"),
];

impl Row for Handshake {
    const TABLE: &'static str = "handshakes";
    const ROW: &'static str = "handshake";
    const TIME: &'static str = "time";
    const COLUMNS: &'static [Column<Self>] = &HANDSHAKES;

    fn blank() -> Self {
        Self::new(Arc::default(), Arc::default())
    }

    fn time(&self) -> Timestamp {
        self.time
    }

    fn origin(&self) -> String {
        format!("record {} of `{}`", self.source_row, self.source)
    }
}

const HANDSHAKES: [Column<Handshake>; 20] = [
    day!(Row::time, "UTC day of `time`; the table is partitioned by it"),
    column!(time, Timestamp, required, "when it was seen"),
    half!("client_hi", client, 0, "upper half of who began it"),
    half!("client_lo", client, 1, "lower half of who began it"),
    half!("server_hi", server, 0, "upper half of who was called"),
    half!("server_lo", server, 1, "lower half of who was called"),
    column!(client_port, Int32, required, "port of the client"),
    column!(server_port, Int32, required, "port of the server; 0 where the log tells none"),
    column!(
        server_name,
        Text,
        nullable,
        "the name that the client asked for (SNI of TLS, Host of HTTP): lower case, no final dot"
    ),
    column!(
        version,
        Text,
        nullable,
        "the version that was agreed on, as the source names it; `HTTP/…` of a request in clear"
    ),
    column!(ja3, Text, nullable, "JA3 fingerprint of the client"),
    column!(ja3s, Text, nullable, "JA3S fingerprint of the server"),
    column!(ja4, Text, nullable, "JA4 fingerprint of the client"),
    column!(
        certificate,
        Text,
        nullable,
        "hash of the server's certificate: 40 hexadecimal digits are SHA-1, 64 SHA-256"
    ),
    column!(subject, Text, nullable, "the certificate's subject, as the source writes it"),
    column!(issuer, Text, nullable, "the certificate's issuer, as the source writes it"),
    column!(established, Int16, nullable, "1: the session came about, 0: it did not"),
    column!(exporter, Text, required, "who saw it"),
    column!(source, Text, required, "the file or spool segment that it came from"),
    column!(source_row, Int64, required, "the record's number in it, from 1"),
];

impl Row for Gap {
    const TABLE: &'static str = "gaps";
    const ROW: &'static str = "gap";
    const TIME: &'static str = "from_time";
    const COLUMNS: &'static [Column<Self>] = &GAPS;

    fn blank() -> Self {
        Self {
            exporter: Arc::default(),
            observation_domain: 0,
            window: Window::new(Timestamp::default(), Timestamp::default()),
            cause: Loss::Sequence,
            unit: Unit::Records,
            lost: 0,
            source: Arc::default(),
        }
    }

    fn time(&self) -> Timestamp {
        self.window.from
    }

    fn origin(&self) -> String {
        format!("a gap of `{}` in `{}`", self.exporter, self.source)
    }
}

const GAPS: [Column<Gap>; 9] = [
    day!(Row::time, "UTC day of `from_time`; the table is partitioned by it"),
    column!(
        "from_time",
        Timestamp,
        required,
        "nothing is missing before",
        |r| r.window.from.store(),
        |r, v| if let Some(time) = Stored::load(v) {
            r.window.from = time;
        }
    ),
    column!(
        "until_time",
        Timestamp,
        required,
        "nothing is missing from here on",
        |r| r.window.until.store(),
        |r, v| if let Some(time) = Stored::load(v) {
            r.window.until = time;
        }
    ),
    column!(exporter, Text, required, "whose telemetry it is"),
    column!(observation_domain, Int64, required, "the exporter's own subdivision; 0 where it cannot be told"),
    column!(
        cause,
        Text,
        required,
        "why: sequence, kernel_drop, rejected, rate_limited, queue_drop, no_template, decode_error"
    ),
    column!(unit, Text, required, "what is counted: datagrams, records, samples, packets"),
    column!(lost, Int64, required, "how many are missing"),
    column!(source, Text, required, "the file or spool segment that showed it"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check<R: Row + PartialEq + std::fmt::Debug>(record: &R) {
        let mut copy = R::blank();
        for column in R::COLUMNS {
            (column.set)(&mut copy, (column.get)(record));
        }
        assert_eq!(&copy, record);
        assert!(R::COLUMNS.iter().any(|column| column.name == R::TIME));
    }

    #[test]
    fn facts_survive_the_way_through_their_columns() {
        let mut resolution = Resolution::new("zeek".into(), "dns.log".into());
        resolution.time = Timestamp::from_seconds(1_629_000_000);
        resolution.client = "203.0.113.25".parse().unwrap();
        resolution.name = "c2.example.org".to_owned();
        resolution.question = Some(1);
        resolution.ttl_s = Some(300);
        check(&resolution);
        resolution.answer = Answer::Address("2001:db8::7".parse().unwrap());
        check(&resolution);
        resolution.answer = Answer::Text("alias.example.org".to_owned());
        check(&resolution);

        let mut handshake = Handshake::new("zeek".into(), "ssl.log".into());
        handshake.server = "192.0.2.7".parse().unwrap();
        handshake.server_port = 443;
        handshake.certificate = "ab".repeat(32);
        handshake.established = Some(false);
        check(&handshake);

        let mut gap = Gap { exporter: "r1".into(), lost: 7, cause: Loss::KernelDrop, ..Gap::blank() };
        gap.window.until = Timestamp::from_seconds(60);
        check(&gap);
    }
}
