//! Whether a date stands out among all dates: circular shifts (`methods.md` §6.1).
//!
//! The days are laid in a circle; p is the share of all rotations of the window after the date
//! that have as high a mean, the true one included:
//!
//! p = #{s : mean after(s) ≥ mean after(0)} / n, of n days
//!
//! Rotation keeps each day beside its neighbours, so that bursts and autocorrelation do no harm.
//! It compares the date with all others, and those near it are as good: an increase that began a
//! week after the date leaves p at 8/n however high it is. That is the question where two dates
//! claim one increase ([`super`]); whether there is an increase at all is asked of
//! [`super::event`].
//!
//! Wrong for a series with a steady trend: every late date then stands out.
//!
//! ```
//! use rahdar_hunt::surge::shift::p_value;
//!
//! // 396 quiet days, 61 busy ones: no other rotation is as high.
//! let octets: Vec<f64> = (0..457).map(|day| if day < 396 { 0.0 } else { 1.0 }).collect();
//! assert_eq!(p_value(&octets, 396), 1.0 / 457.0);
//! assert_eq!(p_value(&octets, 389), 8.0 / 457.0);
//! assert_eq!(p_value(&[5.0; 457], 396), 1.0);
//! ```

/// The share of rotations whose window of `octets.len() - place` days is as high as the one that
/// begins at `place`. 1 where there is nothing before or after.
pub fn p_value(octets: &[f64], place: usize) -> f64 {
    let (n, width) = (octets.len(), octets.len() - place.min(octets.len()));
    if width == 0 || width == n {
        return 1.0;
    }
    let mut sum: f64 = octets[place..].iter().sum();
    // Sums that differ by rounding alone are equal.
    let least = sum - 1e-9 * octets.iter().sum::<f64>();
    let mut as_high = 0;
    for shift in 0..n {
        as_high += usize::from(sum >= least);
        sum += octets[(place + shift + width) % n] - octets[(place + shift) % n];
    }
    as_high as f64 / n as f64
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn p_is_a_share_of_rotations_that_holds_the_true_one(
            octets in vec(0.0..1e9_f64, 2..80),
            place in 0_usize..80,
        ) {
            let p = p_value(&octets, place);
            prop_assert!(p >= 1.0 / octets.len() as f64 && p <= 1.0);
        }
    }
}
