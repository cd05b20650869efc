//! Replies that nobody asked for: an address under attack by packets with forged senders
//! (`methods.md` §4).
//!
//! Whoever floods a host with forged senders makes it answer the whole Internet: SYN with ACK or
//! RST over TCP, ICMP errors to datagrams. With n replies of one service that nobody asked for, of
//! which the i-th receiver (an address and a port) got cᵢ,
//!
//! H = −Σ cᵢ/n · log2(cᵢ/n)
//!
//! and the service sends backscatter if n ≥ [`LEAST_REPLIES`] and H ≥ 0.8 · log2 n. It is the
//! victim there, not the scanner. A single such flow weighs by itself, as a reply to what the
//! victim never sent ([`crate::evidence::establishment`]).
//!
//! A reply is asked for if anything went the other way between the same ports at any time of the
//! window: stricter than the active timeout of the specification, because servers send stray RSTs
//! hours after a connection. Of ICMP errors only those that the host itself sends are taken; the
//! others come from routers on the way.
//!
//! Assumes a vantage that misses no call: exporters that sample or see one direction are not asked.
//! Wrong for forged senders drawn from few addresses, and at the edge of the window for
//! connections that began before it.
//!
//! Source: D. Moore, G. Voelker, S. Savage, "Inferring Internet Denial-of-Service Activity",
//! USENIX Security 2001, for the replies; the entropy is that of `methods.md` §4.
//!
//! ```
//! use rahdar_hunt::scanner::backscatter::{evenness, is_backscatter};
//!
//! // Sixteen receivers of one reply each; and one that got all sixteen.
//! assert_eq!(evenness(&[(1, 16)]), 1.0);
//! assert!(is_backscatter(&[(1, 16)]));
//! assert!(!is_backscatter(&[(16, 1)]));
//! ```

use rahdar_model::store::UnaskedReplies;

use super::{Found, at_port};

/// Replies below which an entropy says nothing.
pub const LEAST_REPLIES: u64 = 10;
/// The least share of the highest entropy possible.
pub const LEAST_EVENNESS: f64 = 0.8;

/// Whether replies with this spread, as in [`UnaskedReplies::spread`], are backscatter.
pub fn is_backscatter(spread: &[(u64, u64)]) -> bool {
    replies(spread) >= LEAST_REPLIES && evenness(spread) >= LEAST_EVENNESS
}

/// The entropy of receivers as a share of log2 n, 0 to 1; 0 of a single reply.
pub fn evenness(spread: &[(u64, u64)]) -> f64 {
    let n = replies(spread) as f64;
    if n <= 1.0 {
        return 0.0;
    }
    let entropy: f64 = spread
        .iter()
        .map(|(replies, receivers)| {
            let share = *replies as f64 / n;
            -(*receivers as f64) * share * share.log2()
        })
        .sum();
    entropy / n.log2()
}

fn replies(spread: &[(u64, u64)]) -> u64 {
    spread.iter().fold(0, |sum, (replies, receivers)| sum.saturating_add(replies.saturating_mul(*receivers)))
}

/// Replies of a service as they are told.
pub(super) fn found(service: UnaskedReplies) -> Found {
    let (flows, evenness) = (replies(&service.spread), evenness(&service.spread));
    let receivers = service.spread.iter().map(|(_, receivers)| receivers).sum();
    Found {
        address: service.source,
        protocol: service.protocol,
        port: at_port(service.protocol, service.port),
        destinations: receivers,
        flows,
        start_time: service.start_time,
        end_time: service.end_time,
        statistic: (evenness * 1_000.0).round() / 1_000.0,
        strength: flows,
        why: format!(
            "{flows} replies that nobody asked for to {receivers} receivers, evenness {evenness:.2}: \
             an attack on it with forged senders"
        ),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ten_replies_to_as_many_are_backscatter() {
        assert!(is_backscatter(&[(1, 10)]));
        assert!(!is_backscatter(&[(1, 9)]));
        assert!(!is_backscatter(&[(1, 4), (30, 1)]));
    }

    proptest! {
        #[test]
        fn evenness_is_a_share(spread in vec((1_u64..1_000, 1_u64..1_000), 0..9)) {
            prop_assert!((-1e-9..=1.0 + 1e-9).contains(&evenness(&spread)));
        }
    }
}
