//! Octets as people read them: decimal units, few digits, and never rounded towards a claim.

use rahdar_model::Estimate;

/// An [`Estimate`] in whole octets: `low` down, `high` up, `point` to the nearest.
///
/// Rounding widens the interval, so it still holds what it held. Beyond 2⁶⁴ a bound stops there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Whole {
    /// As recorded, unscaled.
    pub observed: u64,
    /// Lower bound.
    pub low: u64,
    /// Unbiased estimate.
    pub point: u64,
    /// Upper bound; none where nothing bounds the truth from above.
    pub high: Option<u64>,
}

impl From<&Estimate> for Whole {
    fn from(estimate: &Estimate) -> Self {
        Self {
            observed: estimate.observed,
            low: estimate.low.floor() as u64,
            point: estimate.point.round() as u64,
            high: estimate.high.map(|high| high.ceil() as u64),
        }
    }
}

/// Which way digits are dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// For a lower bound.
    Down,
    /// For an estimate.
    Nearest,
    /// For an upper bound.
    Up,
}

const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];

/// `octets` with `digits` significant digits, in decimal units: `4.31 GB`, `900 MB`, `17 B`.
pub fn show(octets: u64, digits: u32, rounding: Rounding) -> String {
    let dropped = 10u128.pow((octets.checked_ilog10().unwrap_or(0) + 1).saturating_sub(digits));
    let octets = u128::from(octets);
    let kept = match rounding {
        Rounding::Down => octets / dropped,
        Rounding::Nearest => (octets + dropped / 2) / dropped,
        Rounding::Up => octets.div_ceil(dropped),
    } * dropped;
    let power = kept.checked_ilog10().unwrap_or(0) / 3;
    let unit = 1000u128.pow(power);
    let whole = kept / unit;
    let decimals = if power == 0 { 0 } else { digits.saturating_sub(whole.ilog10() + 1) };
    let name = UNITS[power as usize];
    if decimals == 0 {
        return format!("{whole} {name}");
    }
    let fraction = kept % unit * 10u128.pow(decimals) / unit;
    format!("{whole}.{fraction:0width$} {name}", width = decimals as usize)
}

/// A lower bound in a sentence: one digit, rounded down (`methods.md` §0, rule 3).
pub fn in_prose(octets: u64) -> String {
    show(octets, 1, Rounding::Down)
}

/// A lower bound in a table: three digits, rounded down.
pub fn low(octets: u64) -> String {
    show(octets, 3, Rounding::Down)
}

/// An estimate in a table: three digits, to the nearest.
pub fn point(octets: u64) -> String {
    show(octets, 3, Rounding::Nearest)
}

/// An upper bound in a table: three digits, rounded up; `unknown` where there is none.
pub fn high(octets: Option<u64>) -> String {
    octets.map_or_else(|| "unknown".to_owned(), |octets| show(octets, 3, Rounding::Up))
}

/// A count with its thousands apart: `1 204 331`, the spaces narrow and unbreakable.
pub fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() * 2);
    for (place, digit) in digits.char_indices() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(octets: u64, digits: u32, rounding: Rounding, shown: &str) {
        assert_eq!(show(octets, digits, rounding), shown, "{octets}");
    }

    #[test]
    fn a_lower_bound_is_never_rounded_up() {
        check(4_318_000_000, 3, Rounding::Down, "4.31 GB");
        check(4_310_000_000, 3, Rounding::Down, "4.31 GB");
        check(4_999_999_999, 1, Rounding::Down, "4 GB");
        check(999_999, 1, Rounding::Down, "900 kB");
        check(17, 1, Rounding::Down, "10 B");
        check(0, 1, Rounding::Down, "0 B");
    }

    #[test]
    fn an_upper_bound_is_never_rounded_down() {
        check(4_310_000_001, 3, Rounding::Up, "4.32 GB");
        check(999_900_000, 3, Rounding::Up, "1.00 GB");
        check(u64::MAX, 3, Rounding::Up, "18.5 EB");
    }

    #[test]
    fn an_estimate_goes_to_the_nearest() {
        check(1_235, 3, Rounding::Nearest, "1.24 kB");
        check(999, 3, Rounding::Nearest, "999 B");
        check(12_345_678, 3, Rounding::Nearest, "12.3 MB");
    }

    #[test]
    fn whole_octets_widen_the_interval() {
        let whole = Whole::from(&Estimate::new(3, 1.9, 2.5, Some(2.6)));
        assert_eq!(whole, Whole { observed: 3, low: 1, point: 3, high: Some(3) });
        let endless = Whole::from(&Estimate::new(0, 0.0, f64::INFINITY, None));
        assert_eq!((endless.point, endless.high), (u64::MAX, None));
    }

    #[test]
    fn thousands_stand_apart() {
        assert_eq!(count(7), "7");
        assert_eq!(count(1_204_331).replace('\u{202f}', " "), "1 204 331");
    }
}
