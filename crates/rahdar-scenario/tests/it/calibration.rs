//! Weights learned on some seeds, judged on others (`methods.md` §2.6.5).
//!
//! Four seeds teach and one is held out in every run; with `RAHDAR_TIER=nightly` ten teach and four are held out.
//! The seeds that teach follow one another in time, each with addresses of its own, so that a calibration can be
//! split by both.

use std::collections::BTreeSet;

use rahdar_hunt::calibrate::{Calibration, Example, learn};
use rahdar_hunt::{Request, examples, hunt};
use rahdar_model::finding::{Hunt, Verdict};
use rahdar_model::time::DAY_US;
use rahdar_model::{Address, Window};
use rahdar_scenario::{Sampling, score};
use rahdar_testkit::is_nightly;

use crate::road::{book, events, everything, networks, readings, store};
use crate::{Made, make, settings};

/// What is held out may be off by so much, on the mean of bins (`methods.md` §2.6.5).
const MOST_ECE: f64 = 0.05;
/// Of what is confirmed, the part that is true.
const LEAST_PRECISION: f64 = 0.95;
/// Packets of a pair that samplers took, at least, for it to count as missed.
const LEAST_PACKETS: u64 = 20;

/// The seeds that teach, and those held out. The grade and the development of methods saw others.
fn seeds() -> [Vec<u64>; 2] {
    match is_nightly() {
        true => [(101..=110).collect(), (111..=114).collect()],
        false => [(101..=104).collect(), vec![111]],
    }
}

/// Everything that a hunt would judge, with what is true.
fn labelled(made: &Made) -> Vec<(Example, bool)> {
    let book = book(&readings(made));
    let examples = examples(&store(made), &book, &networks(made), Window::ALL).unwrap();
    let is_real = |one: &Example| made.truth.is_contact(one.victim, one.remote, &one.cluster);
    examples
        .into_iter()
        .map(|example| {
            let label = is_real(&example);
            (example, label)
        })
        .collect()
}

fn hunted(made: &Made, calibration: &Calibration) -> Hunt {
    let request = Request { calibration: Some(calibration.clone()), ..everything() };
    hunt(&store(made), &book(&readings(made)), &networks(made), &events(made), &request).unwrap()
}

/// Learns, and checks what is held out.
#[track_caller]
fn check(sampling: Sampling, least_recall: f64) {
    let of_seed = |seed: &u64| make(settings(*seed, sampling));
    let [teaching, held_out] = seeds();
    let mut known = Vec::new();
    for seed in &teaching {
        let made = of_seed(seed);
        let days = i64::from(made.truth.last_day.0 - made.truth.first_day.0);
        for (mut example, is_real) in labelled(&made) {
            example.first = example.first.plus_micros(*seed as i64 * days * DAY_US);
            example.remote = Address::from_bits(example.remote.bits() | u128::from(*seed) << 64);
            known.push((example, is_real));
        }
    }
    let calibration = learn("scenario", &known).unwrap();
    eprintln!(
        "{sampling:?}: {:?} examples, {:?} tried, alpha {:.2}, beta {:.2}, {:?} (default {:?})",
        calibration.examples,
        calibration.proof,
        calibration.alpha,
        calibration.beta,
        calibration.held_out,
        calibration.defaults
    );

    let mut unseen = Vec::new();
    let (mut right, mut confirmed, mut real) = (0, 0, 0);
    for seed in &held_out {
        let made = of_seed(seed);
        unseen.extend(labelled(&made));
        let hunt = hunted(&made, &calibration);
        let told: BTreeSet<(Address, &str)> = hunt
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Confirmed)
            .map(|finding| (finding.victim.address, finding.cluster.name.as_str()))
            .collect();
        let pairs = made.truth.pairs.iter();
        let seen = pairs.filter(|pair| sampled_packets(&made, pair.visible.packets_out) >= LEAST_PACKETS);
        let expected: BTreeSet<(Address, &str)> =
            seen.map(|pair| (pair.victim, pair.cluster.as_str())).collect();
        right += told.intersection(&expected).count();
        confirmed += told.len();
        real += expected.len();
        for line in score(&hunt, &made.truth).lines {
            let is_of_decoys = ["decoys believed", "hosts accused for decoys"].contains(&line.item.as_str());
            assert!(line.pass || !is_of_decoys, "seed {seed}: {line}");
        }
    }
    let scores = calibration.scores(&unseen);
    eprintln!(
        "held out: {right} right of {confirmed} confirmed, {real} real, {} examples, {scores:?}",
        unseen.len()
    );
    assert!(scores.ece <= MOST_ECE, "{scores:?}");
    assert!(right as f64 >= LEAST_PRECISION * confirmed as f64, "{right} of {confirmed}");
    assert!(right as f64 >= least_recall * real as f64, "{right} of {real}");
}

/// How many packets of so many a sampler takes on the mean.
fn sampled_packets(made: &Made, packets: u64) -> u64 {
    match made.truth.settings.sampling {
        Sampling::Uniform(interval) => packets / u64::from(interval),
        Sampling::Unsampled | Sampling::Exporters => packets,
    }
}

#[test]
fn weights_learned_unsampled_hold_on_other_seeds() {
    check(Sampling::Unsampled, 0.90);
}

#[test]
fn weights_learned_at_one_in_a_thousand_hold_on_other_seeds() {
    check(Sampling::Uniform(1_000), 0.75);
}
