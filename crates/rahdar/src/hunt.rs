//! `rahdar hunt`: sweep all history for every claim, and judge what was met.

use rahdar_case::report::{self, words};
use rahdar_hunt::{Request, profile};
use rahdar_intel::book::Book;
use rahdar_intel::registry::Shelf as _;
use rahdar_model::finding::{self, Finding};
use rahdar_model::intelligence::ClusterId;
use rahdar_model::store::{Cell, Table};
use rahdar_model::{Clock, Timestamp};

use crate::clock::{self, Stopwatch, SystemClock};
use crate::command::{self, Format, Scope};
use crate::home::Home;
use crate::shelf::HomeShelf;
use crate::{Outcome, beacons, calibrate, note, output, uploads};

/// Hunts, and prints the findings.
pub(crate) fn run(home: &Home, args: &command::Hunt, format: Format) -> anyhow::Result<Outcome> {
    if args.rhythm {
        return beacons::run(home, &args.scope, format);
    }
    if args.uploads {
        return uploads::run(home, &args.scope, format);
    }
    let watch = Stopwatch::start();
    let hunt = hunt(home, &args.scope)?;
    let seconds = watch.elapsed().as_secs_f64();
    match format {
        Format::Json => output::line(&serde_json::to_string_pretty(&report::json(&hunt, seconds))?)?,
        _ => {
            output::print(&table(&hunt), format)?;
            if args.explain {
                // Rows that a program reads stay alone.
                let say: Say = if format == Format::Table { output::line } else { aside };
                hunt.findings.iter().chain(&hunt.discounted).try_for_each(|finding| explain(finding, say))?;
                not_seen(&hunt, say)?;
            }
            let findings = if hunt.findings.len() == 1 { "finding" } else { "findings" };
            note!(
                "{} {findings}, {} discounted; {} flows swept for {} claims in {seconds:.1} s; book version {}, table version {}",
                hunt.findings.len(),
                hunt.discounted.len(),
                hunt.flows_swept,
                hunt.claims_asked,
                hunt.intelligence_version,
                hunt.table_version
            );
            if !hunt.not_seen.is_empty() && !args.explain {
                let what = if args.scope.cluster.is_some() { "indicators" } else { "clusters" };
                note!(
                    "{} {what} without contact: --explain says what would have been seen",
                    hunt.not_seen.len()
                );
            }
            if let Some(marking) = report::marking::sentence(&hunt.marking, report::marking::LEAST) {
                note!("{marking}");
            }
        }
    }
    for (asked, what) in [
        (hunt.flows_swept, "no flow of this period is stored"),
        (hunt.claims_asked, "the book holds no matching claim"),
    ] {
        if asked == 0 {
            note!("{what}, so finding nothing means nothing");
        }
    }
    Ok(Outcome::Done)
}

/// Where a line of an explanation goes.
type Say = fn(&str) -> anyhow::Result<()>;

/// To standard error.
fn aside(line: &str) -> anyhow::Result<()> {
    note!("{line}");
    Ok(())
}

/// What it says that clusters were not seen: a sentence each.
fn not_seen(hunt: &finding::Hunt, say: Say) -> anyhow::Result<()> {
    if !hunt.not_seen.is_empty() {
        say("")?;
    }
    hunt.not_seen.iter().try_for_each(|row| say(&output::visible(&words::sight::not_seen(row))))
}

/// One hunt over what this home holds.
pub(crate) fn hunt(home: &Home, scope: &Scope) -> anyhow::Result<finding::Hunt> {
    let database = home.database()?;
    let request = Request {
        window: clock::window(&scope.period)?,
        victims: scope.victim.clone(),
        cluster: scope.cluster.as_deref().map(ClusterId::of_name),
        calibration: calibrate::of(home, scope.calibration.as_deref())?,
    };
    let mut hunt = rahdar_hunt::hunt(
        // A hunt asks many questions: all answers are of one version, whatever is imported meanwhile.
        &home.lake_at(scope.table_version)?,
        &database.snapshot()?,
        &database.networks()?,
        &database.events()?,
        &request,
    )?;
    let now = SystemClock.now();
    if let Some(until) = hunt.coverage.iter().map(|ledger| ledger.window.until).max() {
        database.record_look(now, until.min(now))?;
    }
    let shelf = HomeShelf::open(home.path())?;
    profile::describe(&mut hunt, &shelf)?;
    if let Some((victims, earliest)) = profile::before_routes(&hunt, shelf.labels()) {
        note!(
            "{victims} victims were in contact before {earliest}, the day of the earliest routing table: import an older one"
        );
    }
    Ok(hunt)
}

/// One row per finding. `at_least`: contact may have begun earlier, gone on, and been on more days.
pub(crate) fn table(hunt: &finding::Hunt) -> Table {
    let columns = [
        "victim",
        "role",
        "cluster",
        "verdict",
        "confidence",
        "first_seen",
        "last_seen",
        "at_least",
        "days",
        "octets_out_at_least",
        "octets_out",
        "octets_out_at_most",
    ];
    Table { columns: columns.map(str::to_owned).to_vec(), rows: hunt.findings.iter().map(row).collect() }
}

fn row(finding: &Finding) -> Vec<Cell> {
    let octets = |octets: f64| Cell::Int(octets as i64);
    let day = |at: Option<Timestamp>| at.map_or(Cell::Null, |at| Cell::Text(at.day().to_string()));
    vec![
        Cell::Text(finding.victim.address.to_string()),
        Cell::Text(finding.victim.roles.join(", ")),
        Cell::Text(finding.cluster.name.clone()),
        Cell::Text(finding.verdict.word().to_owned()),
        Cell::Int(finding.confidence.into()),
        day(finding.first_seen),
        day(finding.last_seen),
        Cell::Bool(finding.at_least),
        Cell::Int(finding.days_active.into()),
        octets(finding.octets_out.low.floor()),
        octets(finding.octets_out.point.round()),
        finding.octets_out.high.map_or(Cell::Null, |high| octets(high.ceil())),
    ]
}

/// The reasons for and against, heaviest first.
fn explain(finding: &Finding, say: Say) -> anyhow::Result<()> {
    say("")?;
    say(&output::visible(&format!(
        "{} · {} · {} ({})",
        finding.victim.address,
        finding.cluster.name,
        finding.verdict.word(),
        finding.confidence
    )))?;
    if let Some(detection) = words::sight::detection(finding) {
        say(&output::visible(&format!("  {detection}")))?;
    }
    for reason in &finding.reasons {
        say(&output::visible(&format!("  {:+6.1} dB  {:<14} {}", reason.weight, reason.kind, reason.text)))?;
    }
    Ok(())
}
