//! A writer of SVG: a few typed shapes, every number fixed, every text escaped.

use std::fmt::Write;

use crate::ink::Ink;

/// Width of every figure, in user units. A page scales it.
pub(crate) const WIDTH: f64 = 960.0;

/// An SVG under construction.
#[derive(Debug, Default)]
pub(crate) struct Drawing {
    body: String,
}

/// How a shape is coloured.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Paint {
    /// Filled.
    Fill(Ink),
    /// Filled, with this opacity.
    Tint(Ink, f64),
    /// Drawn with a pen of this width.
    Line(Ink, f64),
    /// Drawn with a pen of this width and opacity.
    PaleLine(Ink, f64, f64),
    /// Drawn in dashes, with a pen of this width.
    Dashes(Ink, f64),
}

/// How large a text is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Face {
    /// The name of the figure.
    Title,
    /// The name of a row.
    Label,
    /// All else.
    Small,
}

impl Face {
    fn size(self) -> f64 {
        match self {
            Self::Title => 15.0,
            Self::Label => 13.0,
            Self::Small => 11.0,
        }
    }

    /// About how wide `text` is. Nobody knows the reader's font: letters are taken as 0.56 of
    /// its size (measured on DejaVu Sans and Liberation Sans, 2026-11), wide scripts as all of it.
    pub(crate) fn width(self, text: &str) -> f64 {
        let ems: f64 = text.chars().map(|c| if c < '\u{1100}' { 0.56 } else { 1.0 }).sum();
        let weight = if matches!(self, Self::Small) { 1.0 } else { 1.08 };
        ems * self.size() * weight
    }

    /// `text`, or as much of it as is `room` wide.
    pub(crate) fn fit(self, text: &str, room: f64) -> String {
        if self.width(text) <= room {
            return text.to_owned();
        }
        let mut shown = String::new();
        for c in text.chars() {
            shown.push(c);
            if self.width(&shown) + self.size() > room {
                break;
            }
        }
        shown.push('…');
        // An isolate that was opened and cut off would hold whatever follows.
        if shown.starts_with('\u{2068}') {
            shown.push('\u{2069}');
        }
        shown
    }
}

/// On which side of its place a text stands.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    /// To the right of it.
    Start,
    /// Centred.
    Middle,
    /// To the left of it.
    End,
}

impl Drawing {
    pub(crate) fn rect(&mut self, paint: Paint, (x, y): (f64, f64), (width, height): (f64, f64)) {
        self.body.push_str("<rect");
        self.numbers(&[("x", x), ("y", y), ("width", width), ("height", height)]);
        self.paint(paint);
        self.body.push_str("/>");
    }

    pub(crate) fn path(&mut self, paint: Paint, path: &Path) {
        if path.0.is_empty() {
            return;
        }
        self.body.push_str("<path d=\"");
        self.body.push_str(&path.0);
        self.body.push('"');
        self.paint(paint);
        self.body.push_str("/>");
    }

    /// One end of a span: full where it was seen to end, open where it may go on.
    pub(crate) fn dot(&mut self, ink: Ink, (x, y): (f64, f64), open: bool) {
        self.body.push_str("<circle");
        self.numbers(&[("cx", x), ("cy", y), ("r", 4.0), ("stroke-width", 2.0)]);
        let fill = if open { Ink::Paper } else { ink };
        let _ = write!(
            self.body,
            " class=\"rf-{} rs-{}\" fill=\"{}\" stroke=\"{}\"/>",
            fill.name(),
            ink.name(),
            fill.colour(),
            ink.colour()
        );
    }

    pub(crate) fn text(&mut self, face: Face, ink: Ink, anchor: Anchor, (x, y): (f64, f64), text: &str) {
        self.body.push_str("<text");
        self.numbers(&[("x", x), ("y", y), ("font-size", face.size())]);
        if !matches!(face, Face::Small) {
            self.body.push_str(" font-weight=\"600\"");
        }
        match anchor {
            Anchor::Start => {}
            Anchor::Middle => self.body.push_str(" text-anchor=\"middle\""),
            Anchor::End => self.body.push_str(" text-anchor=\"end\""),
        }
        let _ = write!(self.body, " class=\"rf-{}\" fill=\"{}\">", ink.name(), ink.colour());
        escape(&mut self.body, text);
        self.body.push_str("</text>");
    }

    /// Words that a pointer finds over areas of one height: left edge, width and words of each.
    pub(crate) fn hints(&mut self, y: f64, height: f64, hints: impl Iterator<Item = (f64, f64, String)>) {
        self.body.push_str("<g fill=\"none\" pointer-events=\"all\">");
        for (x, width, text) in hints {
            self.body.push_str("<rect");
            self.numbers(&[("x", x), ("y", y), ("width", width), ("height", height)]);
            self.body.push_str("><title>");
            escape(&mut self.body, &text);
            self.body.push_str("</title></rect>");
        }
        self.body.push_str("</g>");
    }

    /// The whole element, `height` high. `title` names it, `description` says what it shows.
    pub(crate) fn finish(self, height: f64, title: &str, description: &str) -> String {
        let mut svg = String::with_capacity(self.body.len() + 1024);
        svg.push_str("<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" viewBox=\"0 0 ");
        push_number(&mut svg, WIDTH);
        svg.push(' ');
        push_number(&mut svg, height);
        svg.push_str("\" font-family=\"system-ui, sans-serif\"><title>");
        escape(&mut svg, title);
        svg.push_str("</title><desc>");
        escape(&mut svg, description);
        svg.push_str("</desc>");
        let mut ground = Self::default();
        ground.rect(Paint::Fill(Ink::Paper), (0.0, 0.0), (WIDTH, height));
        svg.push_str(&ground.body);
        svg.push_str(&self.body);
        svg.push_str("</svg>");
        svg
    }

    fn paint(&mut self, paint: Paint) {
        let (role, ink) = match paint {
            Paint::Fill(ink) | Paint::Tint(ink, _) => ("fill", ink),
            Paint::Line(ink, _) | Paint::PaleLine(ink, ..) | Paint::Dashes(ink, _) => ("stroke", ink),
        };
        if role == "stroke" {
            self.body.push_str(" fill=\"none\"");
        }
        let _ = write!(self.body, " class=\"r{}-{}\"", &role[..1], ink.name());
        let _ = write!(self.body, " {role}=\"{}\"", ink.colour());
        match paint {
            Paint::Fill(_) => {}
            Paint::Tint(_, opacity) => self.numbers(&[("fill-opacity", opacity)]),
            Paint::Line(_, width) => self.numbers(&[("stroke-width", width)]),
            Paint::PaleLine(_, width, opacity) => {
                self.numbers(&[("stroke-width", width), ("stroke-opacity", opacity)]);
            }
            Paint::Dashes(_, width) => {
                self.numbers(&[("stroke-width", width)]);
                self.body.push_str(" stroke-dasharray=\"4 3\"");
            }
        }
    }

    fn numbers(&mut self, attributes: &[(&str, f64)]) {
        for (name, value) in attributes {
            self.body.push(' ');
            self.body.push_str(name);
            self.body.push_str("=\"");
            push_number(&mut self.body, *value);
            self.body.push('"');
        }
    }
}

/// Straight lines, many in one element.
#[derive(Debug, Default)]
pub(crate) struct Path(String);

impl Path {
    /// A line from `y0` to `y1`.
    pub(crate) fn upright(&mut self, x: f64, y0: f64, y1: f64) {
        self.command('M', &[x, y0]);
        self.command('V', &[y1]);
    }

    /// A line from `x0` to `x1`.
    pub(crate) fn level(&mut self, y: f64, x0: f64, x1: f64) {
        self.command('M', &[x0, y]);
        self.command('H', &[x1]);
    }

    fn command(&mut self, letter: char, values: &[f64]) {
        self.0.push(letter);
        for (place, value) in values.iter().enumerate() {
            if place > 0 {
                self.0.push(' ');
            }
            push_number(&mut self.0, *value);
        }
    }
}

/// Two digits after the point at most: a hundredth of a unit is below what any screen or printer
/// shows, and the same on every machine.
fn push_number(out: &mut String, value: f64) {
    let hundredths = (value * 100.0).round() as i64;
    let _ = match (hundredths / 100, hundredths % 100) {
        (whole, 0) => write!(out, "{whole}"),
        (whole, rest) => {
            let sign = if whole == 0 && rest < 0 { "-" } else { "" };
            let rest = rest.unsigned_abs();
            if rest.is_multiple_of(10) {
                write!(out, "{sign}{whole}.{}", rest / 10)
            } else {
                write!(out, "{sign}{whole}.{rest:02}")
            }
        }
    };
}

/// Writes `text` so that it is text in XML and in HTML alike. What XML cannot hold is replaced.
fn escape(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: f64, written: &str) {
        let mut out = String::new();
        push_number(&mut out, value);
        assert_eq!(out, written);
    }

    #[test]
    fn numbers_are_short_and_fixed() {
        check(1.0, "1");
        check(0.1 + 0.2, "0.3");
        check(12.345_6, "12.35");
        check(-0.05, "-0.05");
        check(-2.5, "-2.5");
        check(-0.001, "0");
        check(f64::NAN, "0");
    }

    #[test]
    fn no_text_becomes_markup() {
        let mut drawing = Drawing::default();
        drawing.text(Face::Small, Ink::Text, Anchor::Start, (0.0, 0.0), "<script>\"'&\u{1b}");
        let svg = drawing.finish(10.0, "</title>", "]]>");
        assert!(svg.contains("&lt;script&gt;&quot;&#39;&amp;\u{fffd}</text>"));
        assert!(svg.contains("<title>&lt;/title&gt;</title><desc>]]&gt;</desc>"));
    }

    #[test]
    fn a_text_that_is_cut_says_so_and_closes_its_isolate() {
        assert_eq!(Face::Small.fit("short", 100.0), "short");
        let cut = Face::Small.fit("a name that is much too long for its place", 60.0);
        assert!(cut.ends_with('…') && Face::Small.width(&cut) <= 66.0, "{cut}");
        assert!(Face::Small.fit("\u{2068}نام بسیار بلند\u{2069}", 40.0).ends_with("…\u{2069}"));
    }
}
