//! Each encrypted algorithm and type against oracles that know nothing of programs: on the edges (all zero, all highest,
//! one value, the limit) and on random inputs. Under the fast key here and in CI; under real parameters of both modes,
//! through the door for outside bytes, and as long as one likes, with `make fhe-oracle`.

mod at_length;
mod cases;
mod random_programs;

use jobs::fhe::program::{Output, OutputValue, Program};
use serde_json::{Value, json};

use self::cases::{all_maxima, all_memberships, all_scores, all_statistics};
use super::*;
use crate::child::compile;

/// Random inputs for each algorithm, type and count.
const RANDOM: usize = 2;

/// An algorithm, its inputs, and what it must say about them.
struct Case {
    algorithm: &'static str,
    parameters: Value,
    kind: ValueType,
    values: Vec<u64>,
    expected: Vec<(&'static str, i128)>,
}

impl Case {
    fn program(&self) -> Program {
        let payload = json!({
            "algorithm": self.algorithm,
            "encrypted_data_url": format!("/v1/blobs/{}", "ab".repeat(32)),
            "parameters": self.parameters,
        });
        let compiled = compile(&payload.to_string(), &vec![self.kind; self.values.len()]);
        compiled.unwrap_or_else(|error| panic!("{self}: {error}")).program
    }

    fn holds(&self, found: &[(String, i128)]) {
        let found: Vec<(&str, i128)> = found.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        assert_eq!(found, self.expected, "{self}");
    }
}

impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} of {} {:?}", self.algorithm, self.parameters, self.kind, self.values)
    }
}

impl Key {
    /// The outputs of a program, read by their types.
    fn run(&self, program: &Program, values: &[u64]) -> Vec<(String, i128)> {
        let inputs = program.inputs.iter().zip(values);
        let inputs = inputs.map(|(kind, value)| EncryptedValue::encrypt(*kind, *value, &self.client)).collect();
        let mut execution = Execution::with_key(self.server.clone(), program.clone(), inputs, [0; 32]).expect("sound");
        while !execution.is_complete() {
            execution.step().expect("sound");
        }
        let number = |id: ValueId| execution.value(id).expect("an output is kept");
        let output = |output: &Output| {
            let value = match output.value {
                OutputValue::Clear(number) => i128::from(number),
                OutputValue::Encrypted(id) => i128::from(number(id).decrypt(&self.client)),
                OutputValue::Signed(id) => signed(number(id).decrypt(&self.client), number(id).value_type()),
            };
            (output.name.clone(), value)
        };
        program.outputs.iter().map(output).collect()
    }
}

fn signed(value: u64, kind: ValueType) -> i128 {
    match i128::from(value) {
        value if value > i128::from(kind.highest() / 2) => value - (1 << kind.bits()),
        value => value,
    }
}

#[test]
fn statistics_are_those_of_the_oracle() {
    sweep(&all_statistics(RANDOM, usize::MAX));
}

#[test]
fn maxima_are_those_of_the_oracle() {
    sweep(&all_maxima(RANDOM, usize::MAX));
}

#[test]
fn scores_are_those_of_the_oracle() {
    sweep(&all_scores(RANDOM, usize::MAX));
}

#[test]
fn memberships_are_those_of_the_oracle() {
    sweep(&all_memberships(RANDOM, usize::MAX));
}

fn sweep(cases: &[Case]) {
    let key = fast();
    alone(|| {
        for case in cases {
            case.holds(&key.run(&case.program(), &case.values));
        }
    });
}
