//! `rahdar report`: a hunt as a document.

use std::path::Path;

use anyhow::Context as _;
use rahdar_case::report::{self, Context};
use rahdar_intel::book::Book;
use rahdar_model::Clock;
use rahdar_model::finding::Hunt;

use crate::clock::SystemClock;
use crate::command::{Report, ReportKind, Scope};
use crate::home::Home;
use crate::{Outcome, hunt, note};

/// Hunts and writes the report.
pub(crate) fn run(home: &Home, args: &Report) -> anyhow::Result<Outcome> {
    let ReportKind::Html = args.kind;
    write(home, &args.scope, &hunt::hunt(home, &args.scope)?, &args.output)?;
    note!("report: {}", args.output.display());
    Ok(Outcome::Done)
}

/// Writes the page of the hunt that had this scope. It is TLP:AMBER at least: the victims have not been told.
pub(crate) fn write(home: &Home, scope: &Scope, hunt: &Hunt, path: &Path) -> anyhow::Result<()> {
    let events = home.database()?.events()?;
    let context = Context {
        title: "Contact with adversary infrastructure",
        tlp: report::marking::LEAST,
        events: &events,
        generated: SystemClock.now(),
        version: env!("CARGO_PKG_VERSION"),
        rerun: &rerun(scope, hunt.table_version),
    };
    std::fs::write(path, report::html(hunt, &context))
        .with_context(|| format!("cannot write `{}`", path.display()))
}

/// The line for a shell that computes the same numbers again, in this home.
fn rerun(scope: &Scope, table_version: u64) -> String {
    let Scope { period, victim, cluster, calibration, table_version: _ } = scope;
    let words = ["rahdar hunt --format json".to_owned()]
        .into_iter()
        .chain(period.from.map(|at| format!("--from {at}")))
        .chain(period.until.map(|at| format!("--until {at}")))
        .chain(victim.iter().map(|network| format!("--victim {network}")))
        .chain(cluster.iter().map(|name| format!("--cluster={}", quoted(name))))
        .chain(calibration.iter().map(|path| format!("--calibration={}", quoted(&path.to_string_lossy()))))
        .chain([format!("--table-version {table_version}")]);
    words.collect::<Vec<_>>().join(" ")
}

/// One word for a shell (POSIX.1-2024, XCU §2.2.2).
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
