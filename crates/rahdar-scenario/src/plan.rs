//! The stage: when, where, and who watches. Everything here is fixed; only what happens is drawn.
//!
//! Addresses are those of documentation (RFC 5737, RFC 3849) and benchmarks (RFC 2544), so that
//! nothing real is accused: 203.0.113.0/24 is a telecom, 198.51.100.0/24 another, 192.0.2.0/24
//! and 198.18.0.0/15 the rest of the Internet.

use rahdar_model::{Address, Day, Prefix, Timestamp, Window};

use crate::sampling::{Exporter, Metering};
use crate::{Sampling, ScenarioError};

/// The first day.
pub(crate) const FIRST_DAY: &str = "2020-07-01";
/// The last day, with telemetry to its end: the eve of publication.
pub(crate) const LAST_DAY: &str = "2021-09-27";

/// The mail server: every cluster is on it.
pub(crate) const V1: Address = v4(203, 0, 113, 25);
/// A host of the other telecom: RedFoxtrot is on it too.
pub(crate) const V2: Address = v4(198, 51, 100, 40);

/// AS numbers for documentation (RFC 5398).
pub(crate) const AS_FIRST: u32 = 64_500;
/// The other telecom.
pub(crate) const AS_SECOND: u32 = 64_501;
/// The rest of the Internet.
pub(crate) const AS_INTERNET: u32 = 64_511;

/// A network of the scenario.
pub(crate) struct Net {
    pub(crate) prefix: Prefix,
    pub(crate) asn: u32,
    pub(crate) org: &'static str,
}

/// The monitored networks, as `networks.csv` has them.
pub(crate) const NETWORKS: [Net; 4] = [
    Net { prefix: Prefix::new(v4(203, 0, 113, 0), 96 + 24), asn: AS_FIRST, org: FIRST_TELECOM },
    Net { prefix: v6_48(0x500), asn: AS_FIRST, org: FIRST_TELECOM },
    Net { prefix: Prefix::new(v4(198, 51, 100, 0), 96 + 24), asn: AS_SECOND, org: SECOND_TELECOM },
    Net { prefix: v6_48(0x501), asn: AS_SECOND, org: SECOND_TELECOM },
];

const FIRST_TELECOM: &str = "Roshan (scenario)";
const SECOND_TELECOM: &str = "Second telecom (scenario)";

/// The IPv4 address of these octets.
pub(crate) const fn v4(a: u8, b: u8, c: u8, d: u8) -> Address {
    Address::from_v4_bits(u32::from_be_bytes([a, b, c, d]))
}

/// 2001:db8:`n`::/48.
const fn v6_48(n: u16) -> Prefix {
    Prefix::new(Address::from_bits(0x2001_0db8 << 96 | (n as u128) << 80), 48)
}

/// What is public by date, as `events.csv` has it.
pub(crate) const EVENTS: [(&str, &str); 4] = [
    ("2021-03-02", "ProxyLogon disclosed"),
    ("2021-08-01", "Fighting reaches the provincial capitals"),
    ("2021-08-15", "Kabul falls"),
    ("2021-08-30", "last US troops leave"),
];

/// A day of the plan.
pub(crate) fn day(text: &str) -> Day {
    text.parse().expect("the plan holds calendar dates")
}

/// An address of the plan.
pub(crate) fn address(text: &str) -> Address {
    text.parse().expect("the plan holds IP addresses")
}

/// From the start of one day of the plan to the start of another.
pub(crate) fn window(from: &str, until: &str) -> Window {
    Window::new(day(from).start(), day(until).start())
}

/// Every day of the scenario.
pub(crate) fn days() -> impl Iterator<Item = Day> {
    (day(FIRST_DAY).0..=day(LAST_DAY).0).map(Day)
}

/// Whether the address is in a monitored network.
pub(crate) fn is_local(address: Address) -> bool {
    NETWORKS.iter().any(|net| net.prefix.contains(address))
}

/// The origin AS of an address.
pub(crate) fn origin_as(address: Address) -> u32 {
    NETWORKS.iter().find(|net| net.prefix.contains(address)).map_or(AS_INTERNET, |net| net.asn)
}

/// Where the datagrams of all exporters arrive.
pub(crate) const COLLECTOR: Address = v4(192, 0, 2, 250);

/// E1 was down for six hours.
fn outage() -> Window {
    let at = |text: &str| -> Timestamp { text.parse().expect("the plan holds times") };
    Window::new(at("2021-08-20T06:00:00Z"), at("2021-08-20T12:00:00Z"))
}

/// The largest interval. Chosen here: of the four million packets of all uploads it leaves four.
pub(crate) const MOST_INTERVAL: u32 = 1_000_000;

/// The sampling exporters: E1 and E2 at the border, E3 in transit.
///
/// # Errors
/// [`ScenarioError::Interval`] if it would leave nothing to see.
pub(crate) fn exporters(sampling: Sampling) -> Result<Vec<Exporter>, ScenarioError> {
    let intervals = match sampling {
        Sampling::Unsampled => return Ok(Vec::new()),
        Sampling::Exporters => [512, 1_000, 4_000],
        Sampling::Uniform(interval) if (2..=MOST_INTERVAL).contains(&interval) => [interval; 3],
        Sampling::Uniform(interval) => return Err(ScenarioError::Interval { interval }),
    };
    let nothing = Window::new(Timestamp::default(), Timestamp::default());
    let flows = |active_s: i64| Metering::Flows { idle_us: 15_000_000, active_us: active_s * 1_000_000 };
    let exporter = |index: usize, name, address, metering, outage| Exporter {
        index,
        name,
        address,
        interval: intervals[index],
        metering,
        outage,
    };
    Ok(vec![
        exporter(0, "E1", v4(192, 0, 2, 241), flows(60), outage()),
        exporter(1, "E2", v4(192, 0, 2, 242), flows(1_800), nothing),
        exporter(2, "E3", v4(192, 0, 2, 243), Metering::Packets, nothing),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_span_is_454_days() {
        assert_eq!(days().count(), 454);
    }

    #[test]
    fn an_interval_that_leaves_nothing_is_refused() {
        assert!(exporters(Sampling::Uniform(MOST_INTERVAL + 1)).is_err());
        assert!(exporters(Sampling::Uniform(1)).is_err());
        assert_eq!(exporters(Sampling::Uniform(100)).unwrap().len(), 3);
    }
}
