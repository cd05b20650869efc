//! `rahdar demo`: the whole road once, on a made story whose truth is known.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rahdar_case::report::words;
use rahdar_intel::reading::ReadOptions;
use rahdar_model::FlowStore;
use rahdar_model::Window;
use rahdar_model::store::{Cell, Table};
use rahdar_scenario::{Manifest, Score, Truth};

use crate::clock::Stopwatch;
use crate::command::{Demo, Format, Period, Scope, Settings};
use crate::home::Home;
use crate::{Outcome, events, files, flows, hunt, intel, networks, note, output, report, scenario};

/// The scenario's folder in the home.
const SCENARIO: &str = "scenario";
/// Which scenario this home holds.
const MARK: &str = "scenario/settings.txt";

/// Makes the scenario, imports it, hunts, scores the hunt against the truth, writes the report.
pub(crate) fn run(home: &Home, args: &Demo) -> anyhow::Result<Outcome> {
    let watch = Stopwatch::start();
    claim(home, &args.settings)?;

    note!("making the scenario …");
    let manifest = scenario::write(&home.path().join(SCENARIO), &args.settings)?;
    note!("importing it: telemetry, reports, and passive DNS for those that give names alone …");
    import(home, &manifest)?;
    note!("hunting …");
    let period = Period { from: None, until: None };
    let scope = Scope { period, victim: Vec::new(), cluster: None, table_version: None, calibration: None };
    let hunt = hunt::hunt(home, &scope)?;

    output::print(&hunt::table(&hunt), Format::Table)?;
    output::line("")?;
    let summary = words::summary(&hunt);
    let victims = summary.victims.iter().flat_map(|victim| victim.sentences.iter().chain(&victim.clusters));
    for sentence in summary.opening.iter().chain(victims) {
        output::line(sentence)?;
    }
    let score = rahdar_scenario::score(&hunt, &Truth::read(&manifest.truth)?);
    output::line("\nAgainst the truth:")?;
    output::print(&scored(&score), Format::Table)?;

    let page = home.path().join("report.html");
    report::write(home, &scope, &hunt, &page)?;
    output::line(&format!("\nreport: {}", page.display()))?;
    note!("{:.1} s", watch.elapsed().as_secs_f64());
    if args.open {
        open(&page)?;
    }
    if !score.passed() {
        bail!("the hunt did not find the truth: see the lines marked `no`");
    }
    Ok(Outcome::Done)
}

/// Makes this home the demo's. A home that holds anything else is left alone: made flows must
/// never stand among real ones.
fn claim(home: &Home, settings: &Settings) -> anyhow::Result<()> {
    let mark = home.path().join(MARK);
    let ours = format!("roshan-2021 {settings:?}\n");
    match fs::read_to_string(&mark) {
        Ok(found) if found == ours => return Ok(()),
        Ok(found) => {
            bail!("`{}` holds another demo ({}); give another --home", home.path().display(), found.trim())
        }
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot read `{}`", mark.display()));
        }
        Err(_) => {}
    }
    if home.lake()?.count(Window::ALL)? > 0 {
        bail!(
            "`{}` holds flows that are not the demo's; give an empty folder with --home",
            home.path().display()
        );
    }
    let folder = home.path().join(SCENARIO);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make `{}`", folder.display()))?;
    fs::write(&mark, ours).with_context(|| format!("cannot write `{}`", mark.display()))
}

fn import(home: &Home, manifest: &Manifest) -> anyhow::Result<()> {
    networks::import(home, &manifest.networks)?;
    events::import(home, &manifest.events)?;
    let claims = files::find(&manifest.intelligence)?.files;
    intel::import::import(home, &claims, &ReadOptions::default(), false)?;
    let telemetry = files::find(&manifest.telemetry)?.files;
    let bar = files::bar(&telemetry);
    let summary = flows::import::import(&home.lake()?, &telemetry, &Default::default(), &bar)?;
    note!("{} rows added", summary.rows());
    Ok(())
}

fn scored(score: &Score) -> Table {
    let text = |text: &str| Cell::Text(text.to_owned());
    Table {
        columns: ["what", "expected", "got", "pass"].map(str::to_owned).to_vec(),
        rows: score
            .lines
            .iter()
            .map(|line| {
                vec![
                    text(&line.item),
                    text(&line.expected),
                    text(&line.got),
                    text(match (line.pass, line.may_miss()) {
                        (true, _) => "yes",
                        (false, true) => "missed",
                        (false, false) => "no",
                    }),
                ]
            })
            .collect(),
    }
}

/// Hands the page to the desktop's browser.
fn open(page: &Path) -> anyhow::Result<()> {
    let page: PathBuf = page.canonicalize().with_context(|| format!("cannot find `{}`", page.display()))?;
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    std::process::Command::new(opener)
        .arg(&page)
        .spawn()
        .with_context(|| format!("cannot run `{opener}`; open `{}` yourself", page.display()))?;
    Ok(())
}
