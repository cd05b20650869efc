//! Hours in which a source reached many destinations on one port (`methods.md` §4).

use arrow::error::ArrowError;
use rahdar_model::store::{FanOut, StoreError};
use rahdar_model::time::HOUR_US;
use rahdar_model::{Address, Prefix, Window};

use super::Answer;
use crate::Lake;
use crate::networks::{NetworkSet, inside};

pub(crate) fn fan_outs(
    lake: &Lake,
    sources: &[Address],
    window: Window,
    least_destinations: u64,
) -> Result<Vec<FanOut>, StoreError> {
    // First by destination, then over destinations: they are counted exactly, each in one row.
    let sql = format!(
        "SELECT src_hi, src_lo, hour, protocol, dst_port, count(*) AS destinations,
             CAST(sum(flows) AS BIGINT) AS flows, CAST(sum(small_flows) AS BIGINT) AS small_flows
         FROM (SELECT src_hi, src_lo, floor_us(start_time, {HOUR_US}) AS hour, protocol, dst_port,
                   dst_hi, dst_lo, count(*) AS flows, count(CASE WHEN packets <= 3 THEN 1 END) AS small_flows
               FROM flow
               WHERE source(src_hi, src_lo)
               GROUP BY src_hi, src_lo, hour, protocol, dst_port, dst_hi, dst_lo)
         GROUP BY src_hi, src_lo, hour, protocol, dst_port
         HAVING count(*) >= {}",
        i64::try_from(least_destinations).unwrap_or(i64::MAX)
    );
    let hosts: Vec<Prefix> = sources.iter().copied().map(Prefix::host).collect();
    let functions = [inside("source", NetworkSet::of(&hosts).into())];
    let mut fan_outs = Vec::new();
    lake.answer(&lake.flows, "counting destinations", window, functions, &sql, |answer| {
        read(&answer, &mut fan_outs)
    })?;
    fan_outs.sort_unstable();
    Ok(fan_outs)
}

fn read(answer: &Answer<'_>, fan_outs: &mut Vec<FanOut>) -> Result<(), ArrowError> {
    let (source, hour) = (answer.addresses("src_hi", "src_lo")?, answer.integers("hour")?);
    let (protocol, port) = (answer.integers("protocol")?, answer.integers("dst_port")?);
    let (flows, small_flows) = (answer.integers("flows")?, answer.integers("small_flows")?);
    let destinations = answer.integers("destinations")?;
    fan_outs.extend((0..answer.rows()).map(|row| FanOut {
        source: source.get(row),
        hour: hour.time(row),
        protocol: protocol.count(row),
        port: port.count(row),
        destinations: destinations.count(row),
        flows: flows.count(row),
        small_flows: small_flows.count(row),
    }));
    Ok(())
}
