//! `rahdar networks import`: whose hosts may be victims.

use std::path::Path;

use anyhow::Context;
use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::reading::ReadOptions;
use rahdar_model::Clock;

use crate::clock::SystemClock;
use crate::command::Format;
use crate::home::Home;
use crate::{Outcome, register};

/// Imports the file, and prints what became of it.
pub(crate) fn run(home: &Home, path: &Path, format: Format) -> anyhow::Result<Outcome> {
    import(home, path)?.print(format)
}

/// Imports the file.
pub(crate) fn import(home: &Home, path: &Path) -> anyhow::Result<register::Summary> {
    let content = std::fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let name = path.display().to_string();
    let sheet = rahdar_intel::sheet::networks(&content).with_context(|| name.clone())?;
    let file = ImportedFile::new(&name, &content, &ReadOptions::default(), SystemClock.now());
    let recorded = home.database()?.record_networks(&file, &sheet.rows)?;
    Ok(register::Summary::new(&name, &sheet, recorded))
}
