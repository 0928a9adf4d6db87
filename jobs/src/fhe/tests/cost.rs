//! What requests cost: the most that a request can take is what its dearest program takes.

use serde_json::{Value, json};

use super::{payload, request};
use crate::fhe::program::{Binary, Operand, Operation, Output, OutputValue, Program, ValueId, ValueType};
use crate::fhe::{EncryptedRequest, KeyMode, price};

/// A longer operation would keep a wish to stop waiting until its process is killed: 16 s on two cores.
const LONGEST_STEP: u64 = 1_600;

fn pbs(request: &EncryptedRequest, kind: ValueType, count: usize) -> Option<u64> {
    request.compile(&vec![kind; count]).ok().map(|program| request.price(&program).total())
}

/// The same request under a client's key.
fn under_client_key(algorithm: &str, parameters: Value) -> EncryptedRequest {
    let mut payload = payload(algorithm, parameters);
    payload["key"] = json!({"mode": "client", "key_id": format!("0x{}", "ab".repeat(32))});
    EncryptedRequest::parse_payload(&payload).unwrap()
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
        for request in [request(algorithm, parameters.clone()), under_client_key(algorithm, parameters)] {
            let all = ValueType::ALL.into_iter().flat_map(|kind| (1..=260).map(move |count| (kind, count)));
            let most = all.filter_map(|(kind, count)| pbs(&request, kind, count)).max().unwrap();
            assert_eq!(request.maximum_pbs(), most, "{request:?}");
        }
    }
}

/// Making them ready takes a worker two minutes and more.
#[test]
fn inputs_under_the_network_s_key_are_not_for_nothing() {
    let inputs: Vec<_> = (0..512).map(|index| json!({"name": format!("x{index}"), "type": "u64"})).collect();
    let program = json!({"program": {"inputs": inputs, "outputs": ["x0"]}});
    assert_eq!(request("program", program.clone()).maximum_pbs(), 512 * 32);
    assert_eq!(under_client_key("program", program).maximum_pbs(), 0);
    let kinds = [ValueType::Bool, ValueType::U8, ValueType::U16];
    assert_eq!(price::of_inputs(&kinds, KeyMode::Network), 1 + 4 + 8);
}

#[test]
fn no_step_takes_longer_than_a_wish_to_stop_may_wait() {
    let longest = |program: &Program| price::step_pbs(program).into_iter().max().unwrap_or(0);
    let inputs: Vec<_> = (0..512).map(|index| json!({"name": format!("x{index}"), "type": "u64"})).collect();
    let names: Vec<_> = (0..512).map(|index| format!("x{index}")).collect();
    let sum = json!({"inputs": inputs, "steps": [{"name": "sum", "op": "sum", "args": names}], "outputs": ["sum"]});
    let program = request("program", json!({"program": sum})).compile(&[ValueType::U64; 512]).unwrap();
    assert_eq!(program.steps.len(), 16 + 1);
    assert!(longest(&program) < LONGEST_STEP, "{}", longest(&program));
    let values: Vec<u64> = (1..=512).collect();
    assert_eq!(program.evaluate_clear(&values).unwrap(), [("sum".to_owned(), 512 * 513 / 2)]);
    for operation in Binary::ALL {
        for kind in ValueType::NUMBERS {
            for right in
                [Operand::Value(ValueId(1)), Operand::Clear(3), Operand::Clear(7), Operand::Clear(kind.highest())]
            {
                let steps = vec![Operation::Binary { operation, left: ValueId(0), right }];
                let outputs = vec![Output { name: "x".to_owned(), value: OutputValue::Clear(0) }];
                let program = Program { inputs: vec![kind; 2], steps, outputs };
                assert!(longest(&program) < LONGEST_STEP, "{operation:?} {kind} {right:?}: {}", longest(&program));
            }
        }
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
