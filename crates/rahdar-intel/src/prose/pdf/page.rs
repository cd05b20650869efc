//! The text of a page, by where its strings are shown (ISO 32000-1 §9.4).
//!
//! Strings are taken in the order in which the page shows them, which is that of reading in what
//! today's programs write, columns included. A new line begins where the height changes.

use std::collections::HashMap;
use std::rc::Rc;

use super::file::File;
use super::font::Font;
use super::object::{Dict, Lexer, Object};

/// Operands before one operator (ISO 32000-1 annex C has 500 as that of arrays of old).
const OPERANDS_MAX: usize = 512;
/// States saved at once (ISO 32000-1 annex C: 28 of old).
const SAVED_MAX: usize = 256;
/// Forms inside forms.
const FORMS_MAX: usize = 5;
/// Forms of one file, each time that one is shown counted; chosen here.
const FORMS_SHOWN: usize = 20_000;
/// Lines of one file at most; chosen here.
const LINES_MAX: usize = 500_000;
/// Octets of text of one file at most.
const TEXT_MAX: usize = super::super::document::TEXT_OCTETS;

/// A line of text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) page: usize,
    pub(super) y: f64,
    pub(super) size: f64,
    pub(super) text: String,
}

/// A matrix `[a b c d e f]`.
type Matrix = [f64; 6];
const IDENTITY: Matrix = [1.0, 0.0, 0.0, 1.0, 0.0, 0.0];

fn product(m: Matrix, n: Matrix) -> Matrix {
    [
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    ]
}

#[derive(Clone)]
struct State {
    matrix: Matrix,
    font: Option<Rc<Font>>,
    size: f64,
    character: f64,
    word: f64,
    scale: f64,
    leading: f64,
}

/// Reads pages one after the other.
pub(super) struct Pages<'a> {
    file: &'a File<'a>,
    fonts: HashMap<u32, Rc<Font>>,
    forms: usize,
    page: usize,
    octets: usize,
    pub(super) lines: Vec<Line>,
    /// Where the last string ended.
    end: Option<(f64, f64)>,
}

impl<'a> Pages<'a> {
    pub(super) fn new(file: &'a File<'a>) -> Self {
        Self { file, fonts: HashMap::new(), forms: 0, page: 0, octets: 0, lines: Vec::new(), end: None }
    }

    /// Reads the next page.
    pub(super) fn read(&mut self, page: &Dict, resources: &Dict) {
        self.page += 1;
        self.end = None;
        let contents = page.get("Contents");
        let parts = match contents.map(|object| (object, self.file.resolved(object))) {
            Some((_, Object::Array(parts))) => parts,
            Some((object, _)) => vec![object.clone()],
            None => return,
        };
        let mut content = Vec::new();
        for stream in parts.iter().filter_map(|part| self.file.stream(part)) {
            content.extend(self.file.unpack(&stream));
            content.push(b'\n');
        }
        self.content(&content, resources, IDENTITY, 0);
    }

    fn content(&mut self, content: &[u8], resources: &Dict, matrix: Matrix, depth: usize) {
        let mut state =
            State { matrix, font: None, size: 0.0, character: 0.0, word: 0.0, scale: 1.0, leading: 0.0 };
        let mut saved: Vec<State> = Vec::new();
        let (mut text, mut line) = (IDENTITY, IDENTITY);
        let mut operands: Vec<Object> = Vec::new();
        let mut lexer = Lexer::new(content, 0);
        while let Some(object) = lexer.object() {
            let Object::Word(operator) = &object else {
                if operands.len() < OPERANDS_MAX {
                    operands.push(object);
                }
                continue;
            };
            let number = |i: usize| operands.get(i).and_then(Object::number).unwrap_or(0.0);
            let all = || -> Matrix { std::array::from_fn(number) };
            match operator.as_str() {
                "q" if saved.len() < SAVED_MAX => saved.push(state.clone()),
                "Q" => state = saved.pop().unwrap_or(state),
                "cm" => state.matrix = product(all(), state.matrix),
                "BT" => (text, line) = (IDENTITY, IDENTITY),
                "Tf" => {
                    state.size = number(1);
                    state.font =
                        operands.first().and_then(Object::name).and_then(|name| self.font(resources, name));
                }
                "Tc" => state.character = number(0),
                "Tw" => state.word = number(0),
                "Tz" => state.scale = number(0) / 100.0,
                "TL" => state.leading = number(0),
                "Td" | "TD" => {
                    if operator == "TD" {
                        state.leading = -number(1);
                    }
                    line = product([1.0, 0.0, 0.0, 1.0, number(0), number(1)], line);
                    text = line;
                }
                "Tm" => (text, line) = (all(), all()),
                "T*" | "'" | "\"" => {
                    if operator == "\"" {
                        (state.word, state.character) = (number(0), number(1));
                    }
                    line = product([1.0, 0.0, 0.0, 1.0, 0.0, -state.leading], line);
                    text = line;
                    if let Some(Object::Text(string)) = operands.last() {
                        self.show(&state, &mut text, string);
                    }
                }
                "Tj" => {
                    if let Some(Object::Text(string)) = operands.first() {
                        self.show(&state, &mut text, string);
                    }
                }
                "TJ" => {
                    for part in operands.first().map_or(&[][..], Object::array) {
                        match part {
                            Object::Text(string) => self.show(&state, &mut text, string),
                            Object::Number(back) => {
                                text = product(
                                    [1.0, 0.0, 0.0, 1.0, -back / 1000.0 * state.size * state.scale, 0.0],
                                    text,
                                );
                            }
                            _ => {}
                        }
                    }
                }
                "Do" => {
                    if let Some(name) = operands.first().and_then(Object::name) {
                        self.form(resources, name, state.matrix, depth);
                    }
                }
                "ID" => lexer.at = image_end(content, lexer.at),
                _ => {}
            }
            operands.clear();
            if self.lines.len() >= LINES_MAX || self.octets >= TEXT_MAX {
                return;
            }
        }
    }

    fn form(&mut self, resources: &Dict, name: &str, matrix: Matrix, depth: usize) {
        self.forms += 1;
        if depth >= FORMS_MAX || self.forms > FORMS_SHOWN {
            return;
        }
        let forms = self.file.dict(resources.get("XObject"));
        let Some(stream) = forms.get(name).and_then(|form| self.file.stream(form)) else { return };
        if self.file.value(&stream.dict, "Subtype").name() != Some("Form") {
            return;
        }
        let own = self.file.value(&stream.dict, "Matrix");
        let own: Matrix = match own.array() {
            [] => IDENTITY,
            parts => std::array::from_fn(|i| parts.get(i).and_then(Object::number).unwrap_or(0.0)),
        };
        let inner = self.file.dict(stream.dict.get("Resources"));
        let resources = if inner.is_empty() { resources.clone() } else { inner };
        let content = self.file.unpack(&stream);
        self.content(&content, &resources, product(own, matrix), depth + 1);
    }

    fn font(&mut self, resources: &Dict, name: &str) -> Option<Rc<Font>> {
        let fonts = self.file.dict(resources.get("Font"));
        let object = fonts.get(name)?;
        let Object::Reference(number) = object else {
            return Some(Rc::new(Font::read(self.file, &self.file.dict(Some(object)))));
        };
        if let Some(font) = self.fonts.get(number) {
            return Some(font.clone());
        }
        let font = Rc::new(Font::read(self.file, &self.file.dict(Some(object))));
        self.fonts.insert(*number, font.clone());
        Some(font)
    }

    /// Shows a string, and moves on by its width.
    fn show(&mut self, state: &State, text: &mut Matrix, string: &[u8]) {
        let Some(font) = &state.font else { return };
        let shown = font.text(string);
        let at = product(*text, state.matrix);
        let size = (state.size * at[2].hypot(at[3])).abs();
        let advance = (shown.width / 1000.0 * state.size
            + state.character * shown.codes as f64
            + state.word * shown.spaces as f64)
            * state.scale;
        *text = product([1.0, 0.0, 0.0, 1.0, advance, 0.0], *text);
        let after = product(*text, state.matrix);
        if !(size.is_finite() && at[4].is_finite() && at[5].is_finite()) {
            return;
        }
        self.put(&shown.text, (at[4], at[5]), size);
        self.end = Some((after[4], after[5]));
    }

    fn put(&mut self, text: &str, (x, y): (f64, f64), size: f64) {
        self.octets += text.len();
        let gap = self.end.map(|(end, _)| x - end);
        let same = match (self.lines.last(), gap) {
            (Some(line), Some(gap)) => {
                line.page == self.page
                    && (line.y - y).abs() <= 0.45 * line.size.max(size)
                    && gap > -1.5 * size.max(line.size)
            }
            _ => false,
        };
        match self.lines.last_mut().filter(|_| same) {
            Some(line) => {
                let gap = gap.unwrap_or(0.0);
                // A gap of two letters or more parts the cells of a table.
                let between = if gap > 2.0 * size {
                    " | "
                } else if gap > 0.17 * size && !line.text.ends_with(' ') && !text.starts_with(' ') {
                    " "
                } else {
                    ""
                };
                line.text.push_str(between);
                line.text.push_str(text);
                line.size = line.size.max(size);
            }
            None if !text.trim().is_empty() => {
                self.lines.push(Line { page: self.page, y, size, text: text.to_owned() });
            }
            None => {}
        }
    }
}

/// Where an image in the content ends: behind `EI` between spaces.
fn image_end(content: &[u8], from: usize) -> usize {
    let mut at = from;
    while let Some(found) = content.get(at..).and_then(|rest| super::file::find(rest, b"EI")) {
        at += found + 2;
        let space = |byte: Option<&u8>| byte.is_none_or(|byte| super::object::is_space(*byte));
        if space(content.get(at.saturating_sub(3))) && space(content.get(at)) {
            return at;
        }
    }
    content.len()
}
