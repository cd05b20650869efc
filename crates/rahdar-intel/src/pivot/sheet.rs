//! A table of traits, for those that no scan tells: registrations, name servers, networks.
//!
//! ```text
//! indicator,trait,value,first_seen,last_seen,confidence
//! c2.example.org,registrant,ops@example.org,2021-03-01,2021-06-30,80
//! ```

use rahdar_model::{Timestamp, Window};

use super::traits::{Kind, Node, Trait};
use crate::date::day_end;
use crate::draft::Draft;
use crate::reading::{Format, ReadError, ReadOptions, Reading, Reason};
use crate::rows::{Delimiter, Row, rows};
use crate::source::Source;

/// Where the columns of a table stand.
struct Columns {
    indicator: usize,
    kind: usize,
    value: usize,
    first: usize,
    last: Option<usize>,
    confidence: Option<usize>,
}

impl Columns {
    /// The columns of a header; none if it is no table of traits.
    fn of(header: &Row) -> Option<Self> {
        let find = |name: &str| header.cells.iter().position(|cell| cell.eq_ignore_ascii_case(name));
        Some(Self {
            indicator: find("indicator")?,
            kind: find("trait")?,
            value: find("value")?,
            first: find("first_seen")?,
            last: find("last_seen"),
            confidence: find("confidence"),
        })
    }
}

/// Whether a text is a table of traits.
pub(crate) fn is_sheet(text: &str) -> bool {
    let head = &text[..text.find('\n').unwrap_or(text.len())];
    rows(head, Delimiter::Char(',')).next().is_some_and(|header| Columns::of(&header).is_some())
}

/// Reads a table of traits.
pub(crate) fn read(source: &Source, text: &str, options: &ReadOptions) -> Result<Reading, ReadError> {
    let mut draft = Draft::new(Format::Table, &source.shown, options);
    let mut rows = rows(text, Delimiter::Char(','));
    let Some(columns) = rows.next().as_ref().and_then(Columns::of) else { return Err(ReadError::Nothing) };
    for row in rows {
        let place = format!("line {}", row.line);
        match one(&row, &columns) {
            Ok((subject, kind, value, seen, confidence)) => draft.trait_seen(Trait {
                subject,
                kind,
                value,
                seen,
                confidence: options.confidence.or(confidence),
                source: draft.source(),
                place,
            })?,
            Err(reason) => draft.refuse(&place, &row.cells.join(","), reason),
        }
    }
    draft.finish()
}

type Read = (Node, Kind, String, Window, Option<u8>);

fn one(row: &Row, columns: &Columns) -> Result<Read, Reason> {
    if row.broken {
        return Err(Reason::Row);
    }
    let cell = |at: usize| row.cells.get(at).map(String::as_str).unwrap_or_default();
    let given = |at: Option<usize>| at.map(cell).filter(|cell| !cell.is_empty());
    let subject = crate::refanged(cell(columns.indicator));
    let subject = Node::parse(&subject).ok_or(Reason::NoIndicator)?;
    let word = cell(columns.kind);
    let kind = Kind::from_word(word).filter(|kind| *kind != Kind::Neighbourhood);
    let kind =
        kind.ok_or_else(|| Reason::Malformed(format!("`{}` is no trait", crate::reading::quote(word))))?;
    let value = kind.tidy(cell(columns.value));
    let value = value.ok_or_else(|| Reason::Malformed("the value names nobody".to_owned()))?;
    let time = |text: &str| text.parse::<Timestamp>().map_err(|_| Reason::Time(crate::reading::quote(text)));
    let first = time(cell(columns.first))?;
    let last = given(columns.last).map(time).transpose()?.unwrap_or(first);
    if last < first {
        return Err(Reason::Window(Window::new(first, last)));
    }
    let confidence = given(columns.confidence).map(|text| {
        let number = text.parse().ok().filter(|number| *number <= 100);
        number.ok_or_else(|| Reason::Confidence(crate::reading::quote(text)))
    });
    Ok((subject, kind, value, Window::new(first, day_end(last)), confidence.transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(rows: &str) -> Reading {
        let text = format!("indicator,trait,value,first_seen,last_seen,confidence\n{rows}");
        crate::read("traits.csv", text.as_bytes(), &ReadOptions::default()).unwrap()
    }

    #[test]
    fn a_row_is_a_trait_with_its_window() {
        let reading = reading("c2[.]example.org,Registrant,Ops@example.org,2021-03-01,2021-06-30,80\n");
        let one = &reading.traits[0];
        assert_eq!((one.subject.to_string(), one.kind), ("c2.example.org".to_owned(), Kind::Registrant));
        assert_eq!((&*one.value, one.confidence), ("ops@example.org", Some(80)));
        assert_eq!(format!("{:?}", one.seen), "[2021-03-01T00:00:00Z, 2021-07-01T00:00:00Z)");
        assert!(reading.claims.is_empty(), "a trait accuses nobody");
    }

    #[test]
    fn rows_that_say_nothing_are_refused_with_their_reason() {
        let reading = reading(
            "x,registrant,a,2021-03-01,,\nc2.example.org,colour,a,2021-03-01,,\n\
             c2.example.org,registrant,Privacy Inc.,2021-03-01,,\nc2.example.org,asn,64500,May,,\n\
             c2.example.org,asn,64500,2021-03-02,2021-03-01,\nc2.example.org,asn,64500,2021-03-02,,101\n",
        );
        assert_eq!((reading.traits.len(), reading.refused_count), (0, 6));
        let told: Vec<String> = reading.refused.iter().map(|refusal| refusal.reason.to_string()).collect();
        assert!(told[1].contains("`colour` is no trait") && told[2].contains("names nobody"), "{told:?}");
    }
}
