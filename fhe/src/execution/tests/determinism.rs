//! The same job in two processes, or begun in one and ended in another: the same bytes.

use std::path::{Path, PathBuf};
use std::process::Command;

use jobs::fhe::program::{OutputValue, Program};

use super::*;
use crate::child::protocol::Checkpoint;
use crate::clear::ClearValue;
use crate::encrypt;
use crate::inputs::{Seeds, read_network};
use crate::testing;

const INPUTS: &str = "ZAMA_TEST_INPUTS";
/// A checkpoint to go on from, if there is one; else where to leave one half-way.
const CHECKPOINT: &str = "ZAMA_TEST_CHECKPOINT";

/// A product of each kind, a sum of many, a comparison.
fn program() -> Program {
    let binary = |operation, left, right| Operation::Binary { operation, left: ValueId(left), right };
    let steps = vec![
        binary(Binary::Mul, 0, Operand::Value(ValueId(1))),
        Operation::Sum { values: [0, 1, 4].map(ValueId).into() },
        binary(Binary::Mul, 2, Operand::Value(ValueId(3))),
        binary(Binary::Max, 5, Operand::Value(ValueId(1))),
    ];
    let outputs = [("max", OutputValue::Encrypted(ValueId(7))), ("product", OutputValue::Encrypted(ValueId(6)))];
    testing::program(vec![ValueType::U8; 4], steps, &outputs)
}

/// Not a test of its own: what the processes of the next one do.
#[test]
#[ignore = "a part of another test"]
fn prints_the_hash_of_a_job() {
    let Ok(path) = std::env::var(INPUTS) else { return };
    let checkpoint = std::env::var_os(CHECKPOINT).map(PathBuf::from);
    let keys = testing::network();
    let blob = std::fs::read(path).expect("the inputs");
    let received = read_network(&blob, &keys.public, &testing::origin()).expect("sound inputs");
    let seeds = Seeds { job_id: [1; 16], inputs_hash: received.hash(), program_hash: [2; 32], key_id: keys.bytes.id() };
    let inputs = received.into_inputs(&keys.evaluation, &seeds).expect("sound inputs");
    let mut execution = Execution::new(&keys.evaluation, program(), inputs).expect("a sound program");
    let begun = checkpoint.as_ref().and_then(|path| std::fs::read(path).ok());
    if let Some(begun) = &begun {
        let begun: Checkpoint = ciborium::from_reader(begun.as_slice()).expect("a checkpoint");
        execution.restore(&begun).expect("our own checkpoint");
        assert_eq!(execution.position(), 3);
    }
    while !execution.is_complete() {
        execution.step().expect("a sound program");
        if let (3, None, Some(path)) = (execution.position(), &begun, &checkpoint) {
            let mut bytes = Vec::new();
            let left = execution.checkpoint(usize::MAX).expect("no limit");
            ciborium::into_writer(&left, &mut bytes).expect("memory");
            std::fs::write(path, bytes).expect("a temporary file");
            println!("hash none yet");
            return;
        }
    }
    let outcome = execution.finish().expect("a sound program");
    let clear = crate::decrypt::decrypt(&outcome.result, &keys.secret).expect("our own result");
    println!("hash {} {:02x?}", clear.to_json(), outcome.result_hash);
}

fn in_a_process(inputs: &Path, checkpoint: Option<&Path>) -> String {
    let mut command = Command::new(std::env::current_exe().expect("a test binary"));
    command
        .args(["--ignored", "--nocapture", "--exact", "execution::tests::determinism::prints_the_hash_of_a_job"])
        .env(INPUTS, inputs);
    if let Some(checkpoint) = checkpoint {
        command.env(CHECKPOINT, checkpoint);
    }
    let output = command.output().expect("the test binary starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let at = text.find("hash ").unwrap_or_else(|| panic!("no hash in {text}"));
    text[at..].lines().next().unwrap_or_default().to_owned()
}

#[test]
fn the_same_job_in_other_processes_gives_the_same_bytes() {
    let keys = testing::network();
    let values = [ClearValue::U8(13), ClearValue::U8(17), ClearValue::U8(61), ClearValue::U8(43)];
    let blob = encrypt::for_network(&values, &keys.public, &testing::origin()).expect("encryption");
    let path = |name: &str| std::env::temp_dir().join(format!("fhe-determinism-{}-{name}", std::process::id()));
    let (inputs, checkpoint) = (path("inputs"), path("checkpoint"));
    std::fs::write(&inputs, blob).expect("a temporary file");
    let whole = in_a_process(&inputs, None);
    assert!(whole.starts_with(r#"hash {"max":251,"product":63}"#), "{whole}");
    assert_eq!(in_a_process(&inputs, None), whole);
    assert_eq!(in_a_process(&inputs, Some(&checkpoint)), "hash none yet");
    assert_eq!(in_a_process(&inputs, Some(&checkpoint)), whole);
    for path in [inputs, checkpoint] {
        std::fs::remove_file(path).expect("our own file");
    }
}
