//! What may be said of octets that left (`methods.md` §5).
//!
//! * **Payload, at least**: L_app = max over exporters of (L − h·P_U): the lower bound of IP octets
//!   less the headers of as many packets as there may have been. Unsampled exporters are joined
//!   session by session, as octets are. h is 52 octets for TCP over IPv4
//!   (20 + 20 and the 12 of timestamps), 28 for UDP, 20 more over IPv6; P_U the upper bound of packets.
//!   Both at α/2m of m exporters. Where a source counts payload itself, its count is taken.
//! * **Balance**: the producer/consumer ratio (out − in)/(out + in) of payload: 1 is all out, −1 all in
//!   (Bullard and Gerth, FloCon 2014). Of octets without headers, because acknowledgements alone would
//!   draw it to the middle.
//! * **Exfiltration's pattern** may be said of confirmed contact alone, and only where
//!   at least [`MUCH_OCTETS`] left (L) with a balance of [`LEAST_BALANCE`] or more, or where a day's
//!   lower bound is above [`KEEPALIVE_RATIO`] times the median active day, and above what came on that day: more
//!   than staying in touch takes, or acknowledging what came. Otherwise: traffic, and how much.
//! * **Days without a record**: under sampling, U_d = Σ N·(largest packet)·χ²(0.95; 2)/2 octets may
//!   leave on a day and leave no trace. Such a day is never called a day without contact.
//!
//! Assumes that headers are no larger than h: options beyond timestamps are rare. Retransmissions
//! count as payload. Content is not known: the pattern is that of an upload, of whatever.
//!
//! ```
//! use rahdar_hunt::upload::{Volume, pattern};
//! use rahdar_model::account::UploadClaim;
//!
//! let big = Volume { low: 2e7, balance: Some(0.9), is_confirmed: true, days: &[] };
//! assert_eq!(pattern(&big).0, UploadClaim::Exfiltration);
//! let pulled = Volume { balance: Some(-0.2), ..big };
//! assert_eq!(pattern(&pulled).0, UploadClaim::Volume);
//! ```

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::account::{Unseen, Upload, UploadClaim};
use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::finding::Daily;
use rahdar_model::flow::protocol;
use rahdar_model::{Day, Estimate};

use crate::exporters::{ALPHA, Part, add_sample};
use crate::sampling::{ETHERNET_MTU, SampledSum};
use crate::sweep::{Contact, Party, Rate};
use crate::watch;

/// Octets that leave, at least, before a volume is much (`methods.md` §5).
pub const MUCH_OCTETS: f64 = 10e6;
/// A balance of three octets out to one in.
pub const LEAST_BALANCE: f64 = 0.5;
/// Times the median active day that staying in touch may take.
pub const KEEPALIVE_RATIO: f64 = 5.0;
/// Active days that a median needs, and octets on the day that exceeds it. Chosen here: a week and a
/// day; below a megabyte a page that was fetched looks alike.
pub const KEEPALIVE_DAYS: usize = 8;
const KEEPALIVE_OCTETS: f64 = 1e6;

/// χ²(0.95; 2)/2 = ln 20: packets expected, at most, where none was sampled.
const NONE_SAMPLED: f64 = 2.995_732_273_553_991;

/// What the pattern is told by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Volume<'a> {
    /// IP octets that left, at least.
    pub low: f64,
    /// Of payload.
    pub balance: Option<f64>,
    /// Whether contact was validated.
    pub is_confirmed: bool,
    /// Day by day.
    pub days: &'a [Daily],
}

/// What a volume may be called, and why.
pub fn pattern(volume: &Volume<'_>) -> (UploadClaim, String) {
    if !volume.is_confirmed {
        return (UploadClaim::Volume, "the contact is not confirmed".to_owned());
    }
    let balance = volume.balance.unwrap_or(0.0);
    if volume.low >= MUCH_OCTETS && balance >= LEAST_BALANCE {
        let text =
            format!("at least 10 MB left, and {:.0} of 100 octets of payload went out", share(balance));
        return (UploadClaim::Exfiltration, text);
    }
    if let Some(day) = beyond_keepalive(volume.days) {
        let text = format!(
            "on {day} more left than came, and more than {KEEPALIVE_RATIO:.0} times the median day: more than staying in touch takes"
        );
        return (UploadClaim::Exfiltration, text);
    }
    let text = match (volume.low >= MUCH_OCTETS, volume.balance) {
        (false, _) => "less than 10 MB can be shown to have left".to_owned(),
        (true, Some(balance)) => format!("only {:.0} of 100 octets of payload went out", share(balance)),
        (true, None) => "no payload was seen".to_owned(),
    };
    (UploadClaim::Volume, text)
}

/// The share of payload that went out, in hundredths.
fn share(balance: f64) -> f64 {
    (50.0 * (1.0 + balance)).floor()
}

/// The first day of which the lower bound is beyond what staying in touch takes.
fn beyond_keepalive(days: &[Daily]) -> Option<Day> {
    let mut points: Vec<f64> = days.iter().map(|day| day.octets_out.point).collect();
    points.sort_by(f64::total_cmp);
    if points.len() < KEEPALIVE_DAYS {
        return None;
    }
    let least = (KEEPALIVE_RATIO * points[points.len() / 2]).max(KEEPALIVE_OCTETS);
    let is_beyond = |day: &&Daily| day.octets_out.low > least.max(day.octets_in.point);
    days.iter().find(is_beyond).map(|day| day.day)
}

/// Octets of headers in one packet.
const fn header(is_v4: bool, ip_protocol: u8) -> f64 {
    let network = if is_v4 { 20.0 } else { 40.0 };
    match ip_protocol {
        protocol::TCP => network + 32.0,
        _ => network + 8.0,
    }
}

fn header_of(contact: &Contact) -> f64 {
    header(contact.remote.is_v4(), contact.protocol)
}

/// What one exporter recorded.
#[derive(Default)]
struct Ledger {
    payload: f64,
    sampled: SampledSum,
    headers: SampledSum,
    is_sampled: bool,
}

/// L_app: the octets of payload that `party` sent, at least.
pub(crate) fn payload_low<'a>(parts: impl IntoIterator<Item = Part<'a>>, party: Party) -> f64 {
    let mut ledgers: BTreeMap<(&str, u32), Ledger> = BTreeMap::new();
    let mut union = 0.0;
    for part in parts.into_iter().filter(Part::is_certain) {
        let contact = part.contact();
        if !contact.has_floor {
            continue;
        }
        let side = part.side(party);
        let ledger = ledgers.entry(contact.seen_by()).or_default();
        let per_packet = header_of(contact);
        match contact.rate {
            Rate::OneIn(interval) => {
                ledger.is_sampled = true;
                add_sample(&mut ledger.sampled, &part, interval, side.most_packets, side.least_octets);
                ledger.headers.add_equal(interval, side.most_packets, per_packet);
            }
            Rate::Every | Rate::Unknown => {
                let headers = per_packet * side.most_packets as f64;
                let estimated = (side.least_octets as f64 - headers).max(0.0);
                let payload = side.payload.map_or(estimated, |payload| payload as f64);
                ledger.payload += payload;
                union += part.weight(party) * payload;
            }
        }
    }
    let samplers = ledgers.values().filter(|ledger| ledger.is_sampled).count().max(1);
    let alpha = ALPHA / 4.0 / samplers as f64;
    let low = |ledger: &Ledger| {
        let sampled = match ledger.is_sampled {
            true => (ledger.sampled.low(alpha) - ledger.headers.high(alpha)).max(0.0),
            false => 0.0,
        };
        ledger.payload + sampled
    };
    ledgers.values().map(low).fold(union, f64::max)
}

/// The octets of payload that `party` sent in a record, estimated from it alone.
pub(crate) fn payload_point(contact: &Contact, party: Party) -> f64 {
    let side = contact.side(party);
    let interval = match contact.rate {
        Rate::OneIn(interval) => f64::from(interval),
        Rate::Every | Rate::Unknown => 1.0,
    };
    interval * (side.octets as f64 - header_of(contact) * side.packets as f64).max(0.0)
}

/// The balance of payload; none where there is none.
fn balance(parts: &[Part<'_>]) -> Option<f64> {
    let payload = |party| {
        let headers: f64 =
            parts.iter().map(|part| part.share_of_packets(party) * header_of(part.contact())).sum();
        let octets: f64 = parts.iter().map(|part| part.point(party)).sum();
        (octets - headers).max(0.0)
    };
    let (out, back) = (payload(Party::Victim), payload(Party::Remote));
    (out + back > 0.0).then(|| ((out - back) / (out + back) * 1_000.0).round() / 1_000.0)
}

/// Days without a record in the midst of contact; none where no record means no traffic.
fn unseen(days: &[Daily], parts: &[Part<'_>], coverage: &[ExporterCoverage]) -> Option<Unseen> {
    let (first, last) = (days.first()?.day, days.last()?.day);
    let exporters: BTreeSet<&str> = parts.iter().map(|part| &*part.contact().exporter).collect();
    let mut intervals: BTreeMap<&str, u32> = BTreeMap::new();
    let mut is_rate_known = true;
    for contact in parts.iter().map(Part::contact) {
        match contact.rate {
            Rate::OneIn(interval) => {
                let most = intervals.entry(&contact.exporter).or_default();
                *most = interval.max(*most);
            }
            Rate::Unknown => is_rate_known = false,
            Rate::Every => {}
        }
    }
    let active: BTreeSet<Day> = days.iter().map(|day| day.day).collect();
    let is_blind = |day: Day| !watch::is_covered(day.window(), &exporters, coverage);
    let (mut count, mut has_blind) = (0_u32, false);
    for day in (first.0..=last.0).map(Day).filter(|day| !active.contains(day)) {
        let blind = is_blind(day);
        if blind || !intervals.is_empty() || !is_rate_known {
            count += 1;
        }
        has_blind |= blind;
    }
    let sum: f64 = intervals.values().map(|n| f64::from(*n) * ETHERNET_MTU as f64 * NONE_SAMPLED).sum();
    let high = (!has_blind && is_rate_known).then(|| sum.ceil());
    (count > 0).then_some(Unseen { days: count, high })
}

/// What may be said of these parts of a case.
pub(crate) fn upload(
    parts: &[Part<'_>],
    out: &Estimate,
    daily: &[Daily],
    is_confirmed: bool,
    coverage: &[ExporterCoverage],
) -> Upload {
    let balance = balance(parts);
    let (claim, why) = pattern(&Volume { low: out.low, balance, is_confirmed, days: daily });
    Upload {
        payload_low: payload_low(parts.iter().copied(), Party::Victim).min(out.low),
        balance,
        claim,
        why,
        is_shared: parts.iter().any(|part| part.is_shared()),
        unseen: unseen(daily, parts, coverage),
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::Timestamp;
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::flow;

    use super::*;
    use crate::exporters::weigh;
    use crate::stitch::{Habits, stitch};

    fn low(flows: impl IntoIterator<Item = FlowBuilder>) -> f64 {
        let contact =
            |flow: FlowBuilder| Contact::of(&Sighting { end: End::Destination, flow: flow.build() });
        let mut contacts: Vec<Contact> = flows.into_iter().map(contact).collect();
        contacts.sort();
        let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
        let weights = weigh(&[(&contacts[..], &sessions[..])]);
        payload_low(contacts.iter().zip(&weights).map(|(c, w)| Part::whole(c, w)), Party::Victim)
    }

    fn sent(packets: u64, octets: u64) -> FlowBuilder {
        flow("203.0.113.25:50000 > 192.0.2.9:443").sent(packets, octets)
    }

    #[test]
    fn headers_are_taken_off_packet_by_packet() {
        assert_eq!(low([sent(10, 10_520)]), 10_000.0);
        assert_eq!(low([sent(10, 10_280).udp()]), 10_000.0);
        assert_eq!(low([sent(100, 5_200)]), 0.0, "acknowledgements carry nothing");
        let v6 = flow("[2001:db8::1]:50000 > [2001:db8::9]:443").sent(10, 10_720);
        assert_eq!(low([v6]), 10_000.0);
    }

    #[test]
    fn two_exporters_are_not_added() {
        assert_eq!(low([sent(10, 10_520).exporter("a"), sent(10, 10_520).exporter("b")]), 10_000.0);
    }

    #[test]
    fn a_sample_takes_off_as_many_headers_as_there_may_have_been() {
        let sampled = low([sent(100, 140_000).sampled(1_000)]);
        // The lower bound of octets alone is some 112 MB; the headers of at most 125 million octets'
        // worth of packets come off it.
        assert!((1.0e8..1.2e8).contains(&sampled), "{sampled}");
        assert_eq!(low([sent(100, 5_200).sampled(1_000)]), 0.0);
    }

    fn day(n: i32, low: f64) -> Daily {
        let octets_out = Estimate::new(low as u64, low, low, Some(low));
        Daily { day: Day(n), octets_out, octets_in: Estimate::exact(0), flows: 1 }
    }

    fn check(low: f64, balance: Option<f64>, days: &[Daily], expected: UploadClaim, why: &str) {
        let (claim, text) = pattern(&Volume { low, balance, is_confirmed: true, days });
        assert_eq!((claim, text.as_str()), (expected, why));
    }

    #[test]
    fn the_pattern_needs_its_conditions() {
        use UploadClaim::{Exfiltration, Volume};
        let much = "at least 10 MB left, and 75 of 100 octets of payload went out";
        check(10e6, Some(0.5), &[], Exfiltration, much);
        check(10e6, Some(0.49), &[], Volume, "only 74 of 100 octets of payload went out");
        check(9.9e6, Some(1.0), &[], Volume, "less than 10 MB can be shown to have left");
        check(10e6, None, &[], Volume, "no payload was seen");
    }

    #[test]
    fn a_day_beyond_keeping_in_touch_is_enough() {
        let mut days: Vec<Daily> = (0..8).map(|n| day(n, 3e5)).collect();
        let none = "less than 10 MB can be shown to have left";
        check(2.4e6, Some(0.2), &days, UploadClaim::Volume, none);
        days[5] = day(5, 1.6e6);
        let why = "on 1970-01-06 more left than came, and more than 5 times the median day: more than staying in touch takes";
        check(3.7e6, Some(0.2), &days, UploadClaim::Exfiltration, why);
        // A download of 85 MB is acknowledged with 1.6 MB.
        let mut fetched = days.clone();
        fetched[5].octets_in = Estimate::exact(85_000_000);
        check(3.7e6, Some(-0.9), &fetched, UploadClaim::Volume, none);
        check(3.7e6, Some(0.2), &days[2..], UploadClaim::Volume, none);
    }

    #[test]
    fn what_is_not_confirmed_is_traffic() {
        let volume = Volume { low: 1e9, balance: Some(1.0), is_confirmed: false, days: &[] };
        assert_eq!(pattern(&volume), (UploadClaim::Volume, "the contact is not confirmed".to_owned()));
    }

    #[test]
    fn a_day_without_a_sample_is_not_a_day_without_contact() {
        let at = |n: i64| Timestamp::from_seconds(n * 86_400 + 3_600);
        let check = |interval: u32, expected: Option<(u32, Option<f64>)>| {
            let one = |n| sent(10, 9_000).at_time(at(n)).sampled(interval).build();
            let contacts: Vec<Contact> =
                [0, 3].map(|n| Contact::of(&Sighting { end: End::Destination, flow: one(n) })).to_vec();
            let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
            let weights = weigh(&[(&contacts[..], &sessions[..])]);
            let parts: Vec<Part<'_>> =
                contacts.iter().zip(&weights).map(|(c, w)| Part::whole(c, w)).collect();
            let unseen = unseen(&[day(0, 1.0), day(3, 1.0)], &parts, &[]);
            assert_eq!(unseen.map(|unseen| (unseen.days, unseen.high)), expected);
        };
        check(1_000, Some((2, Some(4_493_599.0))));
        check(1, None);
    }
}
