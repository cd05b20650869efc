//! Days in blocks, and blocks in random order: what [`event`](super::event) and
//! [`ratio`](super::ratio) compare the true order with.
//!
//! The days are laid in a circle, cut at a random place into blocks of equal length (the last may be
//! shorter), and the blocks are put in random order. An order is told by the days that it brings
//! into a window at the end of the life.

use crate::chance::Chance;

/// Random orders of the blocks of a life.
pub(super) struct Orders {
    chance: Chance,
    days: usize,
    block: usize,
    /// Days of the window.
    width: usize,
    blocks: Vec<usize>,
    drawn: Vec<(usize, usize)>,
}

impl Orders {
    /// Of so many days, in blocks of `block` of them (one at least), with a window of the last `width`.
    pub(super) fn new(days: usize, block: usize, width: usize, chance: Chance) -> Self {
        let blocks = (0..days.div_ceil(block)).collect();
        Self { chance, days, block, width, blocks, drawn: Vec::new() }
    }

    /// What the next order brings into the window: runs of days in the circle, each by its first day
    /// and its length.
    pub(super) fn draw(&mut self) -> &[(usize, usize)] {
        let cut = self.chance.below(self.days);
        let mut left = self.width;
        self.drawn.clear();
        // Which blocks come last is a matter of chance: they are drawn until the days are filled.
        for next in 0..self.blocks.len() {
            let other = next + self.chance.below(self.blocks.len() - next);
            self.blocks.swap(next, other);
            let start = self.blocks[next] * self.block;
            let take = self.block.min(self.days - start).min(left);
            self.drawn.push(((cut + start) % self.days, take));
            left -= take;
            if left == 0 {
                break;
            }
        }
        &self.drawn
    }
}

/// Sums over days in a circle.
pub(super) struct Circle {
    /// What lies before each day, twice round.
    before: Vec<f64>,
}

impl Circle {
    pub(super) fn of(octets: &[f64]) -> Self {
        let mut sum = 0.0;
        let twice = octets.iter().chain(octets).map(|octets| {
            sum += octets;
            sum
        });
        Self { before: std::iter::once(0.0).chain(twice).collect() }
    }

    /// Over these days, each run by its first day and its length.
    pub(super) fn sum(&self, runs: &[(usize, usize)]) -> f64 {
        runs.iter().map(|(from, days)| self.before[from + days] - self.before[*from]).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_fills_the_window_with_days_that_differ() {
        for (days, block, width) in [(100, 28, 30), (30, 28, 29), (10, 40, 3), (56, 28, 56)] {
            let mut orders = Orders::new(days, block, width, Chance::of("test", &[]));
            for _ in 0..50 {
                let mut seen = vec![0; days];
                for (from, run) in orders.draw() {
                    (0..*run).for_each(|day| seen[(from + day) % days] += 1);
                }
                assert_eq!((seen.iter().sum::<usize>(), seen.iter().max()), (width, Some(&1)));
            }
        }
    }

    #[test]
    fn sums_go_round() {
        let circle = Circle::of(&[1.0, 2.0, 4.0]);
        assert_eq!(circle.sum(&[(2, 2), (1, 1)]), 7.0);
    }
}
