//! Real inputs, read in place. Skipped where the corpus is not there.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rahdar_wire::Options;

use crate::sink::decode_all;

/// The corpus, if it is there.
fn corpus() -> Option<PathBuf> {
    let path = match env::var_os("RAHDAR_CORPUS") {
        Some(path) => path.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/corpus"),
    };
    let there = path.try_exists().unwrap_or(false);
    if !there {
        eprintln!("skipped: corpus not found");
    }
    there.then_some(path)
}

fn files_under(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files_under(&path, found) } else { found.push(path) }
    }
    found.sort();
}

#[test]
fn show() {
    let Some(corpus) = corpus() else { return };
    let mut files = Vec::new();
    files_under(&corpus.join("captures"), &mut files);
    files_under(&corpus.join("flow-exports"), &mut files);
    for file in files {
        let (kept, result) = decode_all(File::open(&file).unwrap(), &Options::default());
        let name = file.strip_prefix(&corpus).unwrap().display();
        match result {
            Ok(tally) => {
                println!(
                    "{name} {tally:?} octets {} packets {}",
                    kept.octets(),
                    kept.flows.iter().map(|f| f.total_packets()).sum::<u64>()
                );
                for p in kept.problems.iter().take(3) {
                    println!("      {p} ({})", p.refused);
                }
            }
            Err(e) => println!("{name} ERROR {e}"),
        }
    }
}
