//! Swim lanes: which clusters were on one victim, and when.
//!
//! One lane a cluster. A mark is a day with contact; its height is the order of magnitude of the
//! octets that left that day, so that a day of one megabyte is still seen beside one of a
//! hundred. The rail joins first and last contact. Lines through all lanes are events.

use rahdar_model::finding::{Daily, Finding};
use rahdar_model::intelligence::Event;
use rahdar_model::{Timestamp, Window};

use crate::Figure;
use crate::axis::Grain;
use crate::drawing::{Anchor, Drawing, Face, Paint, Path};
use crate::frame::{Frame, LEFT, LINE, Legend, RIGHT, left_out, time_axis};
use crate::ink::Ink;
use crate::legible;
use crate::octets::{self, Whole};
use crate::table::{Column, Table};

/// Lanes drawn; the table has all. Chosen here: what a printed page holds.
pub const MOST_LANES: usize = 16;

/// The figure: several clusters, one victim.
#[derive(Debug, Clone, Copy)]
pub struct Lanes<'a> {
    /// What the figure is called.
    pub title: &'a str,
    /// What the time axis spans.
    pub window: Window,
    /// In the order to be drawn.
    pub lanes: &'a [Lane<'a>],
    /// Those outside the window are left out.
    pub events: &'a [Event],
    /// Times that no exporter saw, sorted.
    pub gaps: &'a [Window],
}

/// One cluster on the victim.
#[derive(Debug, Clone, Copy)]
pub struct Lane<'a> {
    /// The cluster's name.
    pub label: &'a str,
    /// Which series colour, so that a cluster keeps its colour over the figures of a report.
    pub series: usize,
    /// Days with contact, in order.
    pub daily: &'a [Daily],
    /// First contact.
    pub first_seen: Timestamp,
    /// Last packet.
    pub last_seen: Timestamp,
    /// Whether coverage begins or ends there.
    pub at_least: bool,
}

impl<'a> Lane<'a> {
    /// The lane of a finding; none where no clock tells when it was.
    pub fn of(finding: &'a Finding, series: usize) -> Option<Self> {
        Some(Self {
            label: &finding.cluster.name,
            series,
            daily: &finding.daily,
            first_seen: finding.first_seen?,
            last_seen: finding.last_seen?,
            at_least: finding.at_least,
        })
    }
}

const LANE: f64 = 54.0;
/// Heights of a mark, by its octets.
const HEIGHTS: [(u64, f64, &str); 4] = [
    (0, 9.0, "< 1 MB out that day"),
    (1_000_000, 18.0, "1–10 MB"),
    (10_000_000, 27.0, "10–100 MB"),
    (100_000_000, 36.0, "≥ 100 MB"),
];
/// A mark's width at most, in user units: one day alone is no wall.
const WIDEST_MARK: f64 = 10.0;

impl Lanes<'_> {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let mut drawing = Drawing::default();
        let frame = Frame::new(self.title, time_axis(self.window, Grain::Day), self.events, self.gaps);
        let drawn = &self.lanes[..self.lanes.len().min(MOST_LANES)];
        let bottom = frame.top + drawn.len().max(1) as f64 * LANE;
        frame.draw_ground(&mut drawing, bottom);
        for (place, lane) in drawn.iter().enumerate() {
            let floor = frame.top + (place + 1) as f64 * LANE - 8.0;
            draw_lane(&mut drawing, &frame, lane, floor);
        }
        if drawn.is_empty() {
            let place = ((LEFT + RIGHT) / 2.0, frame.top + LANE / 2.0);
            drawing.text(Face::Label, Ink::Muted, Anchor::Middle, place, "no contact is believed");
        }
        frame.draw_events(&mut drawing, bottom);

        let y = bottom + 2.0 * LINE + 26.0;
        draw_legend(&mut drawing, &frame, drawn, y);
        let left_out = left_out(self.lanes.len() - drawn.len(), "more cluster is", "more clusters are");
        Figure { svg: frame.finish(drawing, y, describe(drawn), left_out), table: self.table() }
    }

    fn table(&self) -> Table {
        let row = |lane: &Lane<'_>| {
            vec![
                legible::name(lane.label),
                end(lane.first_seen, lane.at_least),
                end(lane.last_seen, lane.at_least),
                octets::count(lane.daily.len() as u64),
            ]
        };
        Table {
            caption: legible::sentence(self.title),
            columns: vec![
                Column::text("Cluster"),
                Column::word("First contact (UTC)"),
                Column::word("Last contact (UTC)"),
                Column::number("Days with contact"),
            ],
            rows: self.lanes.iter().map(row).collect(),
        }
    }
}

fn draw_lane(drawing: &mut Drawing, frame: &Frame<'_>, lane: &Lane<'_>, floor: f64) {
    let (axis, ink, name) = (&frame.axis, Ink::Series(lane.series), legible::name(lane.label));
    let words = [
        format!("{} to", lane.first_seen.day()),
        format!("{}, {}", lane.last_seen.day(), days(lane.daily.len())),
    ];
    let label = Face::Label.fit(&name, LEFT - 12.0);
    drawing.text(Face::Label, Ink::Text, Anchor::Start, (0.0, floor - 26.0), &label);
    drawing.text(Face::Small, Ink::Muted, Anchor::Start, (0.0, floor - 12.0), &words[0]);
    drawing.text(Face::Small, Ink::Muted, Anchor::Start, (0.0, floor + 1.0), &words[1]);

    let ends = (axis.x(lane.first_seen), axis.x(lane.last_seen));
    let mut rail = Path::default();
    rail.level(floor, ends.0, ends.1);
    drawing.path(Paint::PaleLine(ink, 3.0, 0.45), &rail);

    let width = (axis.day_width() * 0.84).clamp(1.0, WIDEST_MARK);
    let mut marks = Path::default();
    for day in lane.daily {
        marks.upright(axis.noon(day.day), floor - mark_height(Whole::from(&day.octets_out).point), floor);
    }
    drawing.path(Paint::Line(ink, width), &marks);
    drawing.dot(ink, (ends.0, floor), lane.at_least);
    drawing.dot(ink, (ends.1, floor), lane.at_least);

    let hint = format!("{name}: {} {}", words[0], words[1]);
    drawing.hints(floor - LANE + 8.0, LANE, [(LEFT, RIGHT - LEFT, hint)].into_iter());
}

fn mark_height(octets: u64) -> f64 {
    HEIGHTS.iter().rev().find(|(least, ..)| octets >= *least).map_or(0.0, |(_, height, _)| *height)
}

fn draw_legend(drawing: &mut Drawing, frame: &Frame<'_>, drawn: &[Lane<'_>], y: f64) {
    let mut legend = Legend::row(drawing, y);
    for (_, height, meaning) in HEIGHTS {
        legend.entry(meaning, |drawing, x, y| {
            let mut mark = Path::default();
            mark.upright(x + 9.0, y - height / 2.0, y + 1.0);
            drawing.path(Paint::Line(Ink::Muted, 4.0), &mark);
        });
    }
    if drawn.iter().any(|lane| lane.at_least) {
        legend.entry("at least since, until", |drawing, x, y| {
            drawing.dot(Ink::Muted, (x + 8.0, y - 4.0), true);
        });
    }
    if frame.has_gaps() {
        legend.gaps();
    }
}

fn describe(lanes: &[Lane<'_>]) -> String {
    if lanes.is_empty() {
        return "No contact is believed.".to_owned();
    }
    let words = lanes.iter().map(|lane| {
        format!(
            "{}: {} with contact from {} to {}.",
            legible::name(lane.label),
            days(lane.daily.len()),
            end(lane.first_seen, lane.at_least),
            end(lane.last_seen, lane.at_least)
        )
    });
    words.collect::<Vec<_>>().join(" ")
}

fn end(time: Timestamp, at_least: bool) -> String {
    if at_least { format!("at least {}", time.day()) } else { time.day().to_string() }
}

fn days(count: usize) -> String {
    if count == 1 { "1 day".to_owned() } else { format!("{count} days") }
}
