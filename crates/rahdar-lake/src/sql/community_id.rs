//! Community ID, version 1: one short name for a flow, the same from both ends and in every tool.
//!
//! `"1:" + base64(SHA-1(seed, address, address, protocol, 0, port, port))`, the lower end first; the
//! seed is 0. ICMP types take the place of ports: a request and its reply are two ends of one flow, any
//! other type goes one way and keeps its order. Protocols without ports have none in the sum.
//!
//! Source: corelight/community-id-spec, version 1.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rahdar_model::Address;
use rahdar_model::flow::protocol;
use sha1::{Digest, Sha1};

const SCTP: u8 = 132;

/// The id of a flow between two ends, each an address and a port; for ICMP, the type stands in
/// the port of the first end and the code in that of the second.
pub(super) fn of(protocol: u8, mut from: (Address, u16), mut to: (Address, u16)) -> String {
    let mut one_way = false;
    if matches!(protocol, protocol::ICMP | protocol::ICMPV6) {
        match counterpart(protocol, from.1) {
            Some(answer) => to.1 = answer,
            None => one_way = true,
        }
    }
    let has_ports = one_way
        || matches!(protocol, protocol::TCP | protocol::UDP | protocol::ICMP | protocol::ICMPV6 | SCTP);
    if !one_way && from > to {
        std::mem::swap(&mut from, &mut to);
    }
    let mut sum = Sha1::new();
    sum.update([0, 0]);
    for (address, _) in [from, to] {
        match address.to_ip() {
            std::net::IpAddr::V4(address) => sum.update(address.octets()),
            std::net::IpAddr::V6(address) => sum.update(address.octets()),
        }
    }
    sum.update([protocol, 0]);
    if has_ports {
        sum.update(from.1.to_be_bytes());
        sum.update(to.1.to_be_bytes());
    }
    format!("1:{}", STANDARD.encode(sum.finalize()))
}

/// The ICMP type that answers this one, or that it answers.
fn counterpart(protocol: u8, kind: u16) -> Option<u16> {
    Some(match (protocol, kind) {
        (protocol::ICMP, 8) => 0,
        (protocol::ICMP, 0) => 8,
        (protocol::ICMP, 9) => 10,
        (protocol::ICMP, 10) => 9,
        (protocol::ICMP, 13) => 14,
        (protocol::ICMP, 14) => 13,
        (protocol::ICMP, 15) => 16,
        (protocol::ICMP, 16) => 15,
        (protocol::ICMP, 17) => 18,
        (protocol::ICMP, 18) => 17,
        (protocol::ICMPV6, 128 | 130 | 139 | 144) => kind + 1,
        (protocol::ICMPV6, 129 | 131 | 140 | 145) => kind - 1,
        (protocol::ICMPV6, 133 | 135) => kind + 1,
        (protocol::ICMPV6, 134 | 136) => kind - 1,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(protocol: u8, from: (&str, u16), to: (&str, u16), id: &str) {
        let end = |(address, port): (&str, u16)| (address.parse().unwrap(), port);
        assert_eq!(of(protocol, end(from), end(to)), id, "{protocol} {from:?} {to:?}");
    }

    // The answers of the reference implementation, communityid 1.5.0 of PyPI.

    #[test]
    fn both_directions_have_one_id() {
        check(6, ("128.232.110.120", 34855), ("66.35.250.204", 80), "1:LQU9qZlK+B5F3KDmev6m5PMibrg=");
        check(6, ("192.0.2.1", 5), ("203.0.113.9", 443), "1:85bHMaGC0aixt8cXJ8590R25Lvs=");
        check(6, ("203.0.113.9", 443), ("192.0.2.1", 5), "1:85bHMaGC0aixt8cXJ8590R25Lvs=");
        check(17, ("2001:db8::1", 53), ("2001:db8::2", 5353), "1:tajKKCYPX5Fr60+44RSdKtpFb4s=");
        check(132, ("192.0.2.1", 7), ("203.0.113.9", 6), "1:0VrEex8Ul+LNNUaDHrde9AFLZ24=");
    }

    #[test]
    fn a_protocol_without_ports_has_none_in_its_id() {
        check(47, ("192.0.2.1", 0), ("203.0.113.9", 0), "1:goSysx3sJdpIbbL+iHRdiE10gq4=");
    }

    #[test]
    fn a_ping_and_its_reply_are_one_flow() {
        check(1, ("192.0.2.1", 8), ("203.0.113.9", 0), "1:2aOWEPQb38Xv7JVy20VkK7Gh2eA=");
        check(1, ("203.0.113.9", 0), ("192.0.2.1", 0), "1:2aOWEPQb38Xv7JVy20VkK7Gh2eA=");
        check(1, ("192.0.2.1", 13), ("203.0.113.9", 0), "1:FzwqIPgiDbZ9SlV8mCcwGqzaC5M=");
        check(58, ("2001:db8::1", 128), ("2001:db8::2", 0), "1:u2vMS3HiWth2lIMKHB1fjELshpQ=");
        check(58, ("2001:db8::1", 135), ("2001:db8::2", 0), "1:R9HBIi387RnKhKUU53rFlnl803U=");
    }

    #[test]
    fn an_error_message_goes_one_way() {
        check(1, ("192.0.2.1", 3), ("203.0.113.9", 1), "1:NrJF52kbA4RNkUqNEPOSoSixGfI=");
        check(1, ("203.0.113.9", 3), ("192.0.2.1", 1), "1:Dnc7Svku5fiMuz0qRPmFqqKir4s=");
        check(58, ("2001:db8::2", 1), ("2001:db8::1", 0), "1:r6+XGrcyPPct/nIqqPsKcnSjSH8=");
    }
}
