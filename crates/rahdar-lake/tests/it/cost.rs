//! What a commit costs, and that it does not grow with the commits before it (`docs/performance.md`).

use std::fs;
use std::time::Duration;

use rahdar_lake::Lake;
use rahdar_model::store::{FlowStore, Input};
use rahdar_testkit::aloud::told;
use rahdar_testkit::{alone, flow, is_nightly};

/// Commits that are looked at together. Two of the rarer checkpoints are among them.
const LOOK: usize = 40;

/// How many times as much a commit may cost at last. A checkpoint costs by what it sums up: every 20 commits at first,
/// and from a thousand files and inputs on the more rarely the larger it is. Measured on a quiet machine: 9 ms of CPU at
/// first, 20 after 200 commits, 25 after 1,000. Reading the log anew cost fourteen times as much after 190.
const MOST_TIMES: u32 = 3;

/// What this process has used of all cores.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks = fields.split_whitespace().skip(11).take(2).map(|ticks| ticks.parse::<u64>().unwrap());
    // Linux counts a hundred a second on every machine (USER_HZ).
    Duration::from_millis(ticks.sum::<u64>() * 10)
}

/// One commit of one flow; nothing else runs in this process meanwhile.
fn commit(lake: &Lake, number: usize) {
    let mut import = lake.import().unwrap();
    import.begin(&Input { id: format!("blake3:{number:064}"), name: "test".into() }).unwrap();
    import.flow(&flow("192.0.2.1:5 > 203.0.113.9:443").build()).unwrap();
    import.commit().unwrap();
}

/// Told in a process of its own, or what other tests use would be counted too.
#[test]
fn a_commit_costs_no_more_after_many() {
    alone("cost::a_commit_costs_no_more_after_many", commits_cost_the_same);
}

fn commits_cost_the_same() {
    let most = if is_nightly() { 1_000 } else { 200 };
    let folder = tempfile::tempdir().unwrap();
    let lake = Lake::open(folder.path()).unwrap();
    let mut costs = Vec::new();
    for first in (0..most).step_by(LOOK) {
        let before = cpu();
        (first..first + LOOK).for_each(|number| commit(&lake, number));
        costs.push((cpu() - before) / LOOK as u32);
    }
    let before = cpu();
    Lake::open(folder.path()).unwrap();
    let opening = cpu() - before;
    told(format_args!("CPU of a commit, {LOOK} at a time up to {most}: {costs:?}; of opening: {opening:?}"));
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    assert!(last <= first * MOST_TIMES, "from {first:?} to {last:?}");
}
