use std::time::Instant;
use rahdar_hunt::rhythm::{Finder, series::Series};
use rahdar_model::Timestamp;
#[test]
fn cost() {
    let t = Instant::now();
    let mut f = Finder::new();
    eprintln!("new {:?}", t.elapsed());
    for (n, gap, spread) in [(1500i64, 300i64, 60i64), (100, 5000, 9000), (1500, 300, 500), (12_000, 49, 20)] {
        let mut at = 0;
        let s = Series::of((0..n).map(|k| { at += gap + (k * k * 7919 % 104729) % spread; Timestamp::from_seconds(at) })).unwrap();
        let t = Instant::now();
        let a = f.assess(&s, b"x");
        eprintln!("{n} {gap} {spread}: {:?} {a:?}", t.elapsed());
    }
}
