//! Whether a new build is no more expensive than an old one, judged from pairs of measurements.

use std::fmt;

use crate::bench::statistics::{self, median, median_interval};

/// The seed of the bootstrap: the same measurements give the same verdict.
const SEED: u64 = 20_261_128;

/// The limit of a ratio, new to old.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Limit {
    /// The lower end of the median's 95 % interval is at most this. The new build fails only if it
    /// is more expensive with some certainty.
    Interval(f64),
    /// The median is at most this. For figures whose noise is larger than any change that matters.
    Median(f64),
}

/// The comparison of one figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Verdict {
    /// The median of the old build's measurements.
    pub(super) old: f64,
    /// The median of the new build's measurements.
    pub(super) new: f64,
    /// The median of the ratios of the pairs.
    pub(super) ratio: f64,
    /// The 95 % interval of that median.
    pub(super) interval: statistics::Interval,
    pub(super) holds: bool,
}

impl Verdict {
    /// Judges pairs of measurements, old and new.
    pub(super) fn new(pairs: &[(f64, f64)], limit: Limit) -> Self {
        let column = |pick: fn(&(f64, f64)) -> f64| pairs.iter().map(pick).collect::<Vec<_>>();
        let ratios = column(|(old, new)| new / old);
        let (ratio, interval) = (median(&ratios), median_interval(&ratios, SEED));
        // NaN, which was not measured, is not at most anything
        let holds = match limit {
            Limit::Interval(max) => interval.lower <= max,
            Limit::Median(max) => ratio <= max,
        };
        Self {
            old: median(&column(|(old, _)| *old)),
            new: median(&column(|(_, new)| *new)),
            ratio,
            interval,
            holds,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interval(max) => write!(f, "lower end <= {max:.2}"),
            Self::Median(max) => write!(f, "median <= {max:.2}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Twelve pairs in which the new build costs `factor` times as much, with noise of 4 %.
    fn pairs(factor: f64) -> Vec<(f64, f64)> {
        const NOISE: [f64; 12] = [0.97, 1.02, 0.99, 1.04, 0.96, 1.0, 1.01, 0.98, 1.03, 1.0, 0.995, 1.005];
        // the machine gets slower meanwhile: both builds do
        (1..).zip(NOISE).map(|(drift, noise)| (f64::from(drift), f64::from(drift) * factor * noise)).collect()
    }

    #[test]
    fn an_equal_build_holds_and_a_more_expensive_one_does_not() {
        let limit = Limit::Interval(1.03);
        let equal = Verdict::new(&pairs(1.0), limit);
        assert!(equal.holds && (equal.ratio - 1.0).abs() < 0.01, "{equal:?}");
        assert!(Verdict::new(&pairs(0.8), limit).holds);
        let expensive = Verdict::new(&pairs(1.1), limit);
        assert!(!expensive.holds && expensive.interval.lower > 1.03, "{expensive:?}");
    }

    #[test]
    fn an_uncertain_difference_holds_by_the_interval_and_not_by_the_median() {
        let slightly = pairs(1.035);
        assert!(Verdict::new(&slightly, Limit::Interval(1.03)).holds);
        assert!(!Verdict::new(&slightly, Limit::Median(1.03)).holds);
    }

    #[test]
    fn the_medians_of_both_builds_are_reported() {
        let verdict = Verdict::new(&[(1.0, 2.0), (3.0, 3.0), (5.0, 4.0)], Limit::Median(1.0));
        assert_eq!((verdict.old, verdict.new, verdict.ratio), (3.0, 3.0, 1.0));
        assert!(verdict.holds);
    }

    #[test]
    fn a_figure_that_was_not_measured_does_not_hold() {
        for limit in [Limit::Interval(1.03), Limit::Median(1.1)] {
            assert!(!Verdict::new(&[(1.0, f64::NAN), (1.0, 1.0)], limit).holds);
            assert!(!Verdict::new(&[(0.0, 0.0)], limit).holds);
            assert!(!Verdict::new(&[], limit).holds);
        }
    }
}
