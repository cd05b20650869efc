//! The colours, each named for what it marks.
//!
//! A figure names an ink twice: as plain colour, so that it stands alone on white paper, and as
//! class, so that a page may restyle it. Both come from one table. No `style` attribute is
//! written: a page may forbid them (`style-src 'self'`).
//!
//! Series colours are those of Okabe and Ito (2008) that reach 3:1 on white and on black; they
//! differ in tone too, and every series is labelled beside its marks.

use std::fmt::Write;

/// What a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ink {
    /// The ground.
    Paper,
    /// Words that matter.
    Text,
    /// Words that explain.
    Muted,
    /// Grid and axes.
    Grid,
    /// Times without telemetry.
    Gap,
    /// An event line.
    Event,
    /// A series.
    Series(usize),
}

/// Name, colour on white paper, colour on a dark ground.
const INKS: [(&str, &str, &str); 10] = [
    ("paper", "#ffffff", "#15181c"),
    ("text", "#1b1f24", "#e8eaed"),
    ("muted", "#59616b", "#a3abb5"),
    ("grid", "#dfe2e6", "#343a42"),
    ("gap", "#eceef0", "#262b31"),
    ("event", "#59616b", "#a3abb5"),
    ("s0", "#0072b2", "#3f9fdc"),
    ("s1", "#d55e00", "#e8762b"),
    ("s2", "#009e73", "#1fb78b"),
    ("s3", "#b8578a", "#d486b3"),
];

/// Colours of series; then they begin again.
const SERIES: usize = 4;

impl Ink {
    fn row(self) -> &'static (&'static str, &'static str, &'static str) {
        &INKS[match self {
            Self::Paper => 0,
            Self::Text => 1,
            Self::Muted => 2,
            Self::Grid => 3,
            Self::Gap => 4,
            Self::Event => 5,
            Self::Series(n) => 6 + n % SERIES,
        }]
    }

    /// The class's last word.
    pub(crate) fn name(self) -> &'static str {
        self.row().0
    }

    /// The colour on white paper.
    pub(crate) fn colour(self) -> &'static str {
        self.row().1
    }
}

/// The style sheet of a page that holds figures: they follow its `--rf-…` variables, and turn
/// dark with the reader's screen, never on paper.
pub fn style() -> String {
    let mut css = String::new();
    let variables = |of: fn(&(&'static str, &'static str, &'static str)) -> &'static str| {
        INKS.iter().fold(String::new(), |mut text, ink| {
            let _ = write!(text, "--rf-{}:{};", ink.0, of(ink));
            text
        })
    };
    let (light, dark) = (variables(|ink| ink.1), variables(|ink| ink.2));
    let _ = writeln!(css, ":root{{{light}}}");
    let _ = writeln!(css, "@media screen and (prefers-color-scheme:dark){{:root{{{dark}}}}}");
    for (name, ..) in INKS {
        let _ = writeln!(css, ".rf-{name}{{fill:var(--rf-{name})}}.rs-{name}{{stroke:var(--rf-{name})}}");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast of two colours (WCAG 2.2, relative luminance).
    fn contrast(a: &str, b: &str) -> f64 {
        let luminance = |colour: &str| {
            let channel = |at: usize| {
                let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
                if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
            };
            0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
        };
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn words_reach_4_5_and_marks_reach_3_in_light_and_dark() {
        for (name, light, dark) in INKS {
            let least = match name {
                "paper" | "grid" | "gap" => continue,
                "text" | "muted" => 4.5,
                _ => 3.0,
            };
            assert!(contrast(light, INKS[0].1) >= least, "{name} on white");
            assert!(contrast(dark, INKS[0].2) >= least, "{name} on dark");
        }
    }

    #[test]
    fn every_ink_has_its_class() {
        let css = style();
        for ink in [Ink::Paper, Ink::Text, Ink::Muted, Ink::Grid, Ink::Gap, Ink::Event, Ink::Series(7)] {
            assert!(css.contains(&format!(".rf-{}{{", ink.name())), "{ink:?}");
        }
    }
}
