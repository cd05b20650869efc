//! Who is said to be behind a cluster, as a table: `cluster,actor,relation[,source,published,confidence]`.
//!
//! A line is one statement of one source. Nothing follows from it but itself: names are kept apart,
//! whatever stands to what (`methods.md` §7.2).

use rahdar_model::account::{Attribution, Relation};
use rahdar_model::intelligence::ClusterId;

use crate::date::{NumberOrder, instant};
use crate::reading::{Draft, Format, ReadError, ReadOptions, Reading, Reason, tidy_name};
use crate::rows::{Delimiter, Row, rows};
use crate::source::Source;

/// Columns that make a table one of attributions.
const REQUIRED: [&str; 3] = ["cluster", "actor", "relation"];
/// Lines that are taken; chosen here: there are a few thousand names of groups.
const LINES_MAX: usize = 100_000;

/// The header of a text that is such a table.
fn header(text: &str) -> Option<(Delimiter, Vec<String>)> {
    let first = text.lines().map(str::trim).find(|line| !is_remark(line))?;
    let delimiter = [',', ';', '\t'].into_iter().max_by_key(|delimiter| first.matches(*delimiter).count())?;
    let columns: Vec<String> = first.split(delimiter).map(|cell| cell.trim().to_ascii_lowercase()).collect();
    REQUIRED
        .iter()
        .all(|name| columns.iter().any(|column| column == name))
        .then_some((Delimiter::Char(delimiter), columns))
}

fn is_remark(line: &str) -> bool {
    line.is_empty() || line.starts_with('#')
}

/// Whether the text is a table of attributions.
pub(crate) fn is(text: &str) -> bool {
    header(text).is_some()
}

/// Reads the table.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::Attributions, &source.shown, options);
    let Some((delimiter, columns)) = header(text) else { return Err(ReadError::Nothing) };
    let lines = rows(text, delimiter).filter(|row| !is_remark(&row.cells[0])).skip(1);
    for row in lines.take(LINES_MAX) {
        match attribution(&columns, &row, &draft, options) {
            Ok(said) => draft.attribution(said),
            Err(reason) => draft.refuse(&format!("line {}", row.line), &row.cells.join(","), reason),
        }
    }
    draft.finish()
}

fn attribution(
    columns: &[String],
    row: &Row,
    draft: &Draft<'_>,
    options: &ReadOptions,
) -> Result<Attribution, Reason> {
    let cell = |name: &str| {
        let at = columns.iter().position(|column| column == name);
        at.and_then(|at| row.cells.get(at)).map_or("", |cell| cell.trim())
    };
    let (cluster, actor) = (ClusterId::of_name(cell("cluster")), tidy_name(cell("actor")));
    let relation = Relation::from_word(cell("relation"));
    let (Some(relation), false, false) = (relation, cluster.0.is_empty(), actor.is_empty()) else {
        return Err(Reason::Attribution);
    };
    let published = match cell("published") {
        "" => options.published,
        date => Some(instant(date, NumberOrder::MonthFirst).ok_or(Reason::Attribution)?.at),
    };
    let confidence = match cell("confidence") {
        "" => options.confidence,
        number => Some(number.parse::<u8>().ok().filter(|n| *n <= 100).ok_or(Reason::Attribution)?),
    };
    let source = match (&options.source, tidy_name(cell("source"))) {
        (None, source) if !source.is_empty() => source.into(),
        _ => draft.source(),
    };
    Ok(Attribution { cluster, actor, relation, source, published, confidence })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_are_read_and_bad_lines_named() {
        let text = "Cluster,Actor,Relation,Source,Published,Confidence\n\
            RedFoxtrot,Nomad Panda,overlaps,Example Lab,2021-06-16,60\n\
            RedFoxtrot,Nomad Panda,identical,Example Lab,2021-06-16,60\n\
            RedFoxtrot,,same,,,\n\
            RedFoxtrot,X,same,,soon,\n\
            RedFoxtrot,X,same,,,101\n\
            RedFoxtrot,X,suspected,,,\n";
        assert!(is(text) && !is("cluster,ip\nA,192.0.2.1\n"));
        let source = Source::of_path("names.csv");
        let reading = read(&source, text, &ReadOptions::default()).unwrap();
        let said: Vec<String> = reading
            .attributions
            .iter()
            .map(|said| {
                let date = said.published.map_or_else(String::new, |at| at.day().to_string());
                format!(
                    "{} {} {} {} {date} {:?}",
                    said.cluster,
                    said.actor,
                    said.relation.word(),
                    said.source,
                    said.confidence
                )
            })
            .collect();
        assert_eq!(
            said,
            [
                "redfoxtrot Nomad Panda overlaps Example Lab 2021-06-16 Some(60)",
                "redfoxtrot X suspected names.csv  None"
            ]
        );
        let places: Vec<&str> = reading.refused.iter().map(|refusal| &*refusal.place).collect();
        assert_eq!(places, ["line 3", "line 4", "line 5", "line 6"]);
    }
}
