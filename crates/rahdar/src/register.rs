//! What became of a small table that people keep themselves: networks, events.

use rahdar_intel::book::Recorded;
use rahdar_intel::sheet::Sheet;
use rahdar_model::store::{Cell, Table};

use crate::command::Format;
use crate::{Outcome, note, output};

/// What became of one file.
#[derive(Debug)]
pub(crate) struct Summary {
    rows: usize,
    recorded: Recorded,
    refused: usize,
}

impl Summary {
    /// What became of the sheet in the file of this name. Every refusal is said aloud.
    pub(crate) fn new<T>(name: &str, sheet: &Sheet<T>, recorded: Recorded) -> Self {
        for refusal in &sheet.refused {
            note!("{name}: refused: {refusal}");
        }
        Self { rows: sheet.rows.len(), recorded, refused: sheet.refused.len() }
    }

    /// Rows read, rows added, lines refused, and the version of the book.
    pub(crate) fn counts(&self) -> [Cell; 4] {
        let count = |n: usize| Cell::Int(n.try_into().unwrap_or(i64::MAX));
        let version = Cell::Int(self.recorded.version.try_into().unwrap_or(i64::MAX));
        [count(self.rows), count(self.recorded.added), count(self.refused), version]
    }

    /// How the import ended.
    pub(crate) fn outcome(&self) -> Outcome {
        if self.refused > 0 { Outcome::Refused } else { Outcome::Done }
    }

    /// Prints the summary.
    pub(crate) fn print(&self, format: Format) -> anyhow::Result<Outcome> {
        let columns = ["rows", "added", "refused", "version"].map(str::to_owned).to_vec();
        output::print(&Table { columns, rows: vec![self.counts().to_vec()] }, format)?;
        Ok(self.outcome())
    }
}
