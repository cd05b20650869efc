//! Flows between two networks, either way, seen from the first.

use arrow::error::ArrowError;
use rahdar_model::store::{Contact, StoreError};
use rahdar_model::{Prefix, Window};

use super::{Answer, Names, usable};
use crate::Lake;
use crate::networks::{NetworkSet, inside};

pub(crate) fn contacts(
    lake: &Lake,
    (near, far): (Prefix, Prefix),
    window: Window,
) -> Result<Vec<Contact>, StoreError> {
    let sql = format!(
        "SELECT start_time, end_time, exporter, sampling_interval, forward, octets, rev_octets
         FROM (SELECT *,
                   near(src_hi, src_lo) AND far(dst_hi, dst_lo) AS forward,
                   far(src_hi, src_lo) AND near(dst_hi, dst_lo) AS backward
               FROM flow)
         WHERE (forward OR backward) AND {}",
        usable()
    );
    let functions =
        [inside("near", NetworkSet::of(&[near]).into()), inside("far", NetworkSet::of(&[far]).into())];
    let (mut contacts, mut names) = (Vec::new(), Names::default());
    lake.answer(&lake.flows, "reading contacts", window, functions, &sql, |answer| {
        read(&answer, &mut names, &mut contacts)
    })?;
    contacts.sort_unstable();
    Ok(contacts)
}

fn read(answer: &Answer<'_>, names: &mut Names, contacts: &mut Vec<Contact>) -> Result<(), ArrowError> {
    let (start, end) = (answer.integers("start_time")?, answer.integers("end_time")?);
    let (exporter, sampling) = (answer.texts("exporter")?, answer.integers("sampling_interval")?);
    let (octets, rev_octets) = (answer.integers("octets")?, answer.integers("rev_octets")?);
    let forward = answer.flags("forward")?;
    for row in 0..answer.rows() {
        let (sent, received) = (octets.count(row), rev_octets.count(row));
        let (octets_out, octets_in) = if forward.value(row) { (sent, received) } else { (received, sent) };
        contacts.push(Contact {
            start_time: start.time(row),
            end_time: end.time(row),
            exporter: names.get(&exporter, row),
            sampling_interval: sampling.interval(row),
            octets_out,
            octets_in,
        });
    }
    Ok(())
}
