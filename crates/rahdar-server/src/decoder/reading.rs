//! One segment into the collector: what came is decoded, what did not come to be read is a gap.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::sink::SinkError;
use rahdar_model::{Address, FlowSink, Timestamp, Window};
use rahdar_wire::{Account, Arrival, Collector};

use super::storing::Storing;
use crate::ledger::STRANGERS;
use crate::segment::{Dropped, Entries, Entry, Received, Whose};

/// The reading of one segment.
pub(super) struct Reading<'a, 'b> {
    pub(super) collector: &'a mut Collector,
    pub(super) sink: &'a mut Storing<'b>,
    pub(super) source: &'a Arc<str>,
    /// Messages of each sender.
    pub(super) senders: HashMap<Address, u64>,
    pub(super) entries: u64,
    /// Between which times everything came.
    pub(super) span: Option<Window>,
    /// Datagrams that never came to be read, by whose they were and why, and between which times.
    pub(super) dropped: BTreeMap<(Arc<str>, Loss), (Window, u64)>,
}

impl Reading<'_, '_> {
    /// Reads all entries, and returns the octets of those that are whole.
    pub(super) fn entries(&mut self, content: &[u8]) -> Result<u64, SinkError> {
        // Reading from memory does not fail.
        let Ok(Some(mut entries)) = Entries::open(content) else { return Ok(0) };
        while let Ok(Some(entry)) = entries.next() {
            self.entries += 1;
            self.sink.sender = None;
            match entry {
                Entry::Datagram(received) => {
                    let arrival = self.arrival(&received);
                    self.collector.datagram(received.payload, &arrival, self.sink)?;
                }
                Entry::Message(received) => {
                    let arrival = self.arrival(&received);
                    self.collector.message(received.payload, &arrival, self.sink)?;
                }
                Entry::Closed { peer, port } => self.collector.close(peer, port, self.sink)?,
                Entry::Started => self.collector.close_all(self.sink)?,
                Entry::Dropped(dropped) => self.dropped(dropped),
                Entry::Drained => self.collector.finish(self.sink)?,
            }
        }
        self.collector.end(self.sink);
        Ok(entries.octets())
    }

    fn arrival(&mut self, received: &Received<'_>) -> Arrival {
        *self.senders.entry(received.peer).or_default() += 1;
        self.sink.sender = Some(received.peer);
        let end = received.time.plus_micros(1);
        let span = self.span.get_or_insert(Window::new(received.time, end));
        span.from = span.from.min(received.time);
        span.until = span.until.max(end);
        Arrival {
            exporter: received.peer,
            port: received.port,
            received: Some(received.time),
            packet: self.entries,
        }
    }

    /// Takes note of datagrams that never came to be read.
    fn dropped(&mut self, dropped: Dropped) {
        let exporter: Arc<str> = match &dropped.whose {
            Whose::Exporter(address) => {
                self.collector.dropped(Some(*address), dropped.datagrams, dropped.window.until);
                address.to_string().into()
            }
            Whose::Socket(name) => {
                if dropped.cause == Loss::KernelDrop {
                    self.collector.dropped(None, dropped.datagrams, dropped.window.until);
                }
                name.as_str().into()
            }
            Whose::Strangers => STRANGERS.into(),
        };
        let (window, lost) = self.dropped.entry((exporter, dropped.cause)).or_insert((dropped.window, 0));
        window.from = window.from.min(dropped.window.from);
        window.until = window.until.max(dropped.window.until);
        *lost = lost.saturating_add(dropped.datagrams);
    }

    /// What was dropped is a gap, one for each exporter and cause; so are records that could not be read.
    pub(super) fn tell_losses(&mut self, before: &BTreeMap<Address, Account>) -> Result<(), SinkError> {
        for ((exporter, cause), (window, lost)) in std::mem::take(&mut self.dropped) {
            self.gap(exporter, window, cause, Unit::Datagrams, lost)?;
        }
        let none = Account::default();
        let lost: Vec<(Address, u64, u64)> = self
            .collector
            .accounts()
            .into_iter()
            .map(|(exporter, account)| {
                let before = before.get(&exporter).unwrap_or(&none);
                let untold = account.untold - before.untold;
                (exporter, account.tally.refused - before.tally.refused - untold, untold)
            })
            .collect();
        let span = self.span.unwrap_or(Window::new(Timestamp::default(), Timestamp::default()));
        for (exporter, in_error, untold) in lost {
            for (cause, lost) in [(Loss::DecodeError, in_error), (Loss::NoTemplate, untold)] {
                self.gap(exporter.to_string().into(), span, cause, Unit::Records, lost)?;
            }
        }
        for (exporter, lost) in std::mem::take(&mut self.sink.scattered) {
            self.gap(exporter, span, Loss::DecodeError, Unit::Records, lost)?;
        }
        Ok(())
    }

    fn gap(
        &mut self,
        exporter: Arc<str>,
        window: Window,
        cause: Loss,
        unit: Unit,
        lost: u64,
    ) -> Result<(), SinkError> {
        if lost == 0 {
            return Ok(());
        }
        let source = self.source.clone();
        let gap = Gap { exporter, observation_domain: 0, window, cause, unit, lost, source };
        self.sink.fact(Fact::Gap(&gap))
    }
}
