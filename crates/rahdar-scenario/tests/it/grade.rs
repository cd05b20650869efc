//! The passing grade of `methods.md` §11.3, over seeds.
//!
//! One seed both ways in every run; with `RAHDAR_TIER=nightly` seeds 1 to 20, and a few of them at the size that
//! `rahdar scenario` makes. `RAHDAR_SEEDS=3,21-40` names others. What is printed is the table of
//! `docs/accuracy.md`:
//!
//!     RAHDAR_SEEDS=21-40 cargo test -p rahdar-scenario --test it grade:: -- --nocapture

use rahdar_scenario::{Grade, Sampling, Settings};
use rahdar_testkit::is_nightly;

use crate::road::SOUND;
use crate::{make, settings};

/// Seeds of full size in a nightly run: ten, the fewest of which nine in ten can be asked.
const OF_FULL_SIZE: std::ops::RangeInclusive<u64> = 1..=10;

/// Small scenarios with seeds by their numbers and ranges.
fn seeds(sampling: Sampling) -> Vec<Settings> {
    let usual = if is_nightly() { "1-20" } else { "1" };
    let list = std::env::var("RAHDAR_SEEDS").unwrap_or_else(|_| usual.to_owned());
    let range = |part: &str| {
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        from.trim().parse::<u64>().unwrap()..=to.trim().parse().unwrap()
    };
    list.split(',').flat_map(range).map(|seed| settings(seed, sampling)).collect()
}

#[test]
fn the_sampled_scenario_has_the_passing_grade() {
    check(seeds(Sampling::Exporters), "sampled");
}

#[test]
fn the_unsampled_scenario_has_the_passing_grade() {
    check(seeds(Sampling::Unsampled), "unsampled");
}

#[test]
fn the_scenario_of_full_size_has_the_passing_grade() {
    if !is_nightly() {
        rahdar_testkit::aloud::told("full size is tried in the nightly tier");
        return;
    }
    for (sampling, word) in [(Sampling::Exporters, "sampled"), (Sampling::Unsampled, "unsampled")] {
        let of_seed = |seed| Settings { seed, sampling, ..Settings::default() };
        check(OF_FULL_SIZE.map(of_seed).collect(), &format!("{word}, full size"));
    }
}

#[track_caller]
fn check(scenarios: Vec<Settings>, word: &str) {
    let mut grade = Grade::default();
    for settings in scenarios {
        let score = SOUND.scored(&make(settings));
        eprintln!("seed {}, {word}", settings.seed);
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
