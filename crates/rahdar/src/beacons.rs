//! `rahdar hunt --rhythm`: what calls home without any indicator.

use rahdar_hunt::beacons::{Ask, Beacon, Beacons, beacons};
use rahdar_intel::book::Book;
use rahdar_model::store::{Cell, Table};

use crate::clock::{self, Stopwatch};
use crate::command::{Format, Scope};
use crate::home::Home;
use crate::{Outcome, note, output};

/// Looks for rhythms among all contacts of the monitored hosts, and prints them.
pub(crate) fn run(home: &Home, scope: &Scope, format: Format) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let networks = home.database()?.networks()?;
    let hosts = match scope.victim.is_empty() {
        true => networks.into_iter().map(|network| network.prefix).collect(),
        false => scope.victim.clone(),
    };
    let ask = Ask { window: clock::window(&scope.period)?, hosts };
    let Beacons { found, looked_at, common } = beacons(&home.lake_at(scope.table_version)?, &ask)?;
    output::print(&table(&found), format)?;
    note!(
        "{} of {looked_at} pairs with enough contacts have a rhythm; {common} addresses that a tenth of all hosts talk \
         to were left out; {:.1} s",
        found.len(),
        watch.elapsed().as_secs_f64()
    );
    Ok(Outcome::Done)
}

/// One row per host and address.
fn table(found: &[Beacon]) -> Table {
    let columns = [
        "host",
        "address",
        "hosts",
        "contacts",
        "period_s",
        "period_from_s",
        "period_to_s",
        "jitter",
        "seen",
        "score",
        "p_value",
        "method",
        "first_seen",
        "last_seen",
    ];
    Table { columns: columns.map(str::to_owned).to_vec(), rows: found.iter().map(row).collect() }
}

fn row(beacon: &Beacon) -> Vec<Cell> {
    let count = |count: usize| Cell::Int(i64::try_from(count).unwrap_or(i64::MAX));
    // Digits beyond these say nothing.
    let thousandths = |value: f64| Cell::Float((value * 1e3).round() / 1e3);
    vec![
        Cell::Text(beacon.host.to_string()),
        Cell::Text(beacon.remote.to_string()),
        count(beacon.hosts),
        count(beacon.contacts),
        beacon.beat.told_s().map_or(Cell::Null, thousandths),
        thousandths(beacon.beat.within_s.0),
        thousandths(beacon.beat.within_s.1),
        thousandths(beacon.beat.jitter),
        thousandths(beacon.beat.seen),
        thousandths(beacon.beat.score),
        // A chance is never made smaller than it was.
        Cell::Float((beacon.p_value * 1e6).ceil() / 1e6),
        Cell::Text(beacon.beat.method.word().to_owned()),
        Cell::Text(beacon.first.to_string()),
        Cell::Text(beacon.last.to_string()),
    ]
}
