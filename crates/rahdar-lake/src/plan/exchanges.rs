//! What hosts and each address exchanged, hour by hour.

use arrow::error::ArrowError;
use rahdar_model::flow::protocol::TCP;
use rahdar_model::flow::{Sampler, tcp};
use rahdar_model::store::{Exchange, StoreError};
use rahdar_model::time::HOUR_US;
use rahdar_model::{Prefix, Quality, Window};

use super::sources::{among, those};
use super::{Answer, Names, usable};
use crate::Lake;

pub(crate) fn exchanges(
    lake: &Lake,
    hosts: &[Prefix],
    window: Window,
    visit: &mut dyn FnMut(Exchange),
) -> Result<(), StoreError> {
    let keys = "hi, lo, hour, to_hi, to_lo, exporter, sampling_interval, sampler, marks";
    let sql = format!(
        "SELECT {keys}, {octets_out} AS octets_out, {octets_in} AS octets_in, {packets_out} AS packets_out,
             {packets_in} AS packets_in, max(acknowledged) AS acknowledged
         FROM ({called} UNION ALL {answered})
         GROUP BY {keys}
         ORDER BY hi, lo, hour, to_hi, to_lo, exporter, sampling_interval NULLS FIRST, sampler NULLS FIRST, marks",
        octets_out = sum("octets_out"),
        octets_in = sum("octets_in"),
        packets_out = sum("packets_out"),
        packets_in = sum("packets_in"),
        called = seen_from(hosts, "src", "dst", ["octets", "rev_octets", "packets", "rev_packets", "tcp_flags"]),
        answered =
            seen_from(hosts, "dst", "src", ["rev_octets", "octets", "rev_packets", "packets", "rev_tcp_flags"]),
    );
    let mut names = Names::default();
    lake.answer(&lake.flows, "adding up exchanges", window, [those(hosts)], &sql, |answer| {
        read(&answer, &mut names, visit)
    })
}

/// The records of which one end is a host, seen from there.
fn seen_from(hosts: &[Prefix], host: &str, remote: &str, counters: [&str; 5]) -> String {
    let [octets_out, octets_in, packets_out, packets_in, flags] = counters;
    format!(
        "SELECT {host}_hi AS hi, {host}_lo AS lo, floor_us(start_time, {HOUR_US}) AS hour,
             {remote}_hi AS to_hi, {remote}_lo AS to_lo, exporter, sampling_interval, sampler,
             quality & {marks} AS marks, {octets_out} AS octets_out, {octets_in} AS octets_in,
             {packets_out} AS packets_out, {packets_in} AS packets_in,
             CASE WHEN protocol = {TCP} AND coalesce({flags}, 0) & {ack} <> 0 THEN 1 ELSE 0 END AS acknowledged
         FROM flow
         WHERE {among} AND {usable} AND (src_hi <> dst_hi OR src_lo <> dst_lo)",
        marks = Exchange::MARKS.bits(),
        ack = tcp::ACK,
        among = among(hosts, host),
        usable = usable(),
    )
}

/// The sum of a counter. Decimals, because counters may be as large as 64 bits allow.
fn sum(counter: &str) -> String {
    format!("sum(CAST(coalesce({counter}, 0) AS DECIMAL(19, 0)))")
}

fn read(answer: &Answer<'_>, names: &mut Names, visit: &mut dyn FnMut(Exchange)) -> Result<(), ArrowError> {
    let (host, remote) = (answer.addresses("hi", "lo")?, answer.addresses("to_hi", "to_lo")?);
    let (hour, exporter) = (answer.integers("hour")?, answer.texts("exporter")?);
    let (sampling, sampler) = (answer.integers("sampling_interval")?, answer.integers("sampler")?);
    let (marks, acknowledged) = (answer.integers("marks")?, answer.integers("acknowledged")?);
    let (octets_out, octets_in) = (answer.sums("octets_out")?, answer.sums("octets_in")?);
    let (packets_out, packets_in) = (answer.sums("packets_out")?, answer.sums("packets_in")?);
    for row in 0..answer.rows() {
        visit(Exchange {
            host: host.get(row),
            hour: hour.time(row),
            remote: remote.get(row),
            exporter: names.get(&exporter, row),
            sampling_interval: sampling.interval(row),
            sampler: sampler.get(row).and_then(|code| u8::try_from(code).ok()).and_then(Sampler::from_code),
            marks: Quality::from_bits(marks.count(row)),
            octets_out: octets_out.get(row),
            octets_in: octets_in.get(row),
            packets_out: packets_out.get(row),
            packets_in: packets_in.get(row),
            acknowledged: acknowledged.get(row) == Some(1),
        });
    }
    Ok(())
}
