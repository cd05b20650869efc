//! What became of a small table that people keep themselves: networks, events.

use rahdar_intel::book::Recorded;
use rahdar_intel::reading::Refusal;
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
    /// The file of this name gave `rows` good rows. Every refusal is said aloud.
    pub(crate) fn new(name: &str, rows: usize, recorded: Recorded, refused: &[Refusal]) -> Self {
        for refusal in refused {
            note!("{name}: refused: {refusal}");
        }
        Self { rows, recorded, refused: refused.len() }
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
