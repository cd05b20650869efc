//! G2: who called, and on which port (`methods.md` §2.2).
//!
//! | state | dB |
//! |---|---|
//! | the victim called a port and protocol that a claim names | +10 |
//! | … a port on which that malware listens as it is delivered | +5 |
//! | … a port, and no claim names any | +3 |
//! | … another port than the claims name | −4 |
//! | the remote called the victim | −6 |
//! | the same, a host of its own to which the victim sent 1 MB or more: a web shell's pattern | 0 |
//! | nobody knows who called, or the protocol has no ports | 0 |
//!
//! The best of the sessions that show an exchange speaks; ports never decide whether there was a
//! contact, because lists name a port and the server answers on the next one too.
//!
//! ```
//! use rahdar_hunt::evidence::port::Port;
//!
//! assert_eq!(Port::Documented(443).weight(), 10.0);
//! assert_eq!(Port::Other { used: 7084, documented: vec![7081] }.weight(), -4.0);
//! ```

use rahdar_model::flow::protocol;
use rahdar_model::intelligence::Claim;

use super::{Group, Row, listed};
use crate::stitch::Session;
use crate::sweep::Party;

/// Ports on which malware listens unless its user changes them: the defaults of its builders, by
/// the name in lower-case letters and digits. The reports on each family name them.
const FAMILY_PORTS: [(&str, &[u16]); 14] = [
    ("asyncrat", &[6606, 7707, 8808]),
    ("bitrat", &[1234]),
    ("darkcomet", &[1604]),
    ("dcrat", &[8848]),
    ("metasploit", &[4444]),
    ("meterpreter", &[4444]),
    ("nanocore", &[54984]),
    ("netwire", &[3360]),
    ("njrat", &[1177, 5552]),
    ("poisonivy", &[3460]),
    ("quasar", &[4782]),
    ("remcos", &[2404]),
    ("sliver", &[8888, 31337]),
    ("xworm", &[7000]),
];

/// TCP, UDP, DCCP, SCTP, UDP-Lite.
const HAVE_PORTS: [u8; 5] = [protocol::TCP, protocol::UDP, 33, 132, 136];

/// Octets that leave a victim that was called before it may be a web shell.
pub const WEB_SHELL_OCTETS: f64 = 1e6;

/// Who called, on which port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// A port that a claim names.
    Documented(u16),
    /// A port of the family that a claim names.
    Family {
        /// The port.
        used: u16,
        /// The family, as the claim has it.
        tool: String,
    },
    /// Some port; no claim names one.
    Unstated(u16),
    /// Another port than the claims name.
    Other {
        /// The port.
        used: u16,
        /// Those that the claims name.
        documented: Vec<u16>,
    },
    /// Nobody knows who called.
    Unknown,
    /// The victim called by a protocol of this number, which has no ports.
    Portless(u8),
    /// The remote called, and the victim sent much.
    WebShell(u16),
    /// The remote called this port of the victim.
    Inbound(u16),
}

impl Port {
    /// Decibans.
    pub const fn weight(&self) -> f64 {
        match self {
            Self::Documented(_) => 10.0,
            Self::Family { .. } => 5.0,
            Self::Unstated(_) => 3.0,
            Self::Unknown | Self::Portless(_) | Self::WebShell(_) => 0.0,
            Self::Other { .. } => -4.0,
            Self::Inbound(_) => -6.0,
        }
    }

    /// The reason.
    pub fn row(&self) -> Row {
        let (kind, text) = match self {
            Self::Documented(port) => {
                ("port", format!("the victim called port {port}, which the claim names"))
            }
            Self::Family { used, tool } => {
                ("port", format!("the victim called port {used}, common for {tool}"))
            }
            Self::Unstated(port) => ("port", format!("the victim called port {port}; the claim names none")),
            Self::Other { used, documented } => {
                let named = listed(documented);
                ("other_port", format!("the victim called port {used}; the claim names {named}"))
            }
            Self::Unknown => ("port", "who called cannot be told".to_owned()),
            Self::Portless(protocol) => {
                ("port", format!("the victim called by protocol {protocol}, without ports"))
            }
            Self::WebShell(port) => (
                "web_shell",
                format!("the address called port {port} of the victim, which sent 1 MB or more"),
            ),
            Self::Inbound(port) => ("inbound", format!("the address called port {port} of the victim")),
        };
        Row::new(Group::Port, kind, self.weight(), text)
    }
}

/// The best state of `sessions`. `is_web_shell` says that the remote is a host of its own and
/// that at least [`WEB_SHELL_OCTETS`] left the victim.
pub fn of_sessions<'a>(
    sessions: impl IntoIterator<Item = &'a Session>,
    claims: &[&Claim],
    is_web_shell: bool,
) -> Port {
    let states = sessions.into_iter().map(|session| of_session(session, claims, is_web_shell));
    // Of equal states the lowest port speaks, so that no order is told.
    let best =
        states.min_by(|a, b| b.weight().total_cmp(&a.weight()).then_with(|| number(a).cmp(&number(b))));
    best.unwrap_or(Port::Unknown)
}

fn number(port: &Port) -> u16 {
    match port {
        Port::Documented(n) | Port::Unstated(n) | Port::WebShell(n) | Port::Inbound(n) => *n,
        Port::Family { used, .. } | Port::Other { used, .. } => *used,
        Port::Unknown | Port::Portless(_) => 0,
    }
}

fn of_session(session: &Session, claims: &[&Claim], is_web_shell: bool) -> Port {
    let used = session.remote_port;
    let matches = |claim: &&&Claim| {
        claim.port == Some(used) && claim.protocol.is_none_or(|number| number == session.protocol)
    };
    match session.opener {
        Some(Party::Remote) if is_web_shell => return Port::WebShell(session.victim_port),
        Some(Party::Remote) => return Port::Inbound(session.victim_port),
        Some(Party::Victim) => {}
        None if claims.iter().any(|claim| matches(&claim)) => {}
        None => return Port::Unknown,
    }
    if claims.iter().any(|claim| matches(&claim)) {
        return Port::Documented(used);
    }
    if !HAVE_PORTS.contains(&session.protocol) {
        return Port::Portless(session.protocol);
    }
    if let Some(tool) = claims.iter().flat_map(|claim| &claim.tools).find(|tool| listens_on(tool, used)) {
        return Port::Family { used, tool: tool.clone() };
    }
    let mut documented: Vec<u16> = claims.iter().filter_map(|claim| claim.port).collect();
    if documented.is_empty() || claims.iter().any(|claim| claim.port.is_none()) {
        return Port::Unstated(used);
    }
    documented.sort_unstable();
    documented.dedup();
    Port::Other { used, documented }
}

fn listens_on(tool: &str, port: u16) -> bool {
    let name: String =
        tool.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    FAMILY_PORTS.iter().any(|(family, ports)| name.contains(family) && ports.contains(&port))
}
