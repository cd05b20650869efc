//! Daily bars: how many octets left each day, with their bounds.
//!
//! The scale is linear and begins at nothing. The full part of a bar is the lower bound, the pale
//! part reaches the estimate, the thin line the upper bound. Days are not gathered into weeks:
//! bounds of a week are not the sum of the bounds of its days.

use rahdar_model::Window;
use rahdar_model::finding::Daily;
use rahdar_model::intelligence::Event;

use crate::Figure;
use crate::axis::{Grain, OctetAxis};
use crate::drawing::{Anchor, Drawing, Face, Paint, Path};
use crate::frame::{Frame, LEFT, LINE, Legend, RIGHT, left_out, time_axis};
use crate::ink::Ink;
use crate::legible;
use crate::octets::{self, Whole};
use crate::table::{Column, Table};

/// Days drawn; the table has all. Ten years: chosen here, a mark is then a quarter of a unit.
pub const MOST_DAYS: usize = 3_653;

/// Days that a pointer can tell apart: with more, a day is narrower than a unit.
const HINTED_DAYS: usize = 1_000;

/// The figure: one victim, one cluster.
#[derive(Debug, Clone, Copy)]
pub struct Bars<'a> {
    /// What the figure is called.
    pub title: &'a str,
    /// What the time axis spans.
    pub window: Window,
    /// Days with contact, in order.
    pub daily: &'a [Daily],
    /// Which series colour, so that a cluster keeps its colour over the figures of a report.
    pub series: usize,
    /// Those outside the window are left out.
    pub events: &'a [Event],
    /// Times that no exporter saw, sorted.
    pub gaps: &'a [Window],
}

const PLOT: f64 = 216.0;
/// A bar's width at most, in user units: one day alone is no wall.
const WIDEST_BAR: f64 = 24.0;

impl Bars<'_> {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let mut drawing = Drawing::default();
        let frame = Frame::new(self.title, time_axis(self.window, Grain::Day), self.events, self.gaps);
        let skipped = self.daily.len().saturating_sub(MOST_DAYS);
        let drawn = &self.daily[skipped..];
        let bottom = frame.top + PLOT;
        frame.draw_ground(&mut drawing, bottom);
        let axis = OctetAxis::new(most(drawn), frame.top + 6.0, bottom);
        draw_scale(&mut drawing, &axis);
        if drawn.is_empty() {
            let place = ((LEFT + RIGHT) / 2.0, frame.top + PLOT / 2.0);
            drawing.text(Face::Label, Ink::Muted, Anchor::Middle, place, "no contact is believed");
        }
        frame.draw_events(&mut drawing, bottom);
        self.draw_days(&mut drawing, &frame, &axis, drawn);
        self.draw_legend(&mut drawing, &frame, drawn);
        let left_out = left_out(skipped, "earlier day is", "earlier days are");
        let svg = frame.finish(drawing, bottom + 2.0 * LINE + 4.0, describe(drawn), left_out);
        Figure { svg, table: self.table() }
    }

    fn draw_days(&self, drawing: &mut Drawing, frame: &Frame<'_>, axis: &OctetAxis, days: &[Daily]) {
        let ink = Ink::Series(self.series);
        let width = (frame.axis.day_width() * 0.84).clamp(0.8, WIDEST_BAR);
        let (mut least, mut estimate, mut reach) = (Path::default(), Path::default(), Path::default());
        for day in days {
            let (x, octets) = (frame.axis.noon(day.day), Whole::from(&day.octets_out));
            let (low, point) = (axis.y(octets.low), axis.y(octets.point));
            least.upright(x, axis.y(0), low);
            if octets.point > octets.low {
                estimate.upright(x, low, point);
            }
            if let Some(high) = octets.high.filter(|high| *high > octets.point) {
                reach.upright(x, point, axis.y(high));
            }
        }
        drawing.path(Paint::PaleLine(ink, width, 0.5), &estimate);
        drawing.path(Paint::Line(ink, width), &least);
        drawing.path(Paint::Line(Ink::Muted, (width / 3.0).clamp(0.5, 1.5)), &reach);
        if days.len() <= HINTED_DAYS {
            let hint = |day: &Daily| (frame.axis.noon(day.day) - width / 2.0, width, in_words(day));
            drawing.hints(frame.top, PLOT, days.iter().map(hint));
        }
    }

    fn draw_legend(&self, drawing: &mut Drawing, frame: &Frame<'_>, days: &[Daily]) {
        let ink = Ink::Series(self.series);
        let bounds = days.iter().map(|day| Whole::from(&day.octets_out));
        let bar = |opacity: f64| {
            move |drawing: &mut Drawing, x: f64, y: f64| {
                drawing.rect(Paint::Tint(ink, opacity), (x + 4.0, y - 10.0), (8.0, 11.0));
            }
        };
        let mut legend = Legend::column(drawing, frame.top + 14.0);
        let inexact = bounds.clone().any(|octets| octets.low < octets.point);
        legend.entry(if inexact { "at least" } else { "octets out" }, bar(1.0));
        if inexact {
            legend.entry("estimate", bar(0.5));
        }
        if bounds.clone().any(|octets| octets.high.is_some_and(|high| high > octets.point)) {
            legend.entry("at most (95 %)", |drawing, x, y| {
                let mut line = Path::default();
                line.upright(x + 8.0, y - 10.0, y + 1.0);
                drawing.path(Paint::Line(Ink::Muted, 1.5), &line);
            });
        }
        if bounds.clone().any(|octets| octets.high.is_none()) {
            legend.entry("no upper bound", |_, _, _| {});
        }
        if frame.has_gaps() {
            legend.gaps();
        }
    }

    fn table(&self) -> Table {
        let row = |day: &Daily| {
            let (out, into) = (Whole::from(&day.octets_out), Whole::from(&day.octets_in));
            vec![
                day.day.to_string(),
                octets::low(out.low),
                octets::point(out.point),
                octets::high(out.high),
                octets::point(into.point),
                octets::count(day.flows),
            ]
        };
        Table {
            caption: legible::sentence(self.title),
            columns: vec![
                Column::word("Day (UTC)"),
                Column::number("Out, at least"),
                Column::number("Out, estimate"),
                Column::number("Out, at most"),
                Column::number("In, estimate"),
                Column::number("Flow records"),
            ],
            rows: self.daily.iter().map(row).collect(),
        }
    }
}

fn draw_scale(drawing: &mut Drawing, axis: &OctetAxis) {
    let mut grid = Path::default();
    for (y, label) in axis.ticks() {
        grid.level(y, LEFT, RIGHT);
        drawing.text(Face::Small, Ink::Muted, Anchor::End, (LEFT - 8.0, y + 4.0), &label);
    }
    drawing.path(Paint::Line(Ink::Grid, 1.0), &grid);
}

/// The most octets that any bar reaches.
fn most(days: &[Daily]) -> u64 {
    let reach = |day: &Daily| {
        let octets = Whole::from(&day.octets_out);
        octets.high.unwrap_or(octets.point)
    };
    days.iter().map(reach).max().unwrap_or(0)
}

fn in_words(day: &Daily) -> String {
    let octets = Whole::from(&day.octets_out);
    let low = octets::low(octets.low);
    if octets.high == Some(octets.low) {
        return format!("{}: {low} out", day.day);
    }
    let point = octets::point(octets.point);
    match octets.high {
        Some(_) => {
            format!("{}: at least {low}, estimate {point}, at most {}", day.day, octets::high(octets.high))
        }
        None => format!("{}: at least {low}, estimate {point}", day.day),
    }
}

fn describe(days: &[Daily]) -> String {
    let largest = days.iter().max_by(|a, b| a.octets_out.point.total_cmp(&b.octets_out.point));
    match (days.first(), days.last(), largest) {
        (Some(first), Some(last), Some(largest)) => format!(
            "Octets out for each of {} days with contact from {} to {}. The largest day is {}.",
            days.len(),
            first.day,
            last.day,
            in_words(largest)
        ),
        _ => "No contact is believed.".to_owned(),
    }
}
