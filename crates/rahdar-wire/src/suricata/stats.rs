//! `stats` events: packets that a sensor did not get, as gaps.
//!
//! The kernel and the interface count what they drop from the start of Suricata on. A rise between two events of one
//! process is a gap of the time between them. What a process had dropped before its first event is told only if it
//! started while the log was written: then it counted from nothing, and the gap begins with its start. Else no log
//! tells it: what was dropped between the last event of one log and the first of the next is in no gap.
//!
//! Processes of one name are told apart by their start: the time of an event less its `uptime`.

use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::sink::SinkError;
use rahdar_model::time::{SECOND_US, Window};
use rahdar_model::{FlowRecord, Timestamp};

use super::{EXPORTER, Event, Kind};
use crate::delivery::Delivery;
use crate::exporters::Exporters;
use crate::json::{Members, Value};
use crate::json_log;
use crate::value::count;

/// How far two words of one process about its start may be apart. Chosen here: `uptime` counts whole seconds, and a
/// busy sensor logs late.
const START_SLACK_US: i64 = 5 * SECOND_US;

/// The most processes that are remembered; then the one met first is forgotten. Chosen here: one log is of few sensors.
const PROCESSES_MAX: usize = 1_024;

/// Takes note of an event, and gives the gap that it tells of to the sink.
pub(super) fn deliver(
    event: &Event<'_>,
    delivery: &mut Delivery<'_>,
    processes: &mut Processes,
) -> Result<(), SinkError> {
    delivery.tally.beside += 1;
    let Some(counted) = Counted::read(event) else { return Ok(()) };
    let exporter = delivery.record.exporter.clone();
    let Some((from, lost)) = processes.lost(&exporter, counted) else { return Ok(()) };
    let until = counted.time.max(from.plus_micros(1));
    let gap = Gap {
        exporter,
        observation_domain: 0,
        window: Window::new(delivery.moved(from), delivery.moved(until)),
        cause: Loss::KernelDrop,
        unit: Unit::Packets,
        lost,
        source: delivery.record.source.clone(),
    };
    delivery.fact(Fact::Gap(&gap))
}

/// Takes note of an event before the log, as it was written.
pub(super) fn remember(
    text: &[u8],
    exporters: &mut Exporters,
    record: &mut FlowRecord,
    processes: &mut Processes,
) {
    let seen = json_log::first_seen(text, |object| {
        let event = Event::read(object).ok()?.filter(|event| event.kind == Kind::Stats)?;
        Some((event.host.unwrap_or(EXPORTER.as_bytes()).to_vec(), Counted::read(&event)?))
    });
    if let Some((host, counted)) = seen {
        exporters.name(&host, record);
        processes.lost(&record.exporter, counted);
    }
}

/// What an event says.
#[derive(Debug, Clone, Copy)]
struct Counted {
    time: Timestamp,
    /// When the process started, if it tells.
    start: Option<Timestamp>,
    /// Packets dropped since then.
    drops: u64,
}

impl Counted {
    /// None if the event counts no drops: not every way to capture has such a count.
    fn read(event: &Event<'_>) -> Option<Self> {
        let (mut uptime, mut drops) = (None, None);
        for member in Members::new(event.body?) {
            match member.ok()? {
                (b"uptime", Value::Bare(value)) => uptime = count(value),
                (b"capture", Value::Nested(capture)) => {
                    for member in Members::new(capture) {
                        if let (b"kernel_drops" | b"kernel_ifdrops", Value::Bare(value)) = member.ok()? {
                            drops = Some(drops.unwrap_or(0u64).saturating_add(count(value)?));
                        }
                    }
                }
                _ => {}
            }
        }
        let time = event.time?;
        let uptime_us = uptime.and_then(|s| i64::try_from(s).ok()?.checked_mul(-SECOND_US));
        Some(Self { time, start: uptime_us.map(|us| time.plus_micros(us)), drops: drops? })
    }
}

/// The processes whose events were met.
#[derive(Default)]
pub(super) struct Processes(Vec<Process>);

struct Process {
    exporter: Arc<str>,
    /// When its first event was logged.
    first: Timestamp,
    last: Counted,
}

impl Processes {
    /// Since when packets were dropped, and how many.
    fn lost(&mut self, exporter: &Arc<str>, counted: Counted) -> Option<(Timestamp, u64)> {
        let own = || self.0.iter().filter(|process| process.exporter == *exporter);
        // The log had begun when this process started.
        let is_new = |start: &Timestamp| own().any(|process| process.first <= *start);
        let since_start = counted.start.filter(is_new).map(|start| (start, counted.drops));
        let known = self
            .0
            .iter_mut()
            .find(|process| process.exporter == *exporter && is_one_start(process.last.start, counted.start));
        let lost = match known {
            Some(process) if counted.time <= process.last.time => return None,
            Some(process) => {
                let before = std::mem::replace(&mut process.last, counted);
                // A count that fell began anew.
                let rise = counted.drops.checked_sub(before.drops).unwrap_or(counted.drops);
                Some((before.time, rise))
            }
            None => {
                if self.0.len() == PROCESSES_MAX {
                    self.0.remove(0);
                }
                self.0.push(Process { exporter: exporter.clone(), first: counted.time, last: counted });
                since_start
            }
        };
        lost.filter(|(_, lost)| *lost > 0)
    }
}

fn is_one_start(a: Option<Timestamp>, b: Option<Timestamp>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => a.since(b).saturating_abs() <= START_SLACK_US,
        (a, b) => a == b,
    }
}
