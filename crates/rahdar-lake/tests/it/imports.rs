//! Imports, one after another and at once.

use std::path::{Path, PathBuf};
use std::thread;

use rahdar_lake::Lake;
use rahdar_model::store::{Admission, Commit, FlowStore, Input, StoreError};
use rahdar_model::{FlowRecord, Window};
use rahdar_testkit::builder::FlowBuilder;
use rahdar_testkit::{flow, prefix, time};

fn any_flow() -> FlowBuilder {
    flow("192.0.2.1:5 > 203.0.113.9:443")
}

fn input(id: &str) -> Input {
    Input { id: id.to_owned(), name: format!("{id}.log").into() }
}

fn import(lake: &Lake, id: &str, flows: &[FlowRecord]) -> Result<Commit, StoreError> {
    let mut import = lake.import()?;
    if import.begin(&input(id))? == Admission::New {
        for flow in flows {
            import.flow(flow).unwrap();
        }
    }
    import.commit()
}

fn count(lake: &Lake) -> u64 {
    lake.count(Window::ALL).unwrap()
}

/// Files in the folders of days, hidden ones too.
fn data_files(folder: &Path) -> Vec<PathBuf> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let days = below(&folder.join("flows")).into_iter().filter(|path| !path.ends_with("_delta_log"));
    days.flat_map(|day| below(&day)).collect()
}

#[test]
fn a_lake_opened_again_holds_what_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join("lake");
    let lake = Lake::open(&path).unwrap();
    assert_eq!((lake.version().unwrap(), count(&lake)), (0, 0));
    assert_eq!(import(&lake, "a", &[any_flow().build()]).unwrap(), Commit { version: 1, rows: 1 });
    drop(lake);
    let lake = Lake::open(&path).unwrap();
    assert_eq!((lake.version().unwrap(), count(&lake)), (1, 1));
    assert_eq!(import(&lake, "a", &[any_flow().build()]).unwrap(), Commit { version: 1, rows: 0 });
    assert_eq!(count(&lake), 1);
}

#[test]
fn several_inputs_appear_together() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut import = lake.import().unwrap();
    for id in ["a", "b", "a"] {
        let expected = if import.flows() < 2 { Admission::New } else { Admission::Stored };
        assert_eq!(import.begin(&input(id)).unwrap(), expected);
        if expected == Admission::New {
            import.flow(&any_flow().from(id, 1).build()).unwrap();
        }
    }
    assert_eq!(count(&lake), 0, "nothing can be read before the commit");
    assert_eq!(import.commit().unwrap(), Commit { version: 1, rows: 2 });
    assert_eq!(count(&lake), 2);
}

#[test]
fn an_input_without_flows_is_stored_too() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    assert_eq!(import(&lake, "empty", &[]).unwrap(), Commit { version: 1, rows: 0 });
    assert_eq!(lake.import().unwrap().begin(&input("empty")).unwrap(), Admission::Stored);
}

#[test]
fn a_dropped_import_leaves_no_row_and_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut import = lake.import().unwrap();
    import.begin(&input("a")).unwrap();
    // Enough for files to be written before the commit.
    for row in 0..300_000 {
        import.flow(&any_flow().from("a", row).build()).unwrap();
    }
    drop(import);
    assert_eq!((count(&lake), data_files(folder.path()).len()), (0, 0));
}

#[test]
fn an_input_that_was_withdrawn_may_come_again() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut first = lake.import().unwrap();
    first.begin(&input("good")).unwrap();
    first.flow(&any_flow().build()).unwrap();
    first.begin(&input("bad")).unwrap();
    assert!(first.withdraw());
    assert_eq!(first.commit().unwrap(), Commit { version: 1, rows: 1 });
    assert_eq!(import(&lake, "good", &[any_flow().build()]).unwrap().rows, 0);
    assert_eq!(import(&lake, "bad", &[any_flow().build()]).unwrap().rows, 1);
}

#[test]
fn an_input_whose_rows_were_taken_is_not_withdrawn() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut import = lake.import().unwrap();
    import.begin(&input("a")).unwrap();
    import.flow(&any_flow().build()).unwrap();
    assert!(!import.withdraw());
    assert!(import.commit().is_err());
    assert_eq!(count(&lake), 0);
}

#[test]
fn of_two_imports_of_the_same_input_one_wins() {
    let folder = tempfile::tempdir().unwrap();
    let (lake, other) = (Lake::open(folder.path()).unwrap(), Lake::open(folder.path()).unwrap());
    let mut imports = [lake.import().unwrap(), other.import().unwrap()];
    for import in &mut imports {
        assert_eq!(import.begin(&input("a")).unwrap(), Admission::New);
        import.flow(&any_flow().build()).unwrap();
    }
    let [first, second] = imports;
    first.commit().unwrap();
    let error = second.commit().unwrap_err();
    assert!(matches!(&error, StoreError::Raced { input } if input == "a.log"), "{error:?}");
    assert_eq!((count(&lake), count(&other)), (1, 1));
    assert_eq!(data_files(folder.path()).len(), 1, "the loser has removed its file");
}

#[test]
fn of_many_imports_at_once_each_is_stored_once() {
    const WRITERS: usize = 4;
    const INPUTS: usize = 5;
    let folder = tempfile::tempdir().unwrap();
    Lake::open(folder.path()).unwrap();
    let outcomes: Vec<Result<Commit, StoreError>> = thread::scope(|scope| {
        let writer = |_| {
            scope.spawn(|| {
                let lake = Lake::open(folder.path()).unwrap();
                let store = |number: usize| import(&lake, &number.to_string(), &[any_flow().build()]);
                (0..INPUTS).map(store).collect::<Vec<_>>()
            })
        };
        let writers: Vec<_> = (0..WRITERS).map(writer).collect();
        writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect()
    });
    let stored: u64 =
        outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()).map(|commit| commit.rows).sum();
    assert_eq!(stored, INPUTS as u64);
    for outcome in outcomes {
        assert!(matches!(outcome, Ok(_) | Err(StoreError::Raced { .. })), "{outcome:?}");
    }
    assert_eq!(count(&Lake::open(folder.path()).unwrap()), INPUTS as u64);
}

#[test]
fn a_log_that_was_summed_up_still_knows_its_inputs() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    for number in 0..23 {
        import(&lake, &number.to_string(), &[any_flow().build()]).unwrap();
    }
    let checkpoint = folder.path().join("flows/_delta_log/00000000000000000020.checkpoint.parquet");
    assert!(checkpoint.try_exists().unwrap());
    let again = Lake::open(folder.path()).unwrap();
    let mut import = again.import().unwrap();
    for number in 0..23 {
        assert_eq!(import.begin(&input(&number.to_string())).unwrap(), Admission::Stored, "{number}");
    }
    assert_eq!(import.begin(&input("23")).unwrap(), Admission::New);
    assert_eq!(count(&again), 23);
}

#[test]
fn an_import_that_failed_stores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut import = lake.import().unwrap();
    assert!(import.flow(&any_flow().build()).is_err(), "no input was begun");
    assert!(import.begin(&input("a")).is_err());
    assert!(import.commit().is_err());
    assert_eq!(lake.version().unwrap(), 0);
}

#[test]
fn clocks_that_leave_the_calendar_or_scatter_over_centuries_meet_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let far = time("2021-08-15").plus_micros(i64::MAX);
    let mut import = lake.import().unwrap();
    import.begin(&input("a")).unwrap();
    let error = import.flow(&any_flow().at_time(far).build()).unwrap_err().into_cause();
    assert!(error.to_string().starts_with("the calendar of the tables"), "{error}");

    let mut import = lake.import().unwrap();
    import.begin(&input("a")).unwrap();
    let scattered = |day| any_flow().at_time(rahdar_model::time::Day(day * 20).start()).build();
    let error = (0..).find_map(|day| import.flow(&scattered(day)).err()).unwrap().into_cause();
    assert!(error.to_string().starts_with("days of one import"), "{error}");
    assert!(import.commit().is_err());
    assert_eq!(count(&lake), 0);
}

#[test]
fn a_folder_that_is_no_lake_or_a_torn_log_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    assert!(matches!(Lake::open(&file), Err(StoreError::Failed { .. })));

    let path = folder.path().join("lake");
    import(&Lake::open(&path).unwrap(), "a", &[any_flow().build()]).unwrap();
    let entry = path.join("flows/_delta_log/00000000000000000001.json");
    std::fs::write(&entry, "{\"add\":{\"pa").unwrap();
    let error = Lake::open(&path).err().unwrap();
    let named = entry.to_str().unwrap();
    assert!(matches!(&error, StoreError::Damaged { path, .. } if path == named), "{error:?}");
}

#[test]
fn a_data_file_that_is_cut_or_gone_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    import(&lake, "a", &[any_flow().build()]).unwrap();
    let file = &data_files(folder.path())[0];
    let content = std::fs::read(file).unwrap();
    let sweep = || lake.sightings(&[prefix("192.0.2.1")], Window::ALL, &mut |_| {});
    for length in [0, 7, content.len() / 2, content.len() - 1] {
        std::fs::write(file, &content[..length]).unwrap();
        let error = sweep().unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "cut to {length}: {error:?}");
    }
    std::fs::remove_file(file).unwrap();
    assert!(matches!(sweep(), Err(StoreError::Damaged { .. })));
    std::fs::write(file, &content).unwrap();
    sweep().unwrap();
}
