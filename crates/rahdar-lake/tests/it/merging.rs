//! Small files merged into few, replaced files removed, and old versions.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rahdar_lake::{Effort, Lake, Merged};
use rahdar_model::column::Row as _;
use rahdar_model::fact::{Fact, Gap, Handshake, Resolution};
use rahdar_model::store::{Admission, FlowStore, Input, QueryLimits, StoreError};
use rahdar_model::time::{DAY_US, Timestamp};
use rahdar_model::{FlowRecord, Window};
use rahdar_testkit::{flow, time};

/// When files are merged.
fn now() -> Timestamp {
    time("2021-09-01")
}

/// Imports `flows`, and a fact of each kind, as the input `id`.
fn import(lake: &Lake, id: &str, flows: &[FlowRecord]) {
    let mut import = lake.import().unwrap();
    let input = Input { id: id.to_owned(), name: id.into() };
    assert_eq!(import.begin(&input).unwrap(), Admission::New);
    for flow in flows {
        import.flow(flow).unwrap();
    }
    let resolution = Resolution { name: format!("{id}.example.org"), ..Resolution::blank() };
    import.fact(Fact::Resolution(&resolution)).unwrap();
    import.fact(Fact::Handshake(&Handshake::blank())).unwrap();
    import.fact(Fact::Gap(&Gap { lost: 1, ..Gap::blank() })).unwrap();
    import.commit().unwrap();
}

/// Flows of two days, others for every input.
fn flows(number: usize) -> Vec<FlowRecord> {
    let flow =
        |start: &str| flow(&format!("192.0.2.{number}:5 > 203.0.113.9:443")).at(start).sent(1, 40).build();
    ["2021-08-15T12:00:00Z", "2021-08-15T02:00:00Z", "2021-08-17T00:00:00Z"].map(flow).to_vec()
}

fn lake_of(inputs: usize) -> (tempfile::TempDir, Lake) {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    (0..inputs).for_each(|number| import(&lake, &number.to_string(), &flows(number)));
    (folder, lake)
}

/// Every row of every table, all columns, in an order of their own.
fn everything(lake: &Lake) -> Vec<String> {
    let mut rows = Vec::new();
    for table in ["flows", "resolutions", "handshakes", "gaps"] {
        let answer = lake.query(&format!("SELECT * FROM {table}"), QueryLimits::default()).unwrap();
        rows.extend(answer.rows.into_iter().map(|row| format!("{table}: {row:?}")));
    }
    rows.sort_unstable();
    rows
}

/// The data files of a table.
fn data_files(folder: &Path, table: &str) -> BTreeSet<PathBuf> {
    let below = |folder: PathBuf| fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let days = below(folder.join(table)).filter(|path| !path.ends_with("_delta_log"));
    days.flat_map(below).collect()
}

#[test]
fn merged_files_hold_the_same_rows_and_know_the_same_inputs() {
    let (folder, lake) = lake_of(5);
    let before = everything(&lake);
    let merged = lake.compact(now(), Effort::WHOLE).unwrap();
    let of = |table, rows, files_before, files_after| Merged { table, rows, files_before, files_after };
    assert_eq!(
        merged,
        [of("resolutions", 5, 5, 1), of("handshakes", 5, 5, 1), of("gaps", 5, 5, 1), of("flows", 15, 10, 2)]
    );
    let other = Lake::open(folder.path()).unwrap();
    for lake in [&lake, &other] {
        assert_eq!(everything(lake), before);
        assert_eq!(lake.count(Window::ALL).unwrap(), 15);
        let mut import = lake.import().unwrap();
        let stored = |number: usize| Input { id: number.to_string(), name: "again".into() };
        (0..5).for_each(|number| assert_eq!(import.begin(&stored(number)).unwrap(), Admission::Stored));
    }
    let again = lake.compact(now(), Effort::WHOLE).unwrap();
    assert!(again.iter().all(|table| table.files_before == 0), "nothing is left to merge: {again:?}");
}

#[test]
fn a_little_effort_leaves_small_work_and_stops_at_its_rows() {
    let (_folder, lake) = lake_of(5);
    let files = |now, effort| -> u64 {
        lake.compact(now, effort).unwrap().iter().map(|merged| merged.files_before).sum()
    };
    assert_eq!(files(time("1970-01-01"), Effort::IN_PASSING), 0, "five files of a day are not many");
    assert_eq!(
        files(now(), Effort { least_files: 8, most_rows: 3 }),
        3,
        "that day is over; three rows of facts"
    );
    assert_eq!(everything(&lake).len(), 30);
}

#[test]
fn files_of_other_programs_are_left_alone() {
    let (folder, lake) = lake_of(2);
    let day = "flows/day=2021-08-15";
    let ours =
        data_files(folder.path(), "flows").into_iter().find(|path| path.starts_with(folder.path().join(day)));
    let theirs = folder.path().join(day).join("part-00000.snappy.parquet");
    fs::copy(ours.unwrap(), &theirs).unwrap();
    lake.compact(now(), Effort::WHOLE).unwrap();
    lake.vacuum(Timestamp::MAX).unwrap();
    assert!(theirs.try_exists().unwrap());
    assert_eq!(everything(&lake).len(), 6 + 6);
}

#[test]
fn what_came_while_files_were_merged_stays() {
    let (folder, lake) = lake_of(3);
    let other = Lake::open(folder.path()).unwrap();
    import(&other, "late", &flows(9));
    lake.compact(now(), Effort::WHOLE).unwrap();
    import(&other, "later", &flows(10));
    assert_eq!(lake.count(Window::ALL).unwrap(), 15);
    assert_eq!(everything(&lake), everything(&other));
    assert!(
        lake.pinned().unwrap().compact(now(), Effort::WHOLE).is_err(),
        "what stands still is not changed"
    );
}

#[test]
fn replaced_files_go_when_they_are_old_and_no_others() {
    let (folder, lake) = lake_of(4);
    lake.compact(now(), Effort::WHOLE).unwrap();
    import(&lake, "new", &flows(7));
    let all = data_files(folder.path(), "flows");
    let removed = |before| -> u64 { lake.vacuum(before).unwrap().iter().map(|table| table.files).sum() };
    assert_eq!(removed(now()), 0, "they were replaced now, not before");
    assert_eq!(data_files(folder.path(), "flows"), all);
    assert_eq!(removed(now().plus_micros(DAY_US)), 8 + 3 * 4);
    assert_eq!(removed(Timestamp::MAX), 0);
    assert_eq!(data_files(folder.path(), "flows").len(), 2 + 2);
    assert_eq!(everything(&lake).len(), 15 + 15);
    assert_eq!(everything(&Lake::open(folder.path()).unwrap()).len(), 30);
}

#[test]
fn replaced_files_are_found_however_long_ago_that_was() {
    let (folder, lake) = lake_of(2);
    lake.compact(now(), Effort::WHOLE).unwrap();
    // Checkpoints forget what was replaced more than a month ago, and 2021 is.
    (10..34).for_each(|number| import(&lake, &number.to_string(), &[]));
    let checkpoint = folder.path().join("flows/_delta_log/00000000000000000022.checkpoint.parquet");
    let is_summed_up = fs::read_dir(checkpoint.parent().unwrap()).unwrap();
    let is_sum = |name: &str| name.ends_with(".checkpoint.parquet");
    assert!(is_summed_up.flatten().any(|entry| is_sum(&entry.file_name().to_string_lossy())));
    let lake = Lake::open(folder.path()).unwrap();
    import(&lake, "tidies up", &[]);
    assert_eq!(data_files(folder.path(), "flows").len(), 6, "an old version still has them");
    // Written today, so they cannot have been replaced before.
    assert!(lake.vacuum(now()).unwrap().iter().all(|table| table.files == 0));
    let removed = lake.vacuum(Timestamp::MAX).unwrap();
    assert_eq!(removed.iter().map(|table| table.files).sum::<u64>(), 4 + 3 * 2);
}

#[test]
fn an_old_version_is_told_as_it_was_or_not_at_all() {
    let (folder, lake) = lake_of(3);
    let two = everything(&lake.at(2).unwrap());
    assert_eq!(two.len(), 2 * 6);
    assert!(two.iter().any(|row| row.contains("1.example.org")));
    assert!(!two.iter().any(|row| row.contains("2.example.org")), "facts are those of the inputs of then");
    lake.compact(now(), Effort::WHOLE).unwrap();
    import(&lake, "new", &flows(7));
    let lake = Lake::open(folder.path()).unwrap();
    assert_eq!(everything(&lake.at(2).unwrap()), two, "as long as its files are there");
    assert_eq!(lake.at(4).unwrap().count(Window::ALL).unwrap(), 9, "one merged day of two");
    let pinned = lake.at(2).unwrap();
    assert!(pinned.import().is_err());
    assert!(lake.at(7).is_err(), "there is no such version");

    lake.vacuum(Timestamp::MAX).unwrap();
    let error = lake.at(2).err().unwrap();
    let told = error.to_string();
    assert!(matches!(error, StoreError::Limit { .. }), "{error:?}");
    assert!(told.contains("version 2 of `flows`") && told.contains("30 days"), "{told}");
    let error = pinned.query("SELECT sum(octets) FROM flows", QueryLimits::default()).unwrap_err();
    assert!(matches!(error, StoreError::Limit { .. }), "a question under way is refused too: {error:?}");
    assert_eq!(everything(&lake.at(6).unwrap()), everything(&lake));
}
