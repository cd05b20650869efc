//! The passing grade of `methods.md` §11.3, over seeds.
//!
//! One seed both ways in every run; with `RAHDAR_TIER=nightly` seeds 1 to 20. `RAHDAR_SEEDS=3,21-40`
//! names others. What is printed is the table of `docs/accuracy.md`:
//!
//!     RAHDAR_SEEDS=21-40 cargo test -p rahdar-scenario --test it grade:: -- --nocapture

use rahdar_scenario::{Grade, Sampling};

use crate::road::SOUND;
use crate::{make, settings};

/// Seeds by their numbers and ranges.
fn seeds() -> Vec<u64> {
    let is_nightly = std::env::var("RAHDAR_TIER").is_ok_and(|tier| tier == "nightly");
    let usual = if is_nightly { "1-20" } else { "1" };
    let list = std::env::var("RAHDAR_SEEDS").unwrap_or_else(|_| usual.to_owned());
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.trim().parse::<u64>().unwrap()..=to.trim().parse().unwrap()
    };
    list.split(',').flat_map(range).collect()
}

#[test]
fn the_sampled_scenario_has_the_passing_grade() {
    check(Sampling::Exporters, "sampled");
}

#[test]
fn the_unsampled_scenario_has_the_passing_grade() {
    check(Sampling::Unsampled, "unsampled");
}

#[track_caller]
fn check(sampling: Sampling, word: &str) {
    let seeds = seeds();
    let mut grade = Grade::default();
    for seed in &seeds {
        let score = SOUND.scored(&make(settings(*seed, sampling)));
        eprintln!("seed {seed}, {word}");
        for line in score.lines.iter().filter(|line| !line.pass) {
            eprintln!("  {line}");
        }
        grade.add(&score);
    }
    eprintln!("{}", table(&grade, word));
    let wrong: Vec<String> = grade.wrong().into_iter().map(|item| format!("{}: {item}", item.item)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A row a line, in the order of the score; `!` marks what holds too seldom.
fn table(grade: &Grade, word: &str) -> String {
    let mut text = format!("\n| {word} | held |\n|---|---|\n");
    for item in &grade.items {
        let least = match item.least_percent {
            100 => String::new(),
            least => format!(" (of {least} %)"),
        };
        let mark = if item.is_good() { "" } else { " !" };
        text += &format!("| {} | {item}{least}{mark} |\n", item.item);
    }
    text
}
