//! Which end opened a conversation (`methods.md` §1.3).
//!
//! What an exporter says of it is trusted where its records agree. Otherwise each sign adds
//! decibans (10·log10 of a likelihood ratio) for the end that it makes the client; the end with
//! the larger sum opened it, and a lead below [`LEAST_LEAD_DB`] leaves it unknown.
//!
//! Assumes that servers keep their ports and clients draw theirs. Wrong for protocols with two
//! fixed ports, and weak under sampling, where the opening packet is rarely seen and order in
//! time says nothing.
//!
//! ```
//! use rahdar_hunt::initiator::{End, opener};
//! use rahdar_hunt::sweep::Party;
//!
//! // 50000 to 443, no flags, no times: the ports alone say that the first end is the client.
//! let victim = End { port: 50_000, ..End::default() };
//! let remote = End { port: 443, ..End::default() };
//! assert_eq!(opener(&victim, &remote), Some(Party::Victim));
//! ```

use crate::sweep::Party;

/// Below this many decibans between the ends, nobody is named.
pub const LEAST_LEAD_DB: f64 = 6.0;

/// An opening packet was seen from this end.
const OPENING_DB: f64 = 20.0;
/// This end sent SYN, the other SYN with ACK, and this end was first.
const HANDSHAKE_DB: f64 = 12.0;
/// This end was first.
const FIRST_DB: f64 = 4.0;
/// The other end has at least ten times as many counterparts.
const FAN_IN_DB: f64 = 10.0;
const FAN_IN_RATIO: u32 = 10;
/// The other port is a server's, this one is not; or is of the range that clients draw from.
const SERVICE_PORT_DB: f64 = 5.0;
const SERVICE_AND_EPHEMERAL_PORT_DB: f64 = 7.0;
/// Where Linux begins to draw client ports; IANA begins at 49152 (RFC 6335), inside it.
const EPHEMERAL_PORTS: u16 = 32_768;

/// Ports of 1024 and above on which servers commonly listen (IANA registry and practice).
const SERVICE_PORTS: [u16; 20] = [
    1080, 1194, 1433, 1521, 1723, 3128, 3306, 3389, 5060, 5061, 5222, 5432, 5900, 5985, 6379, 8000, 8080,
    8443, 8888, 9200,
];

/// What speaks for or against one end of a conversation as its opener.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct End {
    /// Its port.
    pub port: u16,
    /// Whether a claim says that it serves this port.
    pub documented: bool,
    /// Whether a record of its packets has SYN without ACK.
    pub opening: bool,
    /// Whether any of its packets had SYN.
    pub syn: bool,
    /// Whether its packets had SYN and ACK.
    pub syn_ack: bool,
    /// Whether its packets were seen first, by one exporter that samples nothing.
    pub first: bool,
    /// Distinct counterparts (address and port) of its address and port.
    pub counterparts: u32,
}

/// The end that opened the conversation, if the signs say so.
pub fn opener(victim: &End, remote: &End) -> Option<Party> {
    let lead = client_db(victim, remote) - client_db(remote, victim);
    match lead {
        _ if lead >= LEAST_LEAD_DB => Some(Party::Victim),
        _ if lead <= -LEAST_LEAD_DB => Some(Party::Remote),
        _ => None,
    }
}

/// The decibans that make `this` the client of `other`.
fn client_db(this: &End, other: &End) -> f64 {
    let mut sum = 0.0;
    if this.opening {
        sum += OPENING_DB;
    }
    if this.first {
        sum += if this.syn && other.syn_ack { HANDSHAKE_DB } else { FIRST_DB };
    }
    if other.counterparts >= this.counterparts.max(1).saturating_mul(FAN_IN_RATIO) {
        sum += FAN_IN_DB;
    }
    if serves(other) && !serves(this) {
        sum += if this.port >= EPHEMERAL_PORTS { SERVICE_AND_EPHEMERAL_PORT_DB } else { SERVICE_PORT_DB };
    }
    sum
}

fn serves(end: &End) -> bool {
    end.documented || (1..1024).contains(&end.port) || SERVICE_PORTS.contains(&end.port)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(victim: End, remote: End, expected: Option<Party>) {
        assert_eq!(opener(&victim, &remote), expected);
        let mirrored = expected.map(|party| match party {
            Party::Victim => Party::Remote,
            Party::Remote => Party::Victim,
        });
        assert_eq!(opener(&remote, &victim), mirrored, "the ends exchanged");
    }

    fn port(port: u16) -> End {
        End { port, ..End::default() }
    }

    #[test]
    fn an_opening_packet_outweighs_the_ports() {
        check(End { opening: true, ..port(443) }, port(50_000), Some(Party::Victim));
    }

    #[test]
    fn two_services_or_two_drawn_ports_say_nothing() {
        check(port(443), port(25), None);
        check(port(50_000), port(40_000), None);
    }

    #[test]
    fn a_port_that_a_claim_names_is_a_service() {
        check(port(50_000), End { documented: true, ..port(7_084) }, Some(Party::Victim));
    }

    #[test]
    fn the_end_with_ten_times_the_counterparts_is_the_server() {
        let server = |counterparts| End { counterparts, ..port(41_000) };
        check(End { counterparts: 2, ..port(50_000) }, server(20), Some(Party::Victim));
        check(End { counterparts: 2, ..port(50_000) }, server(19), None);
    }

    #[test]
    fn a_complete_handshake_needs_its_order() {
        let client = End { syn: true, first: true, ..port(4_000) };
        let server = End { syn: true, syn_ack: true, ..port(5_000) };
        check(client, server, Some(Party::Victim));
        check(End { first: false, ..client }, server, None);
    }
}
