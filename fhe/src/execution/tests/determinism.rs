//! The same job in two processes: the same bytes.

use std::process::Command;

use jobs::fhe::program::OutputValue;

use super::*;
use crate::clear::ClearValue;
use crate::encrypt;
use crate::inputs::{Seeds, read_network};
use crate::testing;

const INPUTS: &str = "ZAMA_TEST_INPUTS";

/// Not a test of its own: what the two processes of the next one do.
#[test]
#[ignore = "a part of another test"]
fn prints_the_hash_of_a_job() {
    let Ok(path) = std::env::var(INPUTS) else { return };
    let keys = testing::network();
    let blob = std::fs::read(path).expect("the inputs");
    let received = read_network(&blob, &keys.public, &testing::origin()).expect("sound inputs");
    let seeds = Seeds { job_id: [1; 16], inputs_hash: received.hash(), program_hash: [2; 32], key_id: keys.bytes.id() };
    let inputs = received.into_inputs(&keys.evaluation, &seeds).expect("sound inputs");
    let steps = vec![
        encrypted(Binary::Mul),
        Operation::Binary { operation: Binary::Max, left: ValueId(2), right: Operand::Value(ValueId(1)) },
    ];
    let outputs = [("max", OutputValue::Encrypted(ValueId(3)))];
    let program = testing::program(vec![ValueType::U8; 2], steps, &outputs);
    let mut execution = Execution::new(&keys.evaluation, program, inputs).expect("a sound program");
    while !execution.is_complete() {
        execution.step().expect("a sound program");
    }
    let outcome = execution.finish().expect("a sound program");
    let clear = crate::decrypt::decrypt(&outcome.result, &keys.secret).expect("our own result");
    println!("hash {} {:02x?}", clear.to_json(), outcome.result_hash);
}

#[test]
fn the_same_job_in_two_processes_gives_the_same_bytes() {
    let keys = testing::network();
    let values = [ClearValue::U8(13), ClearValue::U8(17)];
    let blob = encrypt::for_network(&values, &keys.public, &testing::origin()).expect("encryption");
    let path = std::env::temp_dir().join(format!("fhe-determinism-{}", std::process::id()));
    std::fs::write(&path, blob).expect("a temporary file");
    let run = || {
        let output = Command::new(std::env::current_exe().expect("a test binary"))
            .args(["--ignored", "--nocapture", "--exact", "execution::tests::determinism::prints_the_hash_of_a_job"])
            .env(INPUTS, &path)
            .output()
            .expect("the test binary starts");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let at = text.find("hash {").unwrap_or_else(|| panic!("no hash in {text}"));
        text[at..].lines().next().unwrap_or_default().to_owned()
    };
    let (first, second) = (run(), run());
    std::fs::remove_file(&path).expect("our own file");
    assert!(first.starts_with(r#"hash {"max":221}"#), "{first}");
    assert_eq!(first, second);
}
