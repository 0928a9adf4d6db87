//! What requests cost: the most that a request can take is what its dearest program takes.

use serde_json::json;

use super::request;
use crate::fhe::program::ValueType;
use crate::fhe::{EncryptedRequest, price};

fn pbs(request: &EncryptedRequest, kind: ValueType, count: usize) -> Option<u64> {
    request.compile(&vec![kind; count]).ok().map(|program| price::step_pbs(&program).iter().sum())
}

#[test]
fn the_maximum_is_that_of_all_inputs() {
    for (algorithm, parameters) in [
        ("encrypted_statistical_analysis", json!({})),
        ("encrypted_statistical_analysis", json!({"statistics": ["mean"]})),
        ("encrypted_statistical_analysis", json!({"statistics": ["mean", "max"]})),
        ("encrypted_statistical_analysis", json!({"statistics": ["variance", "min"]})),
        ("encrypted_statistical_analysis", json!({"value_type": "u16"})),
        ("encrypted_maximum", json!({})),
        ("encrypted_maximum", json!({"value_type": "u8"})),
        ("encrypted_set_membership", json!({"encrypted_set": true})),
        ("encrypted_set_membership", json!({"set": [1, 2, 3]})),
        ("encrypted_linear_score", json!({"weights": [3, -7, 100_000], "threshold": 5})),
    ] {
        let request = request(algorithm, parameters);
        let all = ValueType::ALL.into_iter().flat_map(|kind| (1..=260).map(move |count| (kind, count)));
        let most = all.filter_map(|(kind, count)| pbs(&request, kind, count)).max().unwrap();
        assert_eq!(request.maximum_pbs(), most, "{request:?}");
    }
}

#[test]
fn it_is_exact_when_type_and_count_are_declared() {
    let request = request("encrypted_statistical_analysis", json!({"value_type": "u8", "count": 16}));
    assert_eq!(Some(request.maximum_pbs()), pbs(&request, ValueType::U8, 16));
}

#[test]
fn nothing_is_priced_beyond_what_a_worker_can_do_in_its_longest_time() {
    for algorithm in ["encrypted_statistical_analysis", "encrypted_maximum"] {
        assert!(request(algorithm, json!({})).maximum_pbs() < 20_000);
    }
}
