//! Rows of delimited text, with the line each begins on.
//!
//! RFC 4180, as leniently as people write it: rows may be ragged, and a quote that never closes
//! costs its own line and not the rest of the file.

/// What divides the cells of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Delimiter {
    /// This character; cells may be quoted.
    Char(char),
    /// Two or more spaces, or tabs.
    Spaces,
    /// Any white space.
    Blanks,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    /// Its cells, without their quotes and the space around them.
    pub(crate) cells: Vec<String>,
    /// Whether a quote in it never closes.
    pub(crate) broken: bool,
}

/// Lines that one quoted cell may span; chosen here: longer ones are quotes that never close.
const CELL_LINES_MAX: usize = 50;

/// The rows of a text. Blank lines are left out.
pub(crate) fn rows(text: &str, delimiter: Delimiter) -> impl Iterator<Item = Row> {
    let mut rest = text;
    let mut line = 1;
    std::iter::from_fn(move || {
        while !rest.is_empty() {
            let (row, after, lines) = next_row(rest, delimiter, line);
            rest = after;
            line += lines;
            if row.cells.iter().any(|cell| !cell.is_empty()) {
                return Some(row);
            }
        }
        None
    })
}

fn next_row(text: &str, delimiter: Delimiter, line: usize) -> (Row, &str, usize) {
    if let Delimiter::Char(delimiter) = delimiter {
        let first = text.find('\n').map_or(text, |end| &text[..end]);
        if first.contains('"') {
            if let Some((cells, used)) = quoted(text, delimiter) {
                let lines = text[..used].matches('\n').count();
                return (Row { line, cells, broken: false }, &text[used..], lines);
            }
            let (mut row, after) = plain(text, Delimiter::Char(delimiter), line);
            row.broken = true;
            return (row, after, 1);
        }
    }
    let (row, after) = plain(text, delimiter, line);
    (row, after, 1)
}

/// A row of one line, quotes taken as they are.
fn plain(text: &str, delimiter: Delimiter, line: usize) -> (Row, &str) {
    let (first, after) = text.split_once('\n').unwrap_or((text, ""));
    let cells = match delimiter {
        Delimiter::Char(delimiter) => first.split(delimiter).map(tidy).collect(),
        Delimiter::Spaces => first
            .split('\t')
            .flat_map(|part| part.split("  "))
            .map(tidy)
            .filter(|cell| !cell.is_empty())
            .collect(),
        Delimiter::Blanks => first.split_whitespace().map(tidy).collect(),
    };
    (Row { line, cells, broken: false }, after)
}

fn tidy(cell: &str) -> String {
    cell.trim().trim_matches('"').trim().to_owned()
}

/// A row with quotes, and the octets it used; none if a quote does not close.
fn quoted(text: &str, delimiter: char) -> Option<(Vec<String>, usize)> {
    let mut cells = Vec::new();
    let mut cell = String::new();
    let mut open = false;
    let mut lines = 0;
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if open && chars.next_if(|(_, next)| *next == '"').is_some() => cell.push('"'),
            '"' if open => open = false,
            '"' if cell.trim().is_empty() => {
                cell.clear();
                open = true;
            }
            '\n' if !open => {
                cells.push(cell.trim().to_owned());
                return Some((cells, at + 1));
            }
            c if c == delimiter && !open => cells.push(std::mem::take(&mut cell).trim().to_owned()),
            c => {
                lines += usize::from(c == '\n');
                if lines > CELL_LINES_MAX {
                    return None;
                }
                cell.push(c);
            }
        }
    }
    cells.push(cell.trim().to_owned());
    (!open).then_some((cells, text.len()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(text: &str, delimiter: Delimiter, expected: &[(usize, &[&str])]) {
        let found: Vec<_> = rows(text, delimiter).map(|row| (row.line, row.cells)).collect();
        let expected: Vec<(usize, Vec<String>)> = expected
            .iter()
            .map(|(line, cells)| (*line, cells.iter().map(|c| (*c).to_owned()).collect()))
            .collect();
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn rows_know_their_lines_through_quotes_and_blank_lines() {
        let comma = Delimiter::Char(',');
        check("a,b\r\n\r\nc , d,\n", comma, &[(1, &["a", "b"]), (3, &["c", "d", ""])]);
        check("a,\"b\n\"\"c\"\"\",d\ne", comma, &[(1, &["a", "b\n\"c\"", "d"]), (3, &["e"])]);
        check("a;\"b;c\"", Delimiter::Char(';'), &[(1, &["a", "b;c"])]);
        check("a  b c\t\td", Delimiter::Spaces, &[(1, &["a", "b c", "d"])]);
        check("a  b c", Delimiter::Blanks, &[(1, &["a", "b", "c"])]);
    }

    #[test]
    fn a_quote_that_never_closes_costs_its_own_line_only() {
        let found: Vec<_> = rows("a,b\nc,\"d\ne,f\n", Delimiter::Char(',')).collect();
        assert_eq!(found.iter().map(|row| row.broken).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(found[2].cells, ["e", "f"]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic_and_lines_ascend(text in "[a-c,;\"\\n\\r ]{0,80}") {
            let lines: Vec<_> = rows(&text, Delimiter::Char(',')).map(|row| row.line).collect();
            prop_assert!(lines.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(lines.last().is_none_or(|last| *last <= text.split('\n').count()));
        }
    }
}
