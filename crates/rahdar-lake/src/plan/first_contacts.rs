//! What a source met at each destination and TCP port (`methods.md` §4).

use arrow::error::ArrowError;
use rahdar_model::flow::protocol::TCP;
use rahdar_model::flow::tcp;
use rahdar_model::store::{FirstContact, Outcome, StoreError};
use rahdar_model::{Prefix, Window};

use super::sources::{among, is_opening, strongest, those};
use super::{Answer, usable};
use crate::Lake;

const ACTION: &str = "following first contacts";

/// Two scans: the calls in vain, which are few, name the sources whose calls are then all read.
pub(crate) fn first_contacts(
    lake: &Lake,
    sources: &[Prefix],
    window: Window,
    least_failures: u64,
    most_sources: usize,
    visit: &mut dyn FnMut(FirstContact),
) -> Result<u64, StoreError> {
    let tells = format!("protocol = {TCP} AND sampling_interval = 1 AND packets > 0 AND {}", usable());
    let counts = format!(
        "SELECT hi, lo, max(failures) AS n
         FROM (SELECT hi, lo, port, count(*) AS failures
               FROM (SELECT DISTINCT src_hi AS hi, src_lo AS lo, dst_port AS port, dst_hi, dst_lo
                     FROM flow
                     WHERE {tells} AND {} AND {})
               GROUP BY hi, lo, port)
         GROUP BY hi, lo
         HAVING max(failures) >= {}",
        is_opening(),
        among(sources, "src"),
        i64::try_from(least_failures).unwrap_or(i64::MAX)
    );
    let (callers, left_out) = strongest(lake, ACTION, window, sources, &counts, most_sources)?;
    if callers.is_empty() {
        return Ok(left_out);
    }
    let sql = format!(
        "SELECT src_hi, src_lo, dst_port, dst_hi, dst_lo, min(start_time) AS start_time, count(*) AS flows,
             count(CASE WHEN {opening} THEN 1 END) AS failures
         FROM flow
         WHERE {tells} AND tcp_flags & {says} <> 0 AND {}
         GROUP BY src_hi, src_lo, dst_port, dst_hi, dst_lo
         ORDER BY src_hi, src_lo, dst_port, start_time, dst_hi, dst_lo",
        among(&callers, "src"),
        opening = is_opening(),
        says = tcp::SYN | tcp::ACK,
    );
    lake.answer(&lake.flows, ACTION, window, [those(&callers)], &sql, |answer| read(&answer, visit))?;
    Ok(left_out)
}

fn read(answer: &Answer<'_>, visit: &mut dyn FnMut(FirstContact)) -> Result<(), ArrowError> {
    let (source, port) = (answer.addresses("src_hi", "src_lo")?, answer.integers("dst_port")?);
    let (start, destination) = (answer.integers("start_time")?, answer.addresses("dst_hi", "dst_lo")?);
    let (flows, failures) = (answer.integers("flows")?, answer.integers("failures")?);
    (0..answer.rows()).for_each(|row| {
        let is_failed = failures.get(row) == flows.get(row);
        visit(FirstContact {
            source: source.get(row),
            port: port.count(row),
            start_time: start.time(row),
            destination: destination.get(row),
            outcome: if is_failed { Outcome::Failed } else { Outcome::Established },
            flows: flows.count(row),
        });
    });
    Ok(())
}
