//! What is known to be missing.

use rahdar_model::Window;
use rahdar_model::fact::Gap;
use rahdar_model::store::StoreError;

use crate::Lake;

pub(crate) fn gaps(lake: &Lake, window: Window) -> Result<Vec<Gap>, StoreError> {
    let mut gaps = Vec::new();
    lake.answer(&lake.gaps, "looking for gaps", window, [], "SELECT * FROM gap", |answer| {
        answer.each(|gap| gaps.push(gap))
    })?;
    gaps.sort_unstable();
    Ok(gaps)
}
