//! What was resolved in our own networks, as passive DNS: one record for each run of answers, and of calls. Who calls a
//! server by a name was told that it has that address, though nobody saw by whom.
//!
//! A server that answers with an alias and the addresses behind it has answered both to the name that
//! was asked for. An alias whose addresses were asked for by its own name is followed there
//! ([`alias`](crate::alias)).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::fact::{Answer, Handshake, Resolution};
use rahdar_model::time::HOUR_US;
use rahdar_model::{Address, Timestamp};

use crate::alias::Alias;
use crate::name;
use crate::pdns::{MARGIN_US, Record};

/// Gathers answers in any order.
#[derive(Debug, Clone, Default)]
pub struct Answers {
    addresses: BTreeMap<(String, Address), Hours>,
    /// Servers that were called by a name.
    called: BTreeMap<(String, Address), Hours>,
    aliases: BTreeMap<(String, String), Hours>,
}

/// Answers by the hour.
type Hours = BTreeMap<Timestamp, Hour>;

/// The answers of one hour.
#[derive(Debug, Clone)]
struct Hour {
    first: Timestamp,
    last: Timestamp,
    count: u64,
    exporter: Arc<str>,
}

/// Hours without an answer that end a record; chosen here: the margins on both sides still touch.
const SILENCE_US: i64 = 2 * MARGIN_US - HOUR_US;

/// Questions whose answer, where it is a name, is an alias (IANA DNS RR TYPE): A, CNAME, AAAA.
const ALIASED: [u16; 3] = [1, 5, 28];

/// Who saw what we saw.
const SOURCE: &str = "our DNS log";
/// The same of calls: handshakes of TLS, and requests of HTTP.
const CALLED: &str = "calls by that name in our TLS or HTTP log";

impl Answers {
    /// Adds an answer that is an address or an alias; others say nothing here.
    pub fn add(&mut self, resolution: &Resolution) {
        let name = || resolution.name.clone();
        let hours = match &resolution.answer {
            Answer::Address(address) => self.addresses.entry((name(), *address)).or_default(),
            Answer::Text(text) if resolution.question.is_some_and(|kind| ALIASED.contains(&kind)) => {
                match name::domain(text) {
                    Some(target) if target != resolution.name => {
                        self.aliases.entry((name(), target)).or_default()
                    }
                    _ => return,
                }
            }
            Answer::Text(_) | Answer::None => return,
        };
        enter(hours, resolution.time, &resolution.exporter);
    }

    /// Adds a call of a server by its name; one without a name says nothing here.
    pub fn call(&mut self, handshake: &Handshake) {
        if !handshake.server_name.is_empty() {
            let key = (handshake.server_name.clone(), handshake.server);
            enter(self.called.entry(key).or_default(), handshake.time, &handshake.exporter);
        }
    }

    /// The addresses that were answered or called, each once.
    pub fn addresses(&self) -> impl Iterator<Item = Address> {
        let known = self.addresses.keys().chain(self.called.keys());
        let addresses: BTreeSet<_> = known.map(|(_, address)| *address).collect();
        addresses.into_iter()
    }

    /// The names that were answered, each once.
    pub fn targets(&self) -> BTreeSet<&str> {
        self.aliases.keys().map(|(_, target)| target.as_str()).collect()
    }

    /// One record for each run of answers without a long silence, in the order of names and addresses.
    pub fn records(&self) -> Vec<Record> {
        records(&self.addresses, SOURCE)
    }

    /// The same of calls.
    pub fn calls(&self) -> Vec<Record> {
        records(&self.called, CALLED)
    }

    /// The same of aliases.
    pub fn aliases(&self) -> Vec<Alias> {
        let runs = self.aliases.iter().flat_map(|(key, hours)| runs(hours).map(move |run| (key, run)));
        runs.map(|((name, target), run)| Alias {
            name: name.clone(),
            target: target.clone(),
            first: run.first,
            last: run.last,
            count: Some(run.count),
            source: SOURCE.into(),
            place: format!("seen by {}", run.exporter),
        })
        .collect()
    }
}

/// Counts one at this time.
fn enter(hours: &mut Hours, time: Timestamp, exporter: &Arc<str>) {
    let new = || Hour { first: time, last: time, count: 0, exporter: exporter.clone() };
    let hour = hours.entry(time.hour()).or_insert_with(new);
    hour.first = hour.first.min(time);
    hour.last = hour.last.max(time);
    hour.count += 1;
    if *exporter < hour.exporter {
        hour.exporter = exporter.clone();
    }
}

/// One record for each run without a long silence, in the order of names and addresses.
fn records(seen: &BTreeMap<(String, Address), Hours>, source: &'static str) -> Vec<Record> {
    let runs = seen.iter().flat_map(|(key, hours)| runs(hours).map(move |run| (key, run)));
    let record = |((name, address), run): (&(String, Address), Hour)| Record {
        name: name.clone(),
        address: *address,
        first: run.first,
        last: run.last,
        count: Some(run.count),
        source: source.into(),
        place: format!("seen by {}", run.exporter),
    };
    runs.map(record).collect()
}

/// Runs of answers, told by the exporter of the first hour.
fn runs(hours: &Hours) -> impl Iterator<Item = Hour> {
    let mut runs: Vec<Hour> = Vec::new();
    for hour in hours.values() {
        match runs.last_mut() {
            Some(run) if hour.first.since(run.last) <= SILENCE_US => {
                run.last = run.last.max(hour.last);
                run.count += hour.count;
            }
            _ => runs.push(hour.clone()),
        }
    }
    runs.into_iter()
}

#[cfg(test)]
mod tests {
    use rahdar_model::time::{DAY_US, SECOND_US};

    use super::*;

    fn day(day: i64) -> Timestamp {
        "2021-05-10".parse::<Timestamp>().unwrap().plus_micros(day * DAY_US)
    }

    fn answered(question: u16, at: Timestamp, answer: Answer) -> Resolution {
        Resolution {
            time: at,
            name: "c2.example.org".to_owned(),
            question: Some(question),
            answer,
            ..Resolution::new("resolver".into(), "dns.log".into())
        }
    }

    #[test]
    fn answers_in_any_order_make_one_record_until_a_silence() {
        let mut answers = Answers::default();
        for at in [day(1), day(0), day(9), day(1).plus_micros(SECOND_US)] {
            answers.add(&answered(1, at, Answer::Address("192.0.2.1".parse().unwrap())));
        }
        let records = answers.records();
        let told: Vec<_> =
            records.iter().map(|record| (record.first, record.last, record.count.unwrap())).collect();
        assert_eq!(told, [(day(0), day(1).plus_micros(SECOND_US), 3), (day(9), day(9), 1)]);
        assert_eq!(records[0].place, "seen by resolver");
    }

    #[test]
    fn a_name_that_answers_the_question_for_an_address_is_an_alias() {
        let text = |text: &str| Answer::Text(text.to_owned());
        let mut answers = Answers::default();
        answers.add(&answered(1, day(0), text("front.example.net")));
        answers.add(&answered(28, day(1), text("front.example.net")));
        answers.add(&answered(15, day(0), text("mail.example.net")));
        answers.add(&answered(1, day(0), text("no name")));
        answers.add(&answered(1, day(0), text("c2.example.org")));
        let told: Vec<_> =
            answers.aliases().into_iter().map(|alias| (alias.target, alias.first, alias.last)).collect();
        assert_eq!(told, [("front.example.net".to_owned(), day(0), day(1))]);
        assert_eq!(answers.targets().len(), 1);
    }
}
