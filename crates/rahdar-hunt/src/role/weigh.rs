//! From what was seen to decibans: the table of this module's parent.

use std::fmt;

use crate::role::activity::{Activity, DISTINCT_MAX};
use crate::role::known::Names;
use crate::role::{Role, Sum};

/// Distinct callers that are many (`methods.md` §8).
const MANY: usize = 10;
/// The same where packets were sampled (`methods.md` §8).
const MANY_SAMPLED: usize = 5;
/// Telnet and SMB.
const SCANNED_PORTS: [u16; 2] = [23, 445];
/// A served port has this many times the callers of a scanned one. Chosen here.
const SERVED_RATIO: usize = 2;

const SUBMISSION_PORTS: [u16; 6] = [465, 587, 993, 995, 143, 110];
const WEB_PORTS: [u16; 4] = [80, 443, 8080, 8443];
const VPN_PORTS: [u16; 6] = [500, 4500, 1194, 1701, 1723, 51820];

/// What speaks for each role.
pub(super) fn weigh(activity: &Activity, names: &Names) -> Sum {
    let many = if activity.is_sampled { MANY_SAMPLED } else { MANY };
    let scans = SCANNED_PORTS.into_iter().map(|port| activity.callers(port)).max().unwrap_or(0);
    let served_by = |port: u16| {
        let callers = activity.callers(port);
        (callers >= many.max(scans.saturating_mul(SERVED_RATIO))).then_some(callers)
    };
    let mut sum = Sum::default();
    mail(&mut sum, activity, names, many, &served_by);
    ports(&mut sum, Role::WebServer, &WEB_PORTS, (7, 14), &served_by);
    ports(&mut sum, Role::VpnGateway, &VPN_PORTS, (7, 14), &served_by);
    if activity.tunnels.len() >= many {
        sum.add(Role::VpnGateway, 8, format!("ESP or GRE with {} addresses", Count(activity.tunnels.len())));
    }
    dns(&mut sum, activity, many, &served_by);
    clients(&mut sum, activity, many);
    routers(&mut sum, activity, many);
    let (tried_by, tried_ports) = (activity.tried_by.len(), activity.tried_ports.len());
    if !activity.sent && tried_by >= many && tried_ports >= if activity.is_sampled { 8 } else { 20 } {
        let reason = format!(
            "{} networks called {} ports, and it never sent anything",
            Count(tried_by),
            Count(tried_ports)
        );
        sum.add(Role::Telescope, 16, reason);
    }
    sum
}

fn mail(
    sum: &mut Sum,
    activity: &Activity,
    names: &Names,
    many: usize,
    served_by: &dyn Fn(u16) -> Option<usize>,
) {
    const ROLE: Role = Role::MailServer;
    let networks = activity.mailed_by.len();
    if networks >= many && served_by(25).is_some() {
        sum.add(ROLE, 8, format!("{} networks called port 25", Count(networks)));
    }
    ports(sum, ROLE, &SUBMISSION_PORTS, (5, 10), served_by);
    let called = activity.mailed_to.len();
    if called >= many {
        sum.add(ROLE, 8, format!("it called port 25 of {} networks", Count(called)));
        let (out, back) = activity.mailed;
        let ratio = (out as f64 - back as f64) / (out as f64 + back as f64).max(1.0);
        if (0.2..=0.6).contains(&ratio) {
            sum.add(ROLE, 1, format!("it sent more there than came, by a ratio of {ratio:.1}"));
        }
    }
    if activity.stayed.len() >= many {
        sum.add(ROLE, 2, format!("{} addresses stayed on port 443", Count(activity.stayed.len())));
    }
    if let Some(name) = &names.mail {
        sum.add(ROLE, 6, format!("its name is {name}"));
    }
    if let Some(domain) = &names.exchanges_for {
        sum.add(ROLE, 15, format!("mail for {domain} goes to it"));
    }
    if let Some(name) = &names.called {
        sum.add(ROLE, 6, format!("TLS clients called it {name}"));
    }
}

/// So many decibans for each port that is served, and so many at most.
fn ports(
    sum: &mut Sum,
    role: Role,
    ports: &[u16],
    (each, most): (i32, i32),
    served_by: &dyn Fn(u16) -> Option<usize>,
) {
    let mut left = most;
    for port in ports {
        if let Some(callers) = served_by(*port).filter(|_| left > 0) {
            let db = each.min(left);
            left -= db;
            sum.add(role, db, format!("{} addresses called port {port}", Count(callers)));
        }
    }
}

fn dns(sum: &mut Sum, activity: &Activity, many: usize, served_by: &dyn Fn(u16) -> Option<usize>) {
    let Some(callers) = served_by(53) else { return };
    for role in [Role::DnsResolver, Role::DnsAuthoritative] {
        sum.add(role, 8, format!("{} addresses called port 53", Count(callers)));
    }
    match activity.asked.len() {
        called if called >= many => {
            sum.add(Role::DnsResolver, 8, format!("it called port 53 of {}", networks(called)));
        }
        called => sum.add(Role::DnsAuthoritative, 4, format!("it called port 53 of {}", networks(called))),
    }
}

/// One that calls: many behind one address, or one.
fn clients(sum: &mut Sum, activity: &Activity, many: usize) {
    let least = |exact: usize, sampled: usize| if activity.is_sampled { sampled } else { exact };
    let reached = activity.reached.len();
    if reached >= least(200, 50) {
        sum.add(Role::Nat, 6, format!("it called {}", networks(reached)));
    }
    let services = activity.services.len();
    if services >= least(15, 8) {
        sum.add(Role::Nat, 6, format!("it called {services} kinds of service"));
    }
    let busiest = activity.busiest_minute() as usize;
    if busiest >= least(100, 5) {
        sum.add(Role::Nat, 6, format!("it began {busiest} flows in one minute"));
    }
    if reached > 0 {
        sum.add(Role::Endpoint, 4, format!("it called {}", networks(reached)));
        if activity.used_by.len() < many {
            sum.add(Role::Endpoint, 6, "nobody calls it".to_owned());
        }
    }
}

fn routers(sum: &mut Sum, activity: &Activity, many: usize) {
    if activity.expired.len() >= many {
        let reason = format!("it told {} addresses that time was exceeded", Count(activity.expired.len()));
        sum.add(Role::Router, 10, reason);
    }
    if activity.routes {
        sum.add(Role::Router, 10, "it speaks a routing protocol".to_owned());
    }
}

/// `1 network`, `40 networks`.
fn networks(n: usize) -> String {
    format!("{} {}", Count(n), if n == 1 { "network" } else { "networks" })
}

/// How many were told apart.
struct Count(usize);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_more = if self.0 >= DISTINCT_MAX { " or more" } else { "" };
        write!(f, "{}{or_more}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_network_is_no_plural() {
        assert_eq!([0, 1, 2].map(networks), ["0 networks", "1 network", "2 networks"]);
        assert_eq!(networks(DISTINCT_MAX), format!("{DISTINCT_MAX} or more networks"));
    }
}
