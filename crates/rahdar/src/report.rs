//! `rahdar report`: a hunt as a document.

use std::path::Path;

use anyhow::Context as _;
use rahdar_case::report::{self, Context};
use rahdar_intel::book::Book;
use rahdar_model::Clock;
use rahdar_model::finding::Hunt;

use crate::clock::SystemClock;
use crate::command::{Report, ReportKind};
use crate::home::Home;
use crate::{Outcome, hunt, note};

/// Hunts and writes the report.
pub(crate) fn run(home: &Home, args: &Report) -> anyhow::Result<Outcome> {
    let ReportKind::Html = args.kind;
    write(home, &hunt::hunt(home, &args.scope)?, &args.output)?;
    note!("report: {}", args.output.display());
    Ok(Outcome::Done)
}

/// Writes the page. It is TLP:AMBER at least: the victims have not been told.
pub(crate) fn write(home: &Home, hunt: &Hunt, path: &Path) -> anyhow::Result<()> {
    let events = home.database()?.events()?;
    let context = Context {
        title: "Contact with adversary infrastructure",
        tlp: report::marking::LEAST,
        events: &events,
        generated: SystemClock.now(),
        version: env!("CARGO_PKG_VERSION"),
        rerun: "rahdar hunt --format json",
    };
    std::fs::write(path, report::html(hunt, &context))
        .with_context(|| format!("cannot write `{}`", path.display()))
}
