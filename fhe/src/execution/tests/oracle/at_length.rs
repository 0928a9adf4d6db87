//! The long run, on inputs from outside and results as their owner reads them.

use std::time::{Duration, Instant};

use jobs::fhe::price;
use jobs::fhe::program::Program;

use super::Case;
use super::cases::{all_maxima, all_memberships, all_scores, all_statistics};
use super::random_programs::{holds_in_the_clear, random_program};
use crate::clear::ClearValue;
use crate::decrypt::{ResultValue, decrypt};
use crate::encrypt;
use crate::execution::Execution;
use crate::execution::tests::{Key, real};
use crate::inputs::{Inputs, Seeds, read_client, read_network};
use crate::keys::{KeyId, KeyMode};
use crate::testing::{self, Drawn};

/// Real parameters, results as their owner reads them. Rounds of every algorithm and type, each in a
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
