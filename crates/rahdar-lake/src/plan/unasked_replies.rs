//! Services whose replies nobody asked for (`methods.md` §4).

use arrow::error::ArrowError;
use rahdar_model::flow::protocol::{ICMP, ICMPV6, TCP};
use rahdar_model::store::{StoreError, UnaskedReplies};
use rahdar_model::{Prefix, Window};

use super::sources::{among, is_reply, strongest, those};
use super::{Answer, usable};
use crate::Lake;

const ACTION: &str = "looking for replies that nobody asked for";

/// Two scans: whoever sent enough replies, and then all that went either way between them and
/// those who got replies.
pub(crate) fn unasked_replies(
    lake: &Lake,
    sources: &[Prefix],
    exporters: &[&str],
    window: Window,
    least_replies: u64,
    most_sources: usize,
    visit: &mut dyn FnMut(UnaskedReplies),
) -> Result<u64, StoreError> {
    if exporters.is_empty() {
        return Ok(0);
    }
    let exporters: Vec<String> =
        exporters.iter().map(|name| format!("'{}'", name.replace('\'', "''"))).collect();
    let seen = format!("sampling_interval = 1 AND exporter IN ({}) AND {}", exporters.join(", "), usable());
    let counts = format!(
        "SELECT hi, lo, count(*) AS n
         FROM ({})
         WHERE reply
         GROUP BY hi, lo
         HAVING count(*) >= {}",
        sent(sources, &seen),
        i64::try_from(least_replies).unwrap_or(i64::MAX)
    );
    let (repliers, left_out) = strongest(lake, ACTION, window, sources, &counts, most_sources)?;
    if repliers.is_empty() {
        return Ok(left_out);
    }
    let sql = format!(
        "SELECT hi, lo, protocol, port, replies, count(*) AS receivers,
             min(start_time) AS start_time, max(end_time) AS end_time
         FROM (SELECT hi, lo, protocol, port, to_hi, to_lo, to_port, count(*) AS replies,
                   min(start_time) AS start_time, max(end_time) AS end_time
               FROM ({} UNION ALL {})
               GROUP BY hi, lo, protocol, port, to_hi, to_lo, to_port
               HAVING count(CASE WHEN NOT reply THEN 1 END) = 0)
         GROUP BY hi, lo, protocol, port, replies
         ORDER BY hi, lo, protocol, port, replies",
        sent(&repliers, &seen),
        received(&repliers, &seen)
    );
    let mut service = None;
    lake.answer(&lake.flows, ACTION, window, [those(&repliers)], &sql, |answer| {
        read(&answer, &mut service, visit)
    })?;
    service.into_iter().for_each(visit);
    Ok(left_out)
}

/// What went from sources over TCP, and their ICMP errors: each direction of a record in a row.
fn sent(sources: &[Prefix], seen: &str) -> String {
    let error = format!(
        "(protocol = {ICMP} AND (icmp_type = 4 OR icmp_type = 3 AND icmp_code IN (2, 3))
             OR protocol = {ICMPV6} AND icmp_type = 1 AND icmp_code = 4)"
    );
    format!(
        "SELECT src_hi AS hi, src_lo AS lo, protocol, src_port AS port, dst_hi AS to_hi, dst_lo AS to_lo,
             dst_port AS to_port, {} AS reply, start_time, end_time
         FROM flow WHERE protocol = {TCP} AND packets > 0 AND {src} AND {seen}
         UNION ALL
         SELECT dst_hi AS hi, dst_lo AS lo, protocol, dst_port AS port, src_hi AS to_hi, src_lo AS to_lo,
             src_port AS to_port, {} AS reply, start_time, end_time
         FROM flow WHERE protocol = {TCP} AND rev_packets > 0 AND {dst} AND {seen}
         UNION ALL
         SELECT src_hi AS hi, src_lo AS lo, protocol, 0 AS port, dst_hi AS to_hi, dst_lo AS to_lo,
             0 AS to_port, true AS reply, start_time, end_time
         FROM flow WHERE {error} AND packets > 0 AND {src} AND {seen}",
        is_reply("tcp_flags"),
        is_reply("rev_tcp_flags"),
        src = among(sources, "src"),
        dst = among(sources, "dst"),
    )
}

/// What went to sources, turned round so that it falls in one group with its replies. Anything at
/// all may have been what an ICMP error answers.
fn received(sources: &[Prefix], seen: &str) -> String {
    let (src, dst) = (among(sources, "src"), among(sources, "dst"));
    let direction = |to: &str, from: &str, packets: &str, condition: &str| {
        let ports = |protocol: &str, port: &str, other: &str, only: &str| {
            format!(
                "SELECT {to}_hi AS hi, {to}_lo AS lo, {protocol} AS protocol, {port} AS port,
                     {from}_hi AS to_hi, {from}_lo AS to_lo, {other} AS to_port, false AS reply,
                     start_time, end_time
                 FROM flow WHERE {packets} > 0 AND {condition} AND {seen}{only}"
            )
        };
        let tcp = ports(
            "protocol",
            &format!("{to}_port"),
            &format!("{from}_port"),
            &format!(" AND protocol = {TCP}"),
        );
        let icmp = ports(&ICMP.to_string(), "0", "0", "");
        let icmpv6 = ports(&ICMPV6.to_string(), "0", "0", "");
        [tcp, icmp, icmpv6].join(" UNION ALL ")
    };
    [direction("dst", "src", "packets", &dst), direction("src", "dst", "rev_packets", &src)]
        .join(" UNION ALL ")
}

/// Rows of one service are neighbours; `service` is the one that is not complete yet.
fn read(
    answer: &Answer<'_>,
    service: &mut Option<UnaskedReplies>,
    visit: &mut dyn FnMut(UnaskedReplies),
) -> Result<(), ArrowError> {
    let (source, protocol) = (answer.addresses("hi", "lo")?, answer.integers("protocol")?);
    let (port, replies) = (answer.integers("port")?, answer.integers("replies")?);
    let receivers = answer.integers("receivers")?;
    let (start, end) = (answer.integers("start_time")?, answer.integers("end_time")?);
    for row in 0..answer.rows() {
        let key = (source.get(row), protocol.count(row), port.count(row));
        let part = (replies.count(row), receivers.count(row));
        match service {
            Some(own) if (own.source, own.protocol, own.port) == key => {
                own.spread.push(part);
                own.start_time = own.start_time.min(start.time(row));
                own.end_time = own.end_time.max(end.time(row));
            }
            _ => {
                let next = UnaskedReplies {
                    source: key.0,
                    protocol: key.1,
                    port: key.2,
                    spread: vec![part],
                    start_time: start.time(row),
                    end_time: end.time(row),
                };
                service.replace(next).into_iter().for_each(&mut *visit);
            }
        }
    }
    Ok(())
}
