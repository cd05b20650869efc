//! Days on which a source tried many ports of one destination in vain (`methods.md` §4).

use arrow::error::ArrowError;
use rahdar_model::flow::protocol::{TCP, UDP};
use rahdar_model::store::{PortSweep, StoreError};
use rahdar_model::time::DAY_US;
use rahdar_model::{Prefix, Window};

use super::sources::{among, is_opening, those};
use super::{Answer, usable};
use crate::Lake;

pub(crate) fn port_sweeps(
    lake: &Lake,
    sources: &[Prefix],
    window: Window,
    least_ports: u64,
    visit: &mut dyn FnMut(PortSweep),
) -> Result<(), StoreError> {
    // First by port, then over ports, as destinations are counted for a fan-out.
    let sql = format!(
        "SELECT hi, lo, day, protocol, to_hi, to_lo, count(*) AS ports, CAST(sum(flows) AS BIGINT) AS flows,
             min(start_time) AS start_time, max(end_time) AS end_time
         FROM (SELECT hi, lo, day, protocol, to_hi, to_lo, port, count(CASE WHEN vain THEN 1 END) AS flows,
                   min(CASE WHEN vain THEN start_time END) AS start_time,
                   max(CASE WHEN vain THEN end_time END) AS end_time
               FROM (SELECT src_hi AS hi, src_lo AS lo, floor_us(start_time, {DAY_US}) AS day, protocol,
                         dst_hi AS to_hi, dst_lo AS to_lo, dst_port AS port, start_time, end_time,
                         packets > 0 AND {opening} AS vain, false AS heard
                     FROM flow
                     WHERE protocol = {TCP} AND packets > 0 AND {opening} AND {forward} AND {usable}
                     UNION ALL
                     SELECT src_hi AS hi, src_lo AS lo, floor_us(start_time, {DAY_US}) AS day, protocol,
                         dst_hi AS to_hi, dst_lo AS to_lo, dst_port AS port, start_time, end_time,
                         packets > 0 AND sampling_interval = 1 AND src_port NOT BETWEEN 1 AND 1023 AS vain,
                         coalesce(rev_packets, 0) > 0 AS heard
                     FROM flow
                     WHERE protocol = {UDP} AND {forward} AND {usable}
                     UNION ALL
                     SELECT dst_hi AS hi, dst_lo AS lo, floor_us(start_time, {DAY_US}) AS day, protocol,
                         src_hi AS to_hi, src_lo AS to_lo, src_port AS port, start_time, end_time,
                         false AS vain, true AS heard
                     FROM flow
                     WHERE protocol = {UDP} AND packets > 0 AND {backward} AND {usable})
               GROUP BY hi, lo, day, protocol, to_hi, to_lo, port
               HAVING count(CASE WHEN vain THEN 1 END) > 0 AND count(CASE WHEN heard THEN 1 END) = 0)
         GROUP BY hi, lo, day, protocol, to_hi, to_lo
         HAVING count(*) >= {least}
         ORDER BY hi, lo, day, protocol, to_hi, to_lo",
        opening = is_opening(),
        forward = among(sources, "src"),
        backward = among(sources, "dst"),
        usable = usable(),
        least = i64::try_from(least_ports).unwrap_or(i64::MAX)
    );
    lake.answer(&lake.flows, "counting ports", window, [those(sources)], &sql, |answer| read(&answer, visit))
}

fn read(answer: &Answer<'_>, visit: &mut dyn FnMut(PortSweep)) -> Result<(), ArrowError> {
    let (source, day) = (answer.addresses("hi", "lo")?, answer.integers("day")?);
    let (protocol, destination) = (answer.integers("protocol")?, answer.addresses("to_hi", "to_lo")?);
    let (ports, flows) = (answer.integers("ports")?, answer.integers("flows")?);
    let (start, end) = (answer.integers("start_time")?, answer.integers("end_time")?);
    (0..answer.rows()).for_each(|row| {
        visit(PortSweep {
            source: source.get(row),
            day: day.time(row).day(),
            protocol: protocol.count(row),
            destination: destination.get(row),
            ports: ports.count(row),
            flows: flows.count(row),
            start_time: start.time(row),
            end_time: end.time(row),
        });
    });
    Ok(())
}
