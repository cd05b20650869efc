//! What names say of a host: resolutions and handshakes that our own telemetry holds.

use std::collections::{BTreeMap, BTreeSet};

use rahdar_model::fact::Answer;
use rahdar_model::store::{HandshakesAsked, StoreError};
use rahdar_model::{Address, FlowStore, Prefix, Window};

/// Questions by type (IANA DNS RR TYPE).
const PTR: u16 = 12;
const MX: u16 = 15;

/// Labels that hosts for mail have, as their first, with digits behind (`methods.md` §8).
const MAIL_LABELS: [&str; 8] = ["mail", "mx", "smtp", "owa", "exchange", "webmail", "imap", "autodiscover"];
/// Names under which a host for mail is called (`methods.md` §8).
const CALLED: [&str; 5] = ["autodiscover", "owa", "mail", "webmail", "exchange"];
/// Names of hosts that are kept, and domains that are asked for their mail exchangers; chosen here: one host
/// has some dozens of names.
const NAMES_MAX: usize = 10_000;

/// What names say of hosts.
#[derive(Debug, Default)]
pub(super) struct Known {
    hosts: BTreeMap<Address, Names>,
}

/// What names say of one host.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// A name of it that is one for mail.
    pub(super) mail: Option<String>,
    /// A domain whose mail goes to it.
    pub(super) exchanges_for: Option<String>,
    /// A name for mail by which TLS clients called it.
    pub(super) called: Option<String>,
}

const NO_NAMES: Names = Names { mail: None, exchanges_for: None, called: None };

impl Known {
    /// What was seen in `window`.
    pub(super) fn of(store: &dyn FlowStore, hosts: &[Address], window: Window) -> Result<Self, StoreError> {
        let networks: Vec<Prefix> = hosts.iter().copied().map(Prefix::host).collect();
        let mut known = Self::default();
        let mut names: BTreeMap<String, BTreeSet<Address>> = BTreeMap::new();
        store.resolutions(&[], &networks, window, &mut |resolution| {
            if let Answer::Address(address) = resolution.answer {
                names.entry(resolution.name).or_default().insert(address);
                if names.len() > NAMES_MAX {
                    // The first by name are kept, in whatever order they come.
                    names.pop_last();
                }
            }
        })?;
        for (name, addresses) in &names {
            for address in addresses.iter().filter(|_| is_of_mail(name, &MAIL_LABELS)) {
                lowest(&mut known.hosts.entry(*address).or_default().mail, name);
            }
        }
        known.reversed(store, hosts, window)?;
        known.exchangers(store, &names, window)?;
        let asked = HandshakesAsked { networks: &networks, ..HandshakesAsked::default() };
        store.handshakes(&asked, window, &mut |handshake| {
            let subject = handshake.subject.to_ascii_lowercase();
            let subject = subject.split(',').find_map(|part| part.trim().strip_prefix("cn="));
            for name in [handshake.server_name.as_str(), subject.unwrap_or_default()] {
                if is_of_mail(name, &CALLED) {
                    lowest(&mut known.hosts.entry(handshake.server).or_default().called, name);
                }
            }
        })?;
        Ok(known)
    }

    /// What is known of this host.
    pub(super) fn of_host(&self, host: Address) -> &Names {
        self.hosts.get(&host).unwrap_or(&NO_NAMES)
    }

    /// Names by reverse resolution.
    fn reversed(
        &mut self,
        store: &dyn FlowStore,
        hosts: &[Address],
        window: Window,
    ) -> Result<(), StoreError> {
        let asked: BTreeMap<String, Address> =
            hosts.iter().map(|host| (reverse_name(*host), *host)).collect();
        let names: Vec<&str> = asked.keys().map(String::as_str).collect();
        store.resolutions(&names, &[], window, &mut |resolution| {
            if let (Some(PTR), Some(host), Answer::Text(name)) =
                (resolution.question, asked.get(&resolution.name), &resolution.answer)
                && is_of_mail(name, &MAIL_LABELS)
            {
                lowest(&mut self.hosts.entry(*host).or_default().mail, name);
            }
        })
    }

    /// Domains whose mail exchanger is one of these names.
    fn exchangers(
        &mut self,
        store: &dyn FlowStore,
        names: &BTreeMap<String, BTreeSet<Address>>,
        window: Window,
    ) -> Result<(), StoreError> {
        let domains: BTreeSet<&str> = names.keys().filter_map(|name| parent(name)).take(NAMES_MAX).collect();
        if domains.is_empty() {
            return Ok(());
        }
        let domains: Vec<&str> = domains.into_iter().collect();
        store.resolutions(&domains, &[], window, &mut |resolution| {
            let (Some(MX), Answer::Text(answer)) = (resolution.question, &resolution.answer) else { return };
            // Some sources write the preference before the name.
            let name = answer.split_whitespace().next_back().unwrap_or_default().trim_end_matches('.');
            for host in names.get(name).into_iter().flatten() {
                lowest(&mut self.hosts.entry(*host).or_default().exchanges_for, &resolution.name);
            }
        })
    }
}

/// Keeps the first of two names in their order, so that the order of a store does not matter.
fn lowest(kept: &mut Option<String>, name: &str) {
    if kept.as_deref().is_none_or(|kept| name < kept) {
        *kept = Some(name.to_owned());
    }
}

/// Whether the first label is one of these, with digits behind or not.
fn is_of_mail(name: &str, labels: &[&str]) -> bool {
    let first =
        name.split('.').next().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
    labels.contains(&first)
}

/// The domain that a host's name is in, unless that is a top-level domain.
fn parent(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.'))
}

/// The name asked for an address's name (RFC 1035 §3.5, RFC 3596 §2.5).
fn reverse_name(address: Address) -> String {
    match address.v4_bits() {
        Some(bits) => {
            let [a, b, c, d] = bits.to_be_bytes();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        None => {
            let nibbles = (0..32).map(|i| format!("{:x}.", address.bits() >> (4 * i) & 0xf));
            nibbles.collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_hosts_for_mail_are_told_by_their_first_label() {
        for name in ["mail.example.org", "mx2.example.org", "smtp-1.example.org", "owa"] {
            assert!(is_of_mail(name, &MAIL_LABELS), "{name}");
        }
        for name in ["www.mail.example.org", "mailing.example.org", "", "matrix.example.org"] {
            assert!(!is_of_mail(name, &MAIL_LABELS), "{name}");
        }
        assert_eq!((parent("mx.example.org"), parent("example.org")), (Some("example.org"), None));
    }

    #[test]
    fn addresses_have_names_to_be_asked_by() {
        assert_eq!(reverse_name("203.0.113.25".parse().unwrap()), "25.113.0.203.in-addr.arpa");
        let name = reverse_name("2001:db8::1".parse().unwrap());
        assert!(name.starts_with("1.0.0.") && name.ends_with("8.b.d.0.1.0.0.2.ip6.arpa"), "{name}");
    }
}
