//! Statistics of paired measurements. Pure functions: the same values and seed give the same
//! result.

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The number of resamples of the bootstrap.
const RESAMPLES: usize = 10_000;

/// A confidence interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Interval {
    pub(super) lower: f64,
    pub(super) upper: f64,
}

/// The median: the middle value, or the mean of the two in the middle. NaN if there are no values,
/// or one of them is NaN.
pub(super) fn median(values: &[f64]) -> f64 {
    if values.iter().any(|value| value.is_nan()) {
        return f64::NAN;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => sorted[count / 2],
        count => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
    }
}

/// The 95 % interval of the median by the percentile bootstrap: the medians of random resamples
/// (with replacement), without the lowest and the highest 2.5 %. NaN where [`median`] is.
pub(super) fn median_interval(values: &[f64], seed: u64) -> Interval {
    if median(values).is_nan() {
        return Interval { lower: f64::NAN, upper: f64::NAN };
    }
    let mut random = StdRng::seed_from_u64(seed);
    let mut resample = vec![0.0; values.len()];
    let mut medians: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            resample.fill_with(|| values[random.random_range(0..values.len())]);
            median(&resample)
        })
        .collect();
    medians.sort_by(f64::total_cmp);
    let tail = RESAMPLES * 25 / 1_000;
    Interval { lower: medians[tail], upper: medians[RESAMPLES - 1 - tail] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
        assert!(median(&[1.0, f64::NAN, 2.0]).is_nan());
    }

    #[test]
    fn the_interval_of_equal_values_is_that_value() {
        assert_eq!(median_interval(&[1.02; 12], 1), Interval { lower: 1.02, upper: 1.02 });
        assert_eq!(median_interval(&[0.5], 1), Interval { lower: 0.5, upper: 0.5 });
    }

    #[test]
    fn the_interval_encloses_the_median_and_not_the_outliers() {
        let values = [0.2, 0.97, 0.98, 0.99, 1.0, 1.0, 1.01, 1.01, 1.02, 1.02, 1.03, 9.0];
        let Interval { lower, upper } = median_interval(&values, 7);
        assert!(0.97 < lower && lower <= median(&values), "{lower}");
        assert!(median(&values) <= upper && upper < 1.03, "{upper}");
    }

    #[test]
    fn the_same_seed_gives_the_same_interval() {
        let values: Vec<_> = (0..12).map(|i| 1.0 + f64::from(i * i % 7) / 100.0).collect();
        assert_eq!(median_interval(&values, 42), median_interval(&values, 42));
    }

    #[test]
    fn a_missing_value_makes_the_interval_unknown() {
        let Interval { lower, upper } = median_interval(&[1.0, f64::NAN], 1);
        assert!(lower.is_nan() && upper.is_nan());
        assert!(median_interval(&[], 1).lower.is_nan());
    }

    #[test]
    fn about_95_of_100_intervals_contain_the_true_median() {
        let mut random = StdRng::seed_from_u64(2_026);
        let rounds: u64 = 200;
        let covered = (0..rounds)
            .filter(|&seed| {
                let values: Vec<f64> = (0..12).map(|_| random.random_range(0.9..1.1)).collect();
                let Interval { lower, upper } = median_interval(&values, seed);
                (lower..=upper).contains(&1.0)
            })
            .count();
        assert!((175..=199).contains(&covered), "{covered} of {rounds}");
    }
}
