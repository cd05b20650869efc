//! Writers at once, one who merges files and removes old ones, and readers beside them (`docs/reliability.md` R9).

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use rahdar_lake::{Effort, Lake};
use rahdar_model::store::{Admission, Cell, FlowStore, Input, QueryLimits, StoreError};
use rahdar_model::time::{SECOND_US, Timestamp};
use rahdar_model::{FlowRecord, Window};
use rahdar_testkit::{flow, is_nightly, time};

const WRITERS: usize = 8;
const READERS: usize = 4;

/// Appends after which a writer opens the lake anew, as another process would. The first import of each lake tidies up.
const APPENDS_A_LAKE: usize = 5;

/// Four readers that never pause would keep two cores from everybody else.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Octets of the flows of one import. Whoever sees only some of them sees another sum.
const OCTETS: [u64; 3] = [1, 20, 400];

fn flows(writer: usize, number: usize) -> Vec<FlowRecord> {
    let flow = |(row, octets): (usize, &u64)| {
        flow(&format!("192.0.2.{writer}:{number} > 203.0.113.9:443"))
            .at(["2021-08-15", "2021-08-16"][row % 2])
            .sent(1, *octets)
            .build()
    };
    OCTETS.iter().enumerate().map(flow).collect()
}

fn append(lake: &Lake, writer: usize, number: usize) -> Result<u64, StoreError> {
    let mut import = lake.import()?;
    let input = Input { id: format!("{writer}/{number}"), name: "test".into() };
    assert_eq!(import.begin(&input)?, Admission::New);
    for flow in flows(writer, number) {
        import.flow(&flow).unwrap();
    }
    Ok(import.commit()?.rows)
}

/// Flows and their octets, in one answer.
fn sums(lake: &Lake) -> (u64, u64) {
    let sql = "SELECT count(*), coalesce(sum(octets), 0) FROM flows";
    match &lake.query(sql, QueryLimits::default()).unwrap().rows[0][..] {
        [Cell::Int(flows), Cell::Int(octets)] => (*flows as u64, *octets as u64),
        other => panic!("{other:?}"),
    }
}

/// Rounds of merging, and what readers may still need of them.
struct Rounds {
    done: AtomicBool,
    /// Rounds that have ended.
    ended: AtomicU64,
    /// Of each reader, the rounds that had ended when its look began; `u64::MAX` between two looks.
    seen: [AtomicU64; READERS],
}

impl Rounds {
    /// When files are merged in a round: after anything that the checkpoints would forget.
    fn time(round: u64) -> Timestamp {
        time("2100-01-01").plus_micros(round as i64 * SECOND_US)
    }

    /// What was replaced before this time is in no version that a reader looks at: this is what `--keep-days` is for.
    fn needed_by_nobody(&self) -> Timestamp {
        let seen = self.seen.iter().map(|seen| seen.load(Ordering::SeqCst)).min().unwrap();
        Self::time(seen.min(self.ended.load(Ordering::SeqCst)) + 1)
    }
}

/// Merges and removes until there is nothing new; returns how many files were merged, and how many removed.
fn tend_on(folder: &Path, rounds: &Rounds) -> [u64; 2] {
    let lake = Lake::open(folder).unwrap();
    let mut files = [0; 2];
    for round in 1.. {
        let is_last = rounds.done.load(Ordering::SeqCst);
        let merged = lake.compact(Rounds::time(round), Effort::WHOLE).unwrap();
        rounds.ended.store(round, Ordering::SeqCst);
        let removed = lake.vacuum(rounds.needed_by_nobody()).unwrap();
        files[0] += merged.iter().map(|merged| merged.files_before).sum::<u64>();
        files[1] += removed.iter().map(|removed| removed.files).sum::<u64>();
        if is_last {
            break;
        }
    }
    files
}

/// Reads until there is nothing new; returns how often.
fn read_on(folder: &Path, rounds: &Rounds, reader: usize) -> u64 {
    let lake = Lake::open(folder).unwrap();
    let (mut most, mut looks) = (0, 0);
    while !rounds.done.load(Ordering::SeqCst) {
        rounds.seen[reader].store(rounds.ended.load(Ordering::SeqCst), Ordering::SeqCst);
        let pinned = lake.pinned().unwrap();
        let (flows, octets) = sums(&pinned);
        assert!(flows % 3 == 0 && octets == flows / 3 * OCTETS.iter().sum::<u64>(), "{flows}, {octets}");
        assert!(flows >= most, "what was there is there");
        assert_eq!(pinned.count(Window::ALL).unwrap(), flows, "all its answers are of one version");
        rounds.seen[reader].store(u64::MAX, Ordering::SeqCst);
        most = flows;
        looks += 1;
        thread::sleep(BETWEEN_LOOKS);
    }
    looks
}

/// What a killed import leaves: a data file that no entry names, and one that has not got its name.
fn leave(folder: &Path, writer: usize, number: usize) -> [PathBuf; 2] {
    let day = folder.join("flows/day=2021-08-15");
    fs::create_dir_all(&day).unwrap();
    let data = day.join(format!("part-{writer:08x}-{number:04x}-4000-8000-000000000000.parquet"));
    let staged = day.join(format!("part-{writer}-{number}.parquet#1"));
    for path in [&data, &staged] {
        fs::write(path, "half").unwrap();
    }
    [data, staged]
}

/// Appends from lakes opened one after the other, and leaves something behind between them; returns the rows.
fn write_on(folder: &Path, writer: usize, appends: usize) -> u64 {
    let mut rows = 0;
    let numbers: Vec<usize> = (0..appends).collect();
    for numbers in numbers.chunks(APPENDS_A_LAKE) {
        let lake = Lake::open(folder).unwrap();
        rows += numbers.iter().map(|number| append(&lake, writer, *number).unwrap()).sum::<u64>();
        leave(folder, writer, numbers[0]);
    }
    rows
}

#[test]
fn of_many_writers_none_fails_and_no_reader_sees_half_a_commit() {
    let appends = if is_nightly() { 500 } else { 50 };
    let folder = tempfile::tempdir().unwrap();
    Lake::open(folder.path()).unwrap();
    let rounds = Rounds {
        done: AtomicBool::new(false),
        ended: AtomicU64::new(0),
        seen: [const { AtomicU64::new(u64::MAX) }; READERS],
    };
    let (looks, stored) = (AtomicU64::new(0), AtomicU64::new(0));
    let [merged, removed] = thread::scope(|scope| {
        let (folder, rounds, looks, stored) = (folder.path(), &rounds, &looks, &stored);
        for reader in 0..READERS {
            scope.spawn(move || looks.fetch_add(read_on(folder, rounds, reader), Ordering::SeqCst));
        }
        let tending = scope.spawn(move || tend_on(folder, rounds));
        let write = |writer| stored.fetch_add(write_on(folder, writer, appends), Ordering::SeqCst);
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        rounds.done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "a writer saw an error");
        tending.join().unwrap()
    });
    let expected = (WRITERS * appends * OCTETS.len()) as u64;
    let lake = Lake::open(folder.path()).unwrap();
    assert_eq!(stored.load(Ordering::SeqCst), expected);
    assert_eq!(sums(&lake), (expected, expected / 3 * OCTETS.iter().sum::<u64>()));
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT src, src_port, octets FROM flows)";
    let distinct = lake.query(distinct, QueryLimits::default()).unwrap();
    assert_eq!(distinct.rows, [[Cell::Int(expected as i64)]], "nothing is lost, nothing doubled");
    assert!(merged >= (WRITERS * appends) as u64 && removed > 0, "{merged} merged, {removed} removed");

    // Whoever imports next, alone, removes what was left.
    let left = leave(folder.path(), WRITERS, 0);
    append(&Lake::open(folder.path()).unwrap(), WRITERS, 0).unwrap();
    let names = fs::read_dir(left[0].parent().unwrap()).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let is_left = |name: &String| name.contains('#') || name.ends_with("-4000-8000-000000000000.parquet");
    assert_eq!(names.filter(is_left).count(), 0, "left behind");
    eprintln!(
        "{} commits by {WRITERS} writers, {} looks by {READERS} readers; {} rounds of merging, {merged} files merged, \
         {removed} removed",
        WRITERS * appends,
        looks.into_inner(),
        rounds.ended.into_inner()
    );
}
