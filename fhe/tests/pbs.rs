//! Bootstrappings under real parameters and in a dry run: the same number. One test, since tfhe counts for the whole
//! process.

use fhe::child::compile;
use fhe::clear::ClearValue;
use fhe::dry_run::dry_run;
use fhe::encrypt;
use fhe::execution::Execution;
use fhe::inputs::{Seeds, read_client};
use fhe::keys::{ClientKeys, EvaluationKey, KeyMode, SecretKey};
use jobs::fhe::program::{Binary, Operand, Operation, Program, ValueId, ValueType};

/// Operations of all kinds on fresh values, computed values, and values with blocks that are known to be zero.
fn program() -> Program {
    let binary = |operation, left, right| Operation::Binary { operation, left: ValueId(left), right };
    let encrypted = |id| Operand::Value(ValueId(id));
    let steps = vec![
        binary(Binary::Add, 0, encrypted(1)), // 3
        binary(Binary::Mul, 0, encrypted(1)), // 4
        binary(Binary::Lt, 3, encrypted(4)),  // 5
        Operation::Select { condition: ValueId(5), then: encrypted(3), otherwise: encrypted(4), result: ValueType::U8 },
        binary(Binary::Max, 6, encrypted(1)),                                // 7
        binary(Binary::Shl, 7, Operand::Clear(3)),                           // 8
        binary(Binary::And, 8, Operand::Clear(0x33)),                        // 9
        binary(Binary::Add, 9, encrypted(8)),                                // 10
        Operation::Cast { value: ValueId(10), to: ValueType::U16 },          // 11
        Operation::Cast { value: ValueId(0), to: ValueType::U16 },           // 12
        Operation::Cast { value: ValueId(2), to: ValueType::U16 },           // 13
        Operation::Sum { values: [11, 12, 12, 13, 11].map(ValueId).into() }, // 14
        binary(Binary::Mul, 14, Operand::Clear(11)),                         // 15
        binary(Binary::Eq, 15, Operand::Clear(77)),                          // 16
        binary(Binary::Xor, 16, encrypted(2)),                               // 17
        Operation::Not { value: ValueId(15) },                               // 18
        binary(Binary::Div, 0, Operand::Clear(10)),                          // 19
        Operation::Sum { values: vec![ValueId(0), ValueId(1), ValueId(19), ValueId(3)] },
        binary(Binary::Sub, 20, encrypted(19)),
        binary(Binary::Le, 20, Operand::Clear(5)),
        binary(Binary::Mul, 12, encrypted(13)),
    ];
    Program { inputs: vec![ValueType::U8, ValueType::U8, ValueType::Bool], steps, outputs: vec![] }
}

#[test]
fn a_dry_run_counts_what_real_parameters_need() {
    let keys = ClientKeys::generate();
    let secret = SecretKey::from_bytes(&keys.secret_key).expect("a new key");
    let key = EvaluationKey::from_bytes(&keys.evaluation_key, KeyMode::Client).expect("a new key");
    let values = [ClearValue::U8(200), ClearValue::U8(17), ClearValue::Bool(true)];
    let blob = encrypt::for_client(&values, &secret).expect("encryption");
    let received = read_client(&blob, &key).expect("our own inputs");
    let seeds = Seeds { job_id: [0; 16], inputs_hash: [0; 32], program_hash: [0; 32], key_id: keys.id() };
    let inputs = received.into_inputs(&key, &seeds).expect("our own inputs");
    let mut execution = Execution::new(&key, program(), inputs).expect("a sound program");
    let mut counts = Vec::new();
    while !execution.is_complete() {
        let before = tfhe::get_pbs_count();
        execution.step().expect("a sound program");
        counts.push(tfhe::get_pbs_count() - before);
    }
    assert_eq!(dry_run(&program()).expect("a sound program"), counts);
    prices_cover_what_algorithms_need();
}

/// Billed units come from the table: no step may need more than it says, and no algorithm is far below its price.
fn prices_cover_what_algorithms_need() {
    let blob = format!("/v1/blobs/{}", "ab".repeat(32));
    let payload = |algorithm: &str, parameters: &str| {
        format!(r#"{{"algorithm":"{algorithm}","encrypted_data_url":"{blob}","parameters":{parameters}}}"#)
    };
    let statistics = payload("encrypted_statistical_analysis", "{}");
    let maximum = payload("encrypted_maximum", "{}");
    let score = payload("encrypted_linear_score", r#"{"weights":[3,-2,7,100],"bias":-5,"threshold":10}"#);
    let clear_set = payload("encrypted_set_membership", r#"{"set":[1,2,77,200]}"#);
    let encrypted_set = payload("encrypted_set_membership", r#"{"encrypted_set":true}"#);
    for (payload, kind, count) in [
        (&statistics, ValueType::U8, 16),
        (&statistics, ValueType::U16, 5),
        (&statistics, ValueType::U32, 4),
        (&maximum, ValueType::U16, 6),
        (&score, ValueType::U8, 4),
        (&clear_set, ValueType::U32, 1),
        (&encrypted_set, ValueType::U8, 9),
    ] {
        let compiled = compile(payload, &vec![kind; count]).unwrap_or_else(|error| panic!("{payload}: {error}"));
        let counts = dry_run(&compiled.program).expect("a program that the type checker accepts");
        for (step, (price, count)) in compiled.step_pbs.iter().zip(&counts).enumerate() {
            let operation = &compiled.program.steps[step];
            assert!(price >= count, "{payload} {kind}: {operation:?} costs {count} and is priced {price}");
        }
        let (price, cost): (u64, u64) = (compiled.step_pbs.iter().sum(), counts.iter().sum());
        println!("{kind} x {count}: priced {price}, costs {cost}: {payload}");
        assert!(price <= cost + cost / 4 + 50, "{payload} {kind}: priced {price}, costs {cost}");
    }
}
