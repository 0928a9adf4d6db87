//! Single bits flipped at random in every kind of bytes that comes from outside. CI takes a sample; `make flips` takes
//! three hundred of each kind.

use rand::RngExt;

use crate::clear::ClearValue;
use crate::encrypt;
use crate::inputs::{Refusal, Seeds, read_client, read_network};
use crate::keys::{EvaluationKey, KeyId, KeyMode};
use crate::testing;

const SAMPLE: usize = 100;
/// Each costs the reading of 30 MB.
const SAMPLE_OF_KEYS: usize = 15;
const ALL: usize = 300;
/// Where names, versions and lengths stand thickest: every other flip is in these first bytes.
const HEAD: usize = 1024;
/// Versions, the type's name and the shape of its first part; numbers follow.
const HEAD_OF_KEYS: usize = 100;

fn flipped_within(bytes: &[u8], reach: usize) -> Vec<u8> {
    let mut random = rand::rng();
    let mut bytes = bytes.to_vec();
    bytes[random.random_range(0..reach)] ^= 1 << random.random_range(0..8_u32);
    bytes
}

fn flipped(bytes: &[u8]) -> Vec<u8> {
    let reach = if rand::rng().random() { HEAD.min(bytes.len()) } else { bytes.len() };
    flipped_within(bytes, reach)
}

/// Nothing that was changed keeps its proof: what passes is the same list, spelled otherwise.
fn proven_lists(count: usize) {
    let keys = testing::network();
    let values = [ClearValue::U8(1), ClearValue::U8(2)];
    let good = encrypt::for_network(&values, &keys.public, &testing::origin()).expect("encryption");
    let hash = read_network(&good, &keys.public, &testing::origin()).expect("our own list").hash();
    let mut same = 0;
    for _ in 0..count {
        match read_network(&flipped(&good), &keys.public, &testing::origin()) {
            Err(refused) => assert_ne!(refused.reason, Refusal::InputsUnfit),
            Ok(received) => {
                assert_eq!(received.hash(), hash, "another list with a proof");
                same += 1;
            }
        }
    }
    assert!(same < count / 10, "hardly a bit means nothing");
    println!("{count} flipped proven lists: {} refused, {same} are the same", count - same);
}

/// No proof protects a client from itself: what passes is another input, and says so by its hash, or the same one,
/// spelled otherwise.
fn client_arrays(count: usize) {
    let keys = testing::client();
    let values = [ClearValue::U8(1), ClearValue::U16(2), ClearValue::Bool(true)];
    let good = encrypt::for_client(&values, &keys.secret).expect("encryption");
    let hash = read_client(&good, &keys.evaluation).expect("our own array").hash();
    let seeds = Seeds { job_id: [1; 16], inputs_hash: [1; 32], program_hash: [2; 32], key_id: KeyId([3; 32]) };
    let mut passed = 0;
    for _ in 0..count {
        if let Ok(received) = read_client(&flipped(&good), &keys.evaluation) {
            let is_same = received.hash() == hash;
            let inputs = received.into_inputs(&keys.evaluation, &seeds).expect("values of our parameters");
            let read: Vec<u64> = inputs.values.iter().flatten().map(|value| value.decrypt(&keys.secret.0)).collect();
            assert_eq!(read.len(), values.len());
            assert!(!is_same || read == [1, 2, 1], "one hash for two inputs: {read:?}");
            passed += 1;
        }
    }
    assert!(passed < count, "the structure of an array is checked");
    println!("{count} flipped client ciphertexts: {} refused, {passed} are inputs", count - passed);
}

/// Most of a key are numbers, and a key with another number in it is another key, with another id; a bit that means
/// nothing leaves the same. What says how to read them is checked.
fn evaluation_keys(count: usize) {
    let good = &testing::client().bytes.evaluation_key;
    let id = KeyId::client(good);
    for _ in 0..count {
        assert!(EvaluationKey::from_bytes(&flipped_within(good, HEAD_OF_KEYS), KeyMode::Client).is_err());
    }
    let (mut passed, mut same) = (0, 0);
    for _ in 0..count {
        if let Ok(key) = EvaluationKey::from_bytes(&flipped_within(good, good.len()), KeyMode::Client) {
            passed += 1;
            same += usize::from(key.client_id() == id);
        }
    }
    assert!(same <= count / 10, "hardly a bit means nothing");
    println!("{count} evaluation keys with a flipped head: all refused");
    println!("{count} flipped evaluation keys: {} refused, {passed} are keys, {same} of them the same", count - passed);
}

#[test]
fn no_flipped_proven_list_is_another_that_passes() {
    proven_lists(SAMPLE);
}

#[test]
fn a_flipped_client_ciphertext_is_refused_or_is_an_input_of_its_own_hash() {
    client_arrays(SAMPLE);
}

#[test]
fn a_flipped_evaluation_key_is_refused_or_is_another_key() {
    evaluation_keys(SAMPLE_OF_KEYS);
}

#[test]
#[ignore = "three hundred: make flips"]
fn three_hundred_flipped_proven_lists() {
    proven_lists(ALL);
}

#[test]
#[ignore = "three hundred: make flips"]
fn three_hundred_flipped_client_ciphertexts() {
    client_arrays(ALL);
}

#[test]
#[ignore = "three hundred: make flips"]
fn three_hundred_flipped_evaluation_keys() {
    evaluation_keys(ALL);
}
