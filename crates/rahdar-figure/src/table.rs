//! A table: what a figure shows, in rows.

/// Rows under headings. All text is legible; it is not escaped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// What the rows are.
    pub caption: String,
    /// Headings.
    pub columns: Vec<Column>,
    /// Rows, each as long as `columns`.
    pub rows: Vec<Vec<String>>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its heading.
    pub heading: &'static str,
    /// How its cells stand.
    pub kind: ColumnKind,
}

/// How the cells of a column stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Names and sentences: to the left.
    Text,
    /// Dates, addresses and the like: to the left, on one line.
    Word,
    /// Numbers: to the right, on one line.
    Number,
}

impl Column {
    /// A column of words.
    pub const fn text(heading: &'static str) -> Self {
        Self { heading, kind: ColumnKind::Text }
    }

    /// A column of dates or addresses.
    pub const fn word(heading: &'static str) -> Self {
        Self { heading, kind: ColumnKind::Word }
    }

    /// A column of numbers.
    pub const fn number(heading: &'static str) -> Self {
        Self { heading, kind: ColumnKind::Number }
    }
}
