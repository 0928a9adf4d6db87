//! Keys come back from their bytes, and nothing else becomes one.

use rand::Rng;
use sha2::{Digest, Sha256};

use super::*;
use crate::testing;

#[test]
fn each_key_comes_back_and_has_the_id_of_its_bytes() {
    let client = testing::client();
    assert_eq!(client.evaluation.client_id(), client.bytes.id());
    let network = testing::network();
    assert_ne!(network.bytes.id(), client.bytes.id());
    assert!(network.evaluation.tag() == network.public.tag());
    assert!(network.secret.tag() == network.public.tag());
    assert!(client.secret.tag() != network.secret.tag());
}

#[test]
fn a_key_of_the_other_mode_has_other_parameters() {
    let refused = |bytes: &[u8], mode| EvaluationKey::from_bytes(bytes, mode).err();
    let expected = Some(KeyError::Read(ReadError::Parameters { kind: "evaluation key" }));
    assert_eq!(refused(&testing::client().bytes.evaluation_key, KeyMode::Network), expected);
    assert_eq!(refused(&testing::network().bytes.evaluation_key, KeyMode::Client), expected);
}

#[test]
fn garbage_becomes_no_key() {
    let network = testing::network();
    let good = &network.bytes.public_key;
    let mut random = vec![0; 100_000];
    rand::rng().fill_bytes(&mut random);
    let trailing = [good.as_slice(), &[0]].concat();
    let truncated = testing::client().bytes.evaluation_key[..1_000_000].to_vec();
    for bytes in [vec![], random, trailing, truncated, good[..good.len() - 1].to_vec()] {
        assert!(EvaluationKey::from_bytes(&bytes, KeyMode::Client).is_err());
        assert!(SecretKey::from_bytes(&bytes).is_err());
        assert!(NetworkPublicKey::from_bytes(&bytes, &network.bytes.crs).is_err());
        assert!(NetworkPublicKey::from_bytes(good, &bytes).is_err());
    }
    assert!(EvaluationKey::from_bytes(good, KeyMode::Client).is_err(), "a key of another kind");
    assert!(SecretKey::from_bytes(&testing::client().bytes.evaluation_key).is_err(), "a key of another kind");
}

#[test]
fn checked_parts_are_those_that_their_id_binds() {
    let keys = &testing::network().bytes;
    let digest = Sha256::digest(&keys.evaluation_key).into();
    let bound = |id, public_key, crs| BoundParts::new(id, digest, public_key, crs);
    let parts = bound(keys.id(), &keys.public_key, &keys.crs).expect("the key's own parts");
    let key = NetworkPublicKey::from_checked(parts).expect("our own key");
    assert!(key.tag() == testing::network().public.tag());

    let mut flipped = keys.crs.clone();
    *flipped.last_mut().expect("a string") ^= 1;
    assert_eq!(bound(keys.id(), &keys.public_key, &flipped).err(), Some(KeyError::OtherId));
    assert_eq!(bound(keys.id(), &keys.crs, &keys.public_key).err(), Some(KeyError::OtherId));
    assert_eq!(bound(testing::client().bytes.id(), &keys.public_key, &keys.crs).err(), Some(KeyError::OtherId));
}

/// What the quick door leaves out: the points of the reference string are checked where its id is first met.
#[test]
fn a_reference_string_with_a_wrong_point_is_refused_where_it_is_first_met() {
    let keys = &testing::network().bytes;
    let mut flipped = keys.crs.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    assert!(NetworkPublicKey::from_bytes(&keys.public_key, &flipped).is_err());
}

/// A minute of one's own: the times that the documentation states.
#[test]
#[ignore = "measures: make bench-fhe-keys"]
fn how_long_keys_take() {
    let start = std::time::Instant::now();
    let keys = NetworkKeys::generate(|stage| eprintln!("{:>6.2} s {}", start.elapsed().as_secs_f64(), stage.label()))
        .expect("our parameters");
    eprintln!("{:>6.2} s done", start.elapsed().as_secs_f64());
    for (name, bytes) in [
        ("secret key", &*keys.secret_key),
        ("public key", &keys.public_key),
        ("evaluation key", &keys.evaluation_key),
        ("common reference string", &keys.crs),
    ] {
        eprintln!("{name}: {} bytes", bytes.len());
    }
    let start = std::time::Instant::now();
    NetworkPublicKey::from_bytes(&keys.public_key, &keys.crs).expect("ours");
    eprintln!("public parts read and checked in {:.2} s", start.elapsed().as_secs_f64());
    let start = std::time::Instant::now();
    let digest = Sha256::digest(&keys.evaluation_key).into();
    let parts = BoundParts::new(keys.id(), digest, &keys.public_key, &keys.crs).expect("ours");
    NetworkPublicKey::from_checked(parts).expect("ours");
    eprintln!("public parts hashed and read in {:.2} s", start.elapsed().as_secs_f64());
    let start = std::time::Instant::now();
    EvaluationKey::from_bytes(&keys.evaluation_key, KeyMode::Network).expect("ours");
    eprintln!("evaluation key read in {:.2} s", start.elapsed().as_secs_f64());
    let start = std::time::Instant::now();
    let client = ClientKeys::generate();
    eprintln!("client keys made in {:.2} s, {} bytes", start.elapsed().as_secs_f64(), client.evaluation_key.len());
}
