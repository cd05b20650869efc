//! `rahdar hunt --uploads`: who uploads more than is usual for it, without any indicator.

use rahdar_hunt::sweep::Party;
use rahdar_hunt::unusual::holder::{Holders, TableDays};
use rahdar_hunt::unusual::{Ask, Measured, Share, Upload, Uploads, met, uploads};
use rahdar_intel::book::Book;
use rahdar_intel::registry::Shelf as _;
use rahdar_model::Prefix;
use rahdar_model::store::{Cell, Table};

use crate::clock::{self, Stopwatch};
use crate::command::{Format, Scope};
use crate::home::Home;
use crate::shelf::HomeShelf;
use crate::{Outcome, note, output};

/// Networks and addresses that a row names. Chosen here: a line has room for so many.
const MOST_NAMED: usize = 3;

/// Looks for unusual uploads of the monitored hosts, and prints them.
pub(crate) fn run(home: &Home, scope: &Scope, format: Format) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    let networks = home.database()?.networks()?;
    let own: Vec<Prefix> = networks.into_iter().map(|network| network.prefix).collect();
    let hosts = if scope.victim.is_empty() { own.clone() } else { scope.victim.clone() };
    let ask = Ask { window: clock::window(&scope.period)?, hosts, own };
    let lake = home.lake_at(scope.table_version)?;
    let shelf = HomeShelf::open(home.path())?;
    let tables = TableDays::of(shelf.labels());
    let holders = Holders::ask(&shelf, &met(&lake, &ask, &tables)?)?;
    let uploads = uploads(&lake, &ask, &holders)?;
    output::print(&table(&uploads.found), format)?;
    say(&uploads, &tables, watch.elapsed().as_secs_f64());
    Ok(Outcome::Done)
}

/// What the rows do not say.
fn say(uploads: &Uploads, tables: &TableDays, seconds: f64) {
    let Uploads { found, more, asked, hosts, too_short, too_many_holders } = uploads;
    note!(
        "{} of {asked} hours in which {hosts} hosts uploaded to new networks stand out; these are places to look; {seconds:.1} s",
        found.len() + more
    );
    if *more > 0 {
        note!("{more} of them are not shown: ask for a shorter time or for fewer hosts");
    }
    if *too_short > 0 {
        note!(
            "{too_short} hosts have hours that were not judged: less than four weeks of telemetry before them"
        );
    }
    if *too_many_holders > 0 {
        note!("{too_many_holders} hosts that deal with everybody were left out");
    }
    match tables.earliest() {
        None => note!(
            "no routing table is known: each /24 and /48 counts as a network of its own; `rahdar networks import` takes tables"
        ),
        Some(day) => {
            note!("before {day}, the day of the earliest routing table, networks are those of that day")
        }
    }
}

/// One row per host and hour.
fn table(found: &[Upload]) -> Table {
    let columns = [
        "host",
        "hour",
        "octets_at_least",
        "octets",
        "octets_at_most",
        "networks",
        "addresses",
        "opened_by",
        "compared_with",
        "hours",
        "weeks",
        "median_octets",
        "mad_factor",
        "z",
        "ewma_z",
        "q_value",
        "record_of",
    ];
    Table { columns: columns.map(str::to_owned).to_vec(), rows: found.iter().map(row).collect() }
}

fn row(upload: &Upload) -> Vec<Cell> {
    let octets = &upload.octets;
    let count = |octets: f64| Cell::Int(octets as i64);
    let number = |n: usize| Cell::Int(i64::try_from(n).unwrap_or(i64::MAX));
    // Digits beyond these say nothing.
    let hundredths = |value: f64| Cell::Float((value * 1e2).round() / 1e2);
    let [pool, hours, median, factor, z, average_z, q_value] = match upload.measured {
        Some(Measured { usual, z, average_z, q_value, .. }) => [
            Cell::Text(usual.pool.word().to_owned()),
            number(usual.hours),
            count(usual.median.round()),
            hundredths(usual.mad.exp()),
            hundredths(z),
            hundredths(average_z),
            // A chance is never made smaller than it was.
            Cell::Float((q_value * 1e6).ceil() / 1e6),
        ],
        None => [const { Cell::Null }; 7],
    };
    let opener = match upload.opener {
        Some(Party::Victim) => "host",
        Some(Party::Remote) => "address",
        None => "unknown",
    };
    vec![
        Cell::Text(upload.host.to_string()),
        Cell::Text(upload.hour.to_string()),
        count(octets.low.floor()),
        count(octets.point.round()),
        octets.high.map_or(Cell::Null, |high| count(high.ceil())),
        Cell::Text(named(&upload.to, |share| share.holder.to_string())),
        Cell::Text(named(&upload.to, |share| share.address.to_string())),
        Cell::Text(opener.to_owned()),
        pool,
        hours,
        hundredths(upload.baseline_days as f64 / 7.0),
        median,
        factor,
        z,
        average_z,
        q_value,
        upload.record_of.map_or(Cell::Null, number),
    ]
}

/// The first names, and how many more there are.
fn named(to: &[Share], name: impl Fn(&Share) -> String) -> String {
    let mut names: Vec<String> = to.iter().take(MOST_NAMED).map(name).collect();
    if to.len() > MOST_NAMED {
        names.push(format!("{} more", to.len() - MOST_NAMED));
    }
    names.join(", ")
}
