//! Single bits flipped at random in every kind of bytes that comes from outside, three hundred of each kind, and in
//! results, which the key manager reads itself. Two kinds cost much: proofs under the network's own reference string, and
//! evaluation keys that are read to their end. CI flips proofs under a shorter string and a sample of such keys, `make
//! flips` three hundred of both. Which bits, the seed says ([`Chance`]).

use jobs::fhe::program::{OutputValue, ValueId};

use crate::clear::ClearValue;
use crate::decrypt::decrypt;
use crate::encrypt;
use crate::execution::Execution;
use crate::inputs::{Refusal, Seeds, read_client, read_network};
use crate::keys::{EvaluationKey, KeyId, KeyMode, NetworkPublicKey};
use crate::testing::{self, Chance};

const FLIPS: usize = 300;
/// Each costs the reading and expanding of 30 MB.
const KEYS_READ_TO_THEIR_END: usize = 15;
/// Where names, versions and lengths stand thickest: every other flip is in these first bytes.
const HEAD: usize = 1024;
/// Versions, the type's name and the shape of its first part; numbers follow.
const HEAD_OF_KEYS: usize = 100;

/// Bytes with one bit flipped, and which one it is.
struct Flipped {
    bytes: Vec<u8>,
    place: String,
}

impl Chance {
    fn flips_within(&mut self, bytes: &[u8], reach: usize) -> Flipped {
        let (index, bit) = (self.below(reach), self.below(8));
        let mut bytes = bytes.to_vec();
        bytes[index] ^= 1 << bit;
        Flipped { bytes, place: format!("bit {bit} of byte {index}") }
    }

    fn flips(&mut self, bytes: &[u8]) -> Flipped {
        let reach = if self.below(2) == 0 { HEAD.min(bytes.len()) } else { bytes.len() };
        self.flips_within(bytes, reach)
    }
}

/// Nothing that was changed keeps its proof: what passes is the same list, spelled otherwise.
fn proven_lists(key: &NetworkPublicKey) {
    let values = [ClearValue::U8(1), ClearValue::U8(2)];
    let good = encrypt::for_network(&values, key, &testing::origin()).expect("encryption");
    let hash = read_network(&good, key, &testing::origin()).expect("our own list").hash();
    let (mut chance, mut same) = (Chance::new(), 0);
    for _ in 0..FLIPS {
        let Flipped { bytes, place } = chance.flips(&good);
        match read_network(&bytes, key, &testing::origin()) {
            Err(refused) => assert_ne!(refused.reason, Refusal::InputsUnfit, "{place}"),
            Ok(received) => {
                assert_eq!(received.hash(), hash, "another list with a proof: {place}");
                same += 1;
            }
        }
    }
    assert!(same < FLIPS / 10, "hardly a bit means nothing");
    println!("{FLIPS} flipped proven lists: {} refused, {same} are the same", FLIPS - same);
}

#[test]
fn no_flipped_proven_list_is_another_that_passes() {
    proven_lists(testing::short_public());
}

#[test]
#[ignore = "a minute long: make flips"]
fn three_hundred_flipped_proven_lists() {
    proven_lists(&testing::network().public);
}

/// No proof protects a client from itself: what passes is another input, and says so by its hash, or the same one,
/// spelled otherwise.
#[test]
fn a_flipped_client_ciphertext_is_refused_or_is_an_input_of_its_own_hash() {
    let keys = testing::client();
    let values = [ClearValue::U8(1), ClearValue::U16(2), ClearValue::Bool(true)];
    let good = encrypt::for_client(&values, &keys.secret).expect("encryption");
    let hash = read_client(&good, &keys.evaluation).expect("our own array").hash();
    let seeds = Seeds { job_id: [1; 16], inputs_hash: [1; 32], program_hash: [2; 32], key_id: KeyId([3; 32]) };
    let (mut chance, mut passed) = (Chance::new(), 0);
    for _ in 0..FLIPS {
        let Flipped { bytes, place } = chance.flips(&good);
        if let Ok(received) = read_client(&bytes, &keys.evaluation) {
            let is_same = received.hash() == hash;
            let inputs = received.into_inputs(&keys.evaluation, &seeds).expect("values of our parameters");
            let read: Vec<u64> = inputs.values.iter().flatten().map(|value| value.decrypt(&keys.secret.0)).collect();
            assert_eq!(read.len(), values.len(), "{place}");
            assert!(!is_same || read == [1, 2, 1], "one hash for two inputs: {read:?}, {place}");
            passed += 1;
        }
    }
    assert!(passed < FLIPS, "the structure of an array is checked");
    println!("{FLIPS} flipped client ciphertexts: {} refused, {passed} are inputs", FLIPS - passed);
}

/// What says how to read a key is checked.
#[test]
fn an_evaluation_key_with_a_flipped_head_is_refused() {
    let good = &testing::client().bytes.evaluation_key;
    let mut chance = Chance::new();
    for _ in 0..FLIPS {
        let Flipped { bytes, place } = chance.flips_within(good, HEAD_OF_KEYS);
        assert!(EvaluationKey::from_bytes(&bytes, KeyMode::Client).is_err(), "{place}");
    }
    println!("{FLIPS} evaluation keys with a flipped head: all refused");
}

/// Most of a key are numbers, and a key with another number in it is another key, with another id; a bit that means
/// nothing leaves the same.
fn evaluation_keys(count: usize) {
    let good = &testing::client().bytes.evaluation_key;
    let id = KeyId::client(good);
    let (mut chance, mut passed, mut same) = (Chance::new(), 0, 0);
    for _ in 0..count {
        let Flipped { bytes, .. } = chance.flips_within(good, good.len());
        if let Ok(key) = EvaluationKey::from_bytes(&bytes, KeyMode::Client) {
            passed += 1;
            same += usize::from(key.client_id() == id);
        }
    }
    assert!(same <= count / 10, "hardly a bit means nothing");
    println!("{count} flipped evaluation keys: {} refused, {passed} are keys, {same} of them the same", count - passed);
}

#[test]
fn a_flipped_evaluation_key_is_refused_or_is_another_key() {
    evaluation_keys(KEYS_READ_TO_THEIR_END);
}

#[test]
#[ignore = "minutes long: make flips"]
fn three_hundred_flipped_evaluation_keys() {
    evaluation_keys(FLIPS);
}

/// The key manager's own process reads results, once it has seen their hash in an attestation and on chain; a client reads
/// those under its own key. Whatever the bytes are, reading them ends, with a refusal or with as many values.
#[test]
fn a_flipped_result_is_refused_or_has_as_many_values() {
    let keys = testing::client();
    let values = [ClearValue::U8(200), ClearValue::U32(70_000), ClearValue::Bool(true)];
    let outputs = [
        ("number", OutputValue::Encrypted(ValueId(0))),
        ("signed", OutputValue::Signed(ValueId(1))),
        ("flag", OutputValue::Encrypted(ValueId(2))),
        ("count", OutputValue::Clear(3)),
    ];
    let program = testing::program(testing::types(&values), Vec::new(), &outputs);
    let inputs = testing::inputs(&values, &keys.secret);
    let good = Execution::new(&keys.evaluation, program, inputs).expect("sound").finish().expect("complete").result;
    let clear = decrypt(&good, &keys.secret).expect("our own result");
    assert_eq!(clear.to_json(), r#"{"number":200,"signed":70000,"flag":true,"count":3}"#);
    let (mut chance, mut passed) = (Chance::new(), 0);
    for _ in 0..FLIPS {
        let Flipped { bytes, place } = chance.flips(&good);
        if let Ok(clear) = decrypt(&bytes, &keys.secret) {
            assert_eq!(clear.0.len(), outputs.len(), "{place}");
            passed += 1;
        }
    }
    assert!(passed < FLIPS, "the structure of a result is checked");
    println!("{FLIPS} flipped results: {} refused, {passed} have other values", FLIPS - passed);
}
