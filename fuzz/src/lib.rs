//! What every fuzz target of a decoder does: decode, and hold the result to what must be true
//! of any input.

use rahdar_model::fact::Fact;
use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, FlowSink, Problem};
use rahdar_wire::{Format, Options, WireError, decode};

/// Counts what a decoder gives, and keeps nothing.
#[derive(Default)]
struct Counting {
    flows: u64,
    facts: u64,
    refused: u64,
}

impl FlowSink for Counting {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        assert!(record.start_time <= record.end_time);
        self.flows += 1;
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        match fact {
            Fact::Resolution(_) | Fact::Handshake(_) => self.facts += 1,
            Fact::Gap(gap) => assert!(gap.lost > 0),
        }
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.refused += problem.refused;
    }
}

/// Decodes `input` as `format`, or as what it seems to be.
///
/// # Panics
/// If the decoder does, or if its counts contradict each other: both are bugs.
pub fn check(mut input: &[u8], format: Option<Format>) {
    let options = Options { format, ..Options::default() };
    let mut sink = Counting::default();
    match decode(&mut input, "fuzz".into(), &options, &mut sink) {
        Ok(tally) | Err(WireError::Read { tally, .. }) => {
            assert!(tally.balances());
            assert_eq!((tally.flows, tally.facts, tally.refused), (sink.flows, sink.facts, sink.refused));
        }
        Err(_) => assert_eq!(sink.flows, 0),
    }
}
