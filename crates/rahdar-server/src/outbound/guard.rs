//! What may be asked: which URLs, and which addresses behind their names.
//!
//! A feed is asked over https, at public addresses, and never at an indicator. Its entry may allow
//! plain http, and single private hosts, these on the feed's own port. A name is resolved here and
//! nowhere else: the address that is connected to is the address that was looked at
//! (`reliability.md` §3, SSRF).

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};
use std::sync::Arc;

use rahdar_intel::index::Snapshot;
use rahdar_model::Address;
use rahdar_model::intelligence::{Claim, Indicator};
use reqwest::Url;
use thiserror::Error;
use url_host::Host;

/// What an entry of the operator allows beyond the rules.
#[derive(Debug, Clone)]
pub(crate) struct Allowed {
    /// Where the feed is.
    pub(crate) home: Url,
    /// Hosts that may have private addresses, as URLs name them.
    pub(crate) private_hosts: Vec<String>,
    /// Whether http will do.
    pub(crate) plain_http: bool,
}

/// Why a URL or an address is not asked.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refused {
    /// Neither https nor, where it is allowed, http.
    #[error("`{0}` is not https; `plain_http: true` in the feed's entry allows http")]
    Scheme(String),
    /// A user or a password in the URL.
    #[error("credentials do not belong in a URL: the feed's entry has a place for them")]
    UserInfo,
    /// A URL without a host.
    #[error("`{0}` names no host")]
    NoHost(String),
    /// An address that is not of the public Internet.
    #[error(
        "`{host}` is at `{address}`, which is not public; `private_hosts` in the feed's entry allows single hosts"
    )]
    Private {
        /// The host.
        host: String,
        /// Its address.
        address: IpAddr,
    },
    /// A private host on another port than the feed's.
    #[error("`{host}` is allowed on the feed's own port alone, not on `{port}`")]
    Port {
        /// The host.
        host: String,
        /// The port that was to be asked.
        port: u16,
    },
    /// The host is an indicator of the book.
    #[error("`{host}` is an indicator: `{source_name}` claims `{indicator}`. rahdar never contacts one")]
    Indicator {
        /// The host.
        host: String,
        /// What is claimed.
        indicator: String,
        /// Who claims it.
        source_name: String,
    },
}

/// Asks for the addresses of a name.
pub(crate) trait Lookup: Send + Sync + 'static {
    /// All addresses of the name. Blocks.
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>>;
}

/// The machine's resolver.
pub(crate) struct SystemLookup;

impl Lookup for SystemLookup {
    fn addresses(&self, name: &str) -> io::Result<Vec<IpAddr>> {
        Ok((name, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }
}

/// Looks at every URL before it is asked, and at every address before it is connected to.
pub(crate) struct Guard {
    allowed: Allowed,
    book: Arc<Snapshot>,
    lookup: Box<dyn Lookup>,
}

impl Guard {
    pub(crate) fn new(allowed: Allowed, book: Arc<Snapshot>, lookup: Box<dyn Lookup>) -> Self {
        Self { allowed, book, lookup }
    }

    /// Where the feed is: who its credentials are for.
    pub(crate) fn home(&self) -> &Url {
        &self.allowed.home
    }

    /// Whether this URL may be asked, as far as it says itself.
    pub(crate) fn look_at(&self, url: &Url) -> Result<(), Refused> {
        match url.scheme() {
            "https" => {}
            "http" if self.allowed.plain_http => {}
            _ => return Err(Refused::Scheme(shown(url))),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let Some(host) = Host::of(url) else { return Err(Refused::NoHost(shown(url))) };
        let name = host.to_string();
        if self.is_allowed_private(&name)
            && let Some(port) = url.port_or_known_default()
            && Some(port) != self.allowed.home.port_or_known_default()
        {
            return Err(Refused::Port { host: name, port });
        }
        match host {
            Host::Address(address) => self.look_at_address(&name, address),
            Host::Name(name) => self.look_at_name(&name),
        }
    }

    /// The addresses of a name, all of which may be connected to.
    pub(crate) fn resolve(&self, name: &str) -> Result<Vec<IpAddr>, Unresolved> {
        let addresses = self.lookup.addresses(name).map_err(Unresolved::Lookup)?;
        for address in &addresses {
            self.look_at_address(name, *address).map_err(Unresolved::Refused)?;
        }
        Ok(addresses)
    }

    fn look_at_name(&self, name: &str) -> Result<(), Refused> {
        let names_it = |claim: &&&Claim| matches!(claim.indicator, Indicator::Domain(_));
        match self.book.claims_naming(name).iter().find(names_it) {
            Some(claim) => Err(indicator(name, claim)),
            None => Ok(()),
        }
    }

    fn look_at_address(&self, host: &str, address: IpAddr) -> Result<(), Refused> {
        let address = address.to_canonical();
        if !is_public(address) && !self.is_allowed_private(host) {
            return Err(Refused::Private { host: host.to_owned(), address });
        }
        // What a hostile name once pointed to may be a host of many.
        let claims_it = |claim: &&Claim| !claim.basis.is_derived();
        match self.book.claims_on(Address::from(address)).find(claims_it) {
            Some(claim) => Err(indicator(host, claim)),
            None => Ok(()),
        }
    }

    fn is_allowed_private(&self, host: &str) -> bool {
        let bare = |host: &str| host.trim_matches(['[', ']']).trim_end_matches('.').to_ascii_lowercase();
        self.allowed.private_hosts.iter().any(|allowed| bare(allowed) == bare(host))
    }
}

fn indicator(host: &str, claim: &Claim) -> Refused {
    Refused::Indicator {
        host: host.to_owned(),
        indicator: claim.indicator.to_string(),
        source_name: claim.source.to_string(),
    }
}

/// Why a name has no addresses that may be used.
#[derive(Debug, Error)]
pub(crate) enum Unresolved {
    #[error("the name cannot be resolved")]
    Lookup(#[source] io::Error),
    #[error(transparent)]
    Refused(Refused),
}

/// A URL as people are shown it: without what may be secret, user and query.
pub(crate) fn shown(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    // Neither can fail where there is something to take away.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.to_string()
}

/// Networks of IPv4 that are not public (IANA, IPv4 Special-Purpose Address Registry, 2026): first
/// address and prefix length.
const NOT_PUBLIC_V4: [(Ipv4Addr, u32); 15] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// Networks of IPv6 inside 2000::/3 that are not public, or hide an address of IPv4 (IANA, IPv6
/// Special-Purpose Address Registry, 2026). Outside of it nothing is: NAT64 and mapped addresses too.
const NOT_PUBLIC_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// Whether this is an address of the public Internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let is_in = |(first, length): &(Ipv4Addr, u32)| {
                u32::from(v4) >> (32 - length) == u32::from(*first) >> (32 - length)
            };
            !NOT_PUBLIC_V4.iter().any(is_in)
        }
        IpAddr::V6(v6) => {
            let is_in = |(first, length): &(Ipv6Addr, u32)| {
                u128::from(v6) >> (128 - length) == u128::from(*first) >> (128 - length)
            };
            v6.segments()[0] & 0xe000 == 0x2000 && !NOT_PUBLIC_V6.iter().any(is_in)
        }
    }
}

/// The host of a URL.
mod url_host {
    use std::fmt;
    use std::net::IpAddr;

    use reqwest::Url;

    /// A name, or an address in whatever form it was written.
    pub(super) enum Host {
        Name(String),
        Address(IpAddr),
    }

    impl Host {
        pub(super) fn of(url: &Url) -> Option<Self> {
            let text = url.host_str()?;
            let bare = text.trim_matches(['[', ']']);
            Some(match bare.parse() {
                Ok(address) => Self::Address(address),
                Err(_) => Self::Name(text.to_owned()),
            })
        }
    }

    impl fmt::Display for Host {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Name(name) => f.write_str(name),
                Self::Address(address) => address.fmt(f),
            }
        }
    }
}

#[cfg(test)]
mod tests;
