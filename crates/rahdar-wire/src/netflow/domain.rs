//! What is known of one observation domain of one exporter: its templates, its sampling, and
//! the data sets that wait for either.

use std::sync::Arc;

use rahdar_model::Address;
use rahdar_model::sink::{Place, SinkError};
use rahdar_model::time::{DAY_US, SECOND_US, Timestamp};

use super::flow::{Known, Origin, Out, RateKnown, Sampling};
use super::message::{Announcement, Protocol, SET_HEADER, announcement};
use super::read::{READ_BEHIND, Values};
use super::recent::Recent;
use super::sampling::Rates;
use super::saved::{Damaged, Reader, Writer};
use super::template::{Plan, Purpose, Rest, Spec};
use super::waiting::{Waiting, WaitingSet};

/// Templates that are kept of one observation domain (reliability.md §3). The busiest exporter
/// of the corpus has 30.
const TEMPLATES_MAX: usize = 1_000;

/// How long a template lives that is not announced again: as many times the longest time between
/// two announcements of it (RFC 7011 §8.4), and never less than [`LIFETIME_US`].
const REFRESHES_MISSED: i64 = 3;

/// The least time that a template lives. Chosen here: many exporters count datagrams, not minutes,
/// from one announcement to the next, and are quiet at night.
const LIFETIME_US: i64 = DAY_US;

/// How long flows wait for the first word about sampling, by the exporter's clock
/// (methods.md §1.7).
const PATIENCE_US: i64 = 600 * SECOND_US;

/// The numbers that withdraw all templates and all options templates (RFC 7011 §8.1).
const ALL_TEMPLATES: std::ops::RangeInclusive<u16> = 2..=3;

/// An observation domain.
#[derive(Debug)]
pub(super) struct Domain {
    address: Address,
    exporter: Arc<str>,
    id: u32,
    protocol: Protocol,
    transport: Transport,
    /// The templates in force.
    templates: Recent<u16, Template>,
    template_octets: usize,
    rates: Rates,
    rate_known: RateKnown,
    patience: Patience,
    /// Whether the message at hand said something about sampling.
    is_told: bool,
    system_init_ms: Option<u64>,
    /// The active timeout of its records; 0 if it has not told.
    active_timeout_s: u64,
    waiting: Waiting,
}

/// A template in force.
#[derive(Debug)]
struct Template {
    plan: Arc<Plan>,
    /// When it was announced last.
    announced: Timestamp,
    /// The longest time between two announcements; 0 if there was but one.
    refresh_us: i64,
}

impl Template {
    fn new(plan: Arc<Plan>, announced: Timestamp) -> Self {
        Self { plan, announced, refresh_us: 0 }
    }

    /// It was announced again, unchanged.
    fn refresh(&mut self, at: Timestamp) {
        self.refresh_us = self.refresh_us.max(at.since(self.announced));
        self.announced = self.announced.max(at);
    }

    /// How long it lives from its last announcement.
    fn lifetime_us(&self) -> i64 {
        self.refresh_us.saturating_mul(REFRESHES_MISSED).max(LIFETIME_US)
    }

    /// Whether it is too old to be believed. One that was announced but once is of an exporter that
    /// does not repeat itself, against the standard: to forget it would lose all that follows.
    fn is_over(&self, at: Timestamp) -> bool {
        self.refresh_us > 0 && at.since(self.announced) > self.lifetime_us()
    }

    fn save(&self, to: &mut Writer) {
        self.plan.save(to);
        to.i64(self.announced.micros());
        to.i64(self.refresh_us);
    }

    fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let plan = Arc::new(Plan::restore(from)?);
        let announced = Timestamp::from_micros(from.i64()?);
        Ok(Self { plan, announced, refresh_us: from.i64()? })
    }
}

/// Whether flows wait for a word about sampling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// No flow has come yet.
    Fresh,
    /// Flows wait. The first of them was exported then.
    Since(Timestamp),
    /// The word has come, or was waited for long enough, or is not needed.
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
        address: Address,
        exporter: Arc<str>,
        id: u32,
        protocol: Protocol,
        transport: Transport,
        rate_known: RateKnown,
    ) -> Self {
        Self {
            address,
            exporter,
            id,
            protocol,
            transport,
            templates: Recent::new(TEMPLATES_MAX),
            template_octets: 0,
            rates: Rates::default(),
            rate_known,
            patience: Patience::Fresh,
            is_told: false,
            system_init_ms: None,
            active_timeout_s: 0,
            waiting: Waiting::default(),
        }
    }

    /// Whose it is.
    pub(super) fn address(&self) -> Address {
        self.address
    }

    /// Sets that wait.
    pub(super) fn held(&self) -> u64 {
        self.waiting.iter().len() as u64
    }

    /// Messages that wait for a template.
    pub(super) fn messages_waiting(&self) -> u64 {
        self.waiting.iter().filter(|set| set.is_last_of_message).count() as u64
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
                    self.learn(id, is_options, &specs, origin.moment(), place, out)?;
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
        at: Timestamp,
        place: Place,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        let exporter = self.exporter.clone();
        let is_stream = self.transport == Transport::Stream;
        let known = self.templates.get(id).filter(|known| is_stream || !known.is_over(at));
        let mut contested_until = None;
        if let Some(known) = known {
            if known.plan.is_of(specs, is_options) {
                known.refresh(at);
                return Ok(());
            }
            contested_until = Some(at.plus_micros(known.lifetime_us()));
        }
        let plan = match Plan::compile(specs, is_options) {
            Ok(mut plan) => {
                plan.contested_until = contested_until;
                Arc::new(plan)
            }
            Err(flaw) => {
                self.forget(id);
                out.note(place, format_args!("template `{id}` of exporter `{exporter}` {flaw}"));
                return Ok(());
            }
        };
        if contested_until.is_some() {
            out.books.accounts.of(self.address).redefined += 1;
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
        self.put(id, Template::new(plan.clone(), at));
        for set in self.waiting.take_untold(id) {
            out.release();
            if set.is_last_of_message {
                let account = out.books.accounts.of(self.address);
                account.waiting -= 1;
                account.understood += 1;
            }
            self.read(id, plan.clone(), &set.origin, &set.body, out)?;
        }
        Ok(())
    }

    fn put(&mut self, id: u16, template: Template) {
        self.template_octets += template.plan.octets();
        if let Some((_, gone)) = self.templates.insert(id, template) {
            self.template_octets -= gone.plan.octets();
        }
    }

    fn withdraw(&mut self, id: u16, is_options: bool) {
        if !ALL_TEMPLATES.contains(&id) {
            return self.forget(id);
        }
        let all: Vec<u16> = self
            .templates
            .iter_mut()
            .filter(|(_, known)| (known.plan.purpose == Purpose::Options) == is_options)
            .map(|(id, _)| id)
            .collect();
        for id in all {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: u16) {
        if let Some(gone) = self.templates.remove(id) {
            self.template_octets -= gone.plan.octets();
        }
    }

    /// Takes in a set of data records and returns how many it holds, if that can be told. `body` is
    /// the set without its header, and what is read behind it.
    pub(super) fn data(
        &mut self,
        template: u16,
        body: &[u8],
        origin: &Origin,
        out: &mut Out<'_>,
    ) -> Result<Option<u64>, SinkError> {
        if body.len() == READ_BEHIND {
            return Ok(Some(0));
        }
        match self.in_force(template, origin, out) {
            Some(plan) => self.read(template, plan, origin, body, out),
            None => self.wait(template, None, origin, body, out).map(|()| None),
        }
    }

    /// Whether a template came, however long ago.
    pub(super) fn knows(&mut self, template: u16) -> bool {
        self.templates.get(template).is_some()
    }

    /// The plan of a template, unless it is too old. In a stream it lives as long as that does
    /// (RFC 7011 §8.1).
    fn in_force(&mut self, template: u16, origin: &Origin, out: &mut Out<'_>) -> Option<Arc<Plan>> {
        let known = self.templates.get(template)?;
        if self.transport == Transport::Stream || !known.is_over(origin.moment()) {
            return Some(known.plan.clone());
        }
        self.forget(template);
        let exporter = &self.exporter;
        let text = format_args!(
            "template `{template}` of exporter `{exporter}` was not announced again in time: its data waits for it"
        );
        out.note(origin.place(0), text);
        None
    }

    /// Reads the records of a set, unless they are flows that have to wait for a rate. Returns how
    /// many there are, if the set is whole.
    fn read(
        &mut self,
        template: u16,
        plan: Arc<Plan>,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<Option<u64>, SinkError> {
        match plan.purpose {
            Purpose::Options => self.options(template, &plan, origin, body, out),
            Purpose::Other => {
                let (records, rest) = count(&plan, body, out)?;
                out.tally.beside += records;
                Ok(self.whole(template, records, rest, origin, out))
            }
            Purpose::Flows | Purpose::Packets
                if plan.has_rate || !self.waits(&plan, origin.export, out)? =>
            {
                self.flows(template, &plan, origin, body, out)
            }
            Purpose::Flows | Purpose::Packets => {
                let (records, rest) = count(&plan, body, out)?;
                self.wait(template, Some(plan), origin, body, out)?;
                Ok((rest == Rest::Padding).then_some(records))
            }
        }
    }

    fn flows(
        &mut self,
        template: u16,
        plan: &Plan,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<Option<u64>, SinkError> {
        let known = Known {
            exporter: &self.exporter,
            domain: self.id,
            sampling: Sampling::Options(&self.rates),
            system_init_ms: self.system_init_ms,
            active_timeout_s: self.active_timeout_s,
        };
        let before = out.tally.received + out.tally.beside;
        let rest = out.flows(template, plan, origin, body, &known)?;
        let records = out.tally.received + out.tally.beside - before;
        Ok(self.whole(template, records, rest, origin, out))
    }

    /// Takes in what an exporter says about itself: its sampling, when it started, how long its records last.
    fn options(
        &mut self,
        template: u16,
        plan: &Plan,
        origin: &Origin,
        body: &[u8],
        out: &mut Out<'_>,
    ) -> Result<Option<u64>, SinkError> {
        out.record.reset();
        let mut values = Values::default();
        let mut records = 0;
        let rest = plan.records(body, out.record, &mut values, |record, values| {
            records += 1;
            self.is_told |= self.rates.announce(values, record.in_if);
            if values.system_init != 0 {
                self.system_init_ms = Some(values.system_init);
            }
            if values.active_timeout_s != 0 {
                self.active_timeout_s = values.active_timeout_s;
            }
            Ok(())
        })?;
        out.tally.beside += records;
        Ok(self.whole(template, records, rest, origin, out))
    }

    /// The place of the next set that has to wait.
    pub(super) fn next_waiting(&self) -> u64 {
        self.waiting.next()
    }

    /// Says whether any of the sets from that place on waits for a template. The last one then stands
    /// for its message in the exporter's account.
    pub(super) fn mark_last_since(&mut self, first: u64) -> bool {
        self.waiting.mark_last_since(first)
    }

    /// Ends a message. If it said something about sampling, it said all, and nothing has to wait.
    pub(super) fn end_message(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        if std::mem::take(&mut self.is_told) { self.tell(out) } else { Ok(()) }
    }

    /// The records of a set that is whole. What is left of one that is not is refused.
    fn whole(
        &self,
        template: u16,
        records: u64,
        rest: Rest,
        origin: &Origin,
        out: &mut Out<'_>,
    ) -> Option<u64> {
        let Rest::Torn(at) = rest else { return Some(records) };
        let exporter = &self.exporter;
        let why =
            format_args!("the set ends within a record of template `{template}` of exporter `{exporter}`");
        out.refuse(origin.place(SET_HEADER + at), 1, why);
        None
    }

    /// Whether flows exported at `export` have to wait for the first word about sampling. What waits
    /// already is read as soon as they need not.
    fn waits(&mut self, plan: &Plan, export: Timestamp, out: &mut Out<'_>) -> Result<bool, SinkError> {
        match self.patience {
            Patience::Over => Ok(false),
            _ if self.rate_known.is_of(plan) => self.tell(out).map(|()| false),
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
        let (origin, body) = (*origin, body.into());
        self.waiting.push(WaitingSet { template, plan, origin, body, is_last_of_message: false });
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
            return self.flows(set.template, &plan, &set.origin, &set.body, out).map(|_| ());
        }
        let account = out.books.accounts.of(self.address);
        account.untold += 1;
        if set.is_last_of_message {
            account.waiting -= 1;
            account.no_template += 1;
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

    /// Writes all of it but its name.
    pub(super) fn save(&self, to: &mut Writer) {
        to.option(self.system_init_ms, Writer::u64);
        to.u64(self.active_timeout_s);
        match self.patience {
            Patience::Fresh => to.u8(0),
            Patience::Since(first) => {
                to.u8(1);
                to.i64(first.micros());
            }
            Patience::Over => to.u8(2),
        }
        self.rates.save(to);
        self.templates.save(to, |to, id, template| {
            to.u16(id);
            template.save(to);
        });
        to.list(self.waiting.iter(), |to, set| set.save(to));
    }

    /// Fills a domain of which nothing is known with what [`Domain::save`] wrote.
    pub(super) fn restore(mut self, from: &mut Reader<'_>) -> Result<Self, Damaged> {
        self.system_init_ms = from.option(Reader::u64)?;
        self.active_timeout_s = from.u64()?;
        self.patience = match from.u8()? {
            0 => Patience::Fresh,
            1 => Patience::Since(Timestamp::from_micros(from.i64()?)),
            2 => Patience::Over,
            _ => return Err(Damaged),
        };
        self.rates = Rates::restore(from)?;
        self.templates =
            Recent::restore(TEMPLATES_MAX, from, |from| Ok((from.u16()?, Template::restore(from)?)))?;
        self.template_octets = self.templates.iter().map(|(_, template)| template.plan.octets()).sum();
        for set in from.list(WaitingSet::restore)? {
            self.waiting.push(set);
        }
        Ok(self)
    }
}

/// Counts the records of a set.
fn count(plan: &Plan, body: &[u8], out: &mut Out<'_>) -> Result<(u64, Rest), SinkError> {
    let mut records = 0;
    let rest = plan.records(body, out.record, &mut Values::default(), |_, _| {
        records += 1;
        Ok(())
    })?;
    Ok((records, rest))
}
