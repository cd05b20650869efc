//! The passing grade: lines over many seeds (`methods.md` §11.3).
//!
//! A line that must hold each time holds in every seed. A line of a test that may miss by chance
//! holds in its share of them, rounded up: of one seed alone, in that one. A single seed is a check that
//! nothing broke, and takes a seed that is known to hold; only many seeds tell how often a line holds.
//! Where an estimate must be right on average, the mean of estimate over truth is within
//! [`MEAN_TOLERANCE`] of 1, once [`ENOUGH`] seeds tell it.

use std::fmt;

use crate::score::{Line, Score};

/// How far the mean of estimate over truth may be from 1.
pub const MEAN_TOLERANCE: f64 = 0.02;
/// Seeds without which a mean says nothing.
pub const ENOUGH: usize = 20;

/// How the lines of a score fare over seeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Grade {
    /// In the order of the score.
    pub items: Vec<Item>,
}

/// One line over seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// What was checked.
    pub item: String,
    /// Of 100 seeds, those in which it must hold.
    pub least_percent: u32,
    /// Seeds in which it held.
    pub held: u32,
    /// Seeds in which it was checked.
    pub seeds: u32,
    /// Estimate over truth, seed by seed, where their mean counts.
    pub ratios: Vec<f64>,
}

impl Grade {
    /// Takes in one seed more.
    pub fn add(&mut self, score: &Score) {
        for line in &score.lines {
            let place = self.items.iter().position(|item| item.item == line.item).unwrap_or_else(|| {
                self.items.push(Item::of(line));
                self.items.len() - 1
            });
            let item = &mut self.items[place];
            item.seeds += 1;
            item.held += u32::from(line.pass);
            item.ratios.extend(line.ratio);
        }
    }

    /// The lines that do not hold often enough.
    pub fn wrong(&self) -> Vec<&Item> {
        self.items.iter().filter(|item| !item.is_good()).collect()
    }
}

impl Item {
    fn of(line: &Line) -> Self {
        Self {
            item: line.item.clone(),
            least_percent: line.least_percent,
            held: 0,
            seeds: 0,
            ratios: Vec::new(),
        }
    }

    /// Whether it holds in as many seeds as it must, and on average.
    pub fn is_good(&self) -> bool {
        let is_right = |mean: f64| (mean - 1.0).abs() <= MEAN_TOLERANCE;
        self.held >= (self.seeds * self.least_percent).div_ceil(100)
            && (self.ratios.len() < ENOUGH || self.mean_ratio().is_none_or(is_right))
    }

    /// The mean of estimate over truth; none where no estimate is told.
    pub fn mean_ratio(&self) -> Option<f64> {
        let n = self.ratios.len();
        (n > 0).then(|| self.ratios.iter().sum::<f64>() / n as f64)
    }
}

impl fmt::Display for Item {
    /// `19 of 20`, and the mean of estimate over truth where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.held, self.seeds)?;
        self.mean_ratio().map_or(Ok(()), |mean| write!(f, ", mean {mean:.3}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line that held in so many of so many seeds.
    fn item(least_percent: u32, held: u32, seeds: u32, ratio: Option<f64>) -> Item {
        let mut grade = Grade::default();
        for seed in 0..seeds {
            let line = Line {
                item: "line".to_owned(),
                expected: String::new(),
                got: String::new(),
                pass: seed < held,
                least_percent,
                ratio,
            };
            grade.add(&Score { lines: vec![line] });
        }
        grade.items.remove(0)
    }

    #[test]
    fn what_must_hold_each_time_holds_in_every_seed() {
        assert!(item(100, 20, 20, None).is_good());
        assert!(!item(100, 19, 20, None).is_good());
    }

    #[test]
    fn what_may_miss_holds_in_its_share_of_seeds() {
        assert_eq!([17, 18].map(|held| item(90, held, 20, None).is_good()), [false, true]);
        assert_eq!([18, 19].map(|held| item(92, held, 20, None).is_good()), [false, true]);
        assert!(!item(90, 0, 1, None).is_good(), "a line that never holds is wrong, however few the seeds");
    }

    #[test]
    fn an_estimate_is_right_on_average_too() {
        assert!(item(100, 20, 20, Some(1.02)).is_good());
        let high = item(100, 20, 20, Some(1.03));
        assert!(!high.is_good());
        assert_eq!(high.to_string(), "20 of 20, mean 1.030");
        assert!(item(100, 5, 5, Some(1.03)).is_good(), "five seeds tell no mean");
    }
}
