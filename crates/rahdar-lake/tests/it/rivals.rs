//! Writers at once, and readers beside them (`docs/reliability.md` R9).

use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use rahdar_lake::Lake;
use rahdar_model::store::{Admission, Cell, FlowStore, Input, QueryLimits, StoreError};
use rahdar_model::{FlowRecord, Window};
use rahdar_testkit::flow;

const WRITERS: usize = 8;
const READERS: usize = 4;

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

/// Reads until there is nothing new; returns how often.
fn read_on(folder: &Path, done: &AtomicBool) -> u64 {
    let lake = Lake::open(folder).unwrap();
    let (mut seen, mut looks) = (0, 0);
    while !done.load(Ordering::SeqCst) {
        let pinned = lake.pinned().unwrap();
        let (flows, octets) = sums(&pinned);
        assert!(flows % 3 == 0 && octets == flows / 3 * OCTETS.iter().sum::<u64>(), "{flows}, {octets}");
        assert!(flows >= seen, "what was there is there");
        assert_eq!(pinned.count(Window::ALL).unwrap(), flows, "all its answers are of one version");
        seen = flows;
        looks += 1;
    }
    looks
}

#[test]
fn of_many_writers_none_fails_and_no_reader_sees_half_a_commit() {
    let appends = if env::var_os("RAHDAR_TIER").is_some_and(|tier| tier == "nightly") { 500 } else { 6 };
    let folder = tempfile::tempdir().unwrap();
    Lake::open(folder.path()).unwrap();
    let (done, looks, stored) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..READERS {
            scope.spawn(|| looks.fetch_add(read_on(folder.path(), &done), Ordering::SeqCst));
        }
        let write = |writer| {
            let lake = Lake::open(folder.path()).unwrap();
            let rows = (0..appends).map(|number| append(&lake, writer, number).unwrap()).sum();
            stored.fetch_add(rows, Ordering::SeqCst);
        };
        let writers: Vec<_> = (0..WRITERS).map(|writer| scope.spawn(move || write(writer))).collect();
        let ended: Vec<_> = writers.into_iter().map(|writer| writer.join()).collect();
        done.store(true, Ordering::SeqCst);
        assert!(ended.iter().all(Result::is_ok), "a writer saw an error");
    });
    let expected = (WRITERS * appends * OCTETS.len()) as u64;
    let lake = Lake::open(folder.path()).unwrap();
    assert_eq!(stored.load(Ordering::SeqCst), expected);
    assert_eq!(sums(&lake), (expected, expected / 3 * OCTETS.iter().sum::<u64>()));
    let distinct = "SELECT count(*) FROM (SELECT DISTINCT src, src_port, octets FROM flows)";
    let distinct = lake.query(distinct, QueryLimits::default()).unwrap();
    assert_eq!(distinct.rows, [[Cell::Int(expected as i64)]], "nothing is lost, nothing doubled");
    eprintln!(
        "{} commits by {WRITERS} writers, {} looks by {READERS} readers",
        WRITERS * appends,
        looks.into_inner()
    );
}
