//! What all figures share: title, time axis, times without telemetry, events, legend.

use rahdar_model::Window;
use rahdar_model::intelligence::Event;

use crate::axis::{Grain, TimeAxis};
use crate::drawing::{Anchor, Drawing, Face, Paint, Path, WIDTH};
use crate::ink::Ink;
use crate::legible;

/// Where the plot begins. One place for all figures: on a page their times stand below each other.
pub(crate) const LEFT: f64 = 184.0;
/// Where the plot ends on the right.
pub(crate) const RIGHT: f64 = WIDTH - 16.0;
/// Height of a line of small text.
pub(crate) const LINE: f64 = 15.0;

/// Lines of event labels at most. Chosen here: more labels than lanes tell nothing.
const MOST_EVENT_ROWS: usize = 5;
/// Events drawn at most. Chosen here: more lines are a curtain.
const MOST_EVENTS: usize = 40;
/// Room for one event label, in user units.
const EVENT_ROOM: f64 = 300.0;

/// Title, events and axis of one figure; the plot lies between `top` and `bottom`.
pub(crate) struct Frame<'a> {
    pub(crate) axis: TimeAxis,
    pub(crate) top: f64,
    title: String,
    events: Vec<EventLine<'a>>,
    /// Events in the window, drawn or not.
    inside: usize,
    gaps: &'a [Window],
}

struct EventLine<'a> {
    event: &'a Event,
    x: f64,
    /// Which line of labels; none where there was no room.
    row: Option<usize>,
}

/// The time axis of every figure.
pub(crate) fn time_axis(window: Window, grain: Grain) -> TimeAxis {
    TimeAxis::new(window, grain, LEFT, RIGHT)
}

impl<'a> Frame<'a> {
    /// The frame around `axis`.
    pub(crate) fn new(title: &str, axis: TimeAxis, events: &'a [Event], gaps: &'a [Window]) -> Self {
        let inside = events.iter().filter(|event| axis.window().contains(event.at)).count();
        let events = place(&axis, events);
        let rows = events.iter().filter_map(|line| line.row).max().map_or(0, |row| row + 1);
        Self { axis, top: 34.0 + rows as f64 * LINE, title: legible::sentence(title), events, inside, gaps }
    }

    /// Draws what the marks stand on: title, gaps, grid, and the names of times.
    pub(crate) fn draw_ground(&self, drawing: &mut Drawing, bottom: f64) {
        let labelled = self.labelled().count();
        let room = if labelled < self.inside { RIGHT - EVENT_ROOM } else { RIGHT };
        let title = Face::Title.fit(&self.title, room);
        drawing.text(Face::Title, Ink::Text, Anchor::Start, (0.0, 16.0), &title);
        if labelled < self.inside {
            let words = format!("{labelled} of {} events have a label", self.inside);
            drawing.text(Face::Small, Ink::Muted, Anchor::End, (RIGHT, 16.0), &words);
        }
        for (from, until) in merge(&self.axis, self.gaps) {
            drawing.rect(Paint::Fill(Ink::Gap), (from, self.top), (until - from, bottom - self.top));
        }
        let mut grid = Path::default();
        for tick in self.axis.ticks() {
            grid.upright(tick.x, self.top, bottom + 4.0);
            let lines = [Some(&tick.label), tick.under.as_ref()];
            for (line, words) in lines.into_iter().enumerate() {
                let Some(words) = words.filter(|words| tick.x + Face::Small.width(words) < WIDTH) else {
                    continue;
                };
                let place = (tick.x - 2.0, bottom + 16.0 + line as f64 * LINE);
                drawing.text(Face::Small, Ink::Muted, Anchor::Start, place, words);
            }
        }
        drawing.path(Paint::Line(Ink::Grid, 1.0), &grid);
        drawing.text(Face::Small, Ink::Muted, Anchor::End, (LEFT - 8.0, bottom + 16.0), "UTC");
        let mut base = Path::default();
        base.level(bottom, LEFT, RIGHT);
        drawing.path(Paint::Line(Ink::Muted, 1.0), &base);
    }

    /// Draws the event lines and their labels.
    pub(crate) fn draw_events(&self, drawing: &mut Drawing, bottom: f64) {
        let row_y = |row: usize| 45.0 + row as f64 * LINE - 4.0;
        for line in &self.events {
            let from = line.row.map_or(self.top, |row| row_y(row) - 9.0);
            let mut path = Path::default();
            path.upright(line.x, from, bottom);
            drawing.path(Paint::Dashes(Ink::Event, 1.2), &path);
            drawing.hints(from, bottom - from, [(line.x - 3.0, 6.0, label(line.event))].into_iter());
        }
        for line in &self.events {
            let Some(row) = line.row else { continue };
            let label = Face::Small.fit(&label(line.event), EVENT_ROOM);
            let width = Face::Small.width(&label);
            let (from, _) = span(&self.axis, line.x, width);
            // Lines of other events pass behind the words.
            drawing.rect(Paint::Fill(Ink::Paper), (from, row_y(row) - 10.0), (width, 13.0));
            if from < line.x {
                drawing.text(Face::Small, Ink::Text, Anchor::End, (line.x - 5.0, row_y(row)), &label);
            } else {
                drawing.text(Face::Small, Ink::Text, Anchor::Start, (line.x + 5.0, row_y(row)), &label);
            }
        }
    }

    /// The whole figure, its last line at `y`, with what was left out noted below.
    pub(crate) fn finish(
        &self,
        mut drawing: Drawing,
        mut y: f64,
        mut description: String,
        left_out: Option<String>,
    ) -> String {
        if let Some(words) = left_out {
            y += LINE + 4.0;
            drawing.text(Face::Small, Ink::Text, Anchor::Start, (LEFT, y), &words);
            description = format!("{description} {words}.");
        }
        description += &self.events_in_words();
        drawing.finish(y + 12.0, &self.title, &description)
    }

    /// The events as words for the description, with those that are not labelled counted.
    fn events_in_words(&self) -> String {
        if self.events.is_empty() {
            return String::new();
        }
        let labels: Vec<String> = self.labelled().map(|line| label(line.event)).collect();
        let more = match self.inside - labels.len() {
            0 => String::new(),
            rest => format!("; and {rest} more"),
        };
        format!(" Events: {}{more}.", labels.join("; "))
    }

    fn labelled(&self) -> impl Iterator<Item = &EventLine<'a>> {
        self.events.iter().filter(|line| line.row.is_some())
    }

    /// Whether any part of the plot is shaded.
    pub(crate) fn has_gaps(&self) -> bool {
        !merge(&self.axis, self.gaps).is_empty()
    }
}

/// Says how much is not drawn: `7 more clusters are in the table alone`.
pub(crate) fn left_out(count: usize, one: &str, many: &str) -> Option<String> {
    let words = |count, noun| Some(format!("{count} {noun} in the table alone"));
    match count {
        0 => None,
        1 => words(count, one),
        _ => words(count, many),
    }
}

fn label(event: &Event) -> String {
    format!("{} {}", event.at.day(), legible::name(&event.label))
}

/// The events inside the axis, each with its line of labels: the highest one that is free.
fn place<'a>(axis: &TimeAxis, events: &'a [Event]) -> Vec<EventLine<'a>> {
    let mut inside: Vec<&Event> = events.iter().filter(|event| axis.window().contains(event.at)).collect();
    inside.sort();
    inside.truncate(MOST_EVENTS);
    let mut taken_until = [f64::NEG_INFINITY; MOST_EVENT_ROWS];
    inside
        .into_iter()
        .map(|event| {
            let x = axis.x(event.at);
            let width = Face::Small.width(&Face::Small.fit(&label(event), EVENT_ROOM));
            let (from, until) = span(axis, x, width);
            let row = taken_until.iter().position(|taken| *taken <= from);
            if let Some(row) = row {
                taken_until[row] = until.max(x) + 10.0;
            }
            EventLine { event, x, row }
        })
        .collect()
}

/// Where a label of this width stands: right of its line, or left of it near the edge.
fn span(axis: &TimeAxis, x: f64, width: f64) -> (f64, f64) {
    let right_end = axis.x(axis.window().until);
    if x + width <= right_end { (x + 2.0, x + width + 7.0) } else { (x - width - 7.0, x - 2.0) }
}

/// Gaps as places on the page, those that touch made one: never more than the page has units.
fn merge(axis: &TimeAxis, gaps: &[Window]) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = gaps
        .iter()
        .filter(|gap| gap.overlaps(axis.window()))
        .map(|gap| (axis.x(gap.from), axis.x(gap.until)))
        .collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut merged: Vec<(f64, f64)> = Vec::new();
    for (from, until) in places {
        let until = until.max(from + 0.5);
        match merged.last_mut() {
            Some(last) if from <= last.1 => last.1 = last.1.max(until),
            _ => merged.push((from, until)),
        }
    }
    merged
}

/// Samples and what they mean, in a row or in a column.
pub(crate) struct Legend<'a> {
    drawing: &'a mut Drawing,
    x: f64,
    y: f64,
    is_row: bool,
}

impl<'a> Legend<'a> {
    /// A row below the plot.
    pub(crate) fn row(drawing: &'a mut Drawing, y: f64) -> Self {
        Self { drawing, x: LEFT, y, is_row: true }
    }

    /// A column beside the plot.
    pub(crate) fn column(drawing: &'a mut Drawing, y: f64) -> Self {
        Self { drawing, x: 0.0, y, is_row: false }
    }

    /// One sample, 14 units wide, drawn by `sample` at its lower left corner, and its meaning.
    pub(crate) fn entry(&mut self, meaning: &str, sample: impl FnOnce(&mut Drawing, f64, f64)) {
        sample(self.drawing, self.x, self.y);
        let place = (self.x + 19.0, self.y);
        self.drawing.text(Face::Small, Ink::Muted, Anchor::Start, place, meaning);
        if self.is_row {
            self.x += 19.0 + Face::Small.width(meaning) + 18.0;
        } else {
            self.y += LINE + 3.0;
        }
    }

    /// The sample of times without telemetry.
    pub(crate) fn gaps(&mut self) {
        self.entry("no telemetry", |drawing, x, y| {
            drawing.rect(Paint::Fill(Ink::Gap), (x, y - 10.0), (14.0, 12.0));
            drawing.rect(Paint::Line(Ink::Grid, 1.0), (x, y - 10.0), (14.0, 12.0));
        });
    }
}
