//! What is known of all exporters: so much of each, and so much of all together. No exporter, and nobody
//! who forges its address, can make another be forgotten.

use std::cmp::Reverse;

use rahdar_model::address::Address;

use super::domain::Domain;
use super::message::Protocol;
use super::recent::Recent;
use super::saved::{Damaged, Reader, Writer};

/// Exporters that are remembered. Chosen here: more than a country has.
const EXPORTERS_MAX: usize = 65_536;

/// Observation domains that are remembered of one exporter, counted in each of its sessions. Chosen here: a
/// router has some 64, but a relay or a container network shows the exporters behind it by one address.
const DOMAINS_MAX: usize = 1_024;

/// Octets that all exporters together may take. A quarter of what an import may take (performance.md §5).
const MEMORY_MAX: usize = 128 << 20;

/// Octets that are left when they took more, so that room is made rarely.
const MEMORY_LEFT: usize = MEMORY_MAX / 16 * 15;

/// What a domain takes beside what it knows, about.
const DOMAIN_OCTETS: usize = size_of::<Domain>() + 2 * size_of::<Session>() + 64;

/// Whose templates and sampling these are (RFC 7011 §8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Session {
    pub(super) exporter: Address,
    pub(super) port: u16,
    pub(super) protocol: Protocol,
    pub(super) domain: u32,
}

/// The observation domains of all exporters.
pub(super) struct Sessions {
    exporters: Recent<Address, Exporter>,
    octets: usize,
}

/// Those of one exporter.
struct Exporter {
    domains: Recent<Session, Domain>,
    octets: usize,
}

impl Exporter {
    fn new() -> Self {
        Self { domains: Recent::new(DOMAINS_MAX), octets: 0 }
    }
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { exporters: Recent::new(EXPORTERS_MAX), octets: 0 }
    }

    /// The domain of a session, made if it is not there, and the domains that had to go for it.
    pub(super) fn get_or_insert(
        &mut self,
        session: Session,
        make: impl FnOnce() -> Domain,
    ) -> (&mut Domain, Vec<Domain>) {
        let (exporter, forgotten) = self.exporters.get_or_insert(session.exporter, Exporter::new);
        let mut gone = Vec::new();
        if let Some((_, forgotten)) = forgotten {
            self.octets -= forgotten.octets;
            gone.extend(forgotten.domains.into_values());
        }
        let mut is_new = false;
        let (domain, replaced) = exporter.domains.get_or_insert(session, || {
            is_new = true;
            make()
        });
        let less = replaced.as_ref().map_or(0, |(_, domain)| cost(domain));
        let more = if is_new { cost(domain) } else { 0 };
        exporter.octets = exporter.octets + more - less;
        self.octets = self.octets + more - less;
        gone.extend(replaced.map(|(_, domain)| domain));
        (domain, gone)
    }

    /// Takes note that a domain of this exporter took so many octets and takes so many now.
    pub(super) fn changed(&mut self, exporter: Address, before: usize, after: usize) {
        self.octets = self.octets + after - before;
        if let Some(exporter) = self.exporters.get(exporter) {
            exporter.octets = exporter.octets + after - before;
        }
    }

    /// Takes out domains if all together take too much: half of what the exporter has that takes most,
    /// those first that were not used lately, then of the next, until there is room.
    pub(super) fn take_excess(&mut self) -> Vec<Domain> {
        let mut gone = Vec::new();
        if self.octets <= MEMORY_MAX {
            return gone;
        }
        let mut by_size: Vec<(usize, Address)> =
            self.exporters.iter().map(|(address, exporter)| (exporter.octets, address)).collect();
        by_size.sort_unstable_by_key(|(octets, _)| Reverse(*octets));
        for (octets, address) in by_size {
            let Some(exporter) = self.exporters.get(address) else { continue };
            while self.octets > MEMORY_LEFT && exporter.octets > octets / 2 {
                let Some((_, domain)) = exporter.domains.remove_unused() else { break };
                exporter.octets -= cost(&domain);
                self.octets -= cost(&domain);
                gone.push(domain);
            }
            if self.octets <= MEMORY_LEFT {
                break;
            }
        }
        gone
    }

    /// Takes out the domains that an exporter told from this port.
    pub(super) fn take_ended(&mut self, exporter: Address, port: u16) -> Vec<Domain> {
        let Some(exporter) = self.exporters.get(exporter) else { return Vec::new() };
        let sessions = exporter.domains.iter().map(|(session, _)| session);
        let ended: Vec<Session> = sessions.filter(|session| session.port == port).collect();
        let gone: Vec<Domain> =
            ended.into_iter().filter_map(|session| exporter.domains.remove(session)).collect();
        let octets: usize = gone.iter().map(cost).sum();
        exporter.octets -= octets;
        self.octets -= octets;
        gone
    }

    /// Takes out every domain.
    pub(super) fn take_all(&mut self) -> Vec<Domain> {
        let exporters = std::mem::replace(self, Self::new()).exporters;
        exporters.into_values().flat_map(|exporter| exporter.domains.into_values()).collect()
    }

    /// Every domain and whose it is, in no order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Session, &Domain)> {
        self.exporters.iter().flat_map(|(_, exporter)| exporter.domains.iter())
    }

    /// Does something to every domain, in no order.
    ///
    /// # Errors
    /// What `each` fails with.
    pub(super) fn for_each<E>(
        &mut self,
        mut each: impl FnMut(&mut Domain) -> Result<(), E>,
    ) -> Result<(), E> {
        for (_, exporter) in self.exporters.iter_mut() {
            for (_, domain) in exporter.domains.iter_mut() {
                let before = domain.octets();
                each(domain)?;
                exporter.octets = exporter.octets + domain.octets() - before;
                self.octets = self.octets + domain.octets() - before;
            }
        }
        Ok(())
    }

    /// Writes down every domain.
    pub(super) fn save(&self, to: &mut Writer) {
        self.exporters.save(to, |to, address, exporter| {
            to.u128(address.bits());
            exporter.domains.save(to, |to, session, domain| {
                to.u16(session.port);
                to.u8(session.protocol.version());
                to.u32(session.domain);
                domain.save(to);
            });
        });
    }

    /// Reads what [`Sessions::save`] wrote. `open` makes a domain of which nothing is known.
    ///
    /// # Errors
    /// [`Damaged`] if that is not whole.
    pub(super) fn restore(
        from: &mut Reader<'_>,
        mut open: impl FnMut(&Session) -> Domain,
    ) -> Result<Self, Damaged> {
        let exporters = Recent::restore(EXPORTERS_MAX, from, |from| {
            let exporter = Address::from_bits(from.u128()?);
            let domains = Recent::restore(DOMAINS_MAX, from, |from| {
                let port = from.u16()?;
                let protocol = Protocol::of_version(from.u8()?).ok_or(Damaged)?;
                let session = Session { exporter, port, protocol, domain: from.u32()? };
                Ok((session, open(&session).restore(from)?))
            })?;
            let octets = domains.iter().map(|(_, domain)| cost(domain)).sum();
            Ok((exporter, Exporter { domains, octets }))
        })?;
        let octets = exporters.iter().map(|(_, exporter)| exporter.octets).sum();
        Ok(Self { exporters, octets })
    }
}

fn cost(domain: &Domain) -> usize {
    DOMAIN_OCTETS + domain.octets()
}
