//! What the questions about scanners share: whose packets are looked at, and who is told if there
//! are too many.

use std::sync::Arc;

use datafusion::logical_expr::ScalarUDF;
use rahdar_model::flow::tcp;
use rahdar_model::store::StoreError;
use rahdar_model::{Address, Prefix, Window};

use crate::Lake;
use crate::networks::{NetworkSet, inside};

/// The function `source(hi, lo)`: whether an address is in one of the networks.
pub(super) fn those(networks: &[Prefix]) -> ScalarUDF {
    inside("source", Arc::new(NetworkSet::of(networks)))
}

/// The condition that the `src` or the `dst` of a flow is one of the networks; with none, any is.
pub(super) fn among(networks: &[Prefix], end: &str) -> String {
    if networks.is_empty() { "true".to_owned() } else { format!("source({end}_hi, {end}_lo)") }
}

/// The condition that these TCP flags are those of a reply and nothing else. Congestion bits say
/// nothing, and flags that nobody told are no reply.
pub(super) fn is_reply(flags: &str) -> String {
    let known = tcp::FIN | tcp::SYN | tcp::RST | tcp::PSH | tcp::ACK | tcp::URG;
    let replies = [tcp::SYN | tcp::ACK, tcp::RST, tcp::RST | tcp::ACK, tcp::SYN | tcp::RST | tcp::ACK];
    let replies = replies.map(|flags| flags.to_string()).join(", ");
    format!("coalesce({flags}, 0) & {known} IN ({replies})")
}

/// The condition that the forward flags of a TCP record open and never acknowledge.
pub(super) fn is_opening() -> String {
    format!("(tcp_flags & {} <> 0 AND tcp_flags & {} = 0)", tcp::SYN, tcp::ACK)
}

/// Of the sources that `counts` tells as `hi`, `lo` and `n`, the `most` with the highest `n`, as
/// networks; and how many are not among them.
pub(super) fn strongest(
    lake: &Lake,
    action: &'static str,
    window: Window,
    networks: &[Prefix],
    counts: &str,
    most: usize,
) -> Result<(Vec<Prefix>, u64), StoreError> {
    let sql = format!("SELECT hi, lo FROM ({counts}) ORDER BY n DESC, hi, lo");
    let (mut told, mut left_out): (Vec<Prefix>, u64) = (Vec::new(), 0);
    lake.answer(&lake.flows, action, window, [those(networks)], &sql, |answer| {
        let source = answer.addresses("hi", "lo")?;
        for row in 0..answer.rows() {
            let source: Address = source.get(row);
            if told.len() < most { told.push(source.into()) } else { left_out += 1 }
        }
        Ok(())
    })?;
    Ok((told, left_out))
}
