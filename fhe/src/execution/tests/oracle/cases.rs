//! The cases: what each algorithm must say, computed in the clear.

use jobs::fhe::program::ValueType;
use serde_json::json;

use super::Case;
use crate::testing::Drawn;

/// Beyond so many values one random input is enough: they cost the most, and go the way of fewer ones.
const FEW: usize = 16;

/// Values of a count: the edges, then random ones.
fn lists(kind: ValueType, count: usize, random: usize) -> Vec<Vec<u64>> {
    let mut lists = vec![vec![0; count], vec![kind.highest(); count]];
    let random = if count > FEW { random.min(1) } else { random };
    lists.extend((0..random).map(|_| (0..count).map(|_| any(kind)).collect()));
    lists
}

/// Any value, the ends and small ones more often.
pub(super) fn any(kind: ValueType) -> u64 {
    let mut random = Drawn;
    match random.next_u64() % 8 {
        0 => 0,
        1 => kind.highest(),
        2 => (random.next_u64() % 4) & kind.highest(),
        _ => random.next_u64() & kind.highest(),
    }
}

fn statistics(kind: ValueType, values: Vec<u64>) -> Case {
    // The limits as the interface promises them.
    let (most_sum, most_extreme, most_variance) = match kind {
        ValueType::U8 => (256, 128, 64),
        ValueType::U16 => (256, 64, 16),
        _ => (128, 32, 0),
    };
    let wide: Vec<i128> = values.iter().map(|value| i128::from(*value)).collect();
    let (count, sum) = (wide.len() as i128, wide.iter().sum::<i128>());
    let squares: i128 = wide.iter().map(|value| value * value).sum();
    let extremes = (wide.iter().min(), wide.iter().max());
    let mut expected = Vec::new();
    if values.len() <= most_sum {
        expected.extend([("count", count), ("sum", sum), ("mean", sum / count)]);
    }
    if let (Some(min), Some(max)) = extremes
        && values.len() <= most_extreme
    {
        expected.extend([("min", *min), ("max", *max)]);
    }
    if values.len() <= most_variance {
        expected.push(("variance", (count * squares - sum * sum) / (count * count)));
    }
    Case { algorithm: "encrypted_statistical_analysis", parameters: json!({}), kind, values, expected }
}

fn maximum(kind: ValueType, values: Vec<u64>) -> Case {
    let price = values.iter().copied().max().unwrap_or_default();
    let index = values.iter().position(|value| *value == price).unwrap_or_default();
    let expected = vec![("index", index as i128), ("price", i128::from(price))];
    Case { algorithm: "encrypted_maximum", parameters: json!({}), kind, values, expected }
}

/// Weights and bias up to `reach`; the threshold is the score itself or its neighbour above.
fn score(kind: ValueType, values: Vec<u64>, weights: &[i32], bias: i32) -> Case {
    let products = values.iter().zip(weights).map(|(value, weight)| i128::from(*value) * i128::from(*weight));
    let score = products.sum::<i128>() + i128::from(bias);
    let threshold = (score + (score & 1)).clamp(i32::MIN.into(), i32::MAX.into());
    let parameters = json!({"weights": weights, "bias": bias, "threshold": threshold as i64});
    let expected = vec![("score", score), ("passed", i128::from(score >= threshold))];
    Case { algorithm: "encrypted_linear_score", parameters, kind, values, expected }
}

fn clear_set(kind: ValueType, candidate: u64, set: &[u64]) -> Case {
    let expected = vec![("member", i128::from(set.contains(&candidate)))];
    let set: Vec<String> = set.iter().map(u64::to_string).collect();
    let (algorithm, parameters) = ("encrypted_set_membership", json!({"set": set}));
    Case { algorithm, parameters, kind, values: vec![candidate], expected }
}

fn encrypted_set(kind: ValueType, values: Vec<u64>) -> Case {
    let expected = vec![("member", i128::from(values[1..].contains(&values[0])))];
    let (algorithm, parameters) = ("encrypted_set_membership", json!({"encrypted_set": true}));
    Case { algorithm, parameters, kind, values, expected }
}

/// What statistics and scores take.
const INTEGERS: [ValueType; 3] = [ValueType::U8, ValueType::U16, ValueType::U32];

pub(super) fn all_statistics(random: usize, most: usize) -> Vec<Case> {
    let counts = |kind| match kind {
        ValueType::U8 => [1, 2, 3, 10, 64, 128, 256],
        ValueType::U16 => [1, 2, 3, 10, 16, 64, 256],
        _ => [1, 2, 3, 10, 31, 32, 128],
    };
    let of = |kind, count| lists(kind, count, random).into_iter().map(move |values| statistics(kind, values));
    let of_kind = |kind| counts(kind).into_iter().filter(move |count| *count <= most).flat_map(move |n| of(kind, n));
    INTEGERS.into_iter().flat_map(of_kind).collect()
}

pub(super) fn all_maxima(random: usize, most: usize) -> Vec<Case> {
    let of = |kind, count| lists(kind, count, random).into_iter().map(move |values| maximum(kind, values));
    let limit = |kind| match kind {
        ValueType::U32 => 32,
        ValueType::U64 => 16,
        _ => 64,
    };
    let of_kind = |kind| {
        [1, 2, 3, 5, 8, limit(kind)].into_iter().filter(move |count| *count <= most).flat_map(move |n| of(kind, n))
    };
    ValueType::NUMBERS.into_iter().flat_map(of_kind).collect()
}

pub(super) fn all_scores(random: usize, most: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in INTEGERS.into_iter().chain([ValueType::Bool]) {
        let limit = if kind == ValueType::Bool { 256 } else { 64 };
        for count in [1, 2, 7, limit].into_iter().filter(|count| *count <= most) {
            for (number, values) in lists(kind, count, random).into_iter().enumerate() {
                // Products up to the ends of the score's 64 bits, and scores that fit 32 bits.
                let far = if kind == ValueType::U32 { i32::MAX / 64 } else { i32::MAX };
                let mut numbers = Drawn;
                let mut near = || 1 - (numbers.next_u64() % 255) as i32 + 126;
                let mixed: Vec<i32> = (0..count).map(|_| near()).collect();
                let bias = near();
                cases.push(score(kind, values.clone(), &some_weight(mixed), bias));
                // All zero, all highest, random: of many values each has its own.
                if count <= FEW || number == 2 {
                    cases.push(score(kind, values.clone(), &vec![-1; count], 0));
                }
                if count <= FEW || number == 1 {
                    let mut one_far = vec![1; count];
                    one_far[count - 1] = far;
                    cases.push(score(kind, values, &one_far, -far));
                }
            }
        }
    }
    cases
}

/// Weights that are all 0 are refused.
fn some_weight(mut weights: Vec<i32>) -> Vec<i32> {
    if weights.iter().all(|weight| *weight == 0) {
        weights[0] = 1;
    }
    weights
}

pub(super) fn all_memberships(random: usize, most: usize) -> Vec<Case> {
    let mut cases = Vec::new();
    for kind in ValueType::NUMBERS {
        // The widest costs the most and takes the same way.
        let random = if kind == ValueType::U64 { random.min(1) } else { random };
        for count in [1, 2, 3, 9, 512].into_iter().filter(|count| *count <= most) {
            for set in lists(kind, count, random) {
                let candidates = [set[count - 1], any(kind), 0, kind.highest()];
                let some = kind == ValueType::U64 || count > FEW;
                for candidate in candidates.into_iter().take(if some { 2 } else { 4 }) {
                    cases.push(clear_set(kind, candidate, &set));
                }
            }
        }
        for count in [1, 2, 3, 9, 128].into_iter().filter(|count| *count <= most) {
            for set in lists(kind, count, random) {
                for candidate in [set[count - 1], any(kind)] {
                    cases.push(encrypted_set(kind, [&[candidate], set.as_slice()].concat()));
                }
            }
        }
    }
    cases
}
