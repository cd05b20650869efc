//! Uploads that are unusual for the host that sent them, without any indicator (`methods.md` §5): the victim's own
//! baseline.
//!
//! * [`holder`]: who holds an address; [`hours`]: in which hours a host uploaded to holders that are new to it;
//! * [`usual`]: what is usual for it, and how far an hour stands out; [`chart`]: a little more, hour after hour.
//!
//! Asked of is every hour of the window in which a host uploaded to new holders, after two weeks of its baseline at
//! least ([`LEAST_BASELINE_DAYS`] on which somebody recorded anything, of the six weeks before the day). An hour may stand out by
//! itself or by the average of its z: p = min(1, 2·min(p, p of the average)). Hours of less than
//! [`MUCH_OCTETS`] at least are asked, and never told: p = 1. The false-discovery rate is held over all that was
//! asked ([`RATE`]). What stands out is tested by its lower bound; the hours before by their best estimates.
//!
//! Told, whatever its z, is a *record* too: at least [`MUCH_OCTETS`], and more than any host sent in any such hour of
//! the six weeks before. That assumes no distribution, only that a week is like the six before it: chance then makes a
//! record every sixth week, of all hosts together. Where all hosts have fewer than
//! [`LEAST_HOURS`](usual::LEAST_HOURS) such hours there is nothing to measure by, and records are all that is told.
//!
//! Told is a place to look. New suppliers, new backups, customers who fetch much from a server, all stand out. It says
//! nothing of hosts that a claim is about, and nothing is subtracted from what they sent there.
//!
//! ```
//! use rahdar_hunt::unusual::{Ask, holder::Holders, uploads};
//! use rahdar_model::{Timestamp, Window};
//! use rahdar_testkit::{NaiveStore, flow};
//!
//! // Every noon some 100 kB to somebody new; on the last day 50 MB.
//! let upload = |day: i64, octets: u64| {
//!     flow(&format!("203.0.113.25:50000 > 198.18.{day}.9:443"))
//!         .at_time(Timestamp::from_seconds(1_600_000_000 + 86_400 * day))
//!         .sent(octets / 1_000, octets)
//!         .answered(10, 600)
//! };
//! let usual = (0..50).map(|day| upload(day, 100_000 + 2_000 * (day * 7 % 50) as u64));
//! let store = NaiveStore::of(usual.chain([upload(50, 50_000_000)]));
//! let hosts = vec!["203.0.113.0/24".parse().unwrap()];
//! let ask = Ask { window: Window::ALL, hosts: hosts.clone(), own: hosts };
//! let found = uploads(&store, &ask, &Holders::default()).unwrap().found;
//! assert_eq!(found.len(), 1);
//! assert_eq!((found[0].octets.low, found[0].to[0].holder.to_string()), (50e6, "198.18.50.0/24".to_owned()));
//! ```

pub mod chart;
pub mod holder;
pub mod hours;
mod told;
pub mod usual;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::store::StoreError;
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Day, Estimate, FlowStore, Prefix, Timestamp, Window};
use thiserror::Error;

use self::chart::Chart;
use self::holder::{Holder, Holders, TableDays};
use self::hours::{Hour, Hours, MEMORY_US, NEW_US, Read};
use self::usual::{Pool, Usual};
use crate::discovery::{RATE, adjusted};
use crate::sweep::Party;
use crate::upload::MUCH_OCTETS;
use crate::watch;

/// How long before a day its baseline begins (`methods.md` §5).
pub const BASELINE_US: i64 = 6 * 7 * DAY_US;
/// Days of it on which some exporter recorded anything. Chosen here: two weeks.
pub const LEAST_BASELINE_DAYS: usize = 14;
/// How long before the window the average begins. Chosen here: of what is older a 10⁻⁷ is left.
const CHART_US: i64 = 7 * DAY_US;
/// Addresses whose holders are asked for, one a day of a routing table. Chosen here: a quarter of a gigabyte.
pub const MOST_ADDRESSES: usize = 4_000_000;
/// Hours with uploads of all hosts. Chosen here: likewise.
pub const MOST_HOURS: usize = 4_000_000;
/// Hours that are told. Chosen here: nobody reads more.
pub const MOST_TOLD: usize = 1_000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Hours that begin in this window. What is usual before them is read from before it.
    pub window: Window,
    /// Uploads of hosts in these networks; of all hosts, if there are none.
    pub hosts: Vec<Prefix>,
    /// What is sent to addresses in these networks stays inside.
    pub own: Vec<Prefix>,
}

impl Ask {
    /// The flows that answers come from.
    fn history(&self) -> Window {
        let before = MEMORY_US + NEW_US + BASELINE_US + CHART_US;
        Window::new(self.window.from.plus_micros(-before), self.window.until)
    }
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub struct Uploads {
    /// The least likely first; of those not measured, the most octets.
    pub found: Vec<Upload>,
    /// How many more stand out, beyond [`MOST_TOLD`].
    pub more: usize,
    /// Hours of all hosts that were asked about.
    pub asked: usize,
    /// Hosts of these.
    pub hosts: usize,
    /// Hosts with uploads and too short a baseline for some of their hours.
    pub too_short: usize,
    /// Hosts left out because they deal with everybody.
    pub too_many_holders: usize,
}

/// An hour in which a host uploaded more than usual to holders that are new to it.
#[derive(Debug, Clone, PartialEq)]
pub struct Upload {
    /// Who uploaded.
    pub host: Address,
    /// The start of the hour.
    pub hour: Timestamp,
    /// IP octets that left.
    pub octets: Estimate,
    /// Who opened most of it, if that can be told.
    pub opener: Option<Party>,
    /// To whom, the most octets first.
    pub to: Vec<Share>,
    /// Days of the baseline on which somebody recorded anything.
    pub baseline_days: usize,
    /// How far it stands out; none where there is nothing to measure by.
    pub measured: Option<Measured>,
    /// If it is a record: in how many of the hours before any host uploaded to a new holder, always less.
    pub record_of: Option<usize>,
}

/// How far an hour stands out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// What is usual, of payload.
    pub usual: Usual,
    /// By how many deviations the hour's payload is more, at least.
    pub z: f64,
    /// The average of this and the hours before it, in its own deviations.
    pub average_z: f64,
    /// The chance of this, of one hour alone.
    pub p_value: f64,
    /// The adjusted p: the share of false ones among all that are at most as likely.
    pub q_value: f64,
}

/// What went to one holder.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Who holds the address.
    pub holder: Holder,
    /// The address to which most went.
    pub address: Address,
    /// IP octets to the holder, estimated.
    pub octets: f64,
}

/// Why nothing was found out.
#[derive(Debug, Error)]
pub enum UploadsError {
    /// The store failed. Its own error says whether trying again may help.
    #[error("the flow store did not answer")]
    Store(#[from] StoreError),
    /// The window or the networks are too wide.
    #[error("more than {0} {1}: ask for a shorter time or for fewer hosts")]
    TooMany(usize, &'static str),
}

/// The addresses that the hosts met, each as of the day of a routing table: what [`Holders::ask`] asks for. Nothing
/// where there is no table.
///
/// # Errors
/// See [`UploadsError`].
pub fn met(
    store: &dyn FlowStore,
    ask: &Ask,
    tables: &TableDays,
) -> Result<BTreeSet<(Day, Address)>, UploadsError> {
    let mut met = BTreeSet::new();
    if tables.is_empty() {
        return Ok(met);
    }
    store.exchanges(&ask.hosts, ask.history(), &mut |exchange| {
        if met.len() <= MOST_ADDRESSES
            && let Some(at) = tables.before(exchange.hour.day())
        {
            met.insert((at, exchange.remote));
        }
    })?;
    if met.len() > MOST_ADDRESSES { Err(UploadsError::TooMany(MOST_ADDRESSES, "addresses")) } else { Ok(met) }
}

/// Looks for unusual uploads of the hosts.
///
/// # Errors
/// See [`UploadsError`].
pub fn uploads(store: &dyn FlowStore, ask: &Ask, holders: &Holders) -> Result<Uploads, UploadsError> {
    let history = ask.history();
    let coverage = watch::coverage(store, history)?;
    let mut began: BTreeMap<Arc<str>, Timestamp> = BTreeMap::new();
    for ledger in &coverage {
        let first = began.entry(ledger.exporter.clone()).or_insert(ledger.window.from);
        *first = ledger.window.from.min(*first);
    }
    let read = hours::read(store, history, &ask.hosts, &ask.own, holders, &began, MOST_HOURS)?;
    if read.hours > MOST_HOURS {
        return Err(UploadsError::TooMany(MOST_HOURS, "hours with uploads"));
    }
    let mut recorded = Recorded::of(&coverage);
    let Judged { tests, too_short } = judge(&read, ask.window, &mut |window| recorded.days(window));
    let (asked, hosts) = (tests.len(), tests.chunk_by(|a, b| a.host == b.host).count());
    let mut standing = standing(tests);
    let more = standing.len().saturating_sub(MOST_TOLD);
    standing.truncate(MOST_TOLD);
    let found = told::told(store, standing, holders, &coverage)?;
    Ok(Uploads { found, more, asked, hosts, too_short, too_many_holders: read.too_many_holders })
}

/// One hour that was asked about.
struct Test<'a> {
    host: Address,
    hour: &'a Hour,
    baseline_days: usize,
    measured: Option<Measured>,
    record_of: Option<usize>,
}

struct Judged<'a> {
    tests: Vec<Test<'a>>,
    too_short: usize,
}

/// Asks about each hour of the window. `recorded` counts the days of a window on which
/// somebody recorded anything.
fn judge<'a>(read: &'a Read, window: Window, recorded: &mut dyn FnMut(Window) -> usize) -> Judged<'a> {
    let mut everybody = Everybody { hosts: &read.hosts, days: BTreeMap::new() };
    let mut judged = Judged { tests: Vec::new(), too_short: 0 };
    for host in &read.hosts {
        let mut chart = Chart::default();
        let mut is_too_short = false;
        let late = host.uploads.partition_point(|one| one.hour < window.from.plus_micros(-CHART_US));
        for hour in &host.uploads[late..] {
            let is_asked = window.contains(hour.hour);
            let day = hour.hour.day();
            let baseline = Window::new(day.start().plus_micros(-BASELINE_US), day.start());
            let baseline_days = recorded(Window::new(baseline.from.max(host.since), baseline.until));
            if baseline_days < LEAST_BASELINE_DAYS {
                is_too_short |= is_asked;
                continue;
            }
            let everybody = everybody.before(day, baseline);
            let is_much = hour.low >= MUCH_OCTETS;
            let measured = own(host, hour.hour, baseline).or(everybody.usual).map(|usual| {
                let (z, average_z) = (usual.z(hour.low), chart.add(hour.hour, usual.z(hour.point)));
                let p_value = 2.0 * usual.p_value(z).min(usual.p_value(average_z));
                let p_value = if is_much { p_value.min(1.0) } else { 1.0 };
                Measured { usual, z, average_z, p_value, q_value: 1.0 }
            });
            if is_asked {
                let record_of = (is_much && hour.low > everybody.most).then_some(everybody.hours);
                judged.tests.push(Test { host: host.host, hour, baseline_days, measured, record_of });
            }
        }
        judged.too_short += usize::from(is_too_short);
    }
    judged
}

/// Those that stand out, in the order in which they are told.
fn standing(mut tests: Vec<Test<'_>>) -> Vec<Test<'_>> {
    let mut measured: Vec<&mut Measured> =
        tests.iter_mut().filter_map(|test| test.measured.as_mut()).collect();
    let p_values: Vec<f64> = measured.iter().map(|measured| measured.p_value).collect();
    for (measured, q_value) in measured.iter_mut().zip(adjusted(&p_values)) {
        measured.q_value = q_value;
    }
    tests.retain(|test| test.record_of.is_some() || test.measured.is_some_and(|one| one.q_value <= RATE));
    tests.sort_by(|a, b| {
        let p_value = |test: &Test<'_>| test.measured.map_or(1.0, |measured| measured.p_value);
        let key = |test: &Test<'_>| (test.hour.hour, test.host);
        let by_octets = b.hour.low.total_cmp(&a.hour.low);
        p_value(a).total_cmp(&p_value(b)).then(by_octets).then_with(|| key(a).cmp(&key(b)))
    });
    tests
}

/// What is usual for the host itself about this hour, by the narrowest pool that is large enough.
fn own(host: &Hours, hour: Timestamp, baseline: Window) -> Option<Usual> {
    let before = within(host, baseline);
    Pool::OWN.into_iter().find_map(|pool| {
        Usual::of(pool, before.iter().filter(|one| pool.holds(hour, one.hour)).map(|one| one.point))
    })
}

/// The hours of a host within a window.
fn within(host: &Hours, window: Window) -> &[Hour] {
    let place = |time: Timestamp| host.uploads.partition_point(|one| one.hour < time);
    &host.uploads[place(window.from)..place(window.until).max(place(window.from))]
}

/// The hours of all hosts together, day by day.
struct Everybody<'a> {
    hosts: &'a [Hours],
    days: BTreeMap<Day, Before>,
}

/// What the hours before a day say.
#[derive(Debug, Clone, Copy)]
struct Before {
    usual: Option<Usual>,
    hours: usize,
    /// The most octets in one of them.
    most: f64,
}

impl Everybody<'_> {
    fn before(&mut self, day: Day, baseline: Window) -> Before {
        let hosts = self.hosts;
        *self.days.entry(day).or_insert_with(|| {
            let all = || hosts.iter().flat_map(|host| within(host, baseline)).map(|one| one.point);
            let most = all().fold(0.0, f64::max);
            Before { usual: Usual::of(Pool::AllHosts, all()), hours: all().count(), most }
        })
    }
}

/// On which days some exporter recorded anything.
struct Recorded<'a> {
    exporters: BTreeSet<&'a str>,
    coverage: &'a [ExporterCoverage],
    known: BTreeMap<Window, usize>,
}

impl<'a> Recorded<'a> {
    fn of(coverage: &'a [ExporterCoverage]) -> Self {
        let exporters = coverage.iter().map(|ledger| &*ledger.exporter).collect();
        Self { exporters, coverage, known: BTreeMap::new() }
    }

    /// How many whole days of the window.
    fn days(&mut self, window: Window) -> usize {
        let Self { exporters, coverage, known } = self;
        *known.entry(window).or_insert_with(|| {
            let first = window.from.plus_micros(DAY_US - 1).day();
            let all = (first.0..window.until.day().0).map(Day);
            all.filter(|day| !watch::is_blind(day.window(), exporters, coverage)).count()
        })
    }
}

#[cfg(test)]
mod tests;
