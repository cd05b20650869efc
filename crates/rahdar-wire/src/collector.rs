//! The door for live export: datagrams as they came, of any exporter, into flow records.

use std::collections::BTreeMap;
use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::SinkError;
use rahdar_model::{Address, FlowSink, Problem, Tally, Timestamp};

use crate::Options;
use crate::account::{Account, Accounts};
use crate::netflow::{self, Arrival, Damaged, Reader, Writer};
use crate::sflow::Agents;

/// The first octet of a state that is read here. Grows with every change of what is saved.
const STATE_VERSION: u8 = 4;

/// Reads what exporters send, whoever they are, and remembers what is needed to read on: templates,
/// sampling, sequence numbers, and the sets that cannot be read yet.
///
/// Flows, gaps and problems go to the sink of each call. What is remembered can be saved and
/// restored; a collector that was restored and is given the same messages gives the same flows.
pub struct Collector {
    record: FlowRecord,
    tally: Tally,
    /// Records of the input so far, whoever reads them.
    rows: u64,
    datagrams: netflow::Collector,
    streams: netflow::Collector,
    agents: Agents,
    /// What became of what agents sent; the others keep their own accounts.
    of_agents: Accounts,
}

impl Collector {
    /// A collector that knows nothing yet.
    pub fn new(options: &Options) -> Self {
        Self {
            record: FlowRecord::new("".into(), "".into()),
            tally: Tally::default(),
            rows: 0,
            datagrams: netflow::Collector::new(options),
            streams: netflow::Collector::of_streams(options),
            agents: Agents::new(options),
            of_agents: Accounts::default(),
        }
    }

    /// Begins an input: the flows that follow are from `source`, and numbered from 1.
    pub fn begin(&mut self, source: Arc<str>) {
        self.record.source = source;
        self.rows = 0;
        self.datagrams.begin();
        self.streams.begin();
        self.agents.begin();
    }

    /// Reads one export datagram: NetFlow v5, v7, v9, IPFIX or sFlow v5, as its first octets say.
    ///
    /// # Errors
    /// [`SinkError`] if the sink takes no more. The collector has then to be restored.
    pub fn datagram(
        &mut self,
        payload: &[u8],
        arrival: &Arrival,
        sink: &mut dyn FlowSink,
    ) -> Result<(), SinkError> {
        if let [0, 0, 0, 5, ..] = payload {
            return self.sflow(payload, arrival, sink);
        }
        *self.datagrams.rows_mut() = self.rows;
        let read = self.datagrams.datagram(payload, arrival, &mut self.record, sink, &mut self.tally);
        self.rows = *self.datagrams.rows_mut();
        read
    }

    fn sflow(&mut self, payload: &[u8], arrival: &Arrival, sink: &mut dyn FlowSink) -> Result<(), SinkError> {
        let before = self.tally;
        let (datagrams, accounts) = (&mut self.datagrams, &mut self.of_agents);
        let mut sink = WithoutOwn { sink, datagrams, accounts, sender: Some(arrival.exporter) };
        *self.agents.rows_mut() = self.rows;
        let read = self.agents.datagram(payload, arrival, &mut self.record, &mut sink, &mut self.tally);
        self.rows = *self.agents.rows_mut();
        let account = self.of_agents.of(arrival.exporter);
        account.charge(&before, &self.tally);
        account.messages += 1;
        if self.tally.refused > before.refused {
            account.in_error += 1;
        } else {
            account.understood += 1;
        }
        read
    }

    /// Reads one IPFIX message of a stream (RFC 7011 §10.4): its templates can be withdrawn, and
    /// end with the stream.
    ///
    /// # Errors
    /// As [`Collector::datagram`].
    pub fn message(
        &mut self,
        message: &[u8],
        arrival: &Arrival,
        sink: &mut dyn FlowSink,
    ) -> Result<(), SinkError> {
        self.in_streams(|streams, record, tally| streams.datagram(message, arrival, record, sink, tally))
    }

    /// Ends the stream that `exporter` sent from `port`. What still waits in it is read or refused.
    ///
    /// # Errors
    /// As [`Collector::datagram`].
    pub fn close(&mut self, exporter: Address, port: u16, sink: &mut dyn FlowSink) -> Result<(), SinkError> {
        let session = Some((exporter, port));
        self.in_streams(|streams, record, tally| streams.close(session, record, sink, tally))
    }

    /// Ends every stream.
    ///
    /// # Errors
    /// As [`Collector::datagram`].
    pub fn close_all(&mut self, sink: &mut dyn FlowSink) -> Result<(), SinkError> {
        self.in_streams(|streams, record, tally| streams.close(None, record, sink, tally))
    }

    fn in_streams<T>(
        &mut self,
        call: impl FnOnce(&mut netflow::Collector, &mut FlowRecord, &mut Tally) -> T,
    ) -> T {
        *self.streams.rows_mut() = self.rows;
        let done = call(&mut self.streams, &mut self.record, &mut self.tally);
        self.rows = *self.streams.rows_mut();
        done
    }

    /// Takes note that datagrams came and were dropped here, so that their numbers are not missed
    /// a second time. Without `exporter`, it is not known whose they were: numbers that are missed
    /// then are told as [`Loss::KernelDrop`].
    pub fn dropped(&mut self, exporter: Option<Address>, datagrams: u64, time: Timestamp) {
        self.datagrams.dropped(exporter, datagrams, time);
    }

    /// Ends an input: says what was counted and not named.
    pub fn end(&mut self, sink: &mut dyn FlowSink) {
        self.datagrams.end(&mut self.record, sink, &mut self.tally);
        self.streams.end(&mut self.record, sink, &mut self.tally);
        self.agents.end(&mut self.record, sink, &mut self.tally);
    }

    /// Reads what waits for a word about sampling, tells what is missing by now, and names the
    /// templates that did not come. What waits for them stays held.
    ///
    /// # Errors
    /// As [`Collector::datagram`].
    pub fn finish(&mut self, sink: &mut dyn FlowSink) -> Result<(), SinkError> {
        *self.datagrams.rows_mut() = self.rows;
        self.datagrams.finish(&mut self.record, sink, &mut self.tally)?;
        self.rows = *self.datagrams.rows_mut();
        self.in_streams(|streams, record, tally| streams.finish(record, sink, tally))?;
        let (datagrams, accounts) = (&mut self.datagrams, &mut self.of_agents);
        let mut sink = WithoutOwn { sink, datagrams, accounts, sender: None };
        self.agents.finish(&mut self.record, &mut sink, &mut self.tally)
    }

    /// What became of all records so far. What was held when the collector was restored counts as
    /// received.
    pub fn tally(&self) -> Tally {
        self.tally
    }

    /// What became of what each exporter sent.
    pub fn accounts(&self) -> BTreeMap<Address, Account> {
        let mut all: BTreeMap<Address, Account> = BTreeMap::new();
        let of_others = self.datagrams.accounts().chain(self.streams.accounts());
        for (exporter, account) in of_others.chain(self.of_agents.iter()) {
            all.entry(exporter).or_default().add_growth(&Account::default(), account);
        }
        all
    }

    /// Writes down everything that is remembered, but for the counts.
    pub fn save(&self) -> Vec<u8> {
        let mut to = Writer::default();
        to.u8(STATE_VERSION);
        self.datagrams.save(&mut to);
        self.streams.save(&mut to);
        self.agents.save(&mut to);
        to.into_octets()
    }

    /// A collector that remembers what [`Collector::save`] wrote down.
    ///
    /// # Errors
    /// [`Damaged`] if the state is not whole, or was written by another version.
    pub fn restore(options: &Options, state: &[u8]) -> Result<Self, Damaged> {
        let mut from = Reader::new(state);
        if from.u8()? != STATE_VERSION {
            return Err(Damaged);
        }
        let mut collector = Self::new(options);
        collector.datagrams.restore(&mut from)?;
        collector.streams.restore(&mut from)?;
        collector.agents.restore(&mut from)?;
        from.end()?;
        let held = collector.datagrams.held() + collector.streams.held();
        collector.tally = Tally { received: held, held, ..Tally::default() };
        Ok(collector)
    }
}

/// Subtracts datagrams of an agent that we dropped ourselves from its gaps, tells what a socket dropped of them as
/// such, and books the rest to it.
struct WithoutOwn<'a> {
    sink: &'a mut dyn FlowSink,
    datagrams: &'a mut netflow::Collector,
    accounts: &'a mut Accounts,
    /// Who sent the datagram at hand; without one, it is the agent that the gap names.
    sender: Option<Address>,
}

impl FlowSink for WithoutOwn<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.sink.flow(record)
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        match fact {
            Fact::Gap(gap) if gap.cause == Loss::Sequence && gap.unit == Unit::Datagrams => {
                let until = gap.window.until;
                let sender = self.sender.or_else(|| gap.exporter.parse().ok()).unwrap_or_default();
                let shares = self.datagrams.shares_of(sender, gap.lost, until);
                self.accounts.of(sender).lost_messages += shares.elsewhere;
                for (cause, lost) in
                    [(Loss::Sequence, shares.elsewhere), (Loss::KernelDrop, shares.of_socket)]
                {
                    if lost > 0 {
                        self.sink.fact(Fact::Gap(&Gap { cause, lost, ..gap.clone() }))?;
                    }
                }
                Ok(())
            }
            fact => self.sink.fact(fact),
        }
    }

    fn problem(&mut self, problem: Problem) {
        self.sink.problem(problem);
    }
}
