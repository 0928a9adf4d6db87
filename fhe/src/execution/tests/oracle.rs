//! Each encrypted algorithm and type against oracles that know nothing of programs: on the edges (all zero, all highest,
//! one value, the limit) and on random inputs. Under the fast key here and in CI; under real parameters of both modes,
//! through the door for outside bytes, and as long as one likes, with `make fhe-oracle`.

use std::time::{Duration, Instant};

use jobs::fhe::price;
use jobs::fhe::program::{Operand, Operation, Output, OutputValue, Program};
use serde_json::{Value, json};

use super::*;
use crate::child::compile;
use crate::clear::ClearValue;
use crate::decrypt::{ResultValue, decrypt};
use crate::encrypt;
use crate::inputs::{Inputs, Seeds, read_client, read_network};
use crate::keys::{KeyId, KeyMode};
use crate::testing;

/// Random inputs for each algorithm, type and count.
const RANDOM: usize = 2;
/// Beyond so many values one random input is enough: they cost the most, and go the way of fewer ones.
const FEW: usize = 16;

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

/// Values of a count: the edges, then random ones.
fn lists(kind: ValueType, count: usize, random: usize) -> Vec<Vec<u64>> {
    let mut lists = vec![vec![0; count], vec![kind.highest(); count]];
    let random = if count > FEW { random.min(1) } else { random };
    lists.extend((0..random).map(|_| (0..count).map(|_| any(kind)).collect()));
    lists
}

/// Any value, the ends and small ones more often.
fn any(kind: ValueType) -> u64 {
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

fn all_statistics(random: usize, most: usize) -> Vec<Case> {
    let counts = |kind| match kind {
        ValueType::U8 => [1, 2, 3, 10, 64, 128, 256],
        ValueType::U16 => [1, 2, 3, 10, 16, 64, 256],
        _ => [1, 2, 3, 10, 31, 32, 128],
    };
    let of = |kind, count| lists(kind, count, random).into_iter().map(move |values| statistics(kind, values));
    let of_kind = |kind| counts(kind).into_iter().filter(move |count| *count <= most).flat_map(move |n| of(kind, n));
    INTEGERS.into_iter().flat_map(of_kind).collect()
}

fn all_maxima(random: usize, most: usize) -> Vec<Case> {
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

fn all_scores(random: usize, most: usize) -> Vec<Case> {
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

fn all_memberships(random: usize, most: usize) -> Vec<Case> {
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

/// Programs as clients may write them: whatever the type checker lets pass does what the clear evaluation says.
#[test]
fn random_programs_are_those_of_the_clear_evaluation() {
    let key = fast();
    alone(|| {
        for _ in 0..40 {
            holds_in_the_clear(&key, &random_program(12));
        }
    });
}

fn holds_in_the_clear(key: &Key, program: &Program) {
    let values: Vec<u64> = program.inputs.iter().map(|kind| any(*kind)).collect();
    let expected = program.evaluate_clear(&values).expect("a sound program");
    assert_eq!(key.run(program, &values), expected, "{program:?} on {values:?}");
}

/// Each step that the type checker takes is kept; every value is an output.
fn random_program(steps: usize) -> Program {
    let mut random = Drawn;
    let mut pick = |limit: usize| (random.next_u64() % limit as u64) as usize;
    let mut program = Program { inputs: vec![ValueType::Bool], ..Program::default() };
    for kind in NUMBERS {
        program.inputs.extend([kind, kind]);
    }
    let inputs = program.inputs.len();
    program.outputs = vec![Output { name: "v".to_owned(), value: OutputValue::Encrypted(ValueId(0)) }];
    while program.steps.len() < steps {
        let defined = inputs + program.steps.len();
        let value = ValueId(pick(defined) as u32);
        let other = ValueId(pick(defined) as u32);
        let right = match pick(3) {
            0 => Operand::Clear([0, 1, 2, 3, 7, 10, 100, 255, 65_535][pick(9)]),
            _ => Operand::Value(other),
        };
        let step = match pick(12) {
            0 => Operation::Not { value },
            1 | 2 => Operation::Cast { value, to: ValueType::ALL[pick(ValueType::ALL.len())] },
            3 => Operation::Sum { values: vec![value, other, value] },
            4 => {
                let result = ValueType::ALL[pick(ValueType::ALL.len())];
                let then = Operand::Value(ValueId(pick(defined) as u32));
                Operation::Select { condition: value, then, otherwise: right, result }
            }
            _ => Operation::Binary { operation: BINARIES[pick(BINARIES.len())], left: value, right },
        };
        program.steps.push(step);
        if program.check().is_err() {
            program.steps.pop();
        }
    }
    let outputs = (inputs..inputs + steps)
        .map(|id| Output { name: format!("v{id}"), value: OutputValue::Encrypted(ValueId(id as u32)) });
    program.outputs = outputs.collect();
    program
}

/// The long run: real parameters, results as their owner reads them. Rounds of every algorithm and type, each in a
/// random order, until the time is up (`ZAMA_ORACLE_SECONDS`, 600 unless set).
#[test]
#[ignore = "minutes long: make fhe-oracle"]
fn real_parameters_agree_with_the_oracle_at_length() {
    /// A case of more bootstrappings is left to the fast key.
    const MOST_PBS: u64 = 1_500;
    let seconds = std::env::var("ZAMA_ORACLE_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let end = Instant::now() + Duration::from_secs(seconds);
    let (mut done, mut pbs) = ([0; 2], 0);
    let network = testing::network();
    let keys = [real(), Key::of(&network.secret, &network.evaluation)];
    while Instant::now() < end {
        let mut cases = all_statistics(1, 16);
        cases.extend(all_maxima(1, 8).into_iter().chain(all_scores(1, 7)).chain(all_memberships(1, 9)));
        shuffle(&mut cases);
        let mut modes = [KeyMode::Client, KeyMode::Network].into_iter().cycle();
        for case in cases {
            let program = case.program();
            let cost: u64 = price::step_pbs(&program).iter().sum();
            if cost > MOST_PBS {
                continue;
            }
            let mode = modes.next().expect("one follows the other for ever");
            case.holds(&read_by_its_owner(program, &case, mode));
            done[usize::from(mode == KeyMode::Network)] += 1;
            pbs += cost;
            if Instant::now() >= end {
                break;
            }
        }
        for key in &keys {
            holds_in_the_clear(key, &random_program(5));
        }
    }
    let [client, network] = done;
    eprintln!(
        "{client} cases under a client's key, {network} under the network's, about {pbs} bootstrappings: all as the oracle \
         says"
    );
    assert!(client > 0 && network > 0, "no case in {seconds} s");
}

/// The inputs as they come in: from a client's bytes, through the door.
fn received(values: &[ClearValue], mode: KeyMode) -> Inputs {
    let seeds = Seeds { job_id: [1; 16], inputs_hash: [1; 32], program_hash: [2; 32], key_id: KeyId([3; 32]) };
    let (client, network, origin) = (testing::client(), testing::network(), testing::origin());
    let inputs = match mode {
        KeyMode::Client => {
            let blob = encrypt::for_client(values, &client.secret).expect("encryption");
            read_client(&blob, &client.evaluation).expect("our own array").into_inputs(&client.evaluation, &seeds)
        }
        KeyMode::Network => {
            let blob = encrypt::for_network(values, &network.public, &origin).expect("encryption");
            let list = read_network(&blob, &network.public, &origin).expect("our own list");
            list.into_inputs(&network.evaluation, &seeds)
        }
    };
    inputs.expect("our own inputs")
}

/// The case from the client's values to the JSON's numbers.
fn read_by_its_owner(program: Program, case: &Case, mode: KeyMode) -> Vec<(String, i128)> {
    let (evaluation, secret) = match mode {
        KeyMode::Client => (&testing::client().evaluation, &testing::client().secret),
        KeyMode::Network => (&testing::network().evaluation, &testing::network().secret),
    };
    let values: Result<Vec<_>, _> = case.values.iter().map(|value| ClearValue::new(case.kind, *value)).collect();
    let inputs = received(&values.expect("values of the type"), mode);
    let mut execution = Execution::new(evaluation, program, inputs).expect("sound");
    while !execution.is_complete() {
        execution.step().expect("sound");
    }
    let outcome = execution.finish().expect("complete");
    let number = |value| match value {
        ResultValue::Bool(value) => i128::from(value),
        ResultValue::Unsigned(value) => i128::from(value),
        ResultValue::Signed(value) => i128::from(value),
    };
    let clear = decrypt(&outcome.result, secret).expect("our own result");
    clear.0.into_iter().map(|(name, value)| (name, number(value))).collect()
}

fn shuffle(cases: &mut [Case]) {
    let mut random = Drawn;
    for last in (1..cases.len()).rev() {
        cases.swap(last, (random.next_u64() % (last as u64 + 1)) as usize);
    }
}
