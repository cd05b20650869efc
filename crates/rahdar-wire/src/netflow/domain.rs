//! What is known of one observation domain of one exporter: its templates, its sampling, and
//! the data sets that wait for either.

use std::sync::Arc;

use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::{SECOND_US, Timestamp};

use super::flow::{Known, Origin, Out, Sampling};
use super::message::{Announcement, Protocol, SET_HEADER, announcement};
use super::read::{READ_BEHIND, Values};
use super::recent::Recent;
use super::sampling::Rates;
use super::template::{Plan, Purpose, Rest, Spec};
use super::waiting::{Waiting, WaitingSet};

/// Templates that are kept of one observation domain (reliability.md §3). The busiest exporter
/// of the corpus has 30.
const TEMPLATES_MAX: usize = 1_000;

/// How long flows wait for the first word about sampling, by the exporter's clock
/// (methods.md §1.7).
const PATIENCE_US: i64 = 600 * SECOND_US;

/// The numbers that withdraw all templates and all options templates (RFC 7011 §8.1).
const ALL_TEMPLATES: std::ops::RangeInclusive<u16> = 2..=3;

/// An observation domain.
#[derive(Debug)]
pub(super) struct Domain {
    exporter: Arc<str>,
    id: u32,
    protocol: Protocol,
    transport: Transport,
    templates: Recent<u16, Template>,
    template_octets: usize,
    rates: Rates,
    patience: Patience,
    /// Whether the message at hand said something about sampling.
    is_told: bool,
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

impl Template {
    fn octets(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.specs) + self.plan.octets()
    }
}

/// Whether flows wait for a word about sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// No flow has come yet.
    Fresh,
    /// Flows wait. The first of them was exported then.
    Since(Timestamp),
    /// The word has come, or was waited for long enough, or the operator has spoken.
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
    /// A domain of which nothing is known.
    pub(super) fn new(
        exporter: Arc<str>,
        id: u32,
        protocol: Protocol,
        transport: Transport,
        patience: Patience,
    ) -> Self {
        Self {
            exporter,
            id,
            protocol,
            transport,
            templates: Recent::new(TEMPLATES_MAX),
            template_octets: 0,
            rates: Rates::default(),
            patience,
            is_told: false,
            system_init_ms: None,
            waiting: Waiting::default(),
        }
    }

    /// The octets that it takes in memory beside itself.
    pub(super) fn octets(&self) -> usize {
        self.template_octets + self.rates.octets() + self.waiting.octets()
    }

    /// Takes in a set of templates. `body` is the set without its header.
    pub(super) fn announce(
        &mut self,
        body: &[u8],
        is_options: bool,
        origin: &Origin,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let mut specs = Vec::new();
        let mut at = 0;
        loop {
            let place = origin.place(SET_HEADER + at);
            match announcement(self.protocol, is_options, body, at, &mut specs) {
                Announcement::Template { id, end } => {
                    at = end;
                    self.learn(id, is_options, &specs, place, out)?;
                }
                Announcement::Withdrawal { id, end } => {
                    at = end;
                    if self.transport == Transport::Stream {
                        self.withdraw(id, is_options);
                    }
                }
                Announcement::End => return Ok(()),
                Announcement::Broken => {
                    let exporter = &self.exporter;
                    out.note(
                        place,
                        format_args!("a template of exporter `{exporter}` is cut or no template"),
                    );
                    return Ok(());
                }
            }
            out.tally.beside += 1;
        }
    }

    /// Puts a template in force, and reads the sets that waited for it.
    fn learn(
        &mut self,
        id: u16,
        is_options: bool,
        specs: &[Spec],
        place: Place,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let exporter = self.exporter.clone();
        let known = self.templates.get(id);
        let is_new = known.is_none();
        if known.is_some_and(|known| *known.specs == *specs && known.is_options == is_options) {
            return Ok(());
        }
        let plan = match Plan::compile(specs, is_options) {
            Ok(plan) => Arc::new(plan),
            Err(flaw) => {
                self.forget(id);
                out.note(place, format_args!("template `{id}` of exporter `{exporter}` {flaw}"));
                return Ok(());
            }
        };
        if !is_new {
            out.note(place, format_args!("template `{id}` of exporter `{exporter}` was redefined"));
        }
        if plan.purpose == Purpose::Other {
            out.note(
                place,
                format_args!(
                    "template `{id}` of exporter `{exporter}` describes no flows: its records are set aside"
                ),
            );
        }
        if let Some(Spec { element, length, .. }) = plan.unread {
            out.note(
                place,
                format_args!("element `{element}` of template `{id}` of exporter `{exporter}` cannot have `{length}` octets: it is not read"),
            );
        }
        let template = Template { specs: specs.into(), is_options, plan: plan.clone() };
        self.template_octets += template.octets();
        if let Some((_, gone)) = self.templates.insert(id, template) {
            self.template_octets -= gone.octets();
        }
        for set in self.waiting.take_untold(id) {
            out.release();
            self.read(id, plan.clone(), &set.origin, &set.body, out)?;
        }
        Ok(())
    }

    fn withdraw(&mut self, id: u16, is_options: bool) {
        if !ALL_TEMPLATES.contains(&id) {
            return self.forget(id);
        }
        let all: Vec<u16> = self
            .templates
            .iter_mut()
            .filter(|(_, template)| template.is_options == is_options)
            .map(|(id, _)| id)
            .collect();
        for id in all {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u16) {
        if let Some(gone) = self.templates.remove(id) {
            self.template_octets -= gone.octets();
        }
    }

    /// Takes in a set of data records. `body` is the set without its header, and what is read
    /// behind it.
    pub(super) fn data(
        &mut self,
        template: u16,
        body: &[u8],
        origin: &Origin,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        match self.templates.get(template).map(|known| known.plan.clone()) {
            _ if body.len() == READ_BEHIND => Ok(()),
            Some(plan) => self.read(template, plan, origin, body, out),
            None => self.wait(template, None, origin, body, out),
        }
    }

    /// Reads the records of a set, unless they are flows that have to wait for a rate.
    fn read(
        &mut self,
        template: u16,
        plan: Arc<Plan>,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        match plan.purpose {
            Purpose::Options => self.options(template, &plan, origin, body, out),
            Purpose::Other => {
                let mut values = Values::default();
                let tally = &mut *out.tally;
                let rest = plan.records(body, out.record, &mut values, |_, _| {
                    tally.beside += 1;
                    Ok(())
                })?;
                self.torn(template, rest, origin, out);
                Ok(())
            }
            Purpose::Flows if plan.has_rate || !self.waits(origin.export, out)? => {
                self.flows(template, &plan, origin, body, out)
            }
            Purpose::Flows => self.wait(template, Some(plan), origin, body, out),
        }
    }

    fn flows(
        &mut self,
        template: u16,
        plan: &Plan,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let known = Known {
            exporter: &self.exporter,
            domain: self.id,
            sampling: Sampling::Options(&self.rates),
            system_init_ms: self.system_init_ms,
        };
        let rest = out.flows(template, plan, origin, body, &known)?;
        self.torn(template, rest, origin, out);
        Ok(())
    }

    /// Takes in what an exporter says about itself: its sampling and when it started.
    fn options(
        &mut self,
        template: u16,
        plan: &Plan,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        out.record.reset();
        let mut values = Values::default();
        let tally = &mut *out.tally;
        let rest = plan.records(body, out.record, &mut values, |record, values| {
            tally.beside += 1;
            self.is_told |= self.rates.announce(values, record.in_if);
            if values.system_init != 0 {
                self.system_init_ms = Some(values.system_init);
            }
            Ok(())
        })?;
        self.torn(template, rest, origin, out);
        Ok(())
    }

    /// Ends a message. If it said something about sampling, it said all, and nothing has to wait.
    pub(super) fn end_message(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        if std::mem::take(&mut self.is_told) { self.tell(out) } else { Ok(()) }
    }

    fn torn(&self, template: u16, rest: Rest, origin: &Origin, out: &mut Out<'_>) {
        if let Rest::Torn(at) = rest {
            let exporter = &self.exporter;
            let why = format_args!(
                "the set ends within a record of template `{template}` of exporter `{exporter}`"
            );
            out.refuse(origin.place(SET_HEADER + at), 1, why);
        }
    }

    /// Whether flows exported at `export` have to wait for the first word about sampling.
    fn waits(&mut self, export: Timestamp, out: &mut Out<'_>) -> Result<bool, SinkError> {
        match self.patience {
            Patience::Over => Ok(false),
            Patience::Fresh => {
                self.patience = Patience::Since(export);
                Ok(true)
            }
            Patience::Since(first) if export.since(first).saturating_abs() < PATIENCE_US => Ok(true),
            Patience::Since(_) => self.tell(out).map(|()| false),
        }
    }

    /// Reads what waited for a word about sampling, and waits no more.
    pub(super) fn tell(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        if self.patience == Patience::Over {
            return Ok(());
        }
        self.patience = Patience::Over;
        for set in self.waiting.take_told() {
            out.release();
            if let Some(plan) = set.plan {
                self.flows(set.template, &plan, &set.origin, &set.body, out)?;
            }
        }
        Ok(())
    }

    /// Keeps a set until it can be read. What waits longest has to go if it is too much.
    fn wait(
        &mut self,
        template: u16,
        plan: Option<Arc<Plan>>,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        out.hold();
        self.waiting.push(WaitingSet { template, plan, origin: *origin, body: body.into() });
        while let Some(set) = self.waiting.pop_excess() {
            self.give_up(set, out)?;
        }
        Ok(())
    }

    /// Reads everything that waits as well as it can be read now, and refuses the rest.
    pub(super) fn close(mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        while let Some(set) = self.waiting.pop_first() {
            self.give_up(set, out)?;
        }
        Ok(())
    }

    fn give_up(&mut self, set: WaitingSet, out: &mut Out<'_>) -> Result<(), SinkError> {
        out.release();
        if let Some(plan) = set.plan {
            return self.flows(set.template, &plan, &set.origin, &set.body, out);
        }
        let (template, exporter) = (set.template, &self.exporter);
        let why = format_args!(
            "a set of template `{template}` of exporter `{exporter}` waited too long for it: too many octets wait"
        );
        out.refuse(set.origin.place(0), 1, why);
        Ok(())
    }

    /// Names the templates that did not come. Their sets stay held.
    pub(super) fn tell_missing(&self, out: &mut Out<'_>) {
        let exporter = &self.exporter;
        for (first, sets) in self.waiting.untold() {
            let template = first.template;
            let sets =
                if sets == 1 { "1 data set waits".to_owned() } else { format!("{sets} data sets wait") };
            out.note(
                first.origin.place(0),
                format_args!("template `{template}` of exporter `{exporter}` did not come: {sets} for it"),
            );
        }
    }
}
