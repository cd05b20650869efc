//! Hours in which a source reached many destinations on one port (`methods.md` §4).

use arrow::error::ArrowError;
use rahdar_model::flow::protocol::{ICMP, ICMPV6, TCP};
use rahdar_model::flow::tcp;
use rahdar_model::store::{FanOut, StoreError};
use rahdar_model::time::HOUR_US;
use rahdar_model::{Prefix, Window};

use super::sources::{among, is_reply, those};
use super::{Answer, usable};
use crate::Lake;

pub(crate) fn fan_outs(
    lake: &Lake,
    sources: &[Prefix],
    window: Window,
    least_destinations: u64,
    visit: &mut dyn FnMut(FanOut),
) -> Result<(), StoreError> {
    // First by destination, then over destinations: they are counted exactly, each in one row.
    // What came back, in records of its own, stands beside what was sent.
    let sql = format!(
        "SELECT hi, lo, hour, protocol, port, count(*) AS destinations,
             count(CASE WHEN heard > 0 THEN 1 END) AS answered,
             CAST(sum(flows) AS BIGINT) AS flows, CAST(sum(small_flows) AS BIGINT) AS small_flows,
             min(start_time) AS start_time, max(end_time) AS end_time
         FROM (SELECT hi, lo, hour, protocol, port, to_hi, to_lo, count(small) AS flows,
                   count(CASE WHEN small THEN 1 END) AS small_flows, count(heard) AS heard,
                   min(start_time) AS start_time, max(end_time) AS end_time
               FROM (SELECT src_hi AS hi, src_lo AS lo, floor_us(start_time, {HOUR_US}) AS hour, protocol,
                         dst_port AS port, dst_hi AS to_hi, dst_lo AS to_lo, {small} AS small,
                         CASE WHEN protocol <> {TCP} AND rev_packets > 0 THEN 1 END AS heard,
                         start_time, end_time
                     FROM flow
                     WHERE packets > 0 AND {forward} AND {usable}
                         AND NOT (protocol = {TCP} AND {reply})
                         AND NOT (protocol IN ({ICMP}, {ICMPV6}) AND coalesce(icmp_type, 8) NOT IN (8, 128))
                     UNION ALL
                     SELECT dst_hi AS hi, dst_lo AS lo, floor_us(start_time, {HOUR_US}) AS hour, protocol,
                         src_port AS port, src_hi AS to_hi, src_lo AS to_lo, NULL AS small, 1 AS heard,
                         NULL AS start_time, NULL AS end_time
                     FROM flow
                     WHERE protocol <> {TCP} AND packets > 0 AND rev_packets IS NULL AND {backward} AND {usable})
               GROUP BY hi, lo, hour, protocol, port, to_hi, to_lo
               HAVING count(small) > 0)
         GROUP BY hi, lo, hour, protocol, port
         HAVING count(*) >= {least}
         ORDER BY hi, lo, hour, protocol, port",
        small = small(),
        reply = is_reply("tcp_flags"),
        forward = among(sources, "src"),
        backward = among(sources, "dst"),
        usable = usable(),
        least = i64::try_from(least_destinations).unwrap_or(i64::MAX)
    );
    lake.answer(&lake.flows, "counting destinations", window, [those(sources)], &sql, |answer| {
        read(&answer, visit)
    })
}

/// Whether a record has few packets and no payload after an ACK.
fn small() -> String {
    let (few, headers) = (FanOut::SMALL_PACKETS, FanOut::HEADERS_OCTETS);
    format!(
        "(packets <= {few} AND NOT (protocol = {TCP} AND coalesce(tcp_flags, 0) & {} <> 0
             AND octets > least(packets, {few}) * {headers}))",
        tcp::ACK
    )
}

fn read(answer: &Answer<'_>, visit: &mut dyn FnMut(FanOut)) -> Result<(), ArrowError> {
    let (source, hour) = (answer.addresses("hi", "lo")?, answer.integers("hour")?);
    let (protocol, port) = (answer.integers("protocol")?, answer.integers("port")?);
    let (destinations, answered) = (answer.integers("destinations")?, answer.integers("answered")?);
    let (flows, small_flows) = (answer.integers("flows")?, answer.integers("small_flows")?);
    let (start, end) = (answer.integers("start_time")?, answer.integers("end_time")?);
    (0..answer.rows()).for_each(|row| {
        visit(FanOut {
            source: source.get(row),
            hour: hour.time(row),
            protocol: protocol.count(row),
            port: port.count(row),
            destinations: destinations.count(row),
            answered: answered.count(row),
            flows: flows.count(row),
            small_flows: small_flows.count(row),
            start_time: start.time(row),
            end_time: end.time(row),
        });
    });
    Ok(())
}
