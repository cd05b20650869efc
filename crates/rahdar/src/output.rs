//! Rows for people and for programs. Data goes to standard output, everything else to standard error.

use std::io::{self, Write};

use anyhow::Context;
use comfy_table::presets;
use rahdar_figure::legible;
use rahdar_model::store::{Cell, Table};
use serde_json::Value;

use crate::command::Format;

/// Prints rows.
pub(crate) fn print(table: &Table, format: Format) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    write(table, format, &mut out).or_else(quiet_on_closed_pipe)
}

/// Prints one line of data.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").map_err(anyhow::Error::from).or_else(quiet_on_closed_pipe)
}

/// Says something beside the data. Foreign text in it cannot steer the terminal.
pub(crate) fn note(text: &str) {
    // Nobody listens any more: the exit code still says how it ended.
    let _ = writeln!(io::stderr().lock(), "{}", visible(text));
}

/// A reader that has seen enough (`| head`) is no failure.
fn quiet_on_closed_pipe(error: anyhow::Error) -> anyhow::Result<()> {
    let closed =
        error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
    if closed { Ok(()) } else { Err(error).context("cannot write to standard output") }
}

fn write(table: &Table, format: Format, out: &mut dyn Write) -> anyhow::Result<()> {
    match format {
        Format::Table => writeln!(out, "{}", aligned(table))?,
        Format::Json => {
            let rows: Vec<Value> = table.rows.iter().map(|row| object(table, row)).collect();
            writeln!(out, "{}", serde_json::to_string_pretty(&rows)?)?;
        }
        Format::Ndjson => {
            for row in &table.rows {
                writeln!(out, "{}", object(table, row))?;
            }
        }
        Format::Csv => {
            let mut csv = csv::Writer::from_writer(out);
            csv.write_record(&table.columns)?;
            for row in &table.rows {
                csv.write_record(row.iter().map(|cell| inert(text(cell))))?;
            }
            csv.flush()?;
        }
    }
    Ok(())
}

/// Columns side by side, numbers to the right, nothing but spaces between.
fn aligned(table: &Table) -> String {
    let mut shown = comfy_table::Table::new();
    shown.load_preset(presets::NOTHING);
    shown.set_header(&table.columns);
    for row in &table.rows {
        shown.add_row(row.iter().map(|cell| {
            let shown = comfy_table::Cell::new(visible(&text(cell)));
            match cell {
                Cell::Int(_) | Cell::Float(_) => shown.set_alignment(comfy_table::CellAlignment::Right),
                _ => shown,
            }
        }));
    }
    shown.trim_fmt()
}

fn object(table: &Table, row: &[Cell]) -> Value {
    table.columns.iter().cloned().zip(row.iter().map(json)).collect::<serde_json::Map<_, _>>().into()
}

fn json(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Bool(value) => Value::from(*value),
        Cell::Int(value) => Value::from(*value),
        Cell::Float(value) => Value::from(*value),
        Cell::Text(value) => Value::from(value.as_str()),
    }
}

fn text(cell: &Cell) -> String {
    match cell {
        Cell::Null => String::new(),
        Cell::Bool(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Float(value) => value.to_string(),
        Cell::Text(value) => value.clone(),
    }
}

/// Characters of one text that a terminal is shown. Chosen here: more than anyone reads.
const TEXT_CHARS: usize = 100_000;

/// Foreign text as a terminal may see it: what would steer it is shown, not obeyed.
pub(crate) fn visible(text: &str) -> String {
    legible::clip(text, TEXT_CHARS)
}

/// Foreign text as a spreadsheet may see it: a leading formula sign is disarmed (OWASP, CSV injection).
fn inert(text: String) -> String {
    let numeric = text.parse::<f64>().is_ok();
    if !numeric && text.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: Format, expected: &str) {
        let table = Table {
            columns: vec!["name".to_owned(), "octets".to_owned()],
            rows: vec![
                vec![Cell::Text("=cmd\u{1b}[2J".to_owned()), Cell::Int(-7)],
                vec![Cell::Null, Cell::Float(1.5)],
            ],
        };
        let mut out = Vec::new();
        write(&table, format, &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn a_terminal_sees_control_characters_without_obeying_them() {
        check(
            Format::Table,
            " name             octets\n =cmd⟨U+001B⟩[2J      -7\n                     1.5\n",
        );
    }

    #[test]
    fn json_keeps_numbers_as_numbers_and_nulls_as_nulls() {
        check(
            Format::Ndjson,
            "{\"name\":\"=cmd\\u001b[2J\",\"octets\":-7}\n{\"name\":null,\"octets\":1.5}\n",
        );
    }

    #[test]
    fn a_spreadsheet_sees_no_formula() {
        check(Format::Csv, "name,octets\n'=cmd\u{1b}[2J,-7\n,1.5\n");
    }
}
