//! How many flows started in a window.

use rahdar_model::Window;
use rahdar_model::store::StoreError;

use crate::Lake;

/// What the log knows is not read again: only files at the ends of the window are.
pub(crate) fn count(lake: &Lake, window: Window) -> Result<u64, StoreError> {
    let snapshot = lake.snapshot(&lake.flows)?;
    let (known, unknown): (Vec<_>, Vec<_>) = snapshot
        .files
        .iter()
        .filter(|file| file.window.overlaps(window))
        .cloned()
        .partition(|file| file.rows.is_some() && file.window.intersect(window) == file.window);
    let mut flows: u64 = known.iter().filter_map(|file| file.rows).sum();
    if unknown.is_empty() {
        return Ok(flows);
    }
    let rest = snapshot.of_files(unknown);
    lake.answer_of(&rest, "counting flows", window, [], "SELECT count(*) AS flows FROM flow", |answer| {
        flows += answer.integers("flows")?.count::<u64>(0);
        Ok(())
    })?;
    Ok(flows)
}
