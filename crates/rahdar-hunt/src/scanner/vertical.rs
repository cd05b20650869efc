//! Many ports, one address (`methods.md` §4).
//!
//! A source scans if on one day it tried at least [`LEAST_PORTS`] ports of one destination in
//! vain: TCP records with SYN and without ACK; UDP ports that sent nothing back, where every
//! answer is seen.
//!
//! The day instead of the hour is chosen here: nobody tries fifty closed ports of one host in good
//! faith, however slowly. Assumes flags for TCP; exporters without them tell nothing. Wrong for
//! scans that connect and acknowledge (the ports that are open are not counted) and for UDP scans
//! from a service port.
//!
//! Source: `methods.md` §4.
//!
//! ```
//! use rahdar_hunt::scanner::vertical::is_scan;
//! use rahdar_hunt::vantage::Vantage;
//! use rahdar_model::store::PortSweep;
//!
//! let sweep = PortSweep {
//!     source: "192.0.2.9".parse().unwrap(),
//!     day: "2021-08-15".parse().unwrap(),
//!     protocol: 6,
//!     destination: "203.0.113.25".parse().unwrap(),
//!     ports: 50,
//!     flows: 50,
//!     start_time: "2021-08-15T02:00:00Z".parse().unwrap(),
//!     end_time: "2021-08-15T02:04:00Z".parse().unwrap(),
//! };
//! assert!(is_scan(&sweep, &Vantage::of(&[])));
//! assert!(!is_scan(&PortSweep { ports: 49, ..sweep }, &Vantage::of(&[])));
//! ```

use rahdar_model::flow::protocol;
use rahdar_model::store::PortSweep;

use super::Found;
use crate::vantage::Vantage;

/// Distinct ports of one destination on one day.
pub const LEAST_PORTS: u64 = 50;

/// Whether the day is one of scanning.
pub fn is_scan(sweep: &PortSweep, vantage: &Vantage<'_>) -> bool {
    sweep.ports >= LEAST_PORTS && (sweep.protocol == protocol::TCP || vantage.sees_answers())
}

/// A day of scanning, as it is told.
pub(super) fn found(sweep: PortSweep) -> Found {
    Found {
        address: sweep.source,
        protocol: sweep.protocol,
        port: None,
        destinations: 1,
        flows: sweep.flows,
        start_time: sweep.start_time,
        end_time: sweep.end_time,
        statistic: sweep.ports as f64,
        strength: sweep.ports,
        why: format!("{} ports of {} in vain on one day", sweep.ports, sweep.destination),
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
        let mut visit = |sweep| scans |= is_scan(&sweep, &vantage);
        store.port_sweeps(&[], Window::ALL, LEAST_PORTS, &mut visit).unwrap();
        assert_eq!(scans, expected);
    }

    /// To the first `n` ports of one host.
    fn to(n: u16) -> impl Iterator<Item = FlowBuilder> {
        (1..=n).map(|port| flow(&format!("192.0.2.9:40000 > 203.0.113.25:{port}")).sent(1, 60).flags(0x02))
    }

    #[test]
    fn fifty_closed_ports_of_one_host_are_a_scan() {
        check(to(50).collect(), true);
        check(to(49).collect(), false);
        check(to(60).map(|flow| flow.sent(9, 900).flags(0x1b)).collect(), false);
    }

    #[test]
    fn what_a_server_sends_to_the_ports_of_a_busy_client_is_none() {
        let ask = |port: u16| flow(&format!("203.0.113.25:{port} > 192.0.2.9:5353")).udp().sent(1, 60);
        let answer = |port: u16| flow(&format!("192.0.2.9:5353 > 203.0.113.25:{port}")).udp().sent(1, 60);
        check((40_000..40_090).flat_map(|port| [ask(port), answer(port)]).collect(), false);
        check((40_000..40_090).map(answer).collect(), true);
        let resolved = |port: u16| flow(&format!("192.0.2.9:53 > 203.0.113.25:{port}")).udp().sent(1, 60);
        check((40_000..40_090).map(resolved).collect(), false);
    }
}
