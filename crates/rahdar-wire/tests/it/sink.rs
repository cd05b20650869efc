//! A sink that keeps everything, and the one way in which these tests decode.

use std::io::Read;

use rahdar_model::sink::SinkError;
use rahdar_model::{FlowRecord, FlowSink, Problem, Tally};
use rahdar_wire::{Options, WireError, decode};

/// What a decoder gave.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) flows: Vec<FlowRecord>,
    pub(crate) problems: Vec<Problem>,
}

impl FlowSink for Kept {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.flows.push(record.clone());
        Ok(())
    }

    fn problem(&mut self, problem: Problem) {
        self.problems.push(problem);
    }
}

impl Kept {
    /// IP octets of all flows, both ways.
    pub(crate) fn octets(&self) -> u64 {
        self.flows.iter().map(FlowRecord::total_octets).sum()
    }
}

/// Decodes and checks what must hold for any input: the tally balances and names its refusals.
pub(crate) fn decode_all(mut input: impl Read, options: &Options) -> (Kept, Result<Tally, WireError>) {
    let mut kept = Kept::default();
    let result = decode(&mut input, "test".into(), options, &mut kept);
    let tally = match &result {
        Ok(tally) | Err(WireError::Read { tally, .. }) => *tally,
        Err(_) => return (kept, result),
    };
    assert!(tally.balances(), "{tally:?}");
    assert_eq!(tally.flows, kept.flows.len() as u64);
    let named: u64 = kept.problems.iter().map(|problem| problem.refused).sum();
    assert_eq!(tally.refused, named, "{:?}", kept.problems);
    for flow in &kept.flows {
        assert!(flow.start_time <= flow.end_time, "{flow:?}");
    }
    (kept, result)
}
