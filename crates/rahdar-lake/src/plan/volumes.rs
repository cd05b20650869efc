//! Traffic of a network per bin, exporter and sampling interval.

use arrow::error::ArrowError;
use rahdar_model::store::{StoreError, Volume};
use rahdar_model::{Prefix, Window};

use super::{Answer, Names, usable};
use crate::Lake;
use crate::networks::{NetworkSet, inside};

pub(crate) fn volumes(
    lake: &Lake,
    key: Prefix,
    window: Window,
    bin_us: i64,
) -> Result<Vec<Volume>, StoreError> {
    let sql = format!(
        "SELECT floor_us(start_time, {bin_us}) AS bin, exporter, sampling_interval,
             {} AS octets_out, {} AS octets_in, {} AS packets_out, {} AS packets_in,
             count(*) AS flows
         FROM (SELECT *, key(src_hi, src_lo) AS leaves, key(dst_hi, dst_lo) AS arrives FROM flow)
         WHERE (leaves OR arrives) AND {}
         GROUP BY bin, exporter, sampling_interval",
        sum("octets", "rev_octets"),
        sum("rev_octets", "octets"),
        sum("packets", "rev_packets"),
        sum("rev_packets", "packets"),
        usable()
    );
    let functions = [inside("key", NetworkSet::of(&[key]).into())];
    let (mut volumes, mut names) = (Vec::new(), Names::default());
    lake.answer(&lake.flows, "adding up volumes", window, functions, &sql, |answer| {
        read(&answer, &mut names, &mut volumes)
    })?;
    volumes.sort_unstable();
    Ok(volumes)
}

/// The sum of one counter where flows leave and of another where they arrive. Decimals, because
/// counters may be as large as 64 bits allow.
fn sum(leaving: &str, arriving: &str) -> String {
    let part = |condition, counter| {
        format!("sum(CAST(CASE WHEN {condition} THEN coalesce({counter}, 0) ELSE 0 END AS DECIMAL(19, 0)))")
    };
    format!("{} + {}", part("leaves", leaving), part("arrives", arriving))
}

fn read(answer: &Answer<'_>, names: &mut Names, volumes: &mut Vec<Volume>) -> Result<(), ArrowError> {
    let (bin, exporter) = (answer.integers("bin")?, answer.texts("exporter")?);
    let (sampling, flows) = (answer.integers("sampling_interval")?, answer.integers("flows")?);
    let (octets_out, octets_in) = (answer.sums("octets_out")?, answer.sums("octets_in")?);
    let (packets_out, packets_in) = (answer.sums("packets_out")?, answer.sums("packets_in")?);
    for row in 0..answer.rows() {
        volumes.push(Volume {
            bin: bin.time(row),
            exporter: names.get(&exporter, row),
            sampling_interval: sampling.interval(row),
            octets_out: octets_out.get(row),
            octets_in: octets_in.get(row),
            packets_out: packets_out.get(row),
            packets_in: packets_in.get(row),
            flows: flows.count(row),
        });
    }
    Ok(())
}
