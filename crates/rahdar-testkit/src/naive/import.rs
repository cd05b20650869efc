//! An import into memory.

use std::collections::BTreeSet;
use std::sync::PoisonError;

use rahdar_model::fact::Fact;
use rahdar_model::sink::SinkError;
use rahdar_model::store::{Admission, Commit, Import, Input, StoreError};
use rahdar_model::{FlowRecord, FlowSink, Problem};

use super::{Facts, Keep, NaiveStore, stored};

pub(super) struct NaiveImport<'a> {
    pub(super) store: &'a NaiveStore,
    pub(super) flows: Vec<FlowRecord>,
    pub(super) facts: Facts,
    pub(super) inputs: BTreeSet<String>,
    pub(super) admitted: bool,
    /// The input begun last, and the rows there were before it.
    pub(super) begun: Option<(String, usize)>,
    pub(super) failed: bool,
}

impl NaiveImport<'_> {
    fn rows(&self) -> usize {
        let Facts { resolutions, handshakes, gaps } = &self.facts;
        self.flows.len() + resolutions.len() + handshakes.len() + gaps.len()
    }

    fn check(&self) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::Failed {
                action: "importing",
                cause: "an earlier call of this import failed".into(),
            });
        }
        Ok(())
    }
}

impl FlowSink for NaiveImport<'_> {
    fn flow(&mut self, record: &FlowRecord) -> Result<(), SinkError> {
        self.check().map_err(SinkError::new)?;
        if !self.admitted {
            self.failed = true;
            return Err(SinkError::new("no new input was begun"));
        }
        self.flows.push(stored(record));
        Ok(())
    }

    fn fact(&mut self, fact: Fact<'_>) -> Result<(), SinkError> {
        self.check().map_err(SinkError::new)?;
        if !self.admitted {
            self.failed = true;
            return Err(SinkError::new("no new input was begun"));
        }
        self.facts.take(fact);
        Ok(())
    }

    fn problem(&mut self, _problem: Problem) {}
}

impl Import for NaiveImport<'_> {
    fn begin(&mut self, input: &Input) -> Result<Admission, StoreError> {
        self.check()?;
        let is_stored = self.store.read().inputs.contains(&input.id)
            || self.store.guard.as_ref().is_some_and(|guard| guard.has(input));
        self.admitted = !is_stored && self.inputs.insert(input.id.clone());
        self.begun = self.admitted.then(|| (input.id.clone(), self.rows()));
        Ok(if self.admitted { Admission::New } else { Admission::Stored })
    }

    fn withdraw(&mut self) -> bool {
        self.admitted = false;
        if let Some((input, rows)) = self.begun.take() {
            self.inputs.remove(&input);
            self.failed |= rows != self.rows();
        }
        !self.failed
    }

    fn flows(&self) -> u64 {
        self.flows.len() as u64
    }

    fn commit(self: Box<Self>) -> Result<Commit, StoreError> {
        self.check()?;
        let keep = match &self.store.guard {
            Some(guard) => {
                let inputs: Vec<&str> = self.inputs.iter().map(String::as_str).collect();
                guard.commit(&inputs, &self.flows, &self.facts.gaps)?
            }
            None => Keep::All,
        };
        let mut state = self.store.state.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(input) = self.inputs.intersection(&state.inputs).next() {
            return Err(StoreError::Raced { input: input.clone() });
        }
        if !self.inputs.is_empty() {
            state.version += 1;
        }
        let rows = self.flows.len() as u64;
        if keep != Keep::Nothing {
            state.inputs.extend(self.inputs);
        }
        if keep == Keep::All {
            state.flows.extend(self.flows);
            state.facts.append(self.facts);
        }
        Ok(Commit { version: state.version, rows })
    }
}
