//! Who asked for one of many names, and who was told an address in one of many networks.

use rahdar_model::fact::Resolution;
use rahdar_model::store::StoreError;
use rahdar_model::{Prefix, Window};

use crate::Lake;
use crate::names::at_or_below;
use crate::networks::{NetworkSet, inside};

pub(crate) fn resolutions(
    lake: &Lake,
    names: &[&str],
    networks: &[Prefix],
    window: Window,
    visit: &mut dyn FnMut(Resolution),
) -> Result<(), StoreError> {
    // Half an address is never null alone; where both are, there is no address to look up.
    let sql = "SELECT * FROM resolution
        WHERE asked(name) OR (answer_hi IS NOT NULL AND answered(answer_hi, answer_lo))";
    let functions = [at_or_below("asked", names), inside("answered", NetworkSet::of(networks).into())];
    lake.answer(&lake.resolutions, "looking for resolutions", window, functions, sql, |answer| {
        answer.each(&mut *visit)
    })
}
