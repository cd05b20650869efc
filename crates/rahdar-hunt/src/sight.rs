//! What the telemetry could have seen, and how large a contact must be to leave a record
//! (`methods.md` §1.5 and §1.7; `field.md` §3, 7 and 18).
//!
//! * A contact of p packets leaves a record at an exporter that samples one packet in N with the chance
//!   1 − (1 − 1/N)^p. Where whole flows are sampled it is 1/N, whatever p.
//! * Of that, the share κ arrives: flow records that came / (those + those known to be missing), during the
//!   time in question. A lost sample is a lost record. A lost datagram is taken for
//!   [`RECORDS_IN_DATAGRAM`] of them, so κ is rather too low. Packets that a sensor dropped are left out: some of those
//!   of a contact arrive.
//! * Of the time, the share in which the exporter recorded: without its [`crate::holes`].
//! * *Detection* of a finding is the product of the three, for a typical contact of its own and the exporter
//!   that sees it best; N is taken hour by hour.
//! * *Least packets* is the smallest p with κ·(1 − (1 − 1/N)^p) ≥ [`SURE`]: in a recorded hour, wherever the
//!   contact passes. Of several exporters and intervals the worst is taken.
//!
//! **A typical contact** is the median of the sessions, in packets both ways together. Under sampling, small
//! contacts leave no record, and those that do look larger than they are. Where half of the sessions left one
//! sampled packet or two, their size comes from these: f₂/f₁ of them, for Poisson counts of mean m, is m/2, and
//! p = m·N (Zelterman, 1988). With f₂ < [`LEAST_TWICE`] it is not assessable: too little then tells how many left none.
//! With five, m is known within half of itself or so.
//!
//! Assumes that a contact passes one of the exporters, and that packets are lost by chance. Wrong where a
//! contact goes another way: what share of all traffic the exporters see is not known. Wrong, too, where a sensor drops most packets. One contact that passes
//! several exporters is seen more often than is said here.
//!
//! ```
//! use rahdar_hunt::sight::{chance, least_packets};
//!
//! // A megabyte is 714 full packets: seen in one case of two at 1:1,000, in one of six at 1:4,000.
//! assert!((chance(1_000, 714) - 0.51).abs() < 0.005);
//! assert!((chance(4_000, 714) - 0.16).abs() < 0.005);
//! // What leaves a record in 95 cases of 100.
//! assert_eq!((least_packets(1_000, 1.0), least_packets(1, 1.0)), (Some(2_995), Some(1)));
//! assert_eq!(least_packets(1_000, 0.94), None);
//! ```

use std::collections::{BTreeMap, BTreeSet, HashSet};

use rahdar_intel::index::Snapshot;
use rahdar_model::coverage::{Lost, joined};
use rahdar_model::fact::Unit;
use rahdar_model::intelligence::{Claim, ClusterId, Indicator};
use rahdar_model::marking::Marking;
use rahdar_model::sight::{Hole, NotSeen, Sight, Witness};
use rahdar_model::time::{CLOCK_PLAUSIBLE, HOUR_US};
use rahdar_model::{Address, Timestamp, Window};

use crate::holes::Ledger;
use crate::lead::Affiliation;
use crate::watch;

/// The chance that counts as sure to be seen (`methods.md` §0).
pub const SURE: f64 = 0.95;
/// Flow records in a datagram, at most. Chosen here: those of NetFlow v5; NetFlow v9 and IPFIX have about
/// as many in 1,500 octets.
pub const RECORDS_IN_DATAGRAM: f64 = 30.0;
/// Holes that a finding tells. Chosen here: more than anyone reads.
pub const MOST_HOLES: usize = 1_000;
/// Clusters, or indicators, without contact that a hunt tells of. Chosen here, likewise.
pub const MOST_NOT_SEEN: usize = 1_000;

/// Contacts that left two sampled packets, without which their size is not told. Chosen here: the standard error of so
/// many is 45 %.
pub const LEAST_TWICE: usize = 5;

/// 1 − (1 − 1/N)^p: the chance that one of `packets` is sampled, one in `interval`.
pub fn chance(interval: u32, packets: u64) -> f64 {
    let missed = (-1.0 / f64::from(interval.max(1))).ln_1p();
    if packets == 0 { 0.0 } else { -(packets as f64 * missed).exp_m1() }
}

/// The smallest number of packets that leave a record with a chance of [`SURE`], where this share of records
/// arrives; none where no number does.
pub fn least_packets(interval: u32, arrived: f64) -> Option<u64> {
    let needed = SURE / arrived;
    if needed.is_nan() || needed > 1.0 {
        return None;
    }
    if interval <= 1 {
        return Some(1);
    }
    // All that arrives, of all records: no number of packets makes a chance of 1.
    let missed = (-1.0 / f64::from(interval)).ln_1p();
    let packets = (1.0 - needed).ln() / missed;
    packets.is_finite().then(|| (packets.ceil() as u64).max(1))
}

/// What one exporter could see, all its subdivisions together, ready to be asked about any time.
struct Exporter {
    /// When it recorded, in whole hours, joined.
    spans: Vec<Window>,
    /// The hours in which records began, with the largest interval of each; none is unknown.
    hours: Vec<(Timestamp, Option<u32>)>,
    /// Records that began before each of these hours, and after the last.
    before: Vec<f64>,
    /// The places of the hours whose interval is not that of the hour before.
    changes: Vec<usize>,
    /// Every interval that it used.
    sampling: Vec<Option<u32>>,
    /// What is missing, in records, in the order of time.
    losses: Vec<(Window, f64)>,
    is_flow_sampled: bool,
}

impl Exporter {
    fn of(ledgers: &[&Ledger<'_>]) -> Self {
        let coverage = || ledgers.iter().map(|ledger| ledger.coverage);
        let mut begun: BTreeMap<Timestamp, (Option<u32>, u64)> = BTreeMap::new();
        for hour in coverage().flat_map(|coverage| &coverage.hours) {
            let (worst, flows) = begun.entry(hour.hour).or_insert((hour.interval, 0));
            *worst = worse(*worst, hour.interval);
            *flows = flows.saturating_add(hour.flows);
        }
        let mut before = vec![0.0];
        let mut sum = 0.0;
        for (_, flows) in begun.values() {
            sum += *flows as f64;
            before.push(sum);
        }
        let hours: Vec<_> = begun.into_iter().map(|(hour, (interval, _))| (hour, interval)).collect();
        let is_change = |place: &usize| *place == 0 || hours[*place].1 != hours[*place - 1].1;
        let missing = |(gap, lost): &(Window, Lost)| {
            let each = match lost.unit {
                Unit::Datagrams => RECORDS_IN_DATAGRAM,
                Unit::Records | Unit::Samples => 1.0,
                Unit::Packets => 0.0,
            };
            (*gap, lost.count as f64 * each)
        };
        let mut losses: Vec<(Window, f64)> =
            coverage().flat_map(|own| own.losses.iter().map(missing)).collect();
        losses.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self {
            spans: joined(ledgers.iter().flat_map(|ledger| ledger.spans()).map(whole_hours)),
            changes: (0..hours.len()).filter(is_change).collect(),
            hours,
            before,
            sampling: coverage().flat_map(|coverage| coverage.sampling.iter().copied()).collect(),
            losses,
            is_flow_sampled: coverage().any(|coverage| coverage.flow_sampled > 0),
        }
    }

    fn during(&self, window: Window) -> View {
        let begin = self.hours.partition_point(|(hour, _)| hour.plus_micros(HOUR_US) <= window.from);
        let end = self.hours.partition_point(|(hour, _)| *hour < window.until).max(begin);
        let mut intervals: BTreeMap<Option<u32>, u64> = BTreeMap::new();
        let first = self.changes.partition_point(|place| *place <= begin).saturating_sub(1);
        let mut changes = self.changes[first.min(self.changes.len())..].iter().copied().peekable();
        while let Some(change) = changes.next().filter(|change| *change < end) {
            let until = changes.peek().copied().unwrap_or(self.hours.len()).min(end);
            let hours = until.saturating_sub(change.max(begin)) as u64;
            if hours > 0 {
                *intervals.entry(self.hours[change].1).or_default() += hours;
            }
        }
        if intervals.is_empty() {
            intervals.extend(self.sampling.iter().map(|interval| (*interval, 1)));
        }
        let losses = self.losses.iter().take_while(|(gap, _)| gap.from < window.until);
        let missing: f64 = losses.map(|(gap, lost)| share(*gap, window) * lost).sum();
        let came = self.before[end] - self.before[begin];
        View {
            spans: overlap(&[window], &self.spans),
            arrived: if missing > 0.0 { came / (came + missing) } else { 1.0 },
            intervals,
            is_flow_sampled: self.is_flow_sampled,
        }
    }
}

/// Every exporter of a hunt, ready to be asked.
pub(crate) struct Lookout<'a> {
    ledgers: &'a [Ledger<'a>],
    exporters: BTreeMap<&'a str, Exporter>,
}

impl<'a> Lookout<'a> {
    pub(crate) fn of(ledgers: &'a [Ledger<'a>]) -> Self {
        let mut own: BTreeMap<&str, Vec<&Ledger<'_>>> = BTreeMap::new();
        for ledger in ledgers {
            own.entry(&*ledger.coverage.exporter).or_default().push(ledger);
        }
        let exporters = own.into_iter().map(|(name, own)| (name, Exporter::of(&own)));
        Self { ledgers, exporters: exporters.collect() }
    }

    /// The views of the exporters that `is_own` holds.
    fn views(&self, window: Window, is_own: impl Fn(&str) -> bool) -> Vec<(&'a str, View)> {
        let own = self.exporters.iter().filter(|(name, _)| is_own(name));
        own.map(|(name, exporter)| (*name, exporter.during(window))).collect()
    }
}

/// What one exporter could see during some time.
struct View {
    /// When it recorded, joined.
    spans: Vec<Window>,
    /// κ.
    arrived: f64,
    /// Hours of the time by the largest interval of each; none is unknown.
    intervals: BTreeMap<Option<u32>, u64>,
    is_flow_sampled: bool,
}

impl View {
    /// The chance that a contact of so many packets leaves a record, at any moment of so many microseconds.
    fn detection(&self, packets: u64, all_us: f64) -> Option<f64> {
        let packets = if self.is_flow_sampled { 1 } else { packets };
        let (mut sum, mut hours) = (0.0, 0);
        for (interval, count) in &self.intervals {
            sum += *count as f64 * chance((*interval)?, packets);
            hours += count;
        }
        let recorded_us: f64 = self.spans.iter().map(|span| length_us(*span)).sum();
        let recorded = if all_us > 0.0 { recorded_us / all_us } else { 1.0 };
        (hours > 0).then(|| recorded.min(1.0) * self.arrived * sum / hours as f64)
    }

    /// The packets that leave a record for sure, or why none do.
    fn least_packets(&self, exporter: &str) -> Result<u64, String> {
        let Some(interval) = self.intervals.keys().copied().reduce(worse).flatten() else {
            return Err(format!("at which rate exporter `{exporter}` sampled is not known"));
        };
        if self.is_flow_sampled {
            return Err(format!("exporter `{exporter}` recorded one flow in {interval}, whatever its size"));
        }
        let lost =
            || format!("{:.0} % of what exporter `{exporter}` sent was lost", lost_percent(self.arrived));
        least_packets(interval, self.arrived).ok_or_else(lost)
    }
}

/// Of two intervals the one that sees less.
fn worse(a: Option<u32>, b: Option<u32>) -> Option<u32> {
    a.zip(b).map(|(a, b)| a.max(b))
}

/// The loss in hundredths, and not 0 where there is one.
fn lost_percent(arrived: f64) -> f64 {
    ((1.0 - arrived) * 100.0).round().max(1.0)
}

/// How much of `gap` lies in `window`, 0–1. A moment lies in it wholly or not.
fn share(gap: Window, window: Window) -> f64 {
    let both = gap.intersect(window);
    match length_us(gap) {
        all if all > 0.0 => length_us(both) / all,
        _ => f64::from(u8::from(window.from <= gap.from && gap.from <= window.until)),
    }
}

/// The hours in which any of `window` lies: an exporter was there before its first packet of an hour.
fn whole_hours(window: Window) -> Window {
    let past = |time: Timestamp| time.micros().rem_euclid(HOUR_US);
    let (from, until) = (window.from, window.until);
    Window::new(from.plus_micros(-past(from)), until.plus_micros((HOUR_US - past(until)) % HOUR_US))
}

fn length_us(window: Window) -> f64 {
    window.until.since(window.from).max(0) as f64
}

/// Hours of `windows` together, rounded up.
fn hours(windows: &[Window]) -> u64 {
    let us =
        windows.iter().fold(0_i64, |sum, window| sum.saturating_add(window.until.since(window.from).max(0)));
    us.unsigned_abs().div_ceil(HOUR_US.unsigned_abs())
}

/// What of `windows` lies in `others`; both are joined.
fn overlap(windows: &[Window], others: &[Window]) -> Vec<Window> {
    let begin =
        windows.first().map_or(others.len(), |first| others.partition_point(|b| b.until <= first.from));
    let (mut i, mut j, mut both) = (0, begin, Vec::new());
    while let (Some(a), Some(b)) = (windows.get(i), others.get(j)) {
        let shared = a.intersect(*b);
        if !shared.is_empty() {
            both.push(shared);
        }
        if a.until < b.until { i += 1 } else { j += 1 }
    }
    both
}

/// How well these views could see `windows`, which are joined.
fn sight(views: &[(&str, View)], windows: &[Window]) -> Sight {
    let spans = joined(views.iter().flat_map(|(_, view)| view.spans.iter().copied()));
    let recorded = overlap(windows, &spans);
    let looking: Vec<&(&str, View)> =
        views.iter().filter(|(_, view)| !overlap(windows, &view.spans).is_empty()).collect();
    let least = looking.iter().map(|(exporter, view)| view.least_packets(exporter));
    let least = least.reduce(|a, b| a.and_then(|a| b.map(|b| a.max(b))));
    let (least_packets, why) = match least {
        Some(Ok(packets)) => (Some(packets), String::new()),
        Some(Err(why)) => (None, why),
        None => (None, "no exporter recorded then".to_owned()),
    };
    Sight {
        hours: hours(windows),
        hours_recorded: hours(&recorded),
        arrived: looking.iter().map(|(_, view)| view.arrived).reduce(f64::min).map(thousandths),
        least_packets,
        why,
    }
}

/// Rounded down: what was seen is never made more.
fn thousandths(share: f64) -> f64 {
    (share * 1_000.0).floor() / 1_000.0
}

/// What a session left, or a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trace {
    /// All its packets.
    Packets(u64),
    /// So many sampled packets, one in so many.
    Sampled(u64, u32),
    /// At a rate that nobody knows.
    Unknown,
}

impl Trace {
    /// Of two parts of one connection together; where only one tells, that.
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Packets(a), Self::Packets(b)) => Self::Packets(a.saturating_add(b)),
            (Self::Sampled(a, i), Self::Sampled(b, j)) => Self::Sampled(a.saturating_add(b), i.min(j)),
            (own, other) => own.min(other),
        }
    }
}

/// How well the exporters that recorded a contact could see it.
///
/// `seen` is from its first to its last packet, `margin_us` the time around it in which a hole leaves the
/// dates open.
pub(crate) fn witness(
    lookout: &Lookout<'_>,
    exporters: &BTreeSet<&str>,
    seen: Window,
    margin_us: i64,
    traces: Vec<Trace>,
) -> Witness {
    // A single moment has no length, and lies in an hour.
    let whole = whole_hours(Window::new(seen.from, seen.until.plus_micros(1)));
    let views = lookout.views(whole, |exporter| exporters.contains(exporter));
    let around = Window::new(seen.from.plus_micros(-margin_us), seen.until.plus_micros(margin_us));
    let own = lookout.ledgers.iter().filter(|ledger| exporters.contains(&*ledger.coverage.exporter));
    let mut holes: Vec<Hole> = own.flat_map(|ledger| watch::holes_in(ledger, around)).cloned().collect();
    holes.sort_unstable();
    holes.truncate(MOST_HOLES);
    let (contact_packets, detection, why) = match typical(traces) {
        Err(why) => (None, None, why.to_owned()),
        Ok(packets) => {
            let chances = views.iter().filter_map(|(_, view)| view.detection(packets, length_us(whole)));
            match chances.reduce(f64::max) {
                Some(chance) => (Some(packets), Some(thousandths(chance)), String::new()),
                None => (Some(packets), None, RATE_UNKNOWN.to_owned()),
            }
        }
    };
    Witness { sight: sight(&views, &[whole]), contact_packets, detection, why, holes }
}

const RATE_UNKNOWN: &str = "at which rate the traffic was sampled is not known";

/// Packets of a typical contact that left such traces, or why that cannot be said.
fn typical(mut traces: Vec<Trace>) -> Result<u64, &'static str> {
    traces.sort_unstable();
    let whole = traces.partition_point(|trace| matches!(trace, Trace::Packets(_)));
    if let Some(Trace::Packets(packets)) = traces[..whole].get(whole / 2) {
        return Ok((*packets).max(1));
    }
    let sampled: Vec<(u64, u32)> = traces
        .iter()
        .filter_map(|trace| match trace {
            Trace::Sampled(packets, interval) => Some((*packets, *interval)),
            Trace::Packets(_) | Trace::Unknown => None,
        })
        .collect();
    let Some((median, _)) = sampled.get(sampled.len() / 2) else {
        return Err(if traces.is_empty() { "no record of contact counts packets" } else { RATE_UNKNOWN });
    };
    let mut intervals: Vec<u32> = sampled.iter().map(|(_, interval)| *interval).collect();
    intervals.sort_unstable();
    let interval = f64::from(intervals[intervals.len() / 2]);
    let of = |count: u64| sampled.iter().filter(|(packets, _)| *packets == count).count();
    let (once, twice) = (of(1), of(2));
    let mean = match (once, twice) {
        (0, _) => *median as f64,
        (once, twice) if 2 * (once + twice) < sampled.len() => *median as f64,
        (_, 0) => return Err("each contact left one sampled packet, so nothing tells how many left none"),
        (_, ..LEAST_TWICE) => {
            return Err(
                "fewer than five contacts left two sampled packets, so too little tells how many left none",
            );
        }
        (once, twice) => 2.0 * twice as f64 / once as f64,
    };
    Ok((mean * interval).round().max(1.0) as u64)
}

/// What is asked of those whom nobody was in contact with.
pub(crate) struct Asked<'a> {
    pub(crate) book: &'a Snapshot,
    /// The window of the hunt.
    pub(crate) window: Window,
    /// Tell of the indicators of this cluster, one by one.
    pub(crate) cluster: Option<&'a ClusterId>,
    /// The addresses that were met.
    pub(crate) met: &'a BTreeSet<Address>,
    /// The clusters that are told of already.
    pub(crate) told: &'a BTreeSet<ClusterId>,
}

/// Clusters that no host was in contact with, in the order of ids; of one that was asked for, its
/// indicators, in their own order, without names of which addresses are known. At most [`MOST_NOT_SEEN`].
pub(crate) fn not_seen(lookout: &Lookout<'_>, asked: &Asked<'_>) -> Vec<NotSeen> {
    let standing = asked.book.claims().iter().filter(|claim| !claim.revoked);
    type Key = (ClusterId, Option<String>);
    type Claims<'c> = (Affiliation, Vec<&'c Claim>);
    let mut groups: BTreeMap<Key, Claims<'_>> = BTreeMap::new();
    let carried = Carried::of(asked.book);
    for claim in standing {
        let affiliation = Affiliation::of(claim);
        let id = affiliation.id();
        let indicator = match asked.cluster {
            Some(cluster) if id != *cluster => continue,
            Some(_) if is_met(&claim.indicator, asked.met) || carried.has(claim) => continue,
            Some(_) => Some(claim.indicator.to_string()),
            None if asked.told.contains(&id) => continue,
            None => None,
        };
        groups.entry((id, indicator)).or_insert_with(|| (affiliation, Vec::new())).1.push(claim);
    }
    let observed = observed(lookout.ledgers);
    let tell = |((_, indicator), (affiliation, claims)): (Key, Claims<'_>)| {
        let windows = claims.iter().filter(|claim| matches!(claim.indicator, Indicator::Network(_)));
        let validity: Vec<Window> = windows.clone().map(|claim| claim.validity).collect();
        let (window, sight) = match validity.is_empty() {
            false => while_valid(lookout, asked.window, observed, validity),
            true => (None, Sight::none("no claim names an address")),
        };
        NotSeen {
            cluster: affiliation.cluster(asked.book),
            indicator,
            claims: windows.count() as u64,
            window,
            sight,
            marking: Marking::of(claims.iter().copied()),
        }
    };
    groups.into_iter().take(MOST_NOT_SEEN).map(tell).collect()
}

/// How well contact would have been seen while claims of these windows held.
fn while_valid(
    lookout: &Lookout<'_>,
    asked: Window,
    observed: Option<Window>,
    validity: Vec<Window>,
) -> (Option<Window>, Sight) {
    let Some(observed) = observed else {
        return (None, Sight::none("no exporter is known"));
    };
    // An open end is that of the telemetry: what lies beyond is asked by nobody.
    let closed = |window: Window| {
        let window = window.intersect(asked);
        let from = if window.from == Timestamp::MIN { observed.from } else { window.from };
        let until = if window.until == Timestamp::MAX { observed.until } else { window.until };
        Window::new(from, until)
    };
    let windows = joined(validity.into_iter().map(closed).filter(|window| !window.is_empty()));
    let Some((first, last)) = windows.first().zip(windows.last()) else {
        return (None, Sight::none("no exporter recorded then"));
    };
    let hull = Window::new(first.from, last.until);
    let views = lookout.views(hull, |_| true);
    (Some(hull), sight(&views, &windows))
}

/// From the first packet of any exporter to the last, as far as clocks tell it.
fn observed(ledgers: &[Ledger<'_>]) -> Option<Window> {
    let windows = ledgers.iter().map(|ledger| ledger.coverage.window.intersect(CLOCK_PLAUSIBLE));
    windows
        .filter(|window| window.from <= window.until)
        .reduce(|a, b| Window::new(a.from.min(b.from), a.until.max(b.until)))
}

/// The claims on names and certificates from which claims on addresses follow: these are told of.
struct Carried<'a>(HashSet<(&'a str, &'a str, &'a str)>);

impl<'a> Carried<'a> {
    fn of(book: &'a Snapshot) -> Self {
        let derived = book.claims().iter().filter(|claim| claim.basis.is_derived());
        Self(
            derived.flat_map(|claim| origins(claim).map(|(place, on)| (&*claim.source, place, on))).collect(),
        )
    }

    fn has(&self, claim: &Claim) -> bool {
        let on = match &claim.indicator {
            Indicator::Domain(on) | Indicator::Certificate(on) => on,
            Indicator::Network(_) | Indicator::Url(_) | Indicator::Hash(..) => return false,
        };
        self.0.contains(&(&*claim.source, &*claim.place, &**on))
    }
}

/// The places of which a derived claim may be, and what was claimed there: `line 3: www.example.org, our DNS log …` is of
/// `line 3`, and follows from a claim on that name or one above it.
fn origins(derived: &Claim) -> impl Iterator<Item = (&str, &str)> {
    let splits = derived.place.match_indices(": ");
    splits.flat_map(|(at, colon)| {
        let (place, by) = (&derived.place[..at], &derived.place[at + colon.len()..]);
        let on = by.split(", ").next().unwrap_or(by);
        let on = on.strip_prefix("certificate ").unwrap_or(on);
        let above = on.match_indices('.').map(move |(dot, _)| &on[dot + 1..]);
        std::iter::once(on).chain(above).map(move |on| (place, on))
    })
}

fn is_met(indicator: &Indicator, met: &BTreeSet<Address>) -> bool {
    match indicator {
        Indicator::Network(prefix) => met.range(prefix.first()..=prefix.last()).next().is_some(),
        _ => false,
    }
}
