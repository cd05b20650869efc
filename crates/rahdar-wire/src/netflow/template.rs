//! A template, compiled once into a plan: which octets of a record fill what.
//!
//! A record is then read without looking at the template again: one load and one mask per field,
//! straight into the reused flow record. The fields that nearly every template has are read in
//! one go, the others in a loop with a jump for each.

use rahdar_model::Timestamp;
use rahdar_model::flow::FlowRecord;
use rahdar_model::sink::SinkError;
use thiserror::Error;

use super::element::{self, Field, Form, RANK_INITIATOR, RANK_LAYER2, RANK_LEFT};
use super::read::{READ_BEHIND, Step, Usual, Values, fill};
use super::saved::{Damaged, Reader, Writer};

/// A length that stands for "the record says it" (RFC 7011 §7).
pub(super) const VARIABLE: u16 = 65_535;

/// Fields that one template may have. The largest template of the corpus has 51
/// (reliability.md §3; goflow2 takes 65,532 and spends 589 kB on them).
pub(super) const FIELDS_MAX: usize = 1_024;

/// Octets that the fixed part of a record may have: what fits into a set of the longest message
/// beside the IPFIX header and the set header.
const RECORD_OCTETS_MAX: usize = 65_535 - 20;

/// The fields that tell a rate.
const RATE_FIELDS: [Field; 8] = [
    Field::Interval,
    Field::Taken,
    Field::Sample,
    Field::Probability,
    Field::Slot,
    Field::FlowsTaken,
    Field::FlowSlot,
    Field::FlowAlgorithm,
];

/// One field of a template, as it was announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Spec {
    /// The element's number.
    pub(super) element: u16,
    /// Who numbers it; 0 is IANA.
    pub(super) enterprise: u32,
    /// Octets, or [`VARIABLE`].
    pub(super) length: u16,
}

impl Spec {
    /// A field of IANA's registry.
    pub(super) const fn new(element: u16, length: u16) -> Self {
        Self { element, enterprise: 0, length }
    }
}

/// What the records of a template say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Flows: who talked to whom.
    Flows,
    /// Packets that were sampled: each record holds the beginning of one, which says who talked to whom.
    Packets,
    /// Something about the exporter.
    Options,
    /// None of these: without both addresses, or a packet that has them, it is no flow.
    Other,
}

/// Where the type and code of ICMP are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Icmp {
    /// Nowhere.
    Absent,
    /// In an element each.
    InElements,
    /// In the element for both or, where that is missing or zero, in the destination port.
    InElementOrPort,
    /// In the destination port, if anything is there.
    InPort,
}

/// Why a template is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Flaw {
    #[error("has no fields")]
    NoFields,
    #[error("has `{0}` fields, more than {FIELDS_MAX}")]
    TooManyFields(usize),
    #[error("describes records of no length")]
    NoLength,
    #[error("describes records of at least `{0}` octets, more than a message holds")]
    TooLong(usize),
}

/// A compiled template: one version of it, for a redefinition makes another plan.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) purpose: Purpose,
    /// How times are written, and what else must be known to settle a record.
    pub(super) start: Form,
    pub(super) end: Form,
    pub(super) observed: Form,
    pub(super) duration: Form,
    /// Whether a time is an uptime.
    pub(super) has_uptimes: bool,
    /// Whether each record says how it was sampled.
    pub(super) has_rate: bool,
    /// Whether each record says why it ended.
    pub(super) has_end_reason: bool,
    /// Whether each record names who metered it.
    pub(super) has_exporter: bool,
    /// Whether each record names its sampler.
    pub(super) has_sampler: bool,
    /// Whether octets can be held against packets: both are there, and octets are of whole packets.
    pub(super) has_sizes: bool,
    /// The same of the reverse direction.
    pub(super) has_rev_sizes: bool,
    /// Whether the IP octets of the whole flow are counted nowhere. What a firewall tells of a flow of which
    /// nothing has passed counts none.
    pub(super) has_content_gap: bool,
    /// Whether what left is counted beside what came, and nothing else says what was answered.
    pub(super) counts_apart: bool,
    /// Whether octets are counted in four octets and may wrap.
    pub(super) short_octets: bool,
    /// Whether octets include layer-2 headers.
    pub(super) has_layer2: bool,
    /// Whether the source is, by the meaning of the counters, who opened the conversation.
    pub(super) has_initiator_counters: bool,
    /// Where the type and code of ICMP are.
    pub(super) icmp: Icmp,
    /// Whether packets or octets are counted; if not, a packet of which there is a section is one.
    pub(super) has_counters: bool,
    /// What the section of a packet begins with, as a link type.
    pub(super) link: u16,
    /// The run after which the section of a packet stands.
    section: Option<u16>,
    /// A field whose length is none that it can have, so that it is stepped over.
    pub(super) unread: Option<Spec>,
    /// Until when its records are doubtful, because it took the place of another that was in force.
    pub(super) contested_until: Option<Timestamp>,
    usual: Usual,
    steps: Box<[Step]>,
    runs: Box<[Run]>,
    /// Octets of the shortest record; of every record if there is one run.
    shortest: usize,
    /// The template as it was announced.
    specs: Box<[Spec]>,
}

/// Octets of fixed layout. After every run but the last stands a field that is not read as a number: one of
/// variable length, or the section of a packet.
#[derive(Debug, Clone, Copy)]
struct Run {
    octets: u16,
    /// Octets of the field after it, or [`VARIABLE`].
    after: u16,
    /// The end of its steps; they begin where those of the run before end.
    steps_end: u16,
}

/// What a set leaves after its last whole record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rest {
    /// Nothing, or padding.
    Padding,
    /// Octets that are no whole record, from this one on.
    Torn(usize),
}

impl Plan {
    /// Compiles a template.
    ///
    /// # Errors
    /// [`Flaw`] if its records cannot be told apart or would cost too much.
    pub(super) fn compile(specs: &[Spec], is_options: bool) -> Result<Self, Flaw> {
        if specs.is_empty() {
            return Err(Flaw::NoFields);
        }
        if specs.len() > FIELDS_MAX {
            return Err(Flaw::TooManyFields(specs.len()));
        }
        let choice = Choice::of(specs);
        let mut plan = Self {
            purpose: Purpose::Other,
            start: Form::Absent,
            end: Form::Absent,
            observed: Form::Absent,
            duration: Form::Absent,
            has_uptimes: false,
            has_rate: RATE_FIELDS.iter().any(|field| choice.has(*field)),
            has_end_reason: choice.has(Field::EndReason),
            has_exporter: choice.has(Field::ExporterV4) || choice.has(Field::ExporterV6),
            has_sampler: choice.has(Field::SamplerId),
            has_sizes: choice.has(Field::Packets)
                && choice.has(Field::Octets)
                && choice.rank(Field::Octets) != RANK_INITIATOR,
            has_rev_sizes: choice.has(Field::RevPackets)
                && choice.has(Field::RevOctets)
                && choice.rank(Field::RevOctets) != RANK_INITIATOR,
            has_content_gap: false,
            counts_apart: [Field::Octets, Field::Packets].iter().all(|field| choice.rank(*field) < RANK_LEFT)
                && choice.has(Field::LeftOctets)
                && choice.has(Field::LeftPackets)
                && !choice.has(Field::RevOctets)
                && !choice.has(Field::RevPackets),
            short_octets: false,
            has_layer2: choice.rank(Field::Octets) == RANK_LAYER2,
            has_initiator_counters: choice.rank(Field::Octets) == RANK_INITIATOR
                || choice.rank(Field::Packets) == RANK_INITIATOR,
            icmp: if choice.has(Field::IcmpType) {
                Icmp::InElements
            } else if choice.has(Field::IcmpBoth) {
                Icmp::InElementOrPort
            } else if choice.has(Field::DstPort) {
                Icmp::InPort
            } else {
                Icmp::Absent
            },
            has_counters: choice.has(Field::Packets) || choice.has(Field::Octets),
            link: 0,
            section: None,
            unread: None,
            contested_until: None,
            usual: Usual::default(),
            steps: Box::default(),
            runs: Box::default(),
            shortest: 0,
            specs: specs.into(),
        };
        if is_options {
            plan.purpose = Purpose::Options;
        } else if choice.has(Field::SrcV4) && choice.has(Field::DstV4) {
            plan.purpose = Purpose::Flows;
        } else if specs.iter().any(|spec| link(spec).is_some()) {
            plan.purpose = Purpose::Packets;
        }
        plan.has_content_gap = match choice.rank(Field::Octets) {
            RANK_INITIATOR => true,
            Choice::NONE if plan.purpose == Purpose::Packets => plan.has_counters,
            Choice::NONE => !choice.has(Field::FirewallEvent),
            _ => false,
        };
        plan.lay_out(specs, choice)?;
        Ok(plan)
    }

    fn lay_out(&mut self, specs: &[Spec], mut choice: Choice) -> Result<(), Flaw> {
        let mut steps = Vec::new();
        let mut runs = Vec::new();
        let mut run_octets = 0;
        for spec in specs {
            let link = link(spec).filter(|_| self.purpose == Purpose::Packets && self.section.is_none());
            if let Some(link) = link {
                self.link = link;
                self.section = Some(runs.len() as u16);
            }
            if link.is_some() || spec.length == VARIABLE {
                let steps_end = steps.len() as u16;
                runs.push(Run { octets: run_octets as u16, after: spec.length, steps_end });
                run_octets = 0;
                self.shortest += if spec.length == VARIABLE { 1 } else { usize::from(spec.length) };
                self.fits()?;
                continue;
            }
            for role in uses(spec) {
                if !role.field.fits(spec.length) {
                    self.unread.get_or_insert(*spec);
                    continue;
                }
                let Some(keep) = choice.take(role) else { continue };
                match role.field {
                    Field::Start => self.start = role.form,
                    Field::End => self.end = role.form,
                    Field::Observed => self.observed = role.form,
                    Field::Duration => self.duration = role.form,
                    Field::Octets => self.short_octets = spec.length == 4,
                    _ => {}
                }
                let end = (run_octets + usize::from(spec.length)) as u16;
                let step = Step::new(role.field, keep, end, spec.length);
                let begun = usize::from(runs.last().map_or(0, |run: &Run| run.steps_end));
                match steps[begun..].last_mut().and_then(|last: &mut Step| Some((last.joined(&step)?, last)))
                {
                    Some((both, last)) => *last = both,
                    None => steps.push(step),
                }
            }
            run_octets += usize::from(spec.length);
            self.shortest += usize::from(spec.length);
            self.fits()?;
        }
        if self.shortest == 0 {
            return Err(Flaw::NoLength);
        }
        if runs.is_empty() {
            steps.retain(|step| !self.usual.take(step));
        }
        runs.push(Run { octets: run_octets as u16, after: 0, steps_end: steps.len() as u16 });
        self.has_uptimes = self.start == Form::Uptime || self.end == Form::Uptime;
        self.steps = steps.into();
        self.runs = runs.into();
        Ok(())
    }

    /// Refuses records that no message could hold.
    fn fits(&self) -> Result<(), Flaw> {
        if self.shortest > RECORD_OCTETS_MAX { Err(Flaw::TooLong(self.shortest)) } else { Ok(()) }
    }

    /// Whether the plan is of this template.
    pub(super) fn is_of(&self, specs: &[Spec], is_options: bool) -> bool {
        *self.specs == *specs && (self.purpose == Purpose::Options) == is_options
    }

    /// The octets that the plan takes in memory.
    pub(super) fn octets(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.steps) + size_of_val(&*self.runs) + size_of_val(&*self.specs)
    }

    /// Writes the template.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u8(u8::from(self.purpose == Purpose::Options));
        to.list(self.specs.iter(), |to, spec| {
            to.u16(spec.element);
            to.u32(spec.enterprise);
            to.u16(spec.length);
        });
        to.option(self.contested_until, |to, until| to.i64(until.micros()));
    }

    /// Reads what [`Plan::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let is_options = from.u8()? == 1;
        let specs = from
            .list(|from| Ok(Spec { element: from.u16()?, enterprise: from.u32()?, length: from.u16()? }))?;
        let contested_until = from.option(|from| from.i64().map(Timestamp::from_micros))?;
        Self::compile(&specs, is_options).map(|plan| Self { contested_until, ..plan }).map_err(|_| Damaged)
    }

    /// Reads the records of a set one after the other.
    ///
    /// `body` is the set without its header, and [`READ_BEHIND`] octets of anything before it.
    /// Fields of `record` and `values` that the template does not have stay as they are.
    ///
    /// # Errors
    /// What `each` fails with.
    pub(super) fn records(
        &self,
        body: &[u8],
        record: &mut FlowRecord,
        values: &mut Values,
        mut each: impl FnMut(&mut FlowRecord, &Values) -> Result<(), SinkError>,
    ) -> Result<Rest, SinkError> {
        let octets = body.len() - READ_BEHIND;
        let mut at = 0;
        while octets - at >= self.shortest {
            let end = if let [_] = &*self.runs {
                let data = &body[at..at + READ_BEHIND + self.shortest];
                self.usual.fill(data, record, values);
                fill(&self.steps, data, record, values);
                at + self.shortest
            } else {
                let Some(end) = self.read_runs(body, at, record, values) else {
                    return Ok(Rest::Torn(at));
                };
                end
            };
            each(record, values)?;
            at = end;
        }
        let left = &body[READ_BEHIND + at..];
        // Fewer octets than a set is aligned to, or nothing but zeros, are padding.
        let is_padding = left.len() < 4 || left.iter().all(|octet| *octet == 0);
        Ok(if is_padding { Rest::Padding } else { Rest::Torn(at) })
    }

    /// Reads a record of several runs at `at` and returns where it ends; none if the set ends before it.
    fn read_runs(
        &self,
        body: &[u8],
        mut at: usize,
        record: &mut FlowRecord,
        values: &mut Values,
    ) -> Option<usize> {
        let mut first_step = 0;
        for (i, run) in self.runs.iter().enumerate() {
            let end = at + usize::from(run.octets);
            let steps = &self.steps[first_step..usize::from(run.steps_end)];
            fill(steps, body.get(at..READ_BEHIND + end)?, record, values);
            first_step = usize::from(run.steps_end);
            at = end;
            if i + 1 < self.runs.len() {
                let field = field_at(&body[READ_BEHIND..], at, run.after)?;
                at = field.1;
                if self.section.is_some_and(|section| usize::from(section) == i) {
                    values.section = field;
                }
            }
        }
        Some(at)
    }
}

/// Where the field at `at`, of this length, begins and ends. One of variable length says it itself
/// (RFC 7011 §7: one octet of length, or 255 and two).
fn field_at(body: &[u8], at: usize, length: u16) -> Option<(usize, usize)> {
    let (begin, octets) = match (length, *body.get(at)?) {
        (VARIABLE, 255) => (at + 3, u16::from_be_bytes([*body.get(at + 1)?, *body.get(at + 2)?])),
        (VARIABLE, short) => (at + 1, short.into()),
        (fixed, _) => (at, fixed),
    };
    let end = begin + usize::from(octets);
    (end <= body.len()).then_some((begin, end))
}

/// The link type of the packet of which this field holds a section, if it holds one.
fn link(spec: &Spec) -> Option<u16> {
    let is_there = spec.enterprise == 0 && spec.length != 0;
    is_there.then(|| element::section(spec.element)).flatten()
}

/// The uses of a field.
fn uses(spec: &Spec) -> impl Iterator<Item = &'static element::Role> {
    let known = spec.enterprise == 0 || spec.enterprise == element::REVERSE;
    let element = if known && spec.length != 0 { spec.element } else { element::PADDING };
    element::roles(element, spec.enterprise == element::REVERSE)
}

/// Which of the elements of a template fills each field.
struct Choice {
    best: [u8; Self::FIELDS],
    taken: [bool; Self::FIELDS],
}

impl Choice {
    const FIELDS: usize = Field::AsPair as usize + 1;
    const NONE: u8 = u8::MAX;

    fn of(specs: &[Spec]) -> Self {
        let mut choice = Self { best: [Self::NONE; Self::FIELDS], taken: [false; Self::FIELDS] };
        let fixed = specs.iter().filter(|spec| spec.length != VARIABLE);
        for role in fixed.flat_map(|spec| uses(spec).filter(|role| role.field.fits(spec.length))) {
            let best = &mut choice.best[Self::place(role.field)];
            *best = role.rank.min(*best);
        }
        // What the responder sent says nothing unless what the initiator sent is counted beside
        // it; Huawei uses 232 for something else.
        for (of_initiator, of_responder) in
            [(Field::Octets, Field::RevOctets), (Field::Packets, Field::RevPackets)]
        {
            let rank = choice.rank(of_initiator);
            if choice.rank(of_responder) == RANK_INITIATOR && rank != RANK_INITIATOR {
                choice.best[Self::place(of_responder)] = Self::NONE;
            }
        }
        if !choice.has(Field::Payload) {
            choice.best[Self::place(Field::RevPayload)] = Self::NONE;
        }
        choice
    }

    fn place(field: Field) -> usize {
        field.shared().unwrap_or(field) as usize
    }

    fn rank(&self, field: Field) -> u8 {
        self.best[Self::place(field)]
    }

    fn has(&self, field: Field) -> bool {
        self.rank(field) != Self::NONE
    }

    /// Whether this use is read; if so, whether a zero leaves what came before.
    fn take(&mut self, role: &element::Role) -> Option<bool> {
        let place = Self::place(role.field);
        let again = self.taken[place];
        if role.rank != self.best[place] || (again && role.field.shared().is_none()) {
            return None;
        }
        self.taken[place] = true;
        Some(again)
    }
}
