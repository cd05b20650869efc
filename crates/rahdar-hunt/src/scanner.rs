//! Who scans (`methods.md` §4, the fan-out rule).
//!
//! A source scans if in one hour it reached at least [`LEAST_DESTINATIONS`] addresses on one port
//! and at least four in five of its records there had three packets or fewer. Where all exporters
//! sample, [`LEAST_SAMPLED_DESTINATIONS`] suffice, which is some 20·N probes; but there a busy
//! client looks like a scanner, because most of its connections show one packet, and ports that
//! clients call are left out.
//!
//! Resolvers and time servers reach many addresses with a packet each: their ports never count.
//! Mail servers with dead peers fail often at port 25: hosts in that role are let off there.
//!
//! Wrong for slow scans, and for scans of ports that answer.
//!
//! ```
//! use rahdar_hunt::scanner::is_scan;
//! use rahdar_model::store::FanOut;
//!
//! let hour = FanOut {
//!     source: "192.0.2.9".parse().unwrap(),
//!     hour: "2021-08-15".parse().unwrap(),
//!     protocol: 6,
//!     port: 445,
//!     destinations: 254,
//!     flows: 254,
//!     small_flows: 250,
//! };
//! assert!(is_scan(&hour, false));
//! assert!(!is_scan(&FanOut { small_flows: 100, ..hour }, false));
//! ```

use rahdar_model::coverage::ExporterCoverage;
use rahdar_model::store::FanOut;

/// Distinct destinations in an hour on one port (Durumeric et al., 2014, use the same number for
/// scans that a telescope sees).
pub const LEAST_DESTINATIONS: u64 = 100;
/// The same where every exporter samples.
pub const LEAST_SAMPLED_DESTINATIONS: u64 = 20;

/// Mail servers with dead peers fail here in good faith.
pub const SMTP_PORT: u16 = 25;

/// Of ten records, those with three packets or fewer.
const SMALL_FLOWS_IN_TEN: u64 = 8;

/// Names and time: one packet each, to many, by design.
const CHATTY_PORTS: [u16; 2] = [53, 123];
/// Ports that clients call, left out under sampling.
const CLIENT_PORTS: [u16; 9] = [SMTP_PORT, 80, 443, 465, 587, 853, 993, 995, 8080];

/// Whether every exporter samples, so that few packets of a connection say nothing.
pub fn is_all_sampled(coverage: &[ExporterCoverage]) -> bool {
    let rates = || coverage.iter().flat_map(|exporter| &exporter.sampling);
    rates().count() > 0 && rates().all(|rate| rate.is_some_and(|interval| interval > 1))
}

/// The least distinct destinations worth asking for.
pub fn least_destinations(all_sampled: bool) -> u64 {
    if all_sampled { LEAST_SAMPLED_DESTINATIONS } else { LEAST_DESTINATIONS }
}

/// Whether the hour is one of scanning.
pub fn is_scan(hour: &FanOut, all_sampled: bool) -> bool {
    hour.destinations >= least_destinations(all_sampled)
        && hour.small_flows.saturating_mul(10) >= hour.flows.saturating_mul(SMALL_FLOWS_IN_TEN)
        && !CHATTY_PORTS.contains(&hour.port)
        && !(all_sampled && CLIENT_PORTS.contains(&hour.port))
}
