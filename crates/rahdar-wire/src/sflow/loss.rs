//! What is missing, by the numbers that agents give.
//!
//! Every sub-agent numbers its datagrams, every data source its flow samples, and counts the samples
//! that it had to drop. Three rules make of them gaps that do not overlap:
//!
//! * **Datagrams.** A number that was left out and does not come late is one datagram lost,
//!   whatever was in it. Late is within the last [`LATE_MAX`] numbers, the window that IPsec
//!   uses against repetition (RFC 4303 §3.4.3); until then a number is not missed. A datagram that
//!   comes twice changes nothing.
//! * **Samples.** What an agent dropped never was in a datagram. Where no datagram is missing
//!   between two samples of one source, the jump of their numbers is not explained by one either.
//!   Agents may or may not number what they drop, so the greater of the two counts. Where
//!   datagrams are missing, only the growth of drops counts: the numbers are gone with the
//!   datagrams.
//! * **Restarts.** A number that is neither near behind nor less than [`JUMP_MAX`] ahead says
//!   nothing by itself. If the next one follows on it, the agent counts anew from there, and what
//!   lies between is no loss (as RFC 3550 §A.1 does with RTP). Losses of samples are told with the
//!   next sample of their source: if its number or its drops go back while datagrams are in order,
//!   two samplers count as one source, and its numbers are believed no more.
//!
//! When it is wrong: an agent that runs on while its datagrams are blocked for more than
//! [`JUMP_MAX`] of them loses them untold; a hostile sender can invent any loss of its own agent, as
//! it can invent any flow.

use std::sync::Arc;

use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::sink::SinkError;
use rahdar_model::time::{SECOND_US, Timestamp, Window};

use super::datagram::Header;
use super::rate::{Pool, Verdict};
use super::sample::Sample;
use crate::netflow::{Damaged, Out, Reader, Writer};

/// How many numbers a datagram may come late.
const LATE_MAX: u32 = u64::BITS;

/// The longest jump that is a loss: a day at twelve datagrams a second. Chosen here: beyond it a
/// broken number is likelier than a blind day.
const JUMP_MAX: u32 = 1 << 20;

/// What is lost within this time is told as one gap. Chosen here: short against the hours of the
/// coverage ledger, long against a burst.
const GAP_US: i64 = 60 * SECOND_US;

/// Where a datagram stands among those of its sub-agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// It is the newest.
    Next,
    /// It came late, twice, or out of nowhere.
    Other,
}

/// A sub-agent.
#[derive(Debug)]
pub(super) struct Agent {
    /// Which one, counted from 1.
    id: u64,
    pub(super) name: Arc<str>,
    /// How often the numbers of its datagrams did not follow on each other.
    pub(super) breaks: u64,
    pub(super) sub_agent: u32,
    numbers: Numbers,
    /// When the newest datagram came.
    newest: Timestamp,
    datagrams: Losing,
    samples: Losing,
}

/// Losses of one unit that were not told yet.
#[derive(Debug, Default)]
struct Losing {
    /// Between which times something was lost, or was left out and may still come.
    window: Option<Window>,
    lost: u64,
}

impl Agent {
    /// An agent whose first datagram this is.
    pub(super) fn new(id: u64, name: Arc<str>, first: &Header, time: Timestamp) -> Self {
        Self {
            id,
            name,
            breaks: 0,
            sub_agent: first.sub_agent,
            numbers: Numbers::from(first.sequence.wrapping_sub(1)),
            newest: time,
            datagrams: Losing::default(),
            samples: Losing::default(),
        }
    }

    /// Takes note of a datagram.
    pub(super) fn datagram(
        &mut self,
        number: u32,
        time: Timestamp,
        out: &mut Out<'_>,
    ) -> Result<Order, SinkError> {
        let step = self.numbers.take(number);
        if step.left_out > 0 {
            self.datagrams.widen(self.newest, time);
        }
        self.datagrams.lost += step.lost;
        if self.datagrams.lost == 0 && self.numbers.awaited() == 0 {
            self.datagrams.window = None;
        }
        self.breaks += u64::from(!step.follows);
        if step.order == Order::Next {
            self.newest = time;
        }
        if self.datagrams.is_due(time) {
            self.tell(Unit::Datagrams, out)?;
        }
        Ok(step.order)
    }

    /// Takes note of samples that never were in a datagram.
    pub(super) fn samples_lost(
        &mut self,
        lost: u32,
        time: Timestamp,
        out: &mut Out<'_>,
    ) -> Result<(), SinkError> {
        if lost > 0 {
            self.samples.widen(time, time);
            self.samples.lost += u64::from(lost);
        }
        if self.samples.is_due(time) { self.tell(Unit::Samples, out) } else { Ok(()) }
    }

    /// Tells all that is lost. What may still come is lost as well.
    pub(super) fn finish(&mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        self.datagrams.lost += self.numbers.give_up();
        self.tell(Unit::Datagrams, out)?;
        self.tell(Unit::Samples, out)
    }

    /// Tells all that is lost of an agent that is forgotten.
    pub(super) fn close(mut self, out: &mut Out<'_>) -> Result<(), SinkError> {
        self.finish(out)
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u64(self.id);
        to.octets(self.name.as_bytes());
        to.u64(self.breaks);
        to.u32(self.sub_agent);
        to.u32(self.numbers.newest);
        to.u64(self.numbers.came);
        to.option(self.numbers.stray, Writer::u32);
        to.i64(self.newest.micros());
        self.datagrams.save(to);
        self.samples.save(to);
    }

    /// Reads what [`Agent::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            id: from.u64()?,
            name: str::from_utf8(from.octets()?).map_err(|_| Damaged)?.into(),
            breaks: from.u64()?,
            sub_agent: from.u32()?,
            numbers: Numbers { newest: from.u32()?, came: from.u64()?, stray: from.option(Reader::u32)? },
            newest: Timestamp::from_micros(from.i64()?),
            datagrams: Losing::restore(from)?,
            samples: Losing::restore(from)?,
        })
    }

    fn tell(&mut self, unit: Unit, out: &mut Out<'_>) -> Result<(), SinkError> {
        let losing = if unit == Unit::Samples { &mut self.samples } else { &mut self.datagrams };
        let (Some(window), lost @ 1..) = (losing.window, losing.lost) else { return Ok(()) };
        // What is still awaited was left out in this window. If it is lost, the next one begins here.
        let is_over = unit == Unit::Samples || self.numbers.awaited() == 0;
        let rest = (!is_over).then_some(Window::new(window.until, window.until));
        *losing = Losing { window: rest, lost: 0 };
        // A window is half-open: its last moment is to be inside.
        let window = Window::new(window.from, window.until.plus_micros(1));
        out.sink.fact(Fact::Gap(&Gap {
            exporter: self.name.clone(),
            observation_domain: self.sub_agent,
            window: out.books.correction.moved(window),
            cause: Loss::Sequence,
            unit,
            lost,
            source: out.record.source.clone(),
        }))
    }
}

impl Losing {
    /// Takes in two times between which something was left out, in whichever order.
    fn widen(&mut self, one: Timestamp, other: Timestamp) {
        let (from, until) = (one.min(other), one.max(other));
        let known = self.window.unwrap_or(Window::new(from, until));
        self.window = Some(Window::new(known.from.min(from), known.until.max(until)));
    }

    fn save(&self, to: &mut Writer) {
        to.option(self.window, |to, window| {
            to.i64(window.from.micros());
            to.i64(window.until.micros());
        });
        to.u64(self.lost);
    }

    fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        let window = from.option(|from| {
            let (from, until) = (from.i64()?, from.i64()?);
            Ok(Window::new(Timestamp::from_micros(from), Timestamp::from_micros(until)))
        })?;
        Ok(Self { window, lost: from.u64()? })
    }

    /// Whether it is time to tell.
    fn is_due(&self, now: Timestamp) -> bool {
        self.lost > 0 && self.window.is_some_and(|window| now.since(window.from) >= GAP_US)
    }
}

/// The numbers of a sub-agent's datagrams: the newest, and which of the last [`LATE_MAX`] came.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    newest: u32,
    /// Bit `n`: whether `newest - n` came. All are set of an agent that begins.
    came: u64,
    /// A number out of nowhere.
    stray: Option<u32>,
}

/// What a number changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Step {
    order: Order,
    /// Whether it is the one after the newest.
    follows: bool,
    /// Numbers that are left out now, and may still come.
    left_out: u64,
    /// Numbers that come no more.
    lost: u64,
}

impl Numbers {
    fn from(newest: u32) -> Self {
        Self { newest, came: u64::MAX, stray: None }
    }

    fn take(&mut self, number: u32) -> Step {
        let ahead = number.wrapping_sub(self.newest);
        let behind = self.newest.wrapping_sub(number);
        let mut step = Step { order: Order::Other, follows: true, left_out: 0, lost: 0 };
        if behind < LATE_MAX {
            self.came |= 1 << behind;
        } else if ahead <= JUMP_MAX {
            step.order = Order::Next;
            step.follows = ahead == 1;
            step.left_out = u64::from(ahead - 1);
            step.lost = self.advance(ahead);
            self.stray = None;
        } else if self.stray.is_some_and(|stray| number == stray.wrapping_add(1)) {
            step.order = Order::Next;
            step.follows = false;
            step.lost = self.awaited();
            *self = Self::from(number);
        } else {
            step.follows = false;
            self.stray = Some(number);
        }
        step
    }

    /// Moves the window; returns how many numbers it leaves that did not come.
    fn advance(&mut self, ahead: u32) -> u64 {
        self.newest = self.newest.wrapping_add(ahead);
        if ahead >= LATE_MAX {
            let lost = self.awaited() + u64::from(ahead - LATE_MAX);
            self.came = 1;
            return lost;
        }
        let lost = (!self.came >> (LATE_MAX - ahead)).count_ones();
        self.came = self.came << ahead | 1;
        lost.into()
    }

    /// Numbers that were left out and may still come.
    fn awaited(&self) -> u64 {
        self.came.count_zeros().into()
    }

    /// Waits no more; returns for how many.
    fn give_up(&mut self) -> u64 {
        let awaited = self.awaited();
        self.came = u64::MAX;
        awaited
    }
}

/// A data source of an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct SourceKey {
    agent: u64,
    kind: u32,
    index: u32,
}

impl SourceKey {
    /// The source of a sample of `agent`.
    pub(super) fn of(agent: &Agent, sample: &Sample<'_>) -> Self {
        Self { agent: agent.id, kind: sample.source_kind, index: sample.source }
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u64(self.agent);
        to.u32(self.kind);
        to.u32(self.index);
    }

    /// Reads what [`SourceKey::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self { agent: from.u64()?, kind: from.u32()?, index: from.u32()? })
    }
}

/// What is known of a data source.
#[derive(Debug, Clone, Copy)]
pub(super) struct Source {
    number: u32,
    drops: u32,
    /// [`Agent::breaks`] when its last sample came.
    breaks: u64,
    /// Samples that the last step left out. They are lost if the numbers go on from there.
    left_out: u32,
    /// Whether its numbers went back: they say nothing.
    is_disorderly: bool,
    pool: Pool,
}

impl Source {
    /// A source whose first sample this is.
    pub(super) fn new(first: &Sample<'_>, breaks: u64) -> Self {
        let number = first.sequence.wrapping_sub(1);
        Self { number, drops: first.drops, breaks, left_out: 0, is_disorderly: false, pool: Pool::new(first) }
    }

    /// What its count of packets says of its rate.
    pub(super) fn verdict(&self) -> Verdict {
        self.pool.verdict()
    }

    /// Writes all of it.
    pub(super) fn save(&self, to: &mut Writer) {
        to.u32(self.number);
        to.u32(self.drops);
        to.u64(self.breaks);
        to.u32(self.left_out);
        to.u8(u8::from(self.is_disorderly));
        self.pool.save(to);
    }

    /// Reads what [`Source::save`] wrote.
    pub(super) fn restore(from: &mut Reader<'_>) -> Result<Self, Damaged> {
        Ok(Self {
            number: from.u32()?,
            drops: from.u32()?,
            breaks: from.u64()?,
            left_out: from.u32()?,
            is_disorderly: from.u8()? == 1,
            pool: Pool::restore(from)?,
        })
    }

    /// Takes note of a sample; returns how many are known to be lost by now that no datagram held.
    pub(super) fn sample(&mut self, sample: &Sample<'_>, breaks: u64) -> u32 {
        let ahead = sample.sequence.wrapping_sub(self.number);
        let dropped = sample.drops.wrapping_sub(self.drops);
        let goes_on = (1..=JUMP_MAX).contains(&ahead) && dropped <= JUMP_MAX;
        let is_contiguous = std::mem::replace(&mut self.breaks, breaks) == breaks;
        let mut left_out = std::mem::take(&mut self.left_out);
        if is_contiguous && !goes_on {
            self.is_disorderly = true;
            left_out = 0;
        } else if goes_on && !self.is_disorderly {
            self.left_out = if is_contiguous { dropped.max(ahead - 1) } else { dropped };
        }
        self.number = sample.sequence;
        self.drops = sample.drops;
        self.pool.sample(sample);
        if self.is_disorderly {
            self.pool.believe();
        }
        left_out
    }
}
