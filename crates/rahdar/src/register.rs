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

    /// Prints the summary.
    pub(crate) fn print(&self, format: Format) -> anyhow::Result<Outcome> {
        let count = |n: usize| Cell::Int(n.try_into().unwrap_or(i64::MAX));
        let table = Table {
            columns: ["rows", "added", "refused", "version"].map(str::to_owned).to_vec(),
            rows: vec![vec![
                count(self.rows),
                count(self.recorded.added),
                count(self.refused),
                Cell::Int(self.recorded.version.try_into().unwrap_or(i64::MAX)),
            ]],
        };
        output::print(&table, format)?;
        Ok(if self.refused > 0 { Outcome::Refused } else { Outcome::Done })
    }
}
