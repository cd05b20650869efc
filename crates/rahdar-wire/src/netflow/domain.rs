//! What is known of one observation domain of one exporter: its templates, its sampling, and
//! the data sets that wait for either.

use std::sync::Arc;

use rahdar_model::sink::SinkError;
use rahdar_model::time::{SECOND_US, Timestamp};

use super::flow::{Known, Origin, Out, Sampling};
use super::message::{Announcement, Protocol, SET_HEADER, Set, announcement};
use super::recent::Recent;
use super::sampling::Rates;
use super::template::{FIELDS_MAX, Plan, Purpose, READ_AHEAD, Rest, Spec, Values};
use super::waiting::{Waiting, WaitingSet};

/// Templates that are kept of one observation domain (reliability.md §3). The busiest exporter
/// of the corpus has 30.
const TEMPLATES_MAX: usize = 1_000;

/// How long flows wait for the first word about sampling, by the exporter's clock
/// (methods.md §1.7).
const PATIENCE_US: i64 = 600 * SECOND_US;

/// An observation domain.
#[derive(Debug)]
pub(super) struct Domain {
    exporter: Arc<str>,
    id: u32,
    protocol: Protocol,
    templates: Recent<u16, Template>,
    template_octets: usize,
    rates: Rates,
    patience: Patience,
    system_init_ms: Option<u64>,
    waiting: Waiting,
}

/// A template in force.
#[derive(Debug)]
struct Template {
    specs: Box<[Spec]>,
    is_options: bool,
    plan: Arc<Plan>,
}

/// Whether flows wait for a word about sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// No flow has come yet.
    Fresh,
    /// Flows wait. The first of them was exported then.
    Since(Timestamp),
    /// The word has come in this message, and flows of before still wait.
    Told,
    /// The word has come, or it was waited for long enough, or the operator has spoken.
    Over,
}

/// Whether templates can be withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Transport {
    /// Datagrams come in any order: a withdrawal means nothing (RFC 7011 §8.4).
    Datagrams,
    /// A stream or a file: what is withdrawn is gone (RFC 7011 §8.1).
    Stream,
}

impl Domain {
    /// A domain of which nothing is known. `waits` is false if the operator told the rate.
    pub(super) fn new(exporter: Arc<str>, id: u32, protocol: Protocol, waits: bool) -> Self {
        Self {
            exporter,
            id,
            protocol,
            templates: Recent::new(TEMPLATES_MAX),
            template_octets: 0,
            rates: Rates::default(),
            patience: if waits { Patience::Fresh } else { Patience::Over },
            system_init_ms: None,
            waiting: Waiting::default(),
        }
    }

    /// The octets that it takes in memory.
    pub(super) fn octets(&self) -> usize {
        size_of::<Self>() + self.template_octets + self.rates.octets() + self.waiting.octets()
    }

    /// Takes in a set of templates. `message` is the whole message.
    pub(super) fn announce(
        &mut self,
        set: &Set,
        is_options: bool,
        message: &[u8],
        transport: Transport,
        origin: &Origin,
        specs: &mut Vec<Spec>,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let body = &message[set.at + SET_HEADER..set.end];
        let mut at = 0;
        loop {
            let place = origin.place(SET_HEADER + at);
            match announcement(self.protocol, is_options, body, at, specs) {
                Announcement::Template { id, end } => {
                    at = end;
                    out.tally.beside += 1;
                    self.learn(id, is_options, specs, place, out)?;
                }
                Announcement::Withdrawal { id, end } => {
                    at = end;
                    out.tally.beside += 1;
                    if transport == Transport::Stream {
                        self.forget(id);
                    }
                }
                Announcement::End => return Ok(()),
                Announcement::Broken => {
                    out.tally.beside += 1;
                    let exporter = &self.exporter;
                    out.note(place, format_args!("a template of exporter `{exporter}` is cut or no template"));
                    return Ok(());
                }
            }
        }
    }

}
