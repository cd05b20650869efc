//! How much a book may hold: 5 million claims, loaded within a minute and 2 GiB, and asked within a millisecond.
//!
//! On every change 200,000 claims, with limits in proportion; all of them in `make nightly`. A bar is
//! tried in a process of its own, so that its memory is its own.

#![expect(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "bars of time are measured, and what was measured is said"
)]

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};
use std::{env, fs};

use rahdar_intel::book::{Book, ImportedFile};
use rahdar_intel::index::{Live, Subject};
use rahdar_intel::reading::ReadOptions;
use rahdar_model::{Address, Day};
use rahdar_store::Database;
use rahdar_testkit::is_nightly;

/// Claims of a full book, and how long and how much of memory its load may take.
const FULL: usize = 5_000_000;
const FULL_LOAD: Duration = Duration::from_secs(60);
const FULL_KIB: usize = 2 << 20;

/// Claims on every change.
const BRIEF: usize = 200_000;

/// What a process takes that holds no claim: its code, threads, and SQLite's pages.
const EMPTY_KIB: usize = 96 << 10;

/// Beside other tests a machine takes longer than it would alone; the bar proper is that of the night.
const PATIENCE: u32 = 10;

/// The longest lookup of a snapshot.
const LOOKUP: Duration = Duration::from_millis(1);

/// Claims in a file: such a file is smaller than `rahdar_intel::FILE_MAX`.
const CLAIMS_IN_FILE: usize = 1_000_000;

/// Set for the process that is measured: the folder that it works in.
const MEASURED: &str = "RAHDAR_SCALE_FOLDER";

/// The address of a claim: every one of 10.0.0.0/8, in no order.
fn address(i: usize) -> Address {
    Address::from_v4_bits(0x0a00_0000 | (i as u32).wrapping_mul(0x9e37_79b1) & 0x00ff_ffff)
}

/// A row as sources write them. Four of five claims are about addresses; one in fifty about a network.
fn row(i: usize) -> String {
    let address = address(i);
    let bits = address.v4_bits().unwrap();
    let subject = match i % 100 {
        0..78 => address.to_string(),
        // None twice.
        78..80 => format!("{}/28", Address::from_v4_bits(0x0a00_0000 + 16 * (i / 100 * 2 + i % 2) as u32)),
        80..82 => format!("2001:db8:{:x}:{:x}::1", bits >> 12 & 0xfff, bits & 0xfff),
        82..94 => format!("c{i}.example.org"),
        _ => format!("http://u{i}.example.org/gate.php?id={i}"),
    };
    let (day, tool) = (Day(16_000 + (i % 3_000) as i32), ["PlugX", "ShadowPad", "Winnti", "Icefog"][i % 4]);
    let (until, port) = (Day(day.0 + 60), if i.is_multiple_of(2) { "443" } else { "" });
    format!("{subject},{port},Cluster {},{day},{until},amber,80,{tool},Feed {}\n", i % 500, i % 40)
}

fn csv(claims: std::ops::Range<usize>) -> String {
    let mut text = "indicator,port,cluster,valid_from,valid_until,tlp,confidence,malware,source\n".to_owned();
    claims.for_each(|i| text.push_str(&row(i)));
    text
}

/// The most memory that this process has held since it was last asked, in KiB.
fn peak_kib() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    let _ = fs::write("/proc/self/clear_refs", "5");
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_full_book_is_loaded_and_asked_in_time() {
    if let Some(folder) = env::var_os(MEASURED) {
        return measured(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let name = "scale::a_full_book_is_loaded_and_asked_in_time";
    for _ in ["import", "load"] {
        let mut process = Command::new(env::current_exe().unwrap());
        process.args(["--exact", name, "--nocapture"]).env(MEASURED, folder.path());
        assert!(process.status().unwrap().success(), "see above");
    }
}

/// Imports if there is no book yet; loads and asks it if there is.
fn measured(folder: &Path) {
    let claims = if is_nightly() { FULL } else { BRIEF };
    let tier = if is_nightly() { "T2" } else { "T1" };
    let path = folder.join("book.sqlite");
    let is_new = !path.try_exists().unwrap();
    let book = Database::open(&path).unwrap();
    if is_new {
        let (cpu_s, elapsed) = import(&book, claims);
        let octets = fs::metadata(&path).unwrap().len();
        eprintln!(
            "scale at tier {tier}: imported {claims} claims in {elapsed:.1?} ({cpu_s:.1} s of CPU), peak {} MiB, \
             {} MiB on disk",
            peak_kib() >> 10,
            octets >> 20
        );
        return;
    }
    peak_kib();
    let (cpu, begun) = (cpu_s(), Instant::now());
    let live = Live::new(book.snapshot().unwrap());
    let (elapsed, cpu, peak_kib) = (begun.elapsed(), cpu_s() - cpu, peak_kib());
    eprintln!(
        "scale at tier {tier}: loaded {claims} claims in {elapsed:.1?} ({cpu:.1} s of CPU), peak {} MiB",
        peak_kib >> 10
    );
    let part = claims as f64 / FULL as f64;
    let (most, most_kib) = match is_nightly() {
        true => (FULL_LOAD, FULL_KIB),
        false => (FULL_LOAD.mul_f64(part) * PATIENCE, (FULL_KIB as f64 * part) as usize + EMPTY_KIB),
    };
    assert!(elapsed < most, "loading took {elapsed:?}, not {most:?}");
    assert!(peak_kib < most_kib, "loading held {peak_kib} KiB, not {most_kib}");

    // Found and not found, of every kind.
    let snapshot = live.get();
    assert_eq!(snapshot.claims().len(), claims);
    let mut times = Vec::new();
    for i in (0..claims).step_by(claims / 10_000) {
        let name = format!("www.c{i}.example.org");
        let begun = Instant::now();
        let (on, naming) = (snapshot.claims_on(address(i)).count(), snapshot.claims_naming(&name).len());
        times.push(begun.elapsed() / 2);
        assert!(on > 0 || i % 100 >= 78, "claim {i}");
        assert_eq!(naming > 0, (82..94).contains(&(i % 100)), "claim {i}");
    }
    say(tier, "a lookup of the snapshot", &mut times);
    // The slowest of twenty thousand tells of the scheduler; one in a hundred may.
    assert!(times[times.len() * 99 / 100] < LOOKUP, "one lookup in a hundred takes longer than {LOOKUP:?}");

    let mut times = Vec::new();
    for i in (0..claims).step_by(claims / 500) {
        let subject = match i % 100 {
            82..94 => Subject::of(&format!("www.c{i}.example.org")),
            _ => Subject::Address(address(i)),
        };
        let begun = Instant::now();
        let part = book.about(&subject).unwrap();
        times.push(begun.elapsed());
        let told = |book: &rahdar_intel::index::Snapshot| -> Vec<_> {
            let found = match &subject {
                Subject::Address(address) => book.claims_on(*address).collect(),
                Subject::Name(name) => book.claims_naming(name),
            };
            found.into_iter().cloned().collect()
        };
        assert_eq!(told(&part), told(&snapshot), "{subject:?}");
    }
    say(tier, "a lookup in the file", &mut times);
}

fn import(book: &Database, claims: usize) -> (f64, Duration) {
    let (cpu, mut elapsed) = (cpu_s(), Duration::ZERO);
    for begin in (0..claims).step_by(CLAIMS_IN_FILE) {
        let text = csv(begin..claims.min(begin + CLAIMS_IN_FILE));
        let options = ReadOptions::default();
        let begun = Instant::now();
        let mut name = String::new();
        write!(name, "feed-{begin}.csv").unwrap();
        let reading = rahdar_intel::read(&name, text.as_bytes(), &options).unwrap();
        let file = ImportedFile::new(&name, text.as_bytes(), &options, Day(20_000).start());
        let recorded = book.record(&file, &reading).unwrap();
        elapsed += begun.elapsed();
        assert_eq!(recorded.added, claims.min(begin + CLAIMS_IN_FILE) - begin);
    }
    (cpu_s() - cpu, elapsed)
}

/// Seconds of CPU that this process has taken.
fn cpu_s() -> f64 {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit(')').next().unwrap();
    let ticks =
        after_name.split_whitespace().skip(11).take(2).map(|n| n.parse::<f64>().unwrap()).sum::<f64>();
    // USER_HZ is 100 on every Linux that rahdar runs on.
    ticks / 100.0
}

fn say(tier: &str, what: &str, times: &mut [Duration]) {
    times.sort_unstable();
    let at = |part: usize| times[(times.len() - 1) * part / 100];
    eprintln!(
        "scale at tier {tier}: {what}: {:.1?} at the median, {:.1?} at the 99th percentile, {:.1?} at most",
        at(50),
        at(99),
        at(100)
    );
}
