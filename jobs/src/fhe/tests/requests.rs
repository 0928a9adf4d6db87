//! Payloads: what is accepted, and where complaints stand.

use proptest::prelude::*;
use serde_json::json;

use super::{URL, payload, pointers, refused, request};
use crate::fhe::program::ValueType;
use crate::fhe::{EncryptedDataUrl, EncryptedRequest, FheAlgorithm, KeyId, KeyMode};
use crate::garbage::json_value;

const PEM: &str = "-----BEGIN PUBLIC KEY-----\n@\n-----END PUBLIC KEY-----\n";

#[test]
fn a_full_payload_is_read() {
    let id = format!("0x{}", "cd".repeat(32));
    let mut payload = payload(
        "encrypted_statistical_analysis",
        json!({"fhe_scheme": "tfhe", "security_level": 128, "timeout": 60, "value_type": "u16", "count": 16}),
    );
    payload["key"] = json!({"mode": "client", "key_id": id});
    let read = EncryptedRequest::parse_payload(&payload).unwrap();
    assert_eq!(read.algorithm(), FheAlgorithm::EncryptedStatisticalAnalysis);
    assert_eq!((read.timeout_seconds, read.value_type, read.count), (60, Some(ValueType::U16), Some(16)));
    assert_eq!((read.key.mode, read.key.key_id), (KeyMode::Client, Some(KeyId([0xcd; 32]))));
    assert_eq!(read.data("https://api.example.com"), Ok(EncryptedDataUrl::Blob([0xab; 32])));
}

#[test]
fn what_is_not_said_has_its_default() {
    let read = EncryptedRequest::parse_payload(&json!({"algorithm": "encrypted_maximum", "encrypted_data_url": URL}));
    let read = read.unwrap();
    assert_eq!((read.timeout_seconds, read.key.mode, read.key.key_id), (900, KeyMode::Network, None));
    assert_eq!((read.client_public_key, read.value_type, read.count), (None, None, None));
}

#[test]
fn each_wrong_field_is_named() {
    for (field, value, at) in [
        ("algorithm", json!(null), "/algorithm"),
        ("algorithm", json!("encrypted_median"), "/algorithm"),
        ("algorithm", json!(1), "/algorithm"),
        ("encrypted_data_url", json!(null), "/encrypted_data_url"),
        ("encrypted_data_url", json!(7), "/encrypted_data_url"),
        ("encrypted_data_url", json!("ftp://x/"), "/encrypted_data_url"),
        ("client_public_key", json!("PEM"), "/client_public_key"),
        ("client_public_key", json!(PEM), "/client_public_key"),
        ("client_public_key", json!({}), "/client_public_key"),
        ("key", json!("network"), "/key"),
        ("key", json!({"mode": "server"}), "/key/mode"),
        ("key", json!({"mode": "client"}), "/key/key_id"),
        ("key", json!({"mode": "network", "key_id": "0x12"}), "/key/key_id"),
        ("key", json!({"mode": "network", "secret": 1}), "/key/secret"),
        ("input", json!({"values": [1]}), "/input"),
        ("parameters", json!([]), "/parameters"),
        ("parameters", json!({"timeout": 0}), "/parameters/timeout"),
        ("parameters", json!({"timeout": 3601}), "/parameters/timeout"),
        ("parameters", json!({"fhe_scheme": "ckks"}), "/parameters/fhe_scheme"),
        ("parameters", json!({"security_level": 256}), "/parameters/security_level"),
        ("parameters", json!({"security_level": "128"}), "/parameters/security_level"),
        ("parameters", json!({"value_type": "i8"}), "/parameters/value_type"),
        ("parameters", json!({"value_type": "u64"}), "/parameters/value_type"),
        ("parameters", json!({"count": 0}), "/parameters/count"),
        ("parameters", json!({"count": 257}), "/parameters/count"),
        ("parameters", json!({"count": 129, "value_type": "u32"}), "/parameters/count"),
        ("parameters", json!({"statistics": []}), "/parameters/statistics"),
        ("parameters", json!({"statistics": ["sum", "sum"]}), "/parameters/statistics/1"),
        ("parameters", json!({"statistics": ["sum", "median"]}), "/parameters/statistics/1"),
        ("parameters", json!({"statistics": "sum"}), "/parameters/statistics"),
        (
            "parameters",
            json!({"statistics": ["sum", "variance"], "count": 65, "value_type": "u8"}),
            "/parameters/statistics/1",
        ),
        ("parameters", json!({"weights": [1]}), "/parameters/weights"),
    ] {
        let mut payload = payload("encrypted_statistical_analysis", json!({}));
        payload[field] = value;
        assert_eq!(pointers(refused(&payload)), [at], "{payload}");
    }
}

#[test]
fn an_algorithms_own_parameters_are_checked() {
    for (algorithm, parameters, at) in [
        ("encrypted_linear_score", json!({}), "/parameters/weights"),
        ("encrypted_linear_score", json!({"weights": []}), "/parameters/weights"),
        ("encrypted_linear_score", json!({"weights": [0, 0]}), "/parameters/weights"),
        ("encrypted_linear_score", json!({"weights": [1.5]}), "/parameters/weights/0"),
        ("encrypted_linear_score", json!({"weights": [1, 2_147_483_648_i64]}), "/parameters/weights/1"),
        ("encrypted_linear_score", json!({"weights": vec![1; 257]}), "/parameters/weights"),
        ("encrypted_linear_score", json!({"weights": [1], "bias": "1"}), "/parameters/bias"),
        ("encrypted_linear_score", json!({"weights": [1], "threshold": 1e10}), "/parameters/threshold"),
        ("encrypted_linear_score", json!({"weights": [1], "count": 2}), "/parameters/count"),
        ("encrypted_linear_score", json!({"weights": vec![1; 65], "value_type": "u8"}), "/parameters/weights"),
        ("encrypted_set_membership", json!({}), "/parameters"),
        ("encrypted_set_membership", json!({"set": [1], "encrypted_set": true}), "/parameters"),
        ("encrypted_set_membership", json!({"encrypted_set": false}), "/parameters/encrypted_set"),
        ("encrypted_set_membership", json!({"set": []}), "/parameters/set"),
        ("encrypted_set_membership", json!({"set": vec![1; 513]}), "/parameters/set"),
        ("encrypted_set_membership", json!({"set": [-1]}), "/parameters/set/0"),
        ("encrypted_set_membership", json!({"set": ["one"]}), "/parameters/set/0"),
        ("encrypted_set_membership", json!({"set": [1, 256], "value_type": "u8"}), "/parameters/set/1"),
        ("encrypted_set_membership", json!({"set": [1], "count": 2}), "/parameters/count"),
        ("encrypted_set_membership", json!({"encrypted_set": true, "count": 1}), "/parameters/count"),
        ("encrypted_maximum", json!({"value_type": "bool"}), "/parameters/value_type"),
        ("encrypted_maximum", json!({"value_type": "u16", "count": 65}), "/parameters/count"),
        (
            "program",
            json!({"program": {"inputs": [{"name": "a", "type": "u8"}], "outputs": ["a"]}, "count": 1}),
            "/parameters/count",
        ),
    ] {
        let payload = payload(algorithm, parameters);
        assert_eq!(pointers(refused(&payload)), [at], "{payload}");
    }
}

#[test]
fn declared_inputs_must_be_the_inputs() {
    let request = request("encrypted_maximum", json!({"value_type": "u8", "count": 2}));
    assert!(request.compile(&[ValueType::U8; 2]).is_ok());
    assert_eq!(pointers(request.compile(&[ValueType::U16; 2]).unwrap_err()), ["/parameters/value_type"]);
    assert_eq!(pointers(request.compile(&[ValueType::U8; 3]).unwrap_err()), ["/parameters/count"]);
}

const NAMES: &[&str] = &["algorithm", "parameters", "program", "inputs", "steps", "args", "name", "weights"];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn garbage_is_refused_and_never_panics(value in json_value(NAMES), field in prop::sample::select(vec![
        "algorithm", "encrypted_data_url", "client_public_key", "key", "parameters"
    ]), algorithm in prop::sample::select(FheAlgorithm::ALL.to_vec())) {
        let _ = EncryptedRequest::parse_payload(&value);
        let mut payload = payload(algorithm.as_str(), json!({}));
        payload[field] = value.clone();
        let _ = EncryptedRequest::parse_payload(&payload);
        for own in ["program", "weights", "set", "statistics", "threshold"] {
            let payload = super::payload(algorithm.as_str(), json!({own: value}));
            if let Err(errors) = EncryptedRequest::parse_payload(&payload) {
                prop_assert!(errors.len() <= 20);
                prop_assert!(errors.iter().all(|error| error.pointer.starts_with('/')));
            }
        }
    }
}
