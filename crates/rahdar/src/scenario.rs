//! `rahdar scenario`: a made story as files, with the truth beside it.

use std::io::IsTerminal as _;
use std::path::Path;

use indicatif::ProgressBar;
use rahdar_scenario::{Manifest, Sampling};

use crate::command::Settings;
use crate::{Outcome, note, output};

/// Writes the scenario and prints the files made.
pub(crate) fn run(out: &Path, settings: &Settings) -> anyhow::Result<Outcome> {
    let manifest = write(out, settings)?;
    let files = manifest.telemetry.iter().chain(&manifest.intelligence);
    for path in files.chain([&manifest.networks, &manifest.events, &manifest.truth]) {
        output::line(&path.display().to_string())?;
    }
    note!("seed {}, {} background conversations", settings.seed, settings.flows);
    Ok(Outcome::Done)
}

/// Writes the scenario.
pub(crate) fn write(out: &Path, settings: &Settings) -> anyhow::Result<Manifest> {
    let settings = rahdar_scenario::Settings {
        seed: settings.seed,
        flows: settings.flows,
        sampling: Sampling::of_interval(settings.sampling),
    };
    let bar = if std::io::stderr().is_terminal() { ProgressBar::new(0) } else { ProgressBar::hidden() };
    let manifest = rahdar_scenario::write(&settings, out, &mut |progress| {
        bar.set_length(progress.total as u64);
        bar.set_position(progress.done as u64);
    })?;
    bar.finish_and_clear();
    Ok(manifest)
}
