//! What a victim does, by what it serves (`methods.md` §8, first form).
//!
//! A port counts as served where at least [`LEAST_PEERS`] addresses called it, and twice as many
//! as called telnet or SMB, which few serve to the Internet and everybody scans. Weights in
//! decibans: mail server: port 25 +8, each of 465, 587, 993, 995, 143, 110 +5; web server: each
//! of 80, 443, 8080, 8443 +5; DNS server: 53 +8; VPN gateway: each of 500, 1194, 1701, 1723,
//! 4500, 51820 +5. A mail server needs two of its ports. The best role comes first.
//!
//! Wrong for hosts whose port is scanned twice as much as others and used by nobody. A role that
//! a person gave goes before all of this.
//!
//! ```
//! use rahdar_hunt::role::roles;
//! use rahdar_model::store::Service;
//!
//! let host = "192.0.2.25".parse().unwrap();
//! let tcp = |port, peers| Service { host, protocol: 6, port, flows: peers, peers };
//! assert_eq!(roles(&[tcp(25, 400), tcp(993, 60), tcp(443, 60)]), ["mail server", "web server"]);
//! assert!(roles(&[tcp(23, 40), tcp(443, 60)]).is_empty());
//! ```

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::store::{Service, StoreError};
use rahdar_model::{Address, FlowStore, Window};

/// Roles that the rest of a hunt asks for.
pub const MAIL_SERVER: &str = "mail server";
/// Authoritative or a resolver.
pub const DNS_SERVER: &str = "DNS server";

/// Distinct callers that make a port a service (`methods.md` §8).
pub const LEAST_PEERS: u64 = 10;

/// Telnet and SMB.
const SCANNED_PORTS: [u16; 2] = [23, 445];
/// A served port has this many times the callers of a scanned one. Chosen here.
const SERVED_RATIO: u64 = 2;

/// A role, and its ports with their weights.
struct Role {
    name: &'static str,
    ports: &'static [(u16, u32)],
    least_ports: usize,
}

const ROLES: [Role; 4] = [
    Role {
        name: MAIL_SERVER,
        ports: &[(25, 8), (465, 5), (587, 5), (993, 5), (995, 5), (143, 5), (110, 5)],
        least_ports: 2,
    },
    Role { name: "web server", ports: &[(80, 5), (443, 5), (8080, 5), (8443, 5)], least_ports: 1 },
    Role { name: DNS_SERVER, ports: &[(53, 8)], least_ports: 1 },
    Role {
        name: "VPN gateway",
        ports: &[(500, 5), (1194, 5), (1701, 5), (1723, 5), (4500, 5), (51820, 5)],
        least_ports: 1,
    },
];

/// The roles of a host with these services, the best first.
pub fn roles(services: &[Service]) -> Vec<&'static str> {
    let peers = |port: u16| services.iter().filter(|s| s.port == port).map(|s| s.peers).max().unwrap_or(0);
    let scans = SCANNED_PORTS.into_iter().map(peers).max().unwrap_or(0);
    let least = LEAST_PEERS.max(scans.saturating_mul(SERVED_RATIO));
    let mut roles: Vec<(u32, &str)> = Vec::new();
    for role in &ROLES {
        let served = || role.ports.iter().filter(|(port, _)| peers(*port) >= least);
        if served().count() >= role.least_ports {
            roles.push((served().map(|(_, db)| db).sum(), role.name));
        }
    }
    roles.sort_by_key(|(db, _)| Reverse(*db));
    roles.into_iter().map(|(_, name)| name).collect()
}

/// The roles of each of `hosts` that shows any.
pub(crate) fn of_hosts(
    store: &dyn FlowStore,
    hosts: BTreeSet<Address>,
    window: Window,
) -> Result<BTreeMap<Address, Vec<&'static str>>, StoreError> {
    if hosts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let hosts: Vec<Address> = hosts.into_iter().collect();
    let services = store.services(&hosts, window)?;
    let of_a_host = services.chunk_by(|a, b| a.host == b.host);
    Ok(of_a_host.map(|services| (services[0].host, roles(services))).collect())
}
