//! Validity strips: when each endpoint was claimed to be hostile, against when it was met.
//!
//! The pale strip is the window of the claim, the full line the contact. A line that leaves its
//! strip is contact that the claim does not cover. A strip that runs off the edge goes on there.

use rahdar_model::finding::Infrastructure;
use rahdar_model::{Timestamp, Window};

use crate::Figure;
use crate::axis::Grain;
use crate::drawing::{Anchor, Drawing, Face, Paint, Path};
use crate::frame::{Frame, LEFT, LINE, Legend, RIGHT, left_out, time_axis};
use crate::ink::Ink;
use crate::legible;
use crate::octets;
use crate::table::{Column, Table};

/// Strips drawn; the table has all. Chosen here: what a printed page holds.
pub const MOST_STRIPS: usize = 40;

/// The figure: the endpoints of one finding.
#[derive(Debug, Clone, Copy)]
pub struct Validity<'a> {
    /// What the figure is called.
    pub title: &'a str,
    /// What the time axis spans.
    pub window: Window,
    /// In the order to be drawn.
    pub infrastructure: &'a [Infrastructure],
    /// Which series colour.
    pub series: usize,
    /// Times that no exporter saw, sorted.
    pub gaps: &'a [Window],
}

const STRIP: f64 = 22.0;

impl Validity<'_> {
    /// Draws it.
    pub fn draw(&self) -> Figure {
        let mut drawing = Drawing::default();
        let frame = Frame::new(self.title, time_axis(self.window, Grain::Hour), &[], self.gaps);
        let drawn = &self.infrastructure[..self.infrastructure.len().min(MOST_STRIPS)];
        let bottom = frame.top + drawn.len().max(1) as f64 * STRIP + 4.0;
        frame.draw_ground(&mut drawing, bottom);
        for (place, endpoint) in drawn.iter().enumerate() {
            self.draw_strip(&mut drawing, &frame, endpoint, frame.top + (place as f64 + 0.5) * STRIP + 2.0);
        }
        if drawn.is_empty() {
            let place = ((LEFT + RIGHT) / 2.0, frame.top + STRIP * 0.7);
            drawing.text(Face::Label, Ink::Muted, Anchor::Middle, place, "no endpoint was met");
        }

        let y = bottom + 2.0 * LINE + 18.0;
        self.draw_legend(&mut drawing, &frame, y);
        let left_out =
            left_out(self.infrastructure.len() - drawn.len(), "more endpoint is", "more endpoints are");
        Figure { svg: frame.finish(drawing, y, describe(drawn), left_out), table: self.table() }
    }

    fn draw_strip(&self, drawing: &mut Drawing, frame: &Frame<'_>, endpoint: &Infrastructure, y: f64) {
        let (axis, ink, words) = (&frame.axis, Ink::Series(self.series), place(endpoint));
        let label = Face::Small.fit(&words, LEFT - 12.0);
        drawing.text(Face::Small, Ink::Text, Anchor::Start, (0.0, y + 4.0), &label);
        if endpoint.validity.overlaps(axis.window()) {
            let (from, until) = (axis.x(endpoint.validity.from), axis.x(endpoint.validity.until));
            drawing.rect(Paint::Tint(ink, 0.22), (from, y - 7.0), ((until - from).max(2.0), 14.0));
            let mut edges = Path::default();
            for (end, x) in [(endpoint.validity.from, from), (endpoint.validity.until, until)] {
                if axis.window().contains(end) {
                    edges.upright(x, y - 7.0, y + 7.0);
                }
            }
            drawing.path(Paint::Line(ink, 1.5), &edges);
        }
        let mut met = "met at times that no clock tells".to_owned();
        if let Some((first, last)) = endpoint.first_seen.zip(endpoint.last_seen) {
            let (from, until) = (axis.x(first), axis.x(last));
            let mut contact = Path::default();
            contact.level(y, from, until.max(from + 3.0));
            drawing.path(Paint::Line(ink, 5.0), &contact);
            met = format!("met {} to {}", first.day(), last.day());
        }
        let hint = format!("{words}: claimed {}, {met}", claimed(endpoint.validity));
        drawing.hints(y - STRIP / 2.0, STRIP, [(LEFT, RIGHT - LEFT, hint)].into_iter());
    }

    fn draw_legend(&self, drawing: &mut Drawing, frame: &Frame<'_>, y: f64) {
        let ink = Ink::Series(self.series);
        let mut legend = Legend::row(drawing, y);
        legend.entry("claimed to be hostile", |drawing, x, y| {
            drawing.rect(Paint::Tint(ink, 0.22), (x, y - 10.0), (14.0, 12.0));
            let mut edges = Path::default();
            edges.upright(x, y - 10.0, y + 2.0);
            edges.upright(x + 14.0, y - 10.0, y + 2.0);
            drawing.path(Paint::Line(ink, 1.5), &edges);
        });
        legend.entry("first to last contact", |drawing, x, y| {
            let mut line = Path::default();
            line.level(y - 4.0, x, x + 14.0);
            drawing.path(Paint::Line(ink, 5.0), &line);
        });
        if frame.has_gaps() {
            legend.gaps();
        }
    }

    fn table(&self) -> Table {
        let row = |endpoint: &Infrastructure| {
            let indicator = legible::defang(&endpoint.indicator);
            vec![
                place(endpoint),
                indicator,
                claimed(endpoint.validity),
                legible::name(&endpoint.source),
                day(endpoint.first_seen),
                day(endpoint.last_seen),
                octets::count(endpoint.flows),
            ]
        };
        Table {
            caption: legible::sentence(self.title),
            columns: vec![
                Column::text("Endpoint"),
                Column::text("Indicator"),
                Column::word("Claim holds"),
                Column::text("Source of the claim"),
                Column::word("First contact (UTC)"),
                Column::word("Last contact (UTC)"),
                Column::number("Flow records"),
            ],
            rows: self.infrastructure.iter().map(row).collect(),
        }
    }
}

/// Address, port and protocol, defanged: `192[.]0[.]2[.]9 443/tcp`. Port 0 is that of a remote
/// that called from ports drawn by chance.
fn place(endpoint: &Infrastructure) -> String {
    let address = legible::defang(&endpoint.address.to_string());
    let protocol = match endpoint.protocol {
        1 | 58 => return format!("{address} icmp"),
        6 => "tcp",
        17 => "udp",
        132 => "sctp",
        protocol => return format!("{address} protocol {protocol}"),
    };
    match endpoint.port {
        0 => format!("{address} {protocol}, ports vary"),
        port => format!("{address} {port}/{protocol}"),
    }
}

fn day(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "not known".to_owned(), |at| at.day().to_string())
}

fn claimed(validity: Window) -> String {
    let last = validity.until.plus_micros(-1);
    match (validity.from == Timestamp::MIN, validity.until == Timestamp::MAX) {
        (true, true) => "undated".to_owned(),
        (true, false) => format!("until {}", last.day()),
        (false, true) => format!("from {}", validity.from.day()),
        (false, false) => format!("{} to {}", validity.from.day(), last.day()),
    }
}

fn describe(endpoints: &[Infrastructure]) -> String {
    let inside = |endpoint: &&Infrastructure| {
        let is_inside = |at: Option<Timestamp>| at.is_some_and(|at| endpoint.validity.contains(at));
        is_inside(endpoint.first_seen) && is_inside(endpoint.last_seen)
    };
    match endpoints.len() {
        0 => "No endpoint was met.".to_owned(),
        n => format!(
            "Endpoints: {n}. Contact with {} of them lies wholly inside the window of the claim.",
            endpoints.iter().filter(inside).count()
        ),
    }
}
