//! Each algorithm against an oracle, on random inputs and on the edges.

use proptest::prelude::*;
use serde_json::json;

use super::{compute, pointers, request};
use crate::fhe::program::ValueType::{self, Bool, U8, U16, U32, U64};
use crate::fhe::{EncryptedRequest, Statistic};

/// Lists of 1 to `most` values of a type, among them the edges.
fn values(kind: ValueType, most: usize) -> impl Strategy<Value = Vec<u64>> {
    let highest = kind.highest();
    let value = prop_oneof![4 => 0..=highest, 1 => Just(0), 1 => Just(highest), 1 => 0..=highest.min(3)];
    let constant =
        prop_oneof![Just(0), Just(highest)].prop_flat_map(move |value| prop::collection::vec(Just(value), 1..=most));
    prop_oneof![6 => prop::collection::vec(value, 1..=most), 1 => constant]
}

fn check_statistics(kind: ValueType, inputs: &[u64]) {
    let found = compute(&request("encrypted_statistical_analysis", json!({})), kind, inputs);
    let wide: Vec<i128> = inputs.iter().map(|value| i128::from(*value)).collect();
    let count = wide.len() as i128;
    let sum: i128 = wide.iter().sum();
    let squares: i128 = wide.iter().map(|value| value * value).sum();
    for statistic in Statistic::ALL {
        let expected = match statistic {
            Statistic::Count => count,
            Statistic::Sum => sum,
            Statistic::Mean => sum / count,
            Statistic::Min => *wide.iter().min().unwrap(),
            Statistic::Max => *wide.iter().max().unwrap(),
            Statistic::Variance => (count * squares - sum * sum) / (count * count),
        };
        let expected = (inputs.len() <= statistic.limit(kind)).then_some(expected);
        assert_eq!(found.get(statistic.as_str()).copied(), expected, "{statistic} of {kind} {inputs:?}");
    }
}

fn check_maximum(kind: ValueType, inputs: &[u64]) {
    let found = compute(&request("encrypted_maximum", json!({})), kind, inputs);
    let price = *inputs.iter().max().unwrap();
    let index = inputs.iter().position(|value| *value == price).unwrap();
    assert_eq!((found["price"], found["index"]), (price.into(), index as i128), "{kind} {inputs:?}");
}

fn check_score(kind: ValueType, weighted: &[(u64, i32)], bias: i32, threshold: i32) {
    let (inputs, weights): (Vec<_>, Vec<_>) = weighted.iter().copied().unzip();
    let parameters = json!({"weights": weights, "bias": bias, "threshold": threshold});
    let payload = super::payload("encrypted_linear_score", parameters);
    let expected: i128 = i128::from(bias)
        + weighted.iter().map(|(value, weight)| i128::from(*value) * i128::from(*weight)).sum::<i128>();
    if weights.iter().all(|weight| *weight == 0) {
        assert_eq!(pointers(super::refused(&payload)), ["/parameters/weights"]);
        return;
    }
    let request = EncryptedRequest::parse_payload(&payload).unwrap();
    match request.compile(&vec![kind; inputs.len()]) {
        Ok(program) => {
            let found = program.evaluate_clear(&inputs).unwrap();
            let passed = i128::from(expected >= threshold.into());
            assert_eq!(found, [("score".to_owned(), expected), ("passed".to_owned(), passed)], "{payload} {inputs:?}");
        }
        Err(errors) => {
            let reach: i128 = weights.iter().map(|weight| i128::from(weight.unsigned_abs())).sum();
            assert!(reach * i128::from(kind.highest()) >= 1 << 62, "{payload}: {errors:?}");
            assert_eq!(pointers(errors), ["/parameters/weights"]);
        }
    }
}

fn score(kind: ValueType, most: usize) -> impl Strategy<Value = Vec<(u64, i32)>> {
    let weight =
        prop_oneof![2 => any::<i32>(), 3 => -128..=127_i32, 1 => Just(0), 1 => Just(i32::MIN), 1 => Just(i32::MAX)];
    let value = prop_oneof![3 => 0..=kind.highest(), 1 => Just(0), 1 => Just(kind.highest())];
    prop::collection::vec((value, weight), 1..=most)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn statistics_equal_their_oracle(of_u8 in values(U8, 256), of_u16 in values(U16, 256), of_u32 in values(U32, 128)) {
        check_statistics(U8, &of_u8);
        check_statistics(U16, &of_u16);
        check_statistics(U32, &of_u32);
    }

    #[test]
    fn variances_equal_their_oracle(of_u8 in values(U8, 64), of_u16 in values(U16, 16)) {
        check_statistics(U8, &of_u8);
        check_statistics(U16, &of_u16);
    }

    #[test]
    fn the_first_of_the_highest_wins(
        of_u8 in values(U8, 64), of_u16 in values(U16, 64), of_u32 in values(U32, 32), of_u64 in values(U64, 16)
    ) {
        check_maximum(U8, &of_u8);
        check_maximum(U16, &of_u16);
        check_maximum(U32, &of_u32);
        check_maximum(U64, &of_u64);
    }

    #[test]
    fn scores_equal_their_oracle(
        of_bool in score(Bool, 256), of_u8 in score(U8, 64), of_u16 in score(U16, 64), of_u32 in score(U32, 4),
        of_u64 in score(U64, 2), bias in any::<i32>(), threshold in any::<i32>()
    ) {
        check_score(Bool, &of_bool, bias, threshold);
        check_score(U8, &of_u8, bias, threshold);
        check_score(U16, &of_u16, bias, threshold);
        check_score(U32, &of_u32, bias, threshold);
        check_score(U64, &of_u64, bias, threshold);
    }

    #[test]
    fn a_score_at_its_threshold_passes(weights in score(U8, 8), bias in -9..9_i32, off in -1..=1_i32) {
        let score: i64 = i64::from(bias) + weights.iter().map(|(value, weight)| *value as i64 * i64::from(*weight)).sum::<i64>();
        if let Ok(threshold) = i32::try_from(score + i64::from(off)) {
            check_score(U8, &weights, bias, threshold);
        }
    }

    #[test]
    fn members_of_clear_sets_are_found(set in prop::collection::vec(any::<u64>(), 1..=512), other in any::<u64>(), at in any::<prop::sample::Index>()) {
        for kind in ValueType::NUMBERS {
            let set: Vec<u64> = set.iter().map(|number| number & kind.highest()).collect();
            let written: Vec<_> = set.iter().map(u64::to_string).collect();
            let request = request("encrypted_set_membership", json!({"set": written}));
            for candidate in [*at.get(&set), other & kind.highest()] {
                let expected = i128::from(set.contains(&candidate));
                prop_assert_eq!(compute(&request, kind, &[candidate])["member"], expected);
            }
        }
    }

    #[test]
    fn members_of_encrypted_sets_are_found(of_u8 in values(U8, 129), of_u64 in values(U64, 129)) {
        let request = request("encrypted_set_membership", json!({"encrypted_set": true}));
        for (kind, inputs) in [(U8, of_u8), (U64, of_u64)].into_iter().filter(|(_, inputs)| inputs.len() > 1) {
            let expected = i128::from(inputs[1..].contains(&inputs[0]));
            prop_assert_eq!(compute(&request, kind, &inputs)["member"], expected);
        }
    }
}

#[test]
fn statistics_on_the_edges() {
    for kind in [U8, U16, U32] {
        for count in Statistic::ALL.map(|statistic| statistic.limit(kind)).into_iter().filter(|count| *count > 0) {
            let half: Vec<u64> = (0..count).map(|index| if index % 2 == 0 { kind.highest() } else { 0 }).collect();
            for inputs in [vec![kind.highest(); count], vec![0; count], half] {
                check_statistics(kind, &inputs);
                check_statistics(kind, &inputs[1..].iter().chain(&[1]).copied().collect::<Vec<_>>());
            }
        }
        check_statistics(kind, &[kind.highest()]);
        check_statistics(kind, &[0]);
    }
}

#[test]
fn every_number_of_bids_has_its_winner() {
    for count in 1..=64 {
        for winner in 0..count {
            let mut bids = vec![7; count];
            bids[winner] = 8;
            check_maximum(U8, &bids);
        }
        check_maximum(U16, &vec![9; count]);
    }
}

#[test]
fn outputs_have_their_order_and_narrow_types() {
    let statistics = request("encrypted_statistical_analysis", json!({"statistics": ["variance", "count", "sum"]}));
    let program = statistics.compile(&[U8; 3]).unwrap();
    let names: Vec<_> = program.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["count", "sum", "variance"]);
    let all = request("encrypted_statistical_analysis", json!({})).compile(&[U32; 2]).unwrap();
    let names: Vec<_> = all.outputs.iter().map(|output| output.name.as_str()).collect();
    assert_eq!(names, ["count", "sum", "mean", "min", "max"]);
}

#[test]
fn inputs_beyond_the_limits_are_refused_with_a_pointer() {
    let none = json!({});
    for (algorithm, parameters, kind, count) in [
        ("encrypted_statistical_analysis", none.clone(), U8, 257),
        ("encrypted_statistical_analysis", none.clone(), U16, 257),
        ("encrypted_statistical_analysis", none.clone(), U32, 129),
        ("encrypted_statistical_analysis", none.clone(), U64, 1),
        ("encrypted_statistical_analysis", none.clone(), Bool, 1),
        ("encrypted_statistical_analysis", none.clone(), U8, 0),
        ("encrypted_maximum", none.clone(), U8, 65),
        ("encrypted_maximum", none.clone(), U16, 65),
        ("encrypted_maximum", none.clone(), U32, 33),
        ("encrypted_maximum", none.clone(), U64, 17),
        ("encrypted_maximum", none, Bool, 2),
        ("encrypted_linear_score", json!({"weights": [1, 2]}), U8, 3),
        ("encrypted_set_membership", json!({"set": [1]}), U8, 2),
        ("encrypted_set_membership", json!({"encrypted_set": true}), U8, 1),
        ("encrypted_set_membership", json!({"encrypted_set": true}), U32, 130),
    ] {
        let errors = request(algorithm, parameters).compile(&vec![kind; count]).unwrap_err();
        assert_eq!(pointers(errors), ["/encrypted_data_url"], "{algorithm} {kind} {count}");
    }
    let mixed = request("encrypted_maximum", json!({})).compile(&[U8, U16]).unwrap_err();
    assert!(mixed[0].reason.contains("one type"));
    for (name, kind, count) in [
        ("min", U8, 129),
        ("max", U16, 65),
        ("min", U32, 33),
        ("variance", U8, 65),
        ("variance", U16, 17),
        ("variance", U32, 1),
    ] {
        let request = request("encrypted_statistical_analysis", json!({"statistics": ["sum", name]}));
        let errors = request.compile(&vec![kind; count]).unwrap_err();
        assert_eq!(pointers(errors), ["/parameters/statistics/1"], "{name} {kind} {count}");
    }
    let set = request("encrypted_set_membership", json!({"set": [1, 256, 65_536]}));
    assert_eq!(pointers(set.compile(&[U8]).unwrap_err()), ["/parameters/set/1", "/parameters/set/2"]);
    let many = request("encrypted_linear_score", json!({"weights": vec![1; 65]}));
    assert_eq!(pointers(many.compile(&[U8; 65]).unwrap_err()), ["/parameters/weights"]);
    assert!(many.compile(&[Bool; 65]).is_ok());
}
