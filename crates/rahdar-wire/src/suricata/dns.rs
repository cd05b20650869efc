//! `dns` events: resolutions.
//!
//! A sensor logs the question when it is asked (`query`, or `request` from version 3) and what
//! came back (`answer`, or `response`). Both are kept: the question as one resolution without an
//! answer, so that a name that was asked for and never answered is seen; what came back as one
//! resolution per answer, or one without where there is none (no such name). Who counts questions
//! counts those that have no response code.
//!
//! Three layouts are read. Version 1 has one answer an event, `rrname` and `rrtype` those of the
//! answering record. Version 2 has the question in `rrname` and `rrtype` and the records in
//! `answers`, or grouped by type in `grouped` (without TTL), or both. Version 3 has the question in
//! `queries`. Authorities and additional records are no answers.

use rahdar_model::sink::SinkError;

use super::{Event, Failure};
use crate::delivery::Delivery;
use crate::facts::{ANSWERS_MAX, Facts, set_name};
use crate::json::{Items, Members, ObjectError, Value, unescape};
use crate::value::{ValueError, count, short};

/// Ports of name servers (IANA): DNS, DNS over TLS, mDNS, LLMNR.
const SERVER_PORTS: [u16; 4] = [53, 853, 5353, 5355];

/// What `dns` holds.
#[derive(Default)]
struct Message<'l> {
    is_answer: bool,
    name: &'l [u8],
    kind: &'l [u8],
    response: Option<u16>,
    queries: &'l [u8],
    answers: Option<&'l [u8]>,
    grouped: Option<&'l [u8]>,
    /// The one answer of version 1.
    data: Option<&'l [u8]>,
    ttl_s: Option<u32>,
}

/// One record of an answer.
#[derive(Clone, Copy, Default)]
struct Data<'l> {
    kind: &'l [u8],
    text: &'l [u8],
    ttl_s: Option<u32>,
}

/// Gives the resolutions of an event to the sink.
pub(super) fn deliver(
    event: &Event<'_>,
    delivery: &mut Delivery<'_>,
    facts: &mut Facts,
) -> Result<(), Failure> {
    let message = Message::read(event)?;
    let (mut client, mut server) = event.ends()?;
    // Old versions log what came back from the server's side.
    let is_server = |port| SERVER_PORTS.contains(&port);
    if message.is_answer && is_server(event.src_port) && !is_server(event.dst_port) {
        (client, server) = (server, client);
    }
    let resolution = facts.begin_resolution(event.time()?, delivery.record.source_row, delivery);
    resolution.client = client;
    resolution.server = server;
    resolution.response = message.response;
    if message.is_answer {
        let (name, kind) = message.question();
        if name.is_empty() {
            delivery.tally.beside += 1;
            return Ok(());
        }
        set_name(name, &mut resolution.name, &unescape);
        // Version 1 has the type of the answer in its place.
        resolution.question = if message.data.is_some() { None } else { record_type(kind) };
        delivery.decode();
        return message.give_answers(delivery, facts).map_err(Failure::Sink);
    }
    let first = (!message.name.is_empty()).then_some((message.name, message.kind));
    let mut questions =
        first.into_iter().chain(Items::readable(message.queries).filter_map(question)).peekable();
    if questions.peek().is_none() {
        delivery.tally.beside += 1;
        return Ok(());
    }
    delivery.decode();
    for (name, kind) in questions {
        set_name(name, &mut facts.resolution.name, &unescape);
        facts.resolution.question = record_type(kind);
        facts.resolved(delivery).map_err(Failure::Sink)?;
    }
    Ok(())
}

impl<'l> Message<'l> {
    fn read(event: &Event<'l>) -> Result<Self, ObjectError> {
        let mut message = Self::default();
        let mut kind = None;
        for member in event.body("dns")? {
            match member? {
                (b"type", Value::Text(word)) => kind = Some(word),
                (b"rrname", Value::Text(name)) => message.name = name,
                (b"rrtype", Value::Text(word)) => message.kind = word,
                (b"rcode", Value::Text(word)) => message.response = response(word),
                (b"rdata", Value::Text(data)) => message.data = Some(data),
                (b"ttl", Value::Bare(ttl)) => message.ttl_s = seconds(ttl),
                (b"queries", Value::Nested(queries)) => message.queries = queries,
                (b"answers", Value::Nested(answers)) => message.answers = Some(answers),
                (b"grouped", Value::Nested(grouped)) => message.grouped = Some(grouped),
                _ => {}
            }
        }
        message.is_answer = match kind {
            Some(b"answer" | b"response") => true,
            Some(b"query" | b"request") => false,
            Some(word) => return Err(ValueError::wrong("type", word).into()),
            None => return Err(ValueError::missing("type").into()),
        };
        Ok(message)
    }

    /// The name and type that were asked for.
    fn question(&self) -> (&'l [u8], &'l [u8]) {
        match Items::readable(self.queries).find_map(question) {
            Some(question) if self.name.is_empty() => question,
            _ => (self.name, self.kind),
        }
    }

    fn give_answers(&self, delivery: &mut Delivery<'_>, facts: &mut Facts) -> Result<(), SinkError> {
        let mut left = ANSWERS_MAX;
        let mut give = |data: Data<'_>| {
            if left > 0 && !data.text.is_empty() {
                left -= 1;
                data.set(facts);
                facts.resolved(delivery)?;
            }
            Ok::<(), SinkError>(())
        };
        if let Some(answers) = self.answers {
            for answer in Items::readable(answers) {
                give(Data::read(answer))?;
            }
        } else if let Some(grouped) = self.grouped {
            for (kind, data) in Members::new(grouped).filter_map(Result::ok) {
                let Value::Nested(texts) = data else { continue };
                for text in Items::readable(texts) {
                    match text {
                        Value::Text(text) => give(Data { kind, text, ttl_s: None })?,
                        other => give(Data { kind, ..Data::read(other) })?,
                    }
                }
            }
        } else if let Some(text) = self.data {
            give(Data { kind: self.kind, text, ttl_s: self.ttl_s })?;
        }
        if left == ANSWERS_MAX {
            facts.resolved(delivery)?;
        }
        Ok(())
    }
}

impl<'l> Data<'l> {
    /// Reads a record of `answers`. Of services and zones it is the name that counts.
    fn read(answer: Value<'l>) -> Self {
        let mut data = Self::default();
        let Value::Nested(object) = answer else { return data };
        for (key, value) in Members::new(object).filter_map(Result::ok) {
            match (key, value) {
                (b"rrtype", Value::Text(kind)) => data.kind = kind,
                (b"rdata", Value::Text(text)) => data.text = text,
                (b"ttl", Value::Bare(ttl)) => data.ttl_s = seconds(ttl),
                (b"name" | b"mname", Value::Text(name)) if data.text.is_empty() => data.text = name,
                (b"srv" | b"soa", Value::Nested(object)) => {
                    data.text = Self::read(Value::Nested(object)).text
                }
                _ => {}
            }
        }
        data
    }

    /// Sets the answer and its TTL.
    fn set(&self, facts: &mut Facts) {
        facts.resolution.ttl_s = self.ttl_s;
        match self.kind {
            b"A" | b"AAAA" => facts.answer(self.text, &unescape),
            _ => facts.answer_text(self.text, &unescape),
        }
    }
}

/// The name and type of an item of `queries`.
fn question<'l>(query: Value<'l>) -> Option<(&'l [u8], &'l [u8])> {
    let Value::Nested(object) = query else { return None };
    let (mut name, mut kind): (&[u8], &[u8]) = (b"", b"");
    for (key, value) in Members::new(object).filter_map(Result::ok) {
        match (key, value) {
            (b"rrname", Value::Text(text)) => name = text,
            (b"rrtype", Value::Text(text)) => kind = text,
            _ => {}
        }
    }
    (!name.is_empty()).then_some((name, kind))
}

fn seconds(ttl: &[u8]) -> Option<u32> {
    count(ttl).and_then(|ttl| u32::try_from(ttl).ok())
}

/// The number of a record type (IANA DNS RR TYPE): those that hosts ask for.
fn record_type(name: &[u8]) -> Option<u16> {
    Some(match name {
        b"A" => 1,
        b"NS" => 2,
        b"CNAME" => 5,
        b"SOA" => 6,
        b"NULL" => 10,
        b"PTR" => 12,
        b"HINFO" => 13,
        b"MX" => 15,
        b"TXT" => 16,
        b"SIG" => 24,
        b"KEY" => 25,
        b"AAAA" => 28,
        b"LOC" => 29,
        b"SRV" => 33,
        b"NAPTR" => 35,
        b"DNAME" => 39,
        b"OPT" => 41,
        b"DS" => 43,
        b"SSHFP" => 44,
        b"RRSIG" => 46,
        b"NSEC" => 47,
        b"DNSKEY" => 48,
        b"NSEC3" => 50,
        b"TLSA" => 52,
        b"CDS" => 59,
        b"SVCB" => 64,
        b"HTTPS" => 65,
        b"SPF" => 99,
        b"TKEY" => 249,
        b"TSIG" => 250,
        b"AXFR" => 252,
        b"ANY" => 255,
        b"URI" => 256,
        b"CAA" => 257,
        _ => return short(name.strip_prefix(b"TYPE").unwrap_or(name)),
    })
}

/// The number of a response code (IANA DNS RCODE).
fn response(name: &[u8]) -> Option<u16> {
    Some(match name {
        b"NOERROR" => 0,
        b"FORMERR" => 1,
        b"SERVFAIL" => 2,
        b"NXDOMAIN" => 3,
        b"NOTIMP" => 4,
        b"REFUSED" => 5,
        b"YXDOMAIN" => 6,
        b"YXRRSET" => 7,
        b"NXRRSET" => 8,
        b"NOTAUTH" => 9,
        b"NOTZONE" => 10,
        b"BADVERS" | b"BADSIG" | b"BADVERS/BADSIG" => 16,
        _ => return short(name),
    })
}
