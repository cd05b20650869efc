//! Real data that nobody here made. Tests use it where it lies.

use std::env;
use std::path::{Path, PathBuf};

use crate::skipped;

/// The folder of the corpus: `RAHDAR_CORPUS`, else `shared/corpus` beside the checkout. Its absence is
/// said aloud.
pub fn corpus() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus");
    let folder = env::var_os("RAHDAR_CORPUS").map_or_else(beside, PathBuf::from);
    if !folder.is_dir() {
        skipped(format_args!("no corpus at {}; set RAHDAR_CORPUS", folder.display()));
        return None;
    }
    Some(folder)
}
