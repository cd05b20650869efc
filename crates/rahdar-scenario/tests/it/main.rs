//! The scenario's files, read by readers that share nothing with the writers.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test may fail, and says how seeds fared")]

mod bounds;
mod calibration;
mod capture;
mod faults;
mod files;
mod grade;
mod names;
mod order;
mod road;
mod zeek;

use std::path::PathBuf;
use std::sync::LazyLock;

use rahdar_scenario::{Manifest, Sampling, Settings, Truth};
use tempfile::TempDir;

/// A scenario that was written.
struct Made {
    _folder: TempDir,
    out: PathBuf,
    manifest: Manifest,
    truth: Truth,
}

/// The exporters' scenario, made once.
static SAMPLED: LazyLock<Made> = LazyLock::new(|| make(settings(1, Sampling::Exporters)));
/// The unsampled sensor's scenario, made once.
static UNSAMPLED: LazyLock<Made> = LazyLock::new(|| make(settings(1, Sampling::Unsampled)));

fn settings(seed: u64, sampling: Sampling) -> Settings {
    Settings { seed, flows: 3_000, sampling }
}

fn make(settings: Settings) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("roshan");
    let mut days = 0;
    let manifest = rahdar_scenario::write(&settings, &out, &mut |progress| {
        assert_eq!((progress.done, progress.total), (days, 454));
        days += 1;
    })
    .unwrap();
    let truth = Truth::read(&manifest.truth).unwrap();
    Made { _folder: folder, out, manifest, truth }
}

/// Whether an address may stand in a file: those of documentation and benchmarks.
fn is_free(address: std::net::IpAddr) -> bool {
    match address {
        std::net::IpAddr::V4(v4) => {
            matches!(v4.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [198, 18 | 19, ..])
        }
        std::net::IpAddr::V6(v6) => v6.segments()[..2] == [0x2001, 0x0db8],
    }
}
