//! Many addresses, one port: the fan-out rule (`methods.md` §4).
//!
//! A source scans if in one hour it reached at least [`LEAST_DESTINATIONS`] addresses on one port
//! and at least four in five of its records there were small: three packets or fewer, and no
//! payload after an ACK. Where all exporters sample, [`LEAST_SAMPLED_DESTINATIONS`] suffice, which
//! is some 20·N probes; but there a busy client looks like a scanner, because most of its
//! connections show one packet, and ports that clients call are left out.
//!
//! Without TCP there are no flags to tell who was accepted. Where every answer is seen, a source
//! scans only if at most one destination in five answered: resolvers, pools of time servers,
//! telephones and peers of a file-sharing network answer. Elsewhere names and time never count.
//!
//! Assumes that a scanner does not wait. Wrong for scans of TCP ports that answer with more than
//! a handshake, for monitors that knock at hundreds of hosts, and for peers of a network that is
//! mostly gone. Slower scans are told by the [`walk`](super::walk).
//!
//! Source: the number of addresses is that of Durumeric et al., "An Internet-Wide View of
//! Internet-Wide Scanning", USENIX Security 2014, for scans that a telescope sees; the rest is
//! chosen in `methods.md` §4.
//!
//! ```
//! use rahdar_hunt::scanner::horizontal::is_scan;
//! use rahdar_hunt::vantage::Vantage;
//! use rahdar_model::store::FanOut;
//!
//! let hour = FanOut {
//!     source: "192.0.2.9".parse().unwrap(),
//!     hour: "2021-08-15".parse().unwrap(),
//!     protocol: 6,
//!     port: 445,
//!     destinations: 254,
//!     answered: 0,
//!     flows: 254,
//!     small_flows: 250,
//!     start_time: "2021-08-15T00:00:01Z".parse().unwrap(),
//!     end_time: "2021-08-15T00:09:40Z".parse().unwrap(),
//! };
//! let vantage = Vantage::of(&[]);
//! assert!(is_scan(&hour, &vantage));
//! assert!(!is_scan(&FanOut { small_flows: 100, ..hour }, &vantage));
//! ```

use rahdar_model::flow::protocol;
use rahdar_model::store::FanOut;
use rahdar_model::time::HOUR_US;

use super::{Found, SPARED_PORTS, at_port};
use crate::vantage::Vantage;

/// Distinct destinations in an hour on one port.
pub const LEAST_DESTINATIONS: u64 = 100;
/// The same where every exporter samples.
pub const LEAST_SAMPLED_DESTINATIONS: u64 = 20;

/// Of ten records, the small ones.
const SMALL_FLOWS_IN_TEN: u64 = 8;
/// Of ten destinations, those that may answer a scanner: what the walk expects of one, θ1 = 0.2.
const ANSWERED_IN_TEN: u64 = 2;

/// Names and time: one packet each, to many, by design.
const CHATTY_PORTS: [u16; 2] = [53, 123];
/// Ports that clients call, left out under sampling.
const CLIENT_PORTS: [u16; 9] = [SPARED_PORTS[0], 80, 443, 465, 587, 853, 993, 995, 8080];

/// The least distinct destinations worth asking for.
pub fn least_destinations(vantage: &Vantage<'_>) -> u64 {
    if vantage.is_all_sampled() { LEAST_SAMPLED_DESTINATIONS } else { LEAST_DESTINATIONS }
}

/// Whether the hour is one of scanning.
pub fn is_scan(hour: &FanOut, vantage: &Vantage<'_>) -> bool {
    let is_left_out = match (hour.protocol, vantage.sees_answers()) {
        _ if vantage.is_all_sampled() => {
            CHATTY_PORTS.contains(&hour.port) || CLIENT_PORTS.contains(&hour.port)
        }
        (protocol::TCP, _) => false,
        (_, true) => hour.answered.saturating_mul(10) > hour.destinations.saturating_mul(ANSWERED_IN_TEN),
        (_, false) => CHATTY_PORTS.contains(&hour.port),
    };
    hour.destinations >= least_destinations(vantage)
        && hour.small_flows.saturating_mul(10) >= hour.flows.saturating_mul(SMALL_FLOWS_IN_TEN)
        && !is_left_out
}

/// An hour of scanning, as it is told.
pub(super) fn found(hour: FanOut) -> Found {
    let FanOut { destinations, small_flows, flows, .. } = hour;
    Found {
        address: hour.source,
        protocol: hour.protocol,
        port: at_port(hour.protocol, hour.port),
        destinations,
        flows,
        start_time: hour.start_time,
        end_time: hour.end_time.min(hour.hour.plus_micros(HOUR_US)).max(hour.start_time),
        statistic: destinations as f64,
        strength: destinations,
        why: format!("{destinations} addresses in one hour, {small_flows} of {flows} records small"),
    }
}

#[cfg(test)]
mod tests {
    use rahdar_model::{FlowStore, Window};
    use rahdar_testkit::builder::FlowBuilder;
    use rahdar_testkit::{NaiveStore, flow};

    use super::*;

    fn check(flows: Vec<FlowBuilder>, expected: bool) {
        let store = NaiveStore::of(flows);
        let coverage = store.coverage(Window::ALL).unwrap();
        let vantage = Vantage::of(&coverage);
        let mut scans = false;
        let mut visit = |hour| scans |= is_scan(&hour, &vantage);
        store.fan_outs(&[], Window::ALL, least_destinations(&vantage), &mut visit).unwrap();
        assert_eq!(scans, expected);
    }

    /// To `n` addresses of one port.
    fn to(n: u32, port: u16) -> impl Iterator<Item = FlowBuilder> {
        let ends = move |n: u32| format!("192.0.2.9:40000 > 203.0.{}.{}:{port}", 113 + n / 250, n % 250);
        (0..n).map(move |n| flow(&ends(n)).sent(1, 60).flags(0x02))
    }

    #[test]
    fn a_hundred_addresses_in_an_hour_are_a_scan_and_ninety_nine_are_none() {
        check(to(100, 445).collect(), true);
        check(to(99, 445).collect(), false);
        check(to(20, 445).map(|flow| flow.sampled(100)).collect(), true);
        check(to(20, 443).map(|flow| flow.sampled(100)).collect(), false);
    }

    #[test]
    fn connections_that_carry_something_are_no_scan() {
        check(to(200, 445).map(|flow| flow.sent(9, 900).flags(0x1b)).collect(), false);
        check(to(200, 445).map(|flow| flow.sent(2, 1_500).flags(0x18)).collect(), false);
    }

    #[test]
    fn replies_to_forged_calls_are_no_scan() {
        check(to(200, 445).map(|flow| flow.flags(0x12)).collect(), false);
        check(to(200, 445).map(|flow| flow.flags(0x14)).collect(), false);
    }

    #[test]
    fn datagrams_are_a_scan_if_hardly_anyone_answers() {
        let asked = |answers: usize| {
            let answered = move |(n, flow): (usize, FlowBuilder)| {
                if n < answers { flow.udp().answered(1, 90) } else { flow.udp() }
            };
            to(200, 161).enumerate().map(answered).collect()
        };
        check(asked(40), true);
        check(asked(41), false);
    }

    #[test]
    fn an_answer_in_a_record_of_its_own_is_one() {
        let asked = to(200, 53).map(FlowBuilder::udp);
        let answer = |n: u32| flow(&format!("203.0.113.{n}:53 > 192.0.2.9:40000")).udp().sent(1, 120);
        check(asked.chain((0..200).map(answer)).collect(), false);
    }

    #[test]
    fn a_server_that_answers_many_at_a_fixed_port_does_not_scan() {
        let client = |n: u32| flow(&format!("203.0.113.{n}:68 > 192.0.2.9:67")).udp().sent(1, 300);
        let served = |n: u32| flow(&format!("192.0.2.9:67 > 203.0.113.{n}:68")).udp().sent(1, 300);
        check((0..200).flat_map(|n| [client(n), served(n)]).collect(), false);
    }
}
