//! Who exported, at which sampling, with which losses: what nfcapd writes between the flows.

use std::collections::HashMap;
use std::sync::Arc;

use rahdar_model::address::Address;
use rahdar_model::fact::{Fact, Gap, Loss, Unit};
use rahdar_model::flow::{Sampler, SamplingSource};
use rahdar_model::sink::{FlowSink, SinkError};
use rahdar_model::time::Window;

use super::flow::{Scaled, Values};
use super::header::{u16_at, u32_at, u64_at};
use crate::netflow::Agreement;

/// Samplers that are kept, over all exporters of a file. A large router has some hundred
/// interfaces; what comes on top is not kept, and its records are marked as of unknown rate.
const SAMPLERS_MAX: usize = 65_536;

/// Names of routers that no exporter record names, so that none is written twice. Chosen here:
/// more than one file has; beyond it they are forgotten and written again.
const ROUTERS_MAX: usize = 4_096;

/// The largest interval that the flow table holds.
pub(super) const INTERVAL_MAX: u32 = i32::MAX as u32;

/// The version by which nfdump calls sFlow.
const SFLOW: u32 = 9_999;

/// Everybody who exported into a file.
pub(super) struct Exporters {
    /// The operator's name for all of them.
    given: Option<Arc<str>>,
    /// The name of one who has none.
    unnamed: Arc<str>,
    /// By the number that nfcapd gave them.
    known: Vec<Exporter>,
    /// By the address that a record names.
    routers: HashMap<Address, Arc<str>>,
    samplers: usize,
}

/// One exporter, and what it said.
#[derive(Debug, Default)]
pub(super) struct Exporter {
    is_announced: bool,
    address: Option<Address>,
    name: Option<Arc<str>>,
    version: u32,
    pub(super) domain: u32,
    rates: Rates,
    failures: u64,
}

/// One packet of how many, and how it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate {
    /// Packets per sampled packet; 1 is unsampled. Never 0.
    pub(super) interval: u32,
    pub(super) sampler: Option<Sampler>,
}

/// The rates that nfcapd knew for one exporter.
#[derive(Debug, Default)]
struct Rates {
    /// `-s` with a negative number: whatever the exporter says.
    ordered: Option<Rate>,
    /// Of the exporter as a whole: in the header of version 5, or in options without a sampler.
    whole: Option<Rate>,
    /// `-s`: where the exporter says nothing.
    assumed: Option<Rate>,
    samplers: HashMap<u64, Rate>,
    intervals: Agreement<u32>,
    /// The rate of all samplers, as long as they agree.
    agreed: Option<Rate>,
}

impl Exporters {
    /// Nobody yet. `given` is the operator's name for all, `unnamed` that of one who has none.
    pub(super) fn new(given: Option<Arc<str>>, unnamed: Arc<str>) -> Self {
        Self { given, unnamed, known: Vec::new(), routers: HashMap::new(), samplers: 0 }
    }

    /// Takes in an exporter record (type 7). None if it is cut.
    pub(super) fn announce(&mut self, record: &[u8]) -> Option<()> {
        let version = u32_at(record, 4)?;
        let address = address(record.get(8..24)?, u16_at(record, 24)?);
        let domain = u32_at(record, 28)?;
        let exporter = self.entry(u16_at(record, 26)?);
        exporter.is_announced = true;
        exporter.version = version;
        exporter.domain = domain;
        if exporter.address != address {
            exporter.address = address;
            exporter.name = address.map(|address| address.to_string().into());
        }
        Some(())
    }

    /// Takes in a sampler record of nfdump 1.6 and 1.7.0 (type 9). None if it is cut.
    pub(super) fn sampler_v1(&mut self, record: &[u8]) -> Option<()> {
        let id = u32_at(record, 4)? as i32;
        let interval = u32_at(record, 8)?;
        let sampler = match u16_at(record, 12)? {
            1 => Some(Sampler::Systematic),
            2 => Some(Sampler::Random),
            _ => None,
        };
        let number = u16_at(record, 14)?;
        // For version 5 it writes 1 where the header says nothing.
        let is_said = interval > 1 || !matches!(self.of(number).map(|e| e.version), Some(5 | 7));
        if interval > 0 && is_said {
            self.sample(number, id.into(), Rate { interval, sampler });
        }
        Some(())
    }

    /// Takes in a sampler record of nfdump 1.7 (type 15). None if it is cut.
    pub(super) fn sampler_v2(&mut self, record: &[u8]) -> Option<()> {
        let number = u16_at(record, 4)?;
        // 2 is "random" or "by time", depending on which element said it.
        let sampler = match u16_at(record, 6)? {
            1 => Some(Sampler::Systematic),
            3 | 4 => Some(Sampler::Random),
            _ => None,
        };
        let id = u64_at(record, 8)? as i64;
        let (taken, left_out) = (u64::from(u32_at(record, 16)?), u64::from(u32_at(record, 20)?));
        if let Some(interval) = (taken + left_out + taken / 2).checked_div(taken) {
            let interval = u32::try_from(interval).unwrap_or(u32::MAX);
            self.sample(number, id, Rate { interval, sampler });
        }
        Some(())
    }

    /// Takes in the statistics of exporters (type 8). None if they are cut.
    pub(super) fn statistics(&mut self, record: &[u8]) -> Option<()> {
        const ENTRY: usize = 24;
        let count = u32_at(record, 4)? as usize;
        let entries = record[8..].chunks_exact(ENTRY);
        let is_whole = count <= entries.len();
        for entry in entries.take(count) {
            let failures = u32_at(entry, 4)?;
            if let Some(number) = u16::try_from(u32_at(entry, 0)?).ok().filter(|_| failures > 0) {
                let exporter = self.entry(number);
                exporter.failures = exporter.failures.saturating_add(failures.into());
            }
        }
        is_whole.then_some(())
    }

    /// The exporter of this number, if it was announced or said anything.
    pub(super) fn of(&self, number: u16) -> Option<&Exporter> {
        self.known.get(usize::from(number))
    }

    /// Whether the exporter of this number was announced.
    pub(super) fn is_announced(&self, number: u16) -> bool {
        self.of(number).is_some_and(|exporter| exporter.is_announced)
    }

    /// The name of the exporter of a record.
    pub(super) fn name(&mut self, values: &Values) -> &Arc<str> {
        if let Some(given) = &self.given {
            return given;
        }
        if let Some(name) = self.known.get(usize::from(values.exporter)).and_then(|e| e.name.as_ref()) {
            return name;
        }
        let Some(router) = values.router.filter(|address| !is_unset(*address)) else { return &self.unnamed };
        if self.routers.len() == ROUTERS_MAX && !self.routers.contains_key(&router) {
            self.routers.clear();
        }
        self.routers.entry(router).or_insert_with(|| router.to_string().into())
    }

    /// Gives the losses of every exporter to the sink, `all` being those of the file: what no
    /// exporter is named for, it counts for itself.
    pub(super) fn tell_gaps(
        &self,
        all: u64,
        window: Window,
        source: &Arc<str>,
        sink: &mut dyn FlowSink,
    ) -> Result<(), SinkError> {
        let mut tell = |exporter: &Arc<str>, observation_domain, lost| {
            if lost == 0 {
                return Ok(());
            }
            sink.fact(Fact::Gap(&Gap {
                exporter: self.given.as_ref().unwrap_or(exporter).clone(),
                observation_domain,
                window,
                cause: Loss::Sequence,
                unit: Unit::Datagrams,
                lost,
                source: source.clone(),
            }))
        };
        for exporter in &self.known {
            tell(exporter.name.as_ref().unwrap_or(&self.unnamed), exporter.domain, exporter.failures)?;
        }
        tell(&self.unnamed, 0, all.saturating_sub(self.losses()))
    }

    /// The losses of all exporters together.
    pub(super) fn losses(&self) -> u64 {
        self.known.iter().fold(0, |lost, exporter| exporter.failures.saturating_add(lost))
    }

    fn entry(&mut self, number: u16) -> &mut Exporter {
        let at = usize::from(number);
        if at >= self.known.len() {
            self.known.resize_with(at + 1, Exporter::default);
        }
        &mut self.known[at]
    }

    fn sample(&mut self, number: u16, id: i64, rate: Rate) {
        if rate.interval > INTERVAL_MAX {
            return;
        }
        let has_room = self.samplers < SAMPLERS_MAX;
        let rates = &mut self.entry(number).rates;
        match id {
            -3 => rates.ordered = Some(rate),
            -2 => rates.assumed = Some(rate),
            ..=-1 => rates.whole = Some(rate),
            _ => {
                let id = id as u64;
                let is_new = !rates.samplers.contains_key(&id);
                if is_new && !has_room {
                    return;
                }
                let before = rates.samplers.insert(id, rate).map(|rate| rate.interval);
                rates.intervals.set(before, rate.interval);
                rates.agreed = rates.intervals.agree().then_some(rate);
                self.samplers += usize::from(is_new);
            }
        }
    }
}

impl Exporter {
    /// Whether it exports sFlow.
    pub(super) fn is_sflow(&self) -> bool {
        self.version == SFLOW
    }

    /// The rate of a record of this exporter, and who told it. `sampler` is the one that the
    /// record names.
    ///
    /// The order is nfcapd's own. A record that names no sampler has the rate of all samplers, if
    /// they agree; but one that nfcapd did not multiply came by none of those that sample.
    pub(super) fn rate(&self, sampler: Option<u64>, scaled: Scaled) -> Option<(Rate, SamplingSource)> {
        let rates = &self.rates;
        let told = |rate: Option<Rate>, source| rate.map(|rate| (rate, source));
        let by_sampler = sampler.and_then(|id| rates.samplers.get(&id)).copied();
        let in_header = matches!(self.version, 5 | 7 | SFLOW);
        let source_of_whole = if in_header { SamplingSource::Header } else { SamplingSource::OptionTemplate };
        let is_unnamed = sampler.is_none_or(|id| id == 0);
        let agreed = rates.agreed.filter(|rate| is_unnamed && (rate.interval == 1 || scaled != Scaled::No));
        told(rates.ordered, SamplingSource::Operator)
            .or(told(by_sampler, SamplingSource::OptionTemplate))
            .or(told(rates.whole, source_of_whole))
            .or(told(rates.assumed, SamplingSource::Operator))
            .or(told(agreed, SamplingSource::OptionTemplate))
    }
}

/// The address of an exporter record. nfdump 1.7.8 writes it as it is on the wire and no family,
/// earlier ones write two numbers of the machine's own order, IPv4 in the lower half of the second.
fn address(octets: &[u8], family: u16) -> Option<Address> {
    const NO_FAMILY: u16 = 0;
    const INET: u16 = 2;
    let address = match family {
        NO_FAMILY => Address::from_bits(u128::from_be_bytes(*octets.first_chunk()?)),
        INET => Address::from_v4_bits(u32_at(octets, 8)?),
        _ => Address::from_bits(u128::from(u64_at(octets, 0)?) << 64 | u128::from(u64_at(octets, 8)?)),
    };
    (!is_unset(address)).then_some(address)
}

/// Whether an address is all zeros, in either family.
fn is_unset(address: Address) -> bool {
    address == Address::UNSPECIFIED || address.v4_bits() == Some(0)
}
