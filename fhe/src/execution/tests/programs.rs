//! Whole programs: outputs, checkpoints, refusals.

use jobs::fhe::program::{OutputValue, Program};
use tfhe::prelude::Tagged;

use super::*;
use crate::child::protocol::Checkpoint;
use crate::clear::ClearValue;
use crate::decrypt::{ResultValue, decrypt};
use crate::execution::{Outcome, program_hash};
use crate::testing;

/// sum of two, its square root's neighbour of a kind: enough steps that values die on the way and some live to the end.
fn sample() -> Program {
    let binary = |operation, left, right| Operation::Binary { operation, left: ValueId(left), right };
    let steps = vec![
        binary(Binary::Add, 0, Operand::Value(ValueId(1))),
        binary(Binary::Gt, 2, Operand::Clear(100)),
        binary(Binary::Sub, 0, Operand::Value(ValueId(1))),
        Operation::Select {
            condition: ValueId(3),
            then: Operand::Value(ValueId(4)),
            otherwise: Operand::Clear(9),
            result: ValueType::U8,
        },
    ];
    let outputs = [
        ("sum", OutputValue::Encrypted(ValueId(2))),
        ("large", OutputValue::Encrypted(ValueId(3))),
        ("difference", OutputValue::Signed(ValueId(4))),
        ("chosen", OutputValue::Encrypted(ValueId(5))),
        ("count", OutputValue::Clear(2)),
    ];
    testing::program(vec![ValueType::U8; 2], steps, &outputs)
}

fn start(values: [u8; 2]) -> Execution {
    let keys = testing::client();
    let inputs = testing::inputs(&values.map(ClearValue::U8), &keys.secret);
    Execution::new(&keys.evaluation, sample(), inputs).expect("the program is sound")
}

fn complete(mut execution: Execution) -> Outcome {
    while !execution.is_complete() {
        execution.step().expect("the program is sound");
    }
    execution.finish().expect("the program is sound")
}

fn kept(execution: &Execution) -> Checkpoint {
    execution.checkpoint(usize::MAX).expect("no limit")
}

/// What is too large is not saved, which costs time and no job.
#[test]
fn a_checkpoint_keeps_to_its_limit_and_no_value_is_larger_than_it_is_counted() {
    let keys = testing::client();
    for kind in ValueType::ALL {
        let value = crate::value::EncryptedValue::encrypt(kind, 1, &keys.secret.0).to_bytes().len() as u64;
        assert!(value <= kind.most_bytes() && value > kind.most_bytes() * 9 / 10, "{kind}: {value}");
    }
    let inputs = testing::inputs(&[ClearValue::U8(3)], &keys.secret);
    let steps = vec![Operation::Not { value: ValueId(0) }, Operation::Not { value: ValueId(1) }];
    let outputs = [("x", OutputValue::Encrypted(ValueId(2)))];
    let program = testing::program(vec![ValueType::U8], steps, &outputs);
    let mut execution = Execution::new(&keys.evaluation, program, inputs).expect("a sound program");
    execution.step().expect("a sound step");
    let bytes = kept(&execution).values.0.len();
    assert!(execution.checkpoint(bytes).is_some());
    assert!(execution.checkpoint(bytes - 1).is_none());
}

#[test]
fn outputs_decrypt_in_their_order_signed_ones_with_their_sign() {
    let outcome = complete(start([60, 100]));
    let clear = decrypt(&outcome.result, &testing::client().secret).expect("our own result");
    assert_eq!(clear.to_json(), r#"{"sum":160,"large":true,"difference":-40,"chosen":216,"count":2}"#);
    assert_eq!(clear.0[2], ("difference".to_owned(), ResultValue::Signed(-40)));
}

#[test]
fn a_checkpoint_of_any_step_goes_on_to_the_same_bytes() {
    let keys = testing::client();
    let inputs = || testing::inputs(&[ClearValue::U8(60), ClearValue::U8(100)], &keys.secret);
    let same = inputs();
    let again = || crate::inputs::Inputs { types: same.types.clone(), values: same.values.clone(), hash: same.hash };
    let execution = || Execution::new(&keys.evaluation, sample(), again()).expect("the program is sound");
    let whole = complete(execution());
    let mut first = execution();
    for step in 0..=sample().steps.len() {
        let mut second = execution();
        second.restore(&kept(&first)).expect("our own checkpoint");
        assert_eq!(second.position(), step);
        assert_eq!(complete(second).result_hash, whole.result_hash);
        first.step().expect("the program is sound");
    }
}

#[test]
fn a_foreign_or_damaged_checkpoint_is_refused_and_changes_nothing() {
    let mut first = start([1, 2]);
    first.step().expect("sound");
    first.step().expect("sound");
    let good = kept(&first);
    let mut other_inputs = good.clone();
    other_inputs.inputs_hash[0] ^= 1;
    let mut other_program = good.clone();
    other_program.program_hash[0] ^= 1;
    let mut earlier = good.clone();
    earlier.step = 1;
    let mut beyond = good.clone();
    beyond.step = 99;
    let mut cut = good.clone();
    cut.values.0.truncate(1000);
    let mut empty = good.clone();
    empty.values.0.clear();
    for bad in [other_inputs, other_program, earlier, beyond, cut, empty] {
        let mut second = start([1, 2]);
        assert_eq!(second.restore(&bad), Err(ExecutionError::Checkpoint), "step {}", bad.step);
        assert_eq!(second.position(), 0);
        second.step().expect("still at its start");
    }
    // Its values are another key's.
    let mut under_another_key = start([1, 2]);
    Tagged::tag_mut(&mut under_another_key.key).set_u64(9);
    assert_eq!(under_another_key.restore(&good), Err(ExecutionError::Checkpoint));
}

#[test]
fn values_die_with_their_last_reader() {
    let mut execution = start([1, 2]);
    let alive = |execution: &Execution| execution.values.iter().filter(|value| value.is_some()).count();
    assert_eq!(alive(&execution), 2);
    for expected in [3, 4, 3, 4] {
        execution.step().expect("sound");
        assert_eq!(alive(&execution), expected);
    }
}

#[test]
fn programs_that_read_what_does_not_exist_are_refused() {
    let keys = testing::client();
    let kinds = vec![ValueType::U8];
    let not = |id| Operation::Not { value: ValueId(id) };
    let output = |id| [("o", OutputValue::Encrypted(ValueId(id)))];
    for program in [
        testing::program(kinds.clone(), vec![not(1)], &[]),
        testing::program(kinds.clone(), vec![not(7)], &[]),
        testing::program(kinds.clone(), vec![not(0)], &output(2)),
    ] {
        let inputs = testing::inputs(&[ClearValue::U8(1)], &keys.secret);
        let refused = Execution::new(&keys.evaluation, program, inputs).err();
        assert_eq!(refused, Some(ExecutionError::Malformed));
    }
    let inputs = testing::inputs(&[ClearValue::U16(1)], &keys.secret);
    let refused = Execution::new(&keys.evaluation, testing::program(kinds, vec![], &[]), inputs).err();
    assert!(matches!(refused, Some(ExecutionError::Inputs { .. })));
}

#[test]
fn programs_that_differ_beyond_2_to_the_53_have_other_hashes() {
    let with = |clear| testing::program(vec![ValueType::U64], vec![clear_add(clear)], &[]);
    assert_ne!(program_hash(&with(1 << 53)), program_hash(&with((1 << 53) + 1)));
    assert_eq!(program_hash(&with(1 << 53)), program_hash(&with(1 << 53)));
}

fn clear_add(right: u64) -> Operation {
    clear(Binary::Add, right)
}
