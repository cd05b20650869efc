//! One total from several exporters that saw partly the same packets (`methods.md` §1.6).
//!
//! A packet that passes two exporters is recorded twice, and two samples of it are not equal
//! records. Totals are never summed over exporters. Instead:
//!
//! * **Unsampled** records of one session are duplicates: the exporter that recorded most of it
//!   counts, the others do not. Inputs of one exporter that hold the same packets are told apart
//!   like exporters ([`crate::repeats`]). What exporters tell of one session at different times, because their clocks are
//!   apart, counts once too ([`crate::echo`]).
//! * **Sampled** exporters join one after the other, by rising sampling interval. Of exporter k,
//!   the fraction φ of octets that earlier exporters saw too is estimated from its *big*
//!   sessions, those of which it sampled [`BIG_SAMPLED_PACKETS`] packets or more: an earlier
//!   exporter on their path has missed them with a chance below e⁻¹⁰. Then
//!   Ŷ = Ŷ₁ + Σ (1 − φₖ)·Ŷₖ, in octets. φ is taken from the pair of hosts, or where that has
//!   fewer than [`LEAST_BIG_SESSIONS`], from the victim, or from all victims.
//! * Where all have too few, φ comes from products of counts, which need no big session: with c
//!   and c' packets sampled of a session of P packets, E[c·c'] = P²/(N·N') if it passed both, and
//!   E[c·(c−1)] = P²/N² if it passed the one, so that φ = Σ c·N·c'·N' / Σ c·(c−1)·N². Of several
//!   earlier exporters the fractions are taken as independent. (Chosen here; unbiased for two.)
//! * Where even these are too few ([`LEAST_PRODUCTS`]), all that is known is that the truth lies
//!   between the largest exporter and the sum: the point is the largest.
//! * **Low** is the best lower bound of any one exporter, each at α divided by their number:
//!   max Lₑ(α/m). It needs to know nothing of paths.
//! * **High** is the sum of upper bounds, Σ Uₑ(α/m): it holds even if no packet passed twice. It
//!   bounds what passed the exporters; what went round all of them no record can tell. It is
//!   none where a sampling interval is unknown, a counter stood still or wrapped, or an exporter
//!   was silent meanwhile.
//!
//! * **Observed** is what was recorded, unscaled, of each session by who recorded most of it: where
//!   nothing was sampled it is the point, and never below low.
//!
//! Of what was refused, and of calls that nobody answered, nothing is counted: it did not leave.
//! Octets of frames are bounded by what a frame may add: low takes off the most, high the least.
//!
//! α is 5 %, half of it on either side. A sampling interval that nobody knows is 1 here, so that
//! low stays a lower bound. Assumes that exporters sample independently of one another.
//!
//! What was lost between an exporter and us is made up for in the point alone, where the exporter's
//! own count tells how much it is ([`crate::completeness`]). Where an upper bound stands, nothing was lost in that
//! time, and the point is never above it.
//!
//! The point is a sum over records, each with a weight of its own ([`weigh`]): days add up to
//! clusters, clusters to victims, victims to all.
//!
//! ```
//! use rahdar_hunt::exporters::{Part, estimate, weigh};
//! use rahdar_hunt::stitch::{Habits, stitch};
//! use rahdar_hunt::sweep::{Contact, Party};
//! use rahdar_model::store::{End, Sighting};
//! use rahdar_testkit::flow;
//!
//! // Two unsampled exporters saw the same upload: it is counted once.
//! let seen_by = |exporter: &str| {
//!     let flow = flow("203.0.113.25:50000 > 192.0.2.9:443").sent(10, 9_000).exporter(exporter);
//!     Contact::of(&Sighting { end: End::Destination, flow: flow.build() })
//! };
//! let contacts = [seen_by("a"), seen_by("b")];
//! let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
//! let weights = weigh(&[(&contacts[..], &sessions[..])]);
//! let parts = contacts.iter().zip(&weights).map(|(c, w)| Part::whole(c, w));
//! let out = estimate(parts, Party::Victim, true);
//! assert_eq!((out.low, out.point, out.observed), (9_000.0, 9_000.0, 9_000));
//! ```

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rahdar_model::{Address, Estimate, Window};

use crate::completeness::Completeness;
use crate::echo::echoes;
use crate::sampling::{PacketSizes, SYSTEMATIC_INFLATION, SampledSum};
use crate::stitch::Session;
use crate::sweep::{Contact, Party, Rate, Side};

/// Sampled packets that make a session big enough to be missed by nobody on its path.
pub const BIG_SAMPLED_PACKETS: u64 = 10;
/// Big sessions that a fraction needs before it is taken from so few hosts. Chosen here: its
/// standard error is then below 0.16.
pub const LEAST_BIG_SESSIONS: u64 = 10;

/// Pairs of packets, Σ c·(c−1), that a fraction from products needs. Chosen here: its standard
/// error is then some 0.15.
pub const LEAST_PRODUCTS: f64 = 100.0;

/// The chance that the truth lies outside the bounds, both sides together.
pub(crate) const ALPHA: f64 = 0.05;

/// What one record counts for, per direction.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weight {
    out: Share,
    back: Share,
    /// κ of its exporter on its days.
    completeness: f64,
    /// The largest mean size of a packet, in octets, that any record of its exporter has.
    largest_packet: u64,
}

impl Default for Weight {
    fn default() -> Self {
        Self { out: Share::default(), back: Share::default(), completeness: 1.0, largest_packet: 0 }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Share {
    /// In a point estimate: octets as recorded times this.
    of_point: f64,
    /// Whether it is of who recorded most of its session.
    is_observed: bool,
}

impl Weight {
    /// The weight of what `party` sent.
    pub fn of(&self, party: Party) -> f64 {
        self.share(party).of_point
    }

    fn share(&self, party: Party) -> Share {
        match party {
            Party::Victim => self.out,
            Party::Remote => self.back,
        }
    }

    fn share_mut(&mut self, party: Party) -> &mut Share {
        match party {
            Party::Victim => &mut self.out,
            Party::Remote => &mut self.back,
        }
    }
}

/// A cut out of a whole: from `from` to `to` of `whole` equal pieces.
///
/// Neighbouring cuts add up exactly: rounding loses no octet and counts none twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Where it begins.
    pub from: u64,
    /// Where it ends.
    pub to: u64,
    /// Of how many.
    pub whole: u64,
}

impl Cut {
    /// Everything.
    pub const ALL: Self = Self { from: 0, to: 1, whole: 1 };

    /// This cut of `n`.
    ///
    /// ```
    /// use rahdar_hunt::exporters::Cut;
    ///
    /// let thirds = [0, 1, 2].map(|i| Cut { from: i, to: i + 1, whole: 3 }.of(100));
    /// assert_eq!(thirds, [33, 33, 34]);
    /// ```
    pub fn of(self, n: u64) -> u64 {
        let until = |mark: u64| u128::from(n) * u128::from(mark) / u128::from(self.whole.max(1));
        u64::try_from(until(self.to).saturating_sub(until(self.from))).unwrap_or(u64::MAX)
    }
}

/// One record's share in a total.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    contact: &'a Contact,
    weight: &'a Weight,
    /// Of the record's octets, those of this cluster, by best guess.
    cluster: Cut,
    /// Of these, those of this day.
    day: Cut,
    is_certain: bool,
    /// Whether it is an attempt, of which nothing arrived.
    is_attempt: bool,
}

impl<'a> Part<'a> {
    /// All of the record.
    pub fn whole(contact: &'a Contact, weight: &'a Weight) -> Self {
        let is_attempt = contact.is_refused;
        Self { contact, weight, cluster: Cut::ALL, day: Cut::ALL, is_certain: true, is_attempt }
    }

    /// A call in vain: nothing of it counts as sent.
    pub fn in_vain(self) -> Self {
        Self { is_attempt: true, ..self }
    }

    /// The share of one of several clusters that may be behind the record. Its lower bound is
    /// nothing, its upper bound everything.
    pub fn of_cluster(self, cluster: Cut) -> Self {
        Self { cluster, is_certain: false, ..self }
    }

    /// The share of one of the days that the record lasted, bounded likewise if there are several.
    pub fn of_day(self, day: Cut) -> Self {
        Self { day, is_certain: self.is_certain && day == Cut::ALL, ..self }
    }

    /// The record.
    pub fn contact(&self) -> &'a Contact {
        self.contact
    }

    /// Whether all of the record is the cluster's and the day's, beyond doubt.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    /// Whether it is an attempt: refused, or a call that nobody answered.
    pub fn is_attempt(&self) -> bool {
        self.is_attempt
    }

    /// Whether another cluster may be behind part of it.
    pub fn is_shared(&self) -> bool {
        self.cluster != Cut::ALL
    }

    /// Octets that `party` sent, estimated.
    pub fn point(&self, party: Party) -> f64 {
        self.weight.of(party) * self.octets(party) as f64 / self.weight.completeness
    }

    /// Packets that `party` sent, estimated: as large a part of the record's as its octets.
    pub fn share_of_packets(&self, party: Party) -> f64 {
        let all = self.side(party).octets;
        if all == 0 { 0.0 } else { self.packets(party) * self.octets(party) as f64 / all as f64 }
    }

    /// Octets that `party` sent, by best guess, as recorded.
    fn octets(&self, party: Party) -> u64 {
        self.day.of(self.cluster.of(self.side(party).octets))
    }

    /// Packets that `party` sent in the whole record, estimated.
    pub fn packets(&self, party: Party) -> f64 {
        self.weight.of(party) * self.side(party).packets as f64 / self.weight.completeness
    }

    /// What counts of what `party` sent in the whole record.
    pub(crate) fn side(&self, party: Party) -> Side {
        if self.is_attempt { Side::default() } else { *self.contact.side(party) }
    }

    /// Of unsampled exporters, what counts of `party`'s direction: all of it or nothing.
    pub(crate) fn weight(&self, party: Party) -> f64 {
        self.weight.of(party)
    }
}

/// What one observer says of a total.
#[derive(Default)]
struct Ledger {
    /// Records that are no sample: octets, all of them at most and those that surely belong at least. Integers: a
    /// float holds no more than 2⁵³ of them exactly.
    exact: u128,
    exact_certain: u64,
    /// Samples, likewise.
    sampled: SampledSum,
    sampled_certain: SampledSum,
    is_sampled: bool,
    is_systematic: bool,
}

/// The octets that `party` sent in all `parts`. `is_covered` says that no exporter of them was
/// silent meanwhile. Of no parts nothing is known: the upper bound is none.
pub fn estimate<'a>(parts: impl IntoIterator<Item = Part<'a>>, party: Party, is_covered: bool) -> Estimate {
    let mut ledgers: BTreeMap<(&str, u32), Ledger> = BTreeMap::new();
    let mut observed = 0_u64;
    let mut sampled_point = 0.0;
    let mut exact_point = 0_u128;
    let mut lost_point = 0.0;
    let mut exact_union = 0_u64;
    let mut has_ceiling = is_covered;
    for part in parts {
        let contact = part.contact;
        let ledger = ledgers.entry(contact.seen_by()).or_default();
        let octets = part.octets(party);
        let certain = part.is_certain && contact.has_floor;
        let Share { of_point, is_observed } = part.weight.share(party);
        observed = observed.saturating_add(if is_observed { octets } else { 0 });
        has_ceiling &= contact.has_ceiling;
        let side = part.side(party);
        match contact.rate {
            Rate::Every | Rate::Unknown => {
                // Of a session's observers one counts, and wholly.
                let counts = of_point > 0.0;
                ledger.exact += u128::from(side.octets);
                exact_point += if counts { u128::from(octets) } else { 0 };
                lost_point += of_point * octets as f64 * (1.0 / part.weight.completeness - 1.0);
                if certain {
                    let least = side.least_octets;
                    ledger.exact_certain = ledger.exact_certain.saturating_add(least);
                    exact_union = exact_union.saturating_add(if counts { least } else { 0 });
                }
            }
            Rate::OneIn(interval) => {
                sampled_point += of_point * octets as f64 / part.weight.completeness;
                ledger.is_sampled = true;
                ledger.is_systematic |= contact.systematic;
                add_sample(&mut ledger.sampled, &part, interval, side.packets, side.octets);
                if certain {
                    let (packets, octets) = (side.most_packets, side.least_octets);
                    add_sample(&mut ledger.sampled_certain, &part, interval, packets, octets);
                }
            }
        }
    }
    let samplers = ledgers.values().filter(|ledger| ledger.is_sampled).count().max(1);
    let alpha = ALPHA / 2.0 / samplers as f64;
    for ledger in ledgers.values_mut().filter(|ledger| ledger.is_systematic) {
        ledger.sampled.variance *= SYSTEMATIC_INFLATION;
        ledger.sampled_certain.variance *= SYSTEMATIC_INFLATION;
    }
    let lows = ledgers.values().map(|ledger| ledger.exact_certain as f64 + ledger.sampled_certain.low(alpha));
    let low = lows.fold(exact_union as f64, f64::max);
    let high = (has_ceiling && !ledgers.is_empty()).then(|| {
        let exact: u128 = ledgers.values().map(|ledger| ledger.exact).sum();
        exact as f64 + ledgers.values().map(|ledger| ledger.sampled.high(alpha)).sum::<f64>()
    });
    let point = (exact_point as f64 + sampled_point + lost_point).max(low);
    Estimate::new(observed, low, high.map_or(point, |high| point.min(high)), high)
}

/// Adds a sampled record, whole: a share of it cannot be bounded by less.
pub(crate) fn add_sample(sum: &mut SampledSum, part: &Part<'_>, interval: u32, packets: u64, octets: u64) {
    let contact = part.contact;
    if contact.flow_sampled {
        sum.add_flow(interval, octets);
    } else {
        let sizes = PacketSizes::of(contact.remote.is_v4(), contact.protocol);
        let sizes = sizes.holding(part.weight.largest_packet);
        sum.add_packets(interval, packets, octets, sizes);
    }
}

/// The weights of all contacts of a hunt, in their order: pairs of hosts, each with its contacts
/// and their sessions.
pub fn weigh(pairs: &[(&[Contact], &[Session])]) -> Vec<Weight> {
    let order = sampled_exporters(pairs);
    let echoes = echoes(pairs);
    let largest = largest_packets(pairs);
    let mut weights = Vec::new();
    for contact in pairs.iter().flat_map(|(contacts, _)| *contacts) {
        weights.push(Weight { largest_packet: largest[&*contact.exporter], ..Weight::default() });
    }
    for party in [Party::Victim, Party::Remote] {
        let overlaps = Overlaps::of(pairs, &order, party);
        let mut begin = 0;
        for (i, (contacts, sessions)) in pairs.iter().enumerate() {
            let weights = &mut weights[begin..begin + contacts.len()];
            begin += contacts.len();
            let told = sessions.iter().enumerate().filter(|(n, _)| !echoes.contains(&(i, *n)));
            choose(contacts, told.map(|(_, session)| session), weights, party);
            let fractions = overlaps.unseen(contacts, &order, party);
            for (contact, weight) in contacts.iter().zip(weights) {
                if let Rate::OneIn(interval) = contact.rate {
                    let unseen = fractions[rank(&order, contact)];
                    weight.share_mut(party).of_point = unseen * f64::from(interval);
                }
            }
        }
    }
    weights
}

/// Makes up for what was lost: divides the weights of these contacts, in their order, by the completeness of
/// their exporters.
pub fn make_up(weights: &mut [Weight], contacts: &[Contact], completeness: &Completeness<'_>) {
    for (weight, contact) in weights.iter_mut().zip(contacts) {
        let time = Window::new(contact.start, contact.end.max(contact.start));
        weight.completeness = completeness.on(&contact.exporter, time);
    }
}

/// The largest mean size of a packet that a record of each exporter has, by what surely is of its IP packets.
fn largest_packets<'a>(pairs: &[(&'a [Contact], &[Session])]) -> BTreeMap<&'a str, u64> {
    let mut largest: BTreeMap<&str, u64> = BTreeMap::new();
    for contact in pairs.iter().flat_map(|(contacts, _)| *contacts) {
        let own = largest.entry(&contact.exporter).or_default();
        for side in [Party::Victim, Party::Remote].map(|party| contact.side(party)) {
            *own = side.least_octets.div_ceil(side.most_packets.max(1)).max(*own);
        }
    }
    largest
}

/// Exporters with samples, by rising sampling interval, then by name.
fn sampled_exporters<'a>(pairs: &[(&'a [Contact], &[Session])]) -> Vec<&'a str> {
    let mut intervals: BTreeMap<&str, u32> = BTreeMap::new();
    for contact in pairs.iter().flat_map(|(contacts, _)| *contacts) {
        if let Rate::OneIn(interval) = contact.rate {
            let largest = intervals.entry(&contact.exporter).or_default();
            *largest = interval.max(*largest);
        }
    }
    let order: BTreeSet<(u32, &str)> = intervals.into_iter().map(|(name, n)| (n, name)).collect();
    order.into_iter().map(|(_, name)| name).collect()
}

/// The place of a sampled contact's exporter.
fn rank(order: &[&str], contact: &Contact) -> usize {
    order.iter().position(|name| *name == &*contact.exporter).unwrap_or(0)
}

/// Of each session, the unsampled observer that recorded most of it counts; and of all observers
/// the one that did is what was observed.
fn choose<'s>(
    contacts: &[Contact],
    sessions: impl Iterator<Item = &'s Session>,
    weights: &mut [Weight],
    party: Party,
) {
    for session in sessions {
        let records = &contacts[session.records.clone()];
        let most = recorded_most(records, party);
        let unsampled = recorded_most(records.iter().filter(|record| !record.is_sampled()), party);
        for (record, weight) in records.iter().zip(&mut weights[session.records.clone()]) {
            let (share, observer) = (weight.share_mut(party), Some(record.seen_by()));
            share.is_observed = observer == most;
            if !record.is_sampled() && observer == unsampled {
                share.of_point = 1.0;
            }
        }
    }
}

/// Who recorded most octets of `party`; of equals the first by name.
fn recorded_most<'a>(records: impl IntoIterator<Item = &'a Contact>, party: Party) -> Option<(&'a str, u32)> {
    let mut sums: BTreeMap<(&str, u32), u64> = BTreeMap::new();
    for record in records.into_iter().filter(|record| !record.is_refused) {
        let sum = sums.entry(record.seen_by()).or_default();
        *sum = sum.saturating_add(record.side(party).octets);
    }
    // `max_by_key` takes the last of equals.
    sums.iter().rev().max_by_key(|(_, octets)| **octets).map(|(observer, _)| *observer)
}

/// How much of what one exporter sampled in big sessions earlier exporters saw too.
#[derive(Debug, Clone, Copy, Default)]
struct Overlap {
    big_sessions: u64,
    octets: f64,
    seen_octets: f64,
}

impl Overlap {
    fn add(&mut self, other: &Self) {
        self.big_sessions += other.big_sessions;
        self.octets += other.octets;
        self.seen_octets += other.seen_octets;
    }

    /// None if so few sessions say nothing.
    fn fraction(&self) -> Option<f64> {
        let is_known = self.big_sessions >= LEAST_BIG_SESSIONS && self.octets > 0.0;
        is_known.then(|| self.seen_octets / self.octets)
    }
}

/// What a sampled exporter saw of one session.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    packets: u64,
    /// Scaled.
    octets: f64,
    interval: f64,
}

/// Products of counts over all sessions: the same fractions, from small sessions.
struct Moments {
    /// Σ c(c−1) of each exporter, as counted.
    twice: Vec<f64>,
    /// Σ c(c−1)·N² of each exporter.
    twice_scaled: Vec<f64>,
    /// Σ c·N·c'·N' of each exporter with each earlier one.
    common: Vec<Vec<f64>>,
    /// Σ c of each exporter, all and in sessions that an unsampled one saw.
    all: Vec<f64>,
    unsampled: Vec<f64>,
}

impl Moments {
    fn new(exporters: usize) -> Self {
        let zeros = vec![0.0; exporters];
        Self {
            twice: zeros.clone(),
            twice_scaled: zeros.clone(),
            common: vec![zeros.clone(); exporters],
            all: zeros.clone(),
            unsampled: zeros,
        }
    }

    fn add(&mut self, samples: &[Sample], is_seen_unsampled: bool) {
        for (k, sample) in samples.iter().enumerate().filter(|(_, sample)| sample.packets > 0) {
            let count = sample.packets as f64;
            self.twice[k] += count * (count - 1.0);
            self.twice_scaled[k] += count * (count - 1.0) * sample.interval * sample.interval;
            self.all[k] += count;
            self.unsampled[k] += if is_seen_unsampled { count } else { 0.0 };
            for (j, earlier) in samples[..k].iter().enumerate() {
                self.common[k][j] += count * sample.interval * earlier.packets as f64 * earlier.interval;
            }
        }
    }

    /// None if there is too little of it.
    fn fraction(&self, k: usize) -> Option<f64> {
        if self.twice[k] < LEAST_PRODUCTS {
            return None;
        }
        let by_unsampled = self.unsampled[k] / self.all[k];
        let by_sampled = self.common[k][..k].iter().map(|common| common / self.twice_scaled[k]);
        let unseen = by_sampled.chain([by_unsampled]).map(|seen| 1.0 - seen.clamp(0.0, 1.0));
        Some(1.0 - unseen.product::<f64>())
    }
}

/// Overlaps per sampled exporter, for each pair and victim where they are known, and for all.
struct Overlaps {
    pairs: HashMap<(Address, Address), Vec<Overlap>>,
    victims: HashMap<Address, Vec<Overlap>>,
    all: Vec<Overlap>,
    moments: Moments,
}

impl Overlaps {
    fn of(pairs: &[(&[Contact], &[Session])], order: &[&str], party: Party) -> Self {
        let empty = vec![Overlap::default(); order.len()];
        let mut overlaps = Self {
            pairs: HashMap::new(),
            victims: HashMap::new(),
            all: empty.clone(),
            moments: Moments::new(order.len()),
        };
        let has_unsampled =
            pairs.iter().flat_map(|(contacts, _)| *contacts).any(|contact| contact.rate == Rate::Every);
        for (contacts, sessions) in pairs {
            let Some(first) = contacts.first() else { continue };
            let mut own = empty.clone();
            for session in *sessions {
                let records = &contacts[session.records.clone()];
                let (samples, is_seen_unsampled) = samples(records, order, party);
                overlaps.moments.add(&samples, is_seen_unsampled);
                add_session(&mut own, &samples, is_seen_unsampled, has_unsampled);
            }
            if own.iter().all(|overlap| overlap.big_sessions == 0) {
                continue;
            }
            let victim = overlaps.victims.entry(first.victim).or_insert_with(|| empty.clone());
            for ((own, victim), all) in own.iter().zip(victim).zip(&mut overlaps.all) {
                victim.add(own);
                all.add(own);
            }
            overlaps.pairs.insert((first.victim, first.remote), own);
        }
        overlaps
    }

    /// Of each exporter, the fraction of its octets that earlier ones did not see, for one pair.
    fn unseen(&self, contacts: &[Contact], order: &[&str], party: Party) -> Vec<f64> {
        let mut fractions = vec![0.0; order.len()];
        let Some(first) = contacts.first() else { return fractions };
        let (samples, _) = samples(contacts, order, party);
        let unsampled: f64 =
            contacts.iter().filter(|c| !c.is_sampled()).map(|c| c.side(party).octets as f64).sum();
        let mut union = unsampled;
        for (k, Sample { packets, octets, .. }) in samples.into_iter().enumerate() {
            let overlap = match self.seen(first, k) {
                // Earlier exporters saw nothing of this pair, and could not have missed it.
                _ if union <= 0.0 && packets >= BIG_SAMPLED_PACKETS => Some(0.0),
                None if union <= 0.0 => Some(0.0),
                known => known,
            };
            if let Some(seen) = overlap {
                fractions[k] = 1.0 - seen;
                union += fractions[k] * octets;
            } else if unsampled <= 0.0 && octets > union {
                fractions[..k].fill(0.0);
                fractions[k] = 1.0;
                union = octets;
            }
        }
        fractions
    }

    /// What earlier exporters saw of exporter `k`, by the nearest hosts that can tell.
    fn seen(&self, of: &Contact, k: usize) -> Option<f64> {
        let near = [self.pairs.get(&(of.victim, of.remote)), self.victims.get(&of.victim), Some(&self.all)];
        let by_big = near.into_iter().flatten().find_map(|overlaps| overlaps[k].fraction());
        by_big.or_else(|| self.moments.fraction(k))
    }
}

/// What each sampled exporter recorded, and whether an unsampled one recorded anything.
fn samples(records: &[Contact], order: &[&str], party: Party) -> (Vec<Sample>, bool) {
    let mut samples = vec![Sample::default(); order.len()];
    let mut is_seen_unsampled = false;
    for record in records {
        let side = record.side(party);
        if let Rate::OneIn(interval) = record.rate {
            let sample = &mut samples[rank(order, record)];
            sample.packets = sample.packets.saturating_add(side.packets);
            sample.interval = f64::from(interval);
            sample.octets += side.octets as f64 * sample.interval;
        } else {
            is_seen_unsampled |= side.packets > 0;
        }
    }
    (samples, is_seen_unsampled)
}

/// Adds one session to the overlaps of the exporters that sampled it. Where only unsampled
/// exporters came earlier, every session is big: they miss nothing on their path.
fn add_session(overlaps: &mut [Overlap], samples: &[Sample], is_seen_unsampled: bool, has_unsampled: bool) {
    let mut seen = is_seen_unsampled;
    for (k, (overlap, sample)) in overlaps.iter_mut().zip(samples).enumerate() {
        let big = if k == 0 && has_unsampled { 1 } else { BIG_SAMPLED_PACKETS };
        if sample.packets >= big {
            overlap.big_sessions += 1;
            overlap.octets += sample.octets;
            if seen {
                overlap.seen_octets += sample.octets;
            }
        }
        seen |= sample.packets > 0;
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::store::{End, Sighting};
    use rahdar_testkit::flow;

    use super::*;
    use crate::stitch::{Habits, stitch};

    /// A small generator of chance (Steele and Vigna, splitmix64): tests need no better.
    struct Chance(u64);

    impl Chance {
        fn unit(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = self.0;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
        }

        /// How many of `packets` a sampler takes, one in `interval`: Poisson (Knuth).
        fn sampled(&mut self, packets: f64, interval: u32) -> u64 {
            let least = (-packets / f64::from(interval)).exp();
            let mut product = self.unit();
            let mut count = 0;
            while product > least {
                product *= self.unit();
                count += 1;
            }
            count
        }
    }

    const PACKET: f64 = 1_400.0;

    fn contact(session: usize, exporter: &str, interval: u32, packets: u64) -> Contact {
        let ends = format!("203.0.113.25:{} > 192.0.2.9:443", 1_024 + session);
        let flow = flow(&ends).sent(packets, packets * PACKET as u64).exporter(exporter).sampled(interval);
        Contact::of(&Sighting { end: End::Destination, flow: flow.build() })
    }

    /// Octets that an exporter saw, and what is said of them. Sessions have 200 packets times
    /// `scale` or more.
    fn simulate(seed: u64, scale: f64) -> (f64, Estimate) {
        let mut chance = Chance(seed);
        let mut contacts = Vec::new();
        let mut visible = 0.0;
        for session in 0..300 {
            let packets = (200.0 * scale * (chance.unit() * 4.6).exp()).round();
            let paths = [(chance.unit() < 0.8, "a", 512), (chance.unit() < 0.5, "b", 1_000)];
            if paths.iter().any(|(passes, ..)| *passes) {
                visible += packets * PACKET;
            }
            for (_, exporter, interval) in paths.into_iter().filter(|(passes, ..)| *passes) {
                let count = chance.sampled(packets, interval);
                contacts.extend((count > 0).then(|| contact(session, exporter, interval, count)));
            }
        }
        contacts.sort();
        let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
        let weights = weigh(&[(&contacts[..], &sessions[..])]);
        let parts = contacts.iter().zip(&weights).map(|(contact, weight)| Part::whole(contact, weight));
        (visible, estimate(parts, Party::Victim, true))
    }

    #[test]
    fn paths_that_overlap_in_part_are_estimated_without_bias_and_bounded() {
        let runs: Vec<(f64, Estimate)> = (0..60).map(|seed| simulate(seed, 1.0)).collect();
        let mean = runs.iter().map(|(visible, out)| out.point / visible).sum::<f64>() / runs.len() as f64;
        assert!((mean - 1.0).abs() < 0.015, "the mean of estimate over truth is {mean}");
        let below = runs.iter().filter(|(visible, out)| out.low <= *visible).count();
        let above =
            runs.iter().filter(|(visible, out)| out.high.is_some_and(|high| *visible <= high)).count();
        assert_eq!((below, above), (60, 60));
    }

    #[test]
    fn small_sessions_tell_the_overlap_too() {
        let runs: Vec<(f64, Estimate)> = (0..60).map(|seed| simulate(seed, 0.15)).collect();
        let mean = runs.iter().map(|(visible, out)| out.point / visible).sum::<f64>() / runs.len() as f64;
        assert!((mean - 1.0).abs() < 0.03, "the mean of estimate over truth is {mean}");
    }

    #[test]
    fn an_exporter_that_alone_saw_a_pair_counts_in_full() {
        let mut contacts: Vec<Contact> = (0..40).map(|n| contact(n, "a", 100, 30)).collect();
        contacts.extend((0..20).map(|n| contact(n, "b", 200, 15)));
        let mut elsewhere = contact(0, "b", 200, 15);
        elsewhere.remote = "192.0.2.77".parse().unwrap();
        let pairs = [contacts, vec![elsewhere]].map(|mut contacts| {
            contacts.sort();
            let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
            (contacts, sessions)
        });
        let borrowed: Vec<_> =
            pairs.iter().map(|(contacts, sessions)| (&contacts[..], &sessions[..])).collect();
        let weights = weigh(&borrowed);
        let part = Part::whole(&pairs[1].0[0], &weights[60]);
        assert_eq!(estimate([part], Party::Victim, false).point, 15.0 * PACKET * 200.0);
    }

    #[test]
    fn cuts_of_a_record_lose_and_invent_nothing() {
        for (n, whole) in [(1, 3), (100, 7), (u64::MAX, 1_000_003), (0, 5)] {
            let marks = [0, whole / 3, whole / 2, whole];
            let sum: u64 = marks.windows(2).map(|m| Cut { from: m[0], to: m[1], whole }.of(n)).sum();
            assert_eq!(sum, n);
        }
    }

    #[test]
    fn octets_beyond_what_a_float_holds_are_summed_as_integers() {
        const ODD: u64 = (1 << 53) + 3;
        let mut contacts: Vec<Contact> = (0..3).map(|session| contact(session, "r1", 1, 1 << 44)).collect();
        for contact in &mut contacts {
            (contact.out.octets, contact.out.least_octets) = (ODD, ODD);
        }
        let sessions = stitch(&contacts, &Habits::of(&contacts), &|_, _| false);
        let weights = weigh(&[(&contacts[..], &sessions[..])]);
        let parts = contacts.iter().zip(&weights).map(|(contact, weight)| Part::whole(contact, weight));
        assert_eq!(estimate(parts, Party::Victim, true), Estimate::exact(3 * ODD));
    }
}
