//! The door: what goes through, and everything that must not.

use ciborium::Value;
use jobs::fhe::program::ValueType;
use rand::Rng;

use super::*;
use crate::clear::ClearValue;
use crate::encrypt;
use crate::keys::{ClientKeys, KeyId, SecretKey};
use crate::testing;

fn values() -> Vec<ClearValue> {
    vec![
        ClearValue::U8(200),
        ClearValue::Bool(true),
        ClearValue::U16(40_000),
        ClearValue::U32(7),
        ClearValue::U64(u64::MAX),
    ]
}

/// Under the short reference string, as is everything here but the first test.
fn network_blob(values: &[ClearValue]) -> Vec<u8> {
    encrypt::for_network(values, testing::short_public(), &testing::origin()).expect("encryption")
}

fn client_blob(values: &[ClearValue]) -> Vec<u8> {
    encrypt::for_client(values, &testing::client().secret).expect("encryption")
}

fn read_ours(blob: &[u8]) -> Result<Received, InputError> {
    read_network(blob, testing::short_public(), &testing::origin())
}

fn seeds(job: u8) -> Seeds {
    Seeds { job_id: [job; 16], inputs_hash: [1; 32], program_hash: [2; 32], key_id: KeyId([3; 32]) }
}

fn refusal(result: Result<Received, InputError>) -> Refusal {
    match result {
        Err(error) => error.reason,
        Ok(_) => panic!("went through the door"),
    }
}

fn decrypted(inputs: &Inputs, key: &SecretKey) -> Vec<u64> {
    inputs.values.iter().flatten().map(|value| value.decrypt(&key.0)).collect()
}

#[test]
fn a_proven_list_goes_through_with_its_types_and_values() {
    let keys = testing::network();
    let blob = encrypt::for_network(&values(), &keys.public, &testing::origin()).expect("encryption");
    let received = read_network(&blob, &keys.public, &testing::origin()).expect("our own list");
    assert_eq!(received.types(), testing::types(&values()));
    let inputs = received.into_inputs(&keys.evaluation, &seeds(1)).expect("our own list");
    let expected: Vec<u64> = values().into_iter().map(testing::number).collect();
    assert_eq!(decrypted(&inputs, &keys.secret), expected);
}

/// One bool moves everything behind it across the borders of proofs. Each covers 32 blocks here, with a shorter reference
/// string, as it covers 1,024 with the network's.
#[test]
fn a_long_list_is_expanded_in_parts_and_only_where_it_is_wanted() {
    let keys = testing::network();
    let mut values = vec![ClearValue::Bool(true)];
    values.extend((0..4_u64).map(|index| ClearValue::U64((index + 1).wrapping_mul(0x0123_4567_89ab_cdef))));
    let blob = network_blob(&values);
    let mut told = Vec::new();
    let received = read_ours(&blob).expect("our own list");
    let wanted = |index| index == 0 || index == 1 || index == 4;
    let made = received.into_wanted(&keys.evaluation, &seeds(1), &wanted, &mut |pbs| {
        told.push(pbs);
        ControlFlow::Continue(())
    });
    let inputs = made.expect("our own list").expect("nobody stopped it");
    assert_eq!(told, [32, 64, 96, 128, 129]);
    let number = |index: usize| testing::number(values[index]);
    assert_eq!(decrypted(&inputs, &keys.secret), [0, 1, 4].map(number));
    assert_eq!(inputs.values.iter().filter(|value| value.is_some()).count(), 3);

    let received = read_ours(&blob).expect("our own list");
    let mut parts = 0;
    let stopped = received.into_wanted(&keys.evaluation, &seeds(1), &|index| index == 4, &mut |_| {
        parts += 1;
        ControlFlow::Break(())
    });
    assert!(matches!(stopped, Ok(None)));
    assert_eq!(parts, 1);
}

#[test]
fn a_clients_array_goes_through_with_its_types_and_values() {
    let keys = testing::client();
    let received = read_client(&client_blob(&values()), &keys.evaluation).expect("our own array");
    assert_eq!(received.types(), testing::types(&values()));
    let inputs = received.into_inputs(&keys.evaluation, &seeds(1)).expect("our own array");
    let expected: Vec<u64> = values().into_iter().map(testing::number).collect();
    assert_eq!(decrypted(&inputs, &keys.secret), expected);
}

#[test]
fn randomness_is_fresh_for_each_job_and_the_same_for_one() {
    let keys = testing::network();
    let blob = network_blob(&[ClearValue::U8(77)]);
    let bytes = |job| {
        let inputs = read_ours(&blob).expect("our own list").into_inputs(&keys.evaluation, &seeds(job)).expect("ours");
        assert_eq!(decrypted(&inputs, &keys.secret), [77]);
        inputs.values[0].as_ref().expect("all were wanted").to_bytes()
    };
    assert_eq!(bytes(1), bytes(1));
    assert_ne!(bytes(1), bytes(2));
}

#[test]
fn a_proof_holds_for_its_origin_alone() {
    let blob = network_blob(&[ClearValue::U8(1)]);
    let other_tenant = Origin { tenant: "acme2".to_owned(), ..testing::origin() };
    let other_submitter = Origin { submitter: [0x5b; 20], ..testing::origin() };
    for origin in [other_tenant, other_submitter] {
        assert_eq!(refusal(read_network(&blob, testing::short_public(), &origin)), Refusal::CiphertextInvalid);
    }
    assert!(read_ours(&blob).is_ok());
}

#[test]
fn a_list_for_another_network_key_is_a_key_mismatch() {
    let mut secret = tfhe::ClientKey::generate(crate::parameters::network_config());
    tfhe::prelude::Tagged::tag_mut(&mut secret).set_data(b"another key");
    let crs = testing::short_public().crs.clone();
    let other = crate::keys::NetworkPublicKey { key: tfhe::CompactPublicKey::new(&secret), crs };
    let blob = encrypt::for_network(&[ClearValue::U8(1)], &other, &testing::origin()).expect("encryption");
    assert_eq!(refusal(read_ours(&blob)), Refusal::KeyMismatch);
}

/// They have no check of their parameters, and a few flipped bits of one abort the process that opens it.
#[test]
fn a_compressed_list_is_refused_at_both_doors() {
    let keys = testing::network();
    let list = tfhe::with_server_key_as_context(keys.evaluation.server_key().clone(), || {
        let value = <tfhe::FheUint8 as tfhe::prelude::FheEncrypt<u8, _>>::encrypt(7u8, &keys.secret.0);
        tfhe::CompressedCiphertextListBuilder::new().push(value).build().expect("our parameters")
    });
    let list = crate::bytes::write(&list);
    assert_eq!(refusal(read_ours(&list)), Refusal::CiphertextInvalid);
    let mut array = Vec::new();
    ciborium::into_writer(&Value::Array(vec![Value::Bytes(list.clone())]), &mut array).expect("memory");
    for blob in [list, array] {
        let error = read_client(&blob, &testing::client().evaluation).err().expect("refused");
        assert_eq!(error.reason, Refusal::CiphertextInvalid, "{error}");
    }
}

#[test]
fn a_proof_that_is_cheap_for_its_sender_is_refused() {
    let public = testing::short_public();
    let mut builder = tfhe::ProvenCompactCiphertextList::builder(&public.key);
    let list = builder
        .push(7u8)
        .build_with_proof_packed(&public.crs, &testing::origin().metadata(), tfhe::zk::ZkComputeLoad::Verify)
        .expect("encryption");
    let blob = crate::bytes::write(&list);
    let error = read_ours(&blob).err().expect("refused");
    assert_eq!(error.reason, Refusal::CiphertextInvalid);
    assert!(error.detail.contains("proof of another kind"), "{error}");
}

/// A proven list of values that our own encryption would not take.
fn foreign(push: &dyn Fn(&mut tfhe::CompactCiphertextListBuilder)) -> Vec<u8> {
    let public = testing::short_public();
    let mut builder = tfhe::ProvenCompactCiphertextList::builder(&public.key);
    push(&mut builder);
    let metadata = testing::origin().metadata();
    let load = tfhe::zk::ZkComputeLoad::Proof;
    crate::bytes::write(&builder.build_with_proof_packed(&public.crs, &metadata, load).expect("encryption"))
}

#[test]
fn types_that_are_not_taken_and_empty_arrays_do_not_fit() {
    let signed = foreign(&|builder| {
        builder.push(-1i8);
    });
    let wide = foreign(&|builder| {
        builder.push(1u128);
    });
    for blob in [signed, wide] {
        assert_eq!(refusal(read_ours(&blob)), Refusal::InputsUnfit);
    }
    let client = &testing::client().evaluation;
    assert_eq!(refusal(read_client(&[0x80], client)), Refusal::InputsUnfit);
}

#[test]
fn a_job_takes_one_to_the_limit_of_values() {
    for count in [1, MAX_VALUES] {
        check_count(count).expect("a count within the limits");
    }
    for count in [0, MAX_VALUES + 1] {
        assert_eq!(check_count(count).expect_err("a count beyond the limits").reason, Refusal::InputsUnfit);
    }
}

/// Its many proofs cost their sender half a minute.
#[test]
#[ignore = "half a minute long: make flips"]
fn a_proven_list_of_too_many_values_does_not_fit() {
    let many = foreign(&|builder| {
        builder.extend((0..=MAX_VALUES).map(|_| true));
    });
    assert_eq!(refusal(read_ours(&many)), Refusal::InputsUnfit);
}

#[test]
fn garbage_for_the_network_is_refused() {
    let good = network_blob(&values());
    let mut random = vec![0; 20_000];
    rand::rng().fill_bytes(&mut random);
    let trailing = [good.as_slice(), &[0]].concat();
    let key = testing::network();
    let mut cases = vec![vec![], vec![0], random, trailing, client_blob(&values()), key.bytes.public_key.clone()];
    cases.push(vec![0; MAX_BLOB + 1]);
    cases.extend([1, 10, 100, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec()));
    for (index, case) in cases.iter().enumerate() {
        assert_eq!(refusal(read_ours(case)), Refusal::CiphertextInvalid, "case {index}");
    }
}

#[test]
fn garbage_for_a_client_key_is_refused() {
    let key = &testing::client().evaluation;
    let good = client_blob(&values());
    let mut random = vec![0; 20_000];
    rand::rng().fill_bytes(&mut random);
    let array = |items: Vec<Value>| {
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Array(items), &mut bytes).expect("memory");
        bytes
    };
    let trailing = [good.as_slice(), &[0]].concat();
    let mut cases = vec![vec![], vec![0], random.clone(), trailing, network_blob(&[ClearValue::U8(1)])];
    cases.push(array(vec![Value::Bytes(random)]));
    cases.push(array(vec![Value::Bytes(vec![])]));
    cases.push(array(vec![Value::Text("1".to_owned())]));
    cases.push(array(vec![Value::Bytes(vec![]); MAX_VALUES + 1]));
    // An array that promises 2^60 elements, a byte string that promises 2^60 bytes.
    cases.push(vec![0x9b, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    cases.push(vec![0x81, 0x5b, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    cases.push(vec![0; MAX_BLOB + 1]);
    cases.extend([1, 10, 100, good.len() / 2, good.len() - 1].map(|length| good[..length].to_vec()));
    for (index, case) in cases.iter().enumerate() {
        assert_eq!(refusal(read_client(case, key)), Refusal::CiphertextInvalid, "case {index}");
    }
}

#[test]
fn a_clients_array_for_another_key_is_a_key_mismatch() {
    let other = ClientKeys::generate();
    let secret = SecretKey::from_bytes(&other.secret_key).expect("a new key");
    let blob = encrypt::for_client(&[ClearValue::U8(1)], &secret).expect("encryption");
    assert_eq!(refusal(read_client(&blob, &testing::client().evaluation)), Refusal::KeyMismatch);
}

#[test]
fn a_form_that_costs_bootstrappings_to_expand_is_refused() {
    let keys = testing::client();
    let part = tfhe::with_server_key_as_context(keys.evaluation.server_key().clone(), || {
        let value = <tfhe::FheUint8 as tfhe::prelude::FheEncrypt<u8, _>>::encrypt(1u8, &keys.secret.0);
        crate::bytes::write(&value.compress())
    });
    let mut blob = Vec::new();
    ciborium::into_writer(&Value::Array(vec![Value::Bytes(part)]), &mut blob).expect("memory");
    assert_eq!(refusal(read_client(&blob, &keys.evaluation)), Refusal::CiphertextInvalid);
}

#[test]
fn equal_inputs_have_equal_hashes_and_others_not() {
    let key = &testing::client().evaluation;
    let (first, second) = (client_blob(&[ClearValue::U8(1)]), client_blob(&[ClearValue::U8(1)]));
    let hash = |blob: &[u8]| read_client(blob, key).expect("our own array").hash();
    assert_eq!(hash(&first), hash(&first));
    assert_ne!(hash(&first), hash(&second));
    assert_eq!(read_client(&first, key).expect("ours").types(), [ValueType::U8]);
}

#[test]
fn the_pages_show_what_is_said() {
    for (error, page) in [
        (InputError::other_key(), include_str!("../../../docs/errors/KEY_MISMATCH.md")),
        (InputError::no_proof(), include_str!("../../../docs/errors/CIPHERTEXT_INVALID.md")),
    ] {
        assert!(page.contains(&format!("\n    \"detail\": \"{error}\",\n")), "{error}");
    }
}
