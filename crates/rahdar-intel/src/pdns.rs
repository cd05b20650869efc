//! Names that stood for addresses: a claim on a domain becomes dated claims on the addresses that
//! it had (`methods.md` §7.5).
//!
//! window = [first − 1 d, last + 1 d] ∩ the window of the claim on the domain, cut where a name of
//! another registrable domain is first seen on the address after `last`.
//!
//! * First and last sighting bound what was observed, not who held the address. The day beside
//!   them is that of addresses which are let again fast; the specification allows a week at slower
//!   hosts, which no record tells.
//! * Names under a provider of dynamic names move within minutes: their windows are never widened,
//!   last an hour beyond the last sighting, and where a week or more lies between two sightings at
//!   the mean, the two ends alone are kept.
//! * A name that a warning list holds accuses no address: its addresses serve others.
//! * An address that serves thousands of names is claimed too; G4 of the hunt discounts it where
//!   the book knows what it is.
//!
//! Wrong where a sensor saw little of a name, and where a name was parked at an address that
//! others held.
//!
//! A claimed name that stood for another name leads to the addresses of that one ([`alias`](crate::alias)).
//!
//! A derived claim keeps everything of the claim on the domain but the window and says whence it
//! comes: its basis is `resolved`, its place names the claim's, the name, and the record.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::intelligence::{Claim, Indicator, WindowBasis};
use rahdar_model::time::{DAY_US, HOUR_US, SECOND_US};
use rahdar_model::{Address, Prefix, Timestamp, Window};
use serde::Deserialize;

use crate::alias::Alias;
use crate::draft::Draft;
use crate::index::Snapshot;
use crate::json;
use crate::name;
use crate::reading::{Format, ReadError, ReadOptions, Reading, Reason};
use crate::rented::{is_rented, registrable};
use crate::source::Source;

/// A name stood for an address, from the first to the last time that this was seen.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Record {
    /// The name, as the book keeps names.
    pub name: String,
    /// The address.
    pub address: Address,
    /// When it was first seen.
    pub first: Timestamp,
    /// When it was last seen.
    pub last: Timestamp,
    /// How often; none if the source does not say.
    pub count: Option<u64>,
    /// Who saw it.
    pub source: Arc<str>,
    /// Where in the file, or in whose log.
    pub place: String,
}

/// Room beside a sighting (`methods.md` §7.5).
pub(crate) const MARGIN_US: i64 = DAY_US;
/// How long an answer for a dynamic name holds; chosen here: their providers let answers be kept
/// for minutes.
const DYNAMIC_US: i64 = HOUR_US;
/// A mean time between sightings of a dynamic name from which on the time between is unknown;
/// chosen here.
const DYNAMIC_GAP_US: i64 = 7 * DAY_US;
/// Claims on one name that are carried to one address; chosen here: more lists say nothing new.
const CLAIMS_PER_RECORD: usize = 64;

/// Domains that are kept of one claimed address; chosen here: one of them is enough to tell that
/// it changed hands, and an address of thousands is told by what it is (G4).
const TENANTS_PER_ADDRESS: usize = 256;

/// The claims on addresses that follow from claims on domains and from records, in the order of
/// the records. Claims on URLs do not follow a name: others may use its host.
pub fn derive(book: &Snapshot, records: &[Record]) -> Vec<Claim> {
    let mut arrivals: BTreeMap<Address, Vec<(Timestamp, &str)>> = BTreeMap::new();
    for record in records {
        arrivals.entry(record.address).or_default().push((record.first, registrable(&record.name)));
    }
    arrivals.values_mut().for_each(|seen| seen.sort_unstable());
    let mut derived = Vec::new();
    for record in records.iter().filter(|record| !record.address.is_unroutable()) {
        let chains = book.aliases().chains_to(&record.name);
        for chain in std::iter::once(Vec::new()).chain(chains) {
            derive_along(book, record, &chain, &arrivals[&record.address], &mut derived);
        }
    }
    derived
}

/// The claims on the name that a chain of aliases begins with, for the address that it ends at.
fn derive_along(
    book: &Snapshot,
    record: &Record,
    chain: &[&Alias],
    arrivals: &[(Timestamp, &str)],
    derived: &mut Vec<Claim>,
) {
    let names = || std::iter::once(&record.name).chain(chain.iter().map(|link| &link.name));
    if names().any(|name| !book.notes_on(name, record.last).is_empty()) {
        return;
    }
    let name = chain.last().map_or(&record.name, |link| &link.name);
    let on_domain = |claim: &&Claim| matches!(claim.indicator, Indicator::Domain(_));
    let claims: Vec<&Claim> =
        book.claims_naming(name).into_iter().filter(on_domain).take(CLAIMS_PER_RECORD).collect();
    if claims.is_empty() {
        return;
    }
    let own: Vec<&str> = names().map(|name| registrable(name)).collect();
    let cut = reassigned(record.last, &own, arrivals);
    let mut windows = spans(&record.name, record.first, record.last, record.count);
    for link in chain {
        let held = spans(&link.name, link.first, link.last, link.count);
        windows = windows.iter().flat_map(|one| held.iter().map(|other| one.intersect(*other))).collect();
    }
    let by = match chain.first() {
        Some(link) => format!("{name}, alias of {}", link.target),
        None => name.clone(),
    };
    for span in windows {
        let span = Window::new(span.from, span.until.min(cut));
        derived.extend(claims.iter().filter_map(|claim| derived_claim(claim, &by, record, span)));
    }
}

/// When a name of another registrable domain than these arrived at an address after this time; the
/// end of time if none did.
fn reassigned(last: Timestamp, own: &[&str], arrivals: &[(Timestamp, &str)]) -> Timestamp {
    let after = arrivals.partition_point(|(first, _)| *first <= last);
    let other = arrivals[after..].iter().find(|(_, domain)| !own.contains(domain));
    other.map_or(Timestamp::MAX, |(first, _)| *first)
}

/// Domains that arrived at claimed addresses, and of which no claim is about any name or leads to one, with when each was first
/// seen there, in the order of time.
pub(crate) fn tenants(book: &Snapshot, records: &[Record]) -> BTreeMap<Address, Vec<(Timestamp, String)>> {
    if records.is_empty() {
        return BTreeMap::new();
    }
    let names = book.domains();
    let names = names.iter().map(|name| &**name).chain(book.aliases().targets());
    let claimed: BTreeSet<&str> = names.map(registrable).collect();
    let mut first: BTreeMap<(Address, &str), Timestamp> = BTreeMap::new();
    for record in records.iter().filter(|record| !claimed.contains(registrable(&record.name))) {
        let seen = first.entry((record.address, registrable(&record.name))).or_insert(record.first);
        *seen = record.first.min(*seen);
    }
    let mut tenants: BTreeMap<Address, Vec<(Timestamp, String)>> = BTreeMap::new();
    for ((address, domain), at) in first {
        if book.claims_on(address).next().is_some() {
            let known = tenants.entry(address).or_default();
            if known.len() < TENANTS_PER_ADDRESS {
                known.push((at, domain.to_owned()));
            }
        }
    }
    tenants.values_mut().for_each(|known| known.sort_unstable());
    tenants
}

/// When a name may be taken to have stood for what was seen so often between these times.
fn spans(name: &str, first: Timestamp, last: Timestamp, count: Option<u64>) -> Vec<Window> {
    if !is_rented(name) {
        return vec![Window::new(first.plus_micros(-MARGIN_US), last.plus_micros(MARGIN_US))];
    }
    let after = |at: Timestamp| at.plus_micros(DYNAMIC_US);
    let gaps = count.unwrap_or(2).saturating_sub(1).max(1);
    let mean_gap_us = last.since(first) / i64::try_from(gaps).unwrap_or(i64::MAX);
    if mean_gap_us < DYNAMIC_GAP_US {
        return vec![Window::new(first, after(last))];
    }
    vec![Window::new(first, after(first)), Window::new(last, after(last))]
}

/// The claim as it holds for the address; `by` tells the name that it is about.
fn derived_claim(claim: &Claim, by: &str, record: &Record, span: Window) -> Option<Claim> {
    let validity = span.intersect(claim.validity);
    if validity.is_empty() {
        return None;
    }
    let count = match record.count {
        None => String::new(),
        Some(1) => ", once".to_owned(),
        Some(count) => format!(", {count} times"),
    };
    Some(Claim {
        indicator: Indicator::Network(Prefix::host(record.address)),
        validity,
        basis: WindowBasis::Resolved,
        place: format!("{}: {by}, {}, {}{count}", claim.place, record.source, record.place),
        ..claim.clone()
    })
}

/// A record as the Common Output Format has it (draft-dulaunoy-dnsop-passive-dns-cof §3).
#[derive(Deserialize)]
struct Fields {
    rrname: String,
    rrtype: serde_json::Value,
    rdata: Data,
    time_first: Option<serde_json::Value>,
    time_last: Option<serde_json::Value>,
    zone_time_first: Option<serde_json::Value>,
    zone_time_last: Option<serde_json::Value>,
    count: Option<serde_json::Value>,
    origin: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Data {
    One(String),
    Many(Vec<String>),
}

/// Records that one file may hold; chosen here: the answers of a year to a hundred thousand names.
const RECORDS_MAX: usize = 5_000_000;

/// Reads passive DNS: a record a line, or a list of records.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::PassiveDns, &source.shown, options);
    let mut taken = 0;
    for (place, text) in json::values(text)? {
        taken += 1;
        if taken > RECORDS_MAX {
            return Err(ReadError::TooLarge { most: RECORDS_MAX, what: "records in one file" });
        }
        if let Err(reason) = record(&mut draft, &place, text) {
            draft.refuse(&place, text, reason);
        }
    }
    draft.finish()
}

fn record(draft: &mut Draft<'_>, place: &str, text: &str) -> Result<(), Reason> {
    let fields: Fields =
        serde_json::from_str(text).map_err(|error| Reason::Malformed(json::detail(&error)))?;
    let kind = match &fields.rrtype {
        serde_json::Value::Number(number) => number.to_string(),
        serde_json::Value::String(word) => word.to_ascii_uppercase(),
        _ => return Err(Reason::Malformed("`rrtype` is neither text nor number".to_owned())),
    };
    if !matches!(kind.as_str(), "A" | "AAAA" | "CNAME" | "1" | "28" | "5") {
        draft.set_aside(&format!("DNS record of type {kind}"));
        return Ok(());
    }
    let domain = |text: &str| name::domain(text).ok_or_else(|| Reason::NotOfType("domain".to_owned()));
    let name = domain(&fields.rrname)?;
    let time = |own: Option<serde_json::Value>, zone: Option<serde_json::Value>, name: &str| {
        let value = own.or(zone).ok_or_else(|| Reason::Malformed(format!("it has no `{name}`")))?;
        seconds(&value).ok_or_else(|| Reason::Time(crate::reading::quote(&value.to_string())))
    };
    let first = time(fields.time_first, fields.zone_time_first, "time_first")?;
    let last = time(fields.time_last, fields.zone_time_last, "time_last")?;
    if last < first {
        return Err(Reason::Window(Window::new(first, last)));
    }
    let data = match fields.rdata {
        Data::One(one) => vec![one],
        Data::Many(many) => many,
    };
    let count = fields.count.as_ref().and_then(number);
    let source: Arc<str> = fields.origin.as_deref().map_or_else(|| draft.source(), |origin| origin.into());
    for data in data {
        let (name, source, place) = (name.clone(), source.clone(), place.to_owned());
        if matches!(kind.as_str(), "CNAME" | "5") {
            let target = domain(&data)?;
            draft.alias(Alias { name, target, first, last, count, source, place });
        } else {
            let address = data.trim().parse().map_err(|_| Reason::NotAddress)?;
            draft.resolution(Record { name, address, first, last, count, source, place });
        }
    }
    Ok(())
}

/// Seconds since 1970, as number or text.
fn seconds(value: &serde_json::Value) -> Option<Timestamp> {
    let seconds = match value {
        serde_json::Value::String(text) => text.trim().parse().ok()?,
        value => value.as_f64()?,
    };
    // 0 and negative times are none; beyond the year 2200 a number is no second.
    let inside = 1.0..7.3e9;
    inside.contains(&seconds).then(|| Timestamp::from_micros((seconds * SECOND_US as f64) as i64))
}

fn number(value: &serde_json::Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::shown;

    const DAY: &str = "2021-05-10";

    fn book(domain: &str, window: Option<(&str, &str)>) -> Snapshot {
        let time = |text: &str| text.parse().unwrap();
        let options = ReadOptions {
            cluster: Some("RedFoxtrot".to_owned()),
            source: Some("a list".to_owned()),
            valid_from: window.map(|(from, _)| time(from)),
            valid_until: window.map(|(_, until)| time(until)),
            ..ReadOptions::default()
        };
        let reading = crate::read("list.txt", domain.as_bytes(), &options).unwrap();
        Snapshot::new(1, reading.claims, reading.clusters, Vec::new())
    }

    /// A line of passive DNS: the name, the address, first and last sighting, and how many.
    fn line(name: &str, address: &str, first: &str, last: &str, count: u64) -> String {
        let seconds = |text: &str| text.parse::<Timestamp>().unwrap().micros() / SECOND_US;
        let (first, last) = (seconds(first), seconds(last));
        format!(
            r#"{{"rrname":"{name}.","rrtype":"A","rdata":"{address}","time_first":{first},"time_last":"{last}","count":{count}}}"#
        )
    }

    fn reading(text: &str) -> Reading {
        crate::read("cof.json", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    fn check(book: Snapshot, lines: &[String], claims: &[&str]) {
        let book = book.with_resolutions(&reading(&lines.join("\n")).resolutions);
        let derived = book.claims().iter().filter(|claim| claim.basis == WindowBasis::Resolved);
        let told: Vec<String> = derived
            .map(|claim| shown(claim).replace("resolved redfoxtrot line 1: ", "").replace(":00:00Z", ""))
            .collect();
        assert_eq!(told, claims, "{lines:?}");
    }

    #[test]
    fn a_domain_accuses_the_addresses_it_had_while_it_had_them() {
        let lines = [line("www.c2.example.org", "192.0.2.1", "2021-05-10", "2021-05-20", 14)];
        check(
            book("c2.example.org", None),
            &lines,
            &["192.0.2.1 [2021-05-09, 2021-05-21) www.c2.example.org, cof.json, value 1, 14 times"],
        );
        check(
            book("c2.example.org", Some(("2021-05-15", "2021-06-01"))),
            &lines,
            &["192.0.2.1 [2021-05-15, 2021-05-21) www.c2.example.org, cof.json, value 1, 14 times"],
        );
        check(book("c2.example.org", Some(("2021-06-15", "2021-07-01"))), &lines, &[]);
        check(book("example.net", None), &lines, &[]);
    }

    #[test]
    fn a_stranger_who_arrives_at_the_address_ends_the_window() {
        let own = line("c2.example.org", "192.0.2.1", "2021-05-10", "2021-05-20", 2);
        let arrives = |name: &str, at: &str| line(name, "192.0.2.1", at, "2021-06-20", 9);
        let whole = "192.0.2.1 [2021-05-09, 2021-05-21) c2.example.org, cof.json, line 1, 2 times";
        let cut = "192.0.2.1 [2021-05-09, 2021-05-20T06) c2.example.org, cof.json, line 1, 2 times";
        for (name, at, expected) in [
            ("shop.example.net", "2021-05-20T06:00:00Z", cut),
            ("shop.example.net", "2021-05-22", whole),
            ("shop.example.net", "2021-05-19", whole),
            ("www.example.org", "2021-05-20T06:00:00Z", whole),
        ] {
            let book = book("c2.example.org", None);
            check(book, &[own.clone(), arrives(name, at)], &[expected]);
        }
    }

    #[test]
    fn dynamic_names_are_never_widened() {
        let name = "c2.mooo.com";
        check(
            book(name, None),
            &[line(name, "192.0.2.1", DAY, DAY, 1)],
            &["192.0.2.1 [2021-05-10, 2021-05-10T01) c2.mooo.com, cof.json, value 1, once"],
        );
        check(
            book(name, None),
            &[line(name, "192.0.2.1", "2021-05-10", "2021-05-12", 40)],
            &["192.0.2.1 [2021-05-10, 2021-05-12T01) c2.mooo.com, cof.json, value 1, 40 times"],
        );
        // Twice in a month: what lay between is unknown.
        check(
            book(name, None),
            &[line(name, "192.0.2.1", "2021-05-10", "2021-06-10", 2)],
            &[
                "192.0.2.1 [2021-05-10, 2021-05-10T01) c2.mooo.com, cof.json, value 1, 2 times",
                "192.0.2.1 [2021-06-10, 2021-06-10T01) c2.mooo.com, cof.json, value 1, 2 times",
            ],
        );
    }

    #[test]
    fn an_address_that_nobody_can_answer_at_is_not_claimed() {
        check(book("c2.example.org", None), &[line("c2.example.org", "127.0.0.1", DAY, DAY, 1)], &[]);
    }

    #[test]
    fn a_derived_claim_is_the_claim_of_who_accused_the_domain() {
        let reading = reading(&line("c2.example.org", "192.0.2.1", DAY, DAY, 1));
        let book = book("c2.example.org", None).with_resolutions(&reading.resolutions);
        let found: Vec<_> = book.claims_on("192.0.2.1".parse().unwrap()).collect();
        assert_eq!(&*found[0].source, "a list");
        assert_eq!(book.claims().len(), 2);
    }

    #[test]
    fn records_come_a_line_or_in_a_list_with_times_of_the_zone_and_many_addresses() {
        let a = r#"{"rrname":"c2.example.org","rrtype":28,"rdata":["2001:db8::1","2001:db8::2"],"zone_time_first":1620604800,
                    "zone_time_last":1620604801,"origin":"https://pdns.example.org"}"#
            .replace('\n', "");
        let cname = r#"{"rrname":"a.example.org","rrtype":"CNAME","rdata":"b.example.org","time_first":1,"time_last":2}"#;
        let mail = cname.replace("CNAME", "MX");
        for text in [format!("{a}\n\n{cname}\n{mail}"), format!("[{a},{cname},{mail}]")] {
            let reading = reading(&text);
            assert_eq!(reading.format, Format::PassiveDns);
            assert_eq!(reading.resolutions.len(), 2);
            assert_eq!(&*reading.resolutions[1].source, "https://pdns.example.org");
            let aliases: Vec<_> = reading.aliases.iter().map(|one| (&*one.name, &*one.target)).collect();
            assert_eq!(aliases, [("a.example.org", "b.example.org")]);
            assert_eq!(reading.set_aside["DNS record of type MX"], 1);
        }
    }

    #[test]
    fn what_is_no_record_is_refused_with_line_and_reason() {
        let good = line("c2.example.org", "192.0.2.1", DAY, DAY, 1);
        let check = |bad: &str, message: &str| {
            let reading = reading(&format!("{good}\n{bad}\n{good}"));
            assert_eq!(reading.resolutions.len(), 2);
            let told = reading.refused[0].to_string();
            assert!(told.starts_with("line 2: ") && told.ends_with(message), "{told}");
        };
        check("{\"rrname\":", "it cannot be read: EOF while parsing a value");
        check(&good.replace("192.0.2.1", "192.0.2"), "not an IP address");
        check(&good.replace("c2.example.org", "c2"), "not of the type `domain`");
        check(&good.replace("time_first", "time"), "it has no `time_first`");
        check(&good.replace(":1620604800,", ":1720604800,"), "2021-05-10T00:00:00Z)");
    }
}
