//! G4: what kind of host the address was (`methods.md` §2.2).
//!
//! | state | dB |
//! |---|---|
//! | a host of its own | +5 |
//! | nothing known, a cloud, or a research scanner (that is G9's matter) | 0 |
//! | VPN, Tor or dynamic pool | −8 |
//! | shared host | −12 |
//! | content delivery network, anycast resolver, large mail provider | −25, not believed unless the victim called it by a claimed name |
//! | sinkhole | −30, not believed: shows infection, not control |
//!
//! Facts are dated: traffic before an address became a sinkhole is still judged. Wrong where a
//! fact is missing; unknown is the common state.
//!
//! ```
//! use rahdar_hunt::evidence::host::Host;
//! use rahdar_model::intelligence::HostClass;
//!
//! let host = Host::of([HostClass::Pool, HostClass::Dedicated]);
//! assert_eq!((host.weight(), host.is_kill(false)), (-8.0, false));
//! ```

use rahdar_model::intelligence::HostClass;

use super::{Group, Row};

/// What is known of a host: the class that speaks most against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Host(Option<HostClass>);

impl Host {
    /// The host of these facts.
    pub fn of(facts: impl IntoIterator<Item = HostClass>) -> Self {
        Self(facts.into_iter().min_by(|a, b| weight(*a).total_cmp(&weight(*b)).then(a.cmp(b))))
    }

    /// Decibans.
    pub fn weight(self) -> f64 {
        self.0.map_or(0.0, weight)
    }

    /// Whether no other evidence can make contact with this host command traffic. A front of a
    /// content network is not beyond doubt where the handshake shows the claimed name or certificate
    /// behind it.
    pub fn is_kill(self, is_shown_by_handshake: bool) -> bool {
        match self.0 {
            Some(HostClass::Sinkhole) => true,
            Some(HostClass::Cdn) => !is_shown_by_handshake,
            _ => false,
        }
    }

    /// Whether whoever talks to it talks to its owner.
    pub fn is_dedicated(self) -> bool {
        self.0 == Some(HostClass::Dedicated)
    }

    /// The reason, if anything is known that weighs.
    pub fn row(self) -> Option<Row> {
        let class = self.0?;
        let (kind, text) = match class {
            HostClass::Dedicated => ("host", "the address is a host of its own"),
            HostClass::Pool => ("pool", "the address belongs to a VPN, to Tor or to a dynamic pool"),
            HostClass::Shared => ("shared_host", "the address serves many names"),
            HostClass::Cdn => ("cdn", "the address serves a content network, a resolver or a mail provider"),
            HostClass::Sinkhole => {
                ("sinkhole", "defenders hold the address: infection suspected, no attacker in control")
            }
            HostClass::Cloud | HostClass::Scanner => return None,
        };
        Some(Row::new(Group::Host, kind, weight(class), text.to_owned()))
    }
}

const fn weight(class: HostClass) -> f64 {
    match class {
        HostClass::Dedicated => 5.0,
        HostClass::Cloud | HostClass::Scanner => 0.0,
        HostClass::Pool => -8.0,
        HostClass::Shared => -12.0,
        HostClass::Cdn => -25.0,
        HostClass::Sinkhole => -30.0,
    }
}
