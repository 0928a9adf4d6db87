//! `statistical_analysis`: a description of a list of doubles, sound for values of any size and order.

use crate::control::Progress;
use crate::{RunError, Statistics};

/// Values between two looks at the stop flag.
const CHUNK: usize = 4_096;

/// Describes `values`, of which there is at least one and all are finite.
pub(crate) fn run(values: &[f64], progress: &mut Progress) -> Result<Statistics, RunError> {
    progress.poll()?;
    progress.report(0, "sorting", &format!("{} values", values.len()));
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let (min, max) = (sorted[0], sorted[sorted.len() - 1]);

    progress.poll()?;
    progress.report(30, "summing", &format!("{} values", values.len()));
    #[expect(clippy::cast_precision_loss, reason = "at most 65,536 values")]
    let count = values.len() as f64;
    // Work on values below 1, so that neither a partial sum nor a square overflows before the result does.
    let scale = power_of_two_above(min.abs().max(max.abs()));
    let scaled_sum = exact_sum(values.iter().map(|value| value / scale), progress)?;
    let scaled_mean = scaled_sum / count;

    progress.report(60, "deviations", &format!("{} values", values.len()));
    let spread = (max / scale - scaled_mean).max(scaled_mean - min / scale);
    let spread = power_of_two_above(spread);
    let deviation = |value: &f64| (value / scale - scaled_mean) / spread;
    let squares = exact_sum(values.iter().map(|value| deviation(value).powi(2)), progress)?;
    // The mean was rounded; what is left of the deviations' sum says by how much, and mends the squares.
    let rest = exact_sum(values.iter().map(deviation), progress)?;
    let variance = ((squares - rest * rest / count) / count).max(0.0);
    let unit = spread * scale;

    let statistics = Statistics {
        count: values.len(),
        sum: finite("sum", scaled_sum * scale)?,
        mean: (scaled_mean * scale).clamp(min, max),
        min,
        max,
        variance: finite("variance", variance * unit * unit)?,
        standard_deviation: finite("standard_deviation", variance.sqrt() * unit)?,
        median: median(&sorted),
    };
    progress.report(100, "done", "");
    Ok(statistics)
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { sorted[middle - 1].midpoint(sorted[middle]) }
}

fn finite(what: &str, value: f64) -> Result<f64, RunError> {
    if value.is_finite() { Ok(value) } else { Err(RunError::ArithmeticOverflow { what: what.to_owned() }) }
}

/// A power of two by which `magnitude` can be divided without loss, giving less than 2; 1 for values that need no care.
fn power_of_two_above(magnitude: f64) -> f64 {
    const SAFE: std::ops::RangeInclusive<f64> = 1e-100..=1e100;
    if magnitude == 0.0 || SAFE.contains(&magnitude) {
        return 1.0;
    }
    // Dividing by the bare exponent: a double with an empty fraction (a subnormal magnitude takes the least normal one).
    f64::from_bits(magnitude.max(f64::MIN_POSITIVE).to_bits() & (0x7ff << 52))
}

/// The double nearest to the exact sum, whatever the order (Shewchuk 1997: partial sums that do not overlap).
fn exact_sum(values: impl Iterator<Item = f64>, progress: &Progress) -> Result<f64, RunError> {
    let mut partials: Vec<f64> = Vec::new();
    for (index, value) in values.enumerate() {
        if index % CHUNK == 0 {
            progress.poll()?;
        }
        let mut carry = value;
        let mut kept = 0;
        for at in 0..partials.len() {
            let (sum, error) = two_sum(carry, partials[at]);
            if error != 0.0 {
                partials[kept] = error;
                kept += 1;
            }
            carry = sum;
        }
        partials.truncate(kept);
        partials.push(carry);
    }
    Ok(round_partials(&partials))
}

/// `a + b` rounded, and what the rounding lost.
fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let b_kept = sum - a;
    let a_kept = sum - b_kept;
    (sum, (a - a_kept) + (b - b_kept))
}

/// Adds partials from the greatest down until one no longer fits; ties look at the sign of what is below.
fn round_partials(partials: &[f64]) -> f64 {
    let mut rest = partials.iter().rev().copied();
    let Some(mut sum) = rest.next() else { return 0.0 };
    while let Some(next) = rest.next() {
        let (rounded, error) = two_sum(sum, next);
        sum = rounded;
        if error != 0.0 {
            let below = rest.next().unwrap_or(0.0);
            if (error > 0.0 && below > 0.0) || (error < 0.0 && below < 0.0) {
                let (up, doubled) = (sum + 2.0 * error, 2.0 * error);
                if up - sum == doubled {
                    return up;
                }
            }
            return sum;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::trial::Trial;

    fn describe(values: &[f64]) -> Result<Statistics, RunError> {
        let mut trial = Trial::default();
        run(values, &mut Progress::new(&mut trial))
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-12 * a.abs().max(b.abs()).max(f64::MIN_POSITIVE)
    }

    #[test]
    fn known_values() {
        let eight = describe(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).unwrap();
        assert_eq!((eight.count, eight.sum, eight.mean, eight.min, eight.max), (8, 40.0, 5.0, 2.0, 9.0));
        assert_eq!((eight.variance, eight.standard_deviation, eight.median), (4.0, 2.0, 4.5));

        let one = describe(&[-3.5]).unwrap();
        assert_eq!((one.sum, one.mean, one.variance, one.standard_deviation, one.median), (-3.5, -3.5, 0.0, 0.0, -3.5));

        let zeros = describe(&[0.0, -0.0]).unwrap();
        assert_eq!((zeros.sum, zeros.variance, zeros.median), (0.0, 0.0, 0.0));
    }

    #[test]
    fn cancellation_and_great_offsets_lose_nothing() {
        assert_eq!(describe(&[1e16, 1.0, -1e16]).unwrap().sum, 1.0);
        assert_eq!(describe(&[0.1; 10]).unwrap().sum, 1.0);
        let offset = describe(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0]).unwrap();
        assert_eq!((offset.mean, offset.variance), (1e9 + 10.0, 22.5));
        assert_eq!(describe(&vec![0.1; 65_536]).unwrap().variance, 0.0);
    }

    #[test]
    fn the_ends_of_the_range_neither_overflow_early_nor_vanish() {
        let great = describe(&[1.7e308, 1.7e308, -1.7e308, -1.7e308]);
        assert_eq!(great, Err(RunError::ArithmeticOverflow { what: "variance".into() }));
        assert_eq!(describe(&[f64::MAX, f64::MAX]), Err(RunError::ArithmeticOverflow { what: "sum".into() }));
        let alike = describe(&[f64::MAX]).unwrap();
        assert_eq!((alike.sum, alike.mean, alike.variance), (f64::MAX, f64::MAX, 0.0));

        let small = describe(&[1e-200, 3e-200]).unwrap();
        assert!(close(small.standard_deviation, 1e-200) && small.variance == 0.0);
        let least = describe(&[5e-324, 15e-324]).unwrap();
        assert_eq!((least.sum, least.min, least.max), (20e-324, 5e-324, 15e-324));
        let wide = describe(&[1e150, -1e150]).unwrap();
        assert!(close(wide.variance, 1e300) && close(wide.standard_deviation, 1e150));
    }

    #[test]
    fn a_stop_is_seen_soon() {
        let values = vec![1.5; 65_536];
        let polls = Trial::polls_of(|trial| run(&values, &mut Progress::new(trial)).map(drop));
        assert!(polls >= 3 * 65_536 / CHUNK as u64);
        for at in 0..polls {
            let mut trial = Trial::stopping_at(at);
            assert_eq!(run(&values, &mut Progress::new(&mut trial)), Err(RunError::Stopped));
            assert_eq!(trial.polls(), at + 1, "nothing asks twice after a stop");
        }
    }

    proptest! {
        #[test]
        fn integers_agree_with_exact_arithmetic(values in prop::collection::vec(-1_000_000_i64..1_000_000, 1..200)) {
            let (doubles, count) = (values.iter().map(|v| *v as f64).collect::<Vec<_>>(), values.len() as f64);
            let got = describe(&doubles).unwrap();
            let sum: i128 = values.iter().map(|v| i128::from(*v)).sum();
            let squares: i128 = values.iter().map(|v| i128::from(*v).pow(2)).sum();
            let scaled_variance = squares * i128::try_from(values.len()).unwrap() - sum * sum;
            let (sum, variance) = (sum as f64, scaled_variance as f64 / count / count);
            prop_assert_eq!(got.sum, sum);
            prop_assert_eq!(got.mean, sum / count);
            prop_assert!(close(got.variance, variance), "{} {}", got.variance, variance);
            prop_assert!(close(got.standard_deviation, variance.sqrt()));
        }

        #[test]
        fn any_finite_values_give_finite_ordered_answers(values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::SUBNORMAL | prop::num::f64::ZERO, 1..50)) {
            let Ok(got) = describe(&values) else { return Ok(()) };
            for value in [got.sum, got.mean, got.min, got.max, got.variance, got.standard_deviation, got.median] {
                prop_assert!(value.is_finite());
            }
            prop_assert!(got.min <= got.mean && got.mean <= got.max);
            prop_assert!(got.min <= got.median && got.median <= got.max);
            prop_assert!(got.variance >= 0.0);
        }

        #[test]
        fn the_order_of_values_does_not_matter(values in prop::collection::vec(-1e10..1e10, 1..100)) {
            let mut reversed = values.clone();
            reversed.reverse();
            prop_assert_eq!(describe(&values), describe(&reversed));
        }
    }
}
