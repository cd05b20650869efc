//! Servers whose trade is to call many, many of them in vain (`methods.md` §4): those of mail and of names.
//!
//! By their ports alone, over all of the window: a port counts as served where at least [`LEAST_PEERS`] addresses
//! called it, and twice as many as called telnet or SMB, which few serve to the Internet and everybody
//! scans. A mail server has port 25 and another of its ports, or two others. What a victim does is
//! judged by more ([`crate::role`]).

use std::collections::BTreeSet;

use rahdar_model::store::{Service, StoreError};
use rahdar_model::{Address, FlowStore, Window};

/// Distinct callers that make a port a service (`methods.md` §8).
const LEAST_PEERS: u64 = 10;
/// Telnet and SMB.
const SCANNED_PORTS: [u16; 2] = [23, 445];
/// A served port has this many times the callers of a scanned one. Chosen here.
const SERVED_RATIO: u64 = 2;
const MAIL_PORTS: [u16; 7] = [25, 465, 587, 993, 995, 143, 110];
const DNS_PORT: u16 = 53;

/// Which of `hosts` are such.
pub(super) fn among(
    store: &dyn FlowStore,
    hosts: BTreeSet<Address>,
    window: Window,
) -> Result<BTreeSet<Address>, StoreError> {
    if hosts.is_empty() {
        return Ok(hosts);
    }
    let hosts: Vec<Address> = hosts.into_iter().collect();
    let services = store.services(&hosts, window)?;
    let of_a_host = services.chunk_by(|a, b| a.host == b.host);
    Ok(of_a_host.filter(|services| is_one(services)).map(|services| services[0].host).collect())
}

fn is_one(services: &[Service]) -> bool {
    let peers = |port: u16| services.iter().filter(|s| s.port == port).map(|s| s.peers).max().unwrap_or(0);
    let scans = SCANNED_PORTS.into_iter().map(peers).max().unwrap_or(0);
    let least = LEAST_PEERS.max(scans.saturating_mul(SERVED_RATIO));
    let is_served = |port: &u16| peers(*port) >= least;
    is_served(&DNS_PORT) || MAIL_PORTS.iter().filter(|port| is_served(port)).count() >= 2
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_served_where_more_call_it_than_scan() {
        let host = "192.0.2.25".parse().unwrap();
        let tcp = |port, peers| Service { host, protocol: 6, port, flows: peers, peers };
        assert!(is_one(&[tcp(25, 400), tcp(993, 60), tcp(443, 60)]));
        assert!(is_one(&[tcp(53, 10)]));
        assert!(!is_one(&[tcp(25, 400), tcp(443, 60)]));
        assert!(!is_one(&[tcp(25, 40), tcp(993, 40), tcp(23, 30)]));
    }
}
