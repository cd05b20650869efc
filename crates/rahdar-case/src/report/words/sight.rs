//! Sentences about what could have been seen.

use rahdar_figure::{legible, octets};
use rahdar_model::finding::{Finding, Verdict};
use rahdar_model::sight::NotSeen;

/// A full packet of Ethernet, in octets.
const FULL_PACKET: u64 = 1_500;

/// How many contacts like those of a finding leave a record; none where it is not believed.
///
/// > A contact like these (some 900 packets) leaves a record in 82 of 100 cases.
pub fn detection(finding: &Finding) -> Option<String> {
    if finding.verdict == Verdict::Discounted {
        return None;
    }
    let witness = &finding.witness;
    Some(match (witness.contact_packets, witness.detection) {
        (Some(packets), Some(chance)) => {
            let cases = match (chance * 100.0).floor() {
                0.0 if chance > 0.0 => "fewer than one of 100 cases".to_owned(),
                hundredths => format!("{hundredths:.0} of 100 cases"),
            };
            let packets = octets::count(packets);
            format!("A contact like these (some {packets} packets) leaves a record in {cases}.")
        }
        _ if witness.why.is_empty() => return None,
        _ => {
            let why = legible::sentence(&witness.why);
            format!("How many contacts like these left no record is not assessable: {why}.")
        }
    })
}

/// What it says that nobody was in contact with a cluster, or with an indicator.
///
/// > No contact with Calypso was seen. Its claims held for 4,344 hours, of which 4,340 were recorded; contact of
/// > 2,995 packets or more (4.5 MB, if full) would then have left a record with a chance of 95 %.
pub fn not_seen(row: &NotSeen) -> String {
    let name = legible::name(&row.cluster.name);
    let whom = match &row.indicator {
        Some(indicator) => format!("{} ({name})", legible::name(indicator)),
        None => name,
    };
    let sight = &row.sight;
    let Some(packets) = sight.least_packets else {
        let why = legible::sentence(&sight.why);
        return format!(
            "No contact with {whom} was seen; whether it would have been is not assessable: {why}."
        );
    };
    let (hours, recorded) = (octets::count(sight.hours), octets::count(sight.hours_recorded));
    let size = match packets {
        1 => "any contact".to_owned(),
        _ => {
            let full = octets::high(Some(packets.saturating_mul(FULL_PACKET)));
            format!("contact of {} packets or more ({full}, if full)", octets::count(packets))
        }
    };
    format!(
        "No contact with {whom} was seen. Its claims held for {hours} hours, of which {recorded} were recorded; \
         {size} would then have left a record with a chance of 95 %."
    )
}
