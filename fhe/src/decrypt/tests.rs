//! What is decrypted, and what is not.

use jobs::fhe::program::ValueType;

use super::*;
use crate::testing;
use crate::value::EncryptedValue;

fn result(members: &[(&str, ciborium::Value)]) -> Vec<u8> {
    let members = members.iter().map(|(name, value)| (ciborium::Value::from(*name), value.clone())).collect();
    let mut bytes = Vec::new();
    ciborium::into_writer(&ciborium::Value::Map(members), &mut bytes).expect("memory");
    bytes
}

fn encrypted(kind: ValueType, value: u64) -> EncryptedValue {
    EncryptedValue::encrypt(kind, value, &testing::client().secret.0)
}

#[test]
fn every_type_comes_back_at_its_edges() {
    let key = &testing::client().secret;
    for (kind, values) in [
        (ValueType::U8, vec![0, 127, 128, 255]),
        (ValueType::U16, vec![0, 32_767, 32_768, 65_535]),
        (ValueType::U32, vec![0, i32::MAX as u64, 1 << 31, u32::MAX.into()]),
        (ValueType::U64, vec![0, i64::MAX as u64, 1 << 63, u64::MAX]),
    ] {
        for value in values {
            let ciphertext = encrypted(kind, value);
            let unsigned = ciborium::Value::Bytes(ciphertext.to_bytes());
            let server = testing::client().evaluation.server_key().clone();
            let signed = tfhe::with_server_key_as_context(server, || ciphertext.to_signed_bytes().expect("a number"));
            let signed = ciborium::Value::Bytes(signed);
            let clear = decrypt(&result(&[("u", unsigned), ("s", signed)]), key).expect("our own");
            let expected = match kind {
                ValueType::U8 => i64::from(value as u8 as i8),
                ValueType::U16 => i64::from(value as u16 as i16),
                ValueType::U32 => i64::from(value as u32 as i32),
                _ => value as i64,
            };
            assert_eq!(clear.0[0].1, ResultValue::Unsigned(value), "{kind:?}");
            assert_eq!(clear.0[1].1, ResultValue::Signed(expected), "{kind:?}");
        }
    }
    for value in [0, 1] {
        let bytes = ciborium::Value::Bytes(encrypted(ValueType::Bool, value).to_bytes());
        assert_eq!(decrypt(&result(&[("b", bytes)]), key).expect("ours").0[0].1, ResultValue::Bool(value == 1));
    }
}

#[test]
fn numbers_that_json_rounds_are_strings() {
    let clear = ClearResult(vec![
        ("z".to_owned(), ResultValue::Unsigned((1 << 53) - 1)),
        ("a".to_owned(), ResultValue::Unsigned(1 << 53)),
        ("\"m\"".to_owned(), ResultValue::Signed(-(1 << 53))),
        ("n".to_owned(), ResultValue::Signed(-1)),
        ("b".to_owned(), ResultValue::Bool(false)),
    ]);
    let expected = r#"{"z":9007199254740991,"a":"9007199254740992","\"m\"":"-9007199254740992","n":-1,"b":false}"#;
    assert_eq!(clear.to_json(), expected);
}

#[test]
fn another_keys_result_and_garbage_are_refused() {
    let key = &testing::client().secret;
    let foreign = EncryptedValue::encrypt(ValueType::U8, 1, &testing::network().secret.0).to_bytes();
    let refused = |bytes: Vec<u8>| decrypt(&result(&[("x", ciborium::Value::Bytes(bytes))]), key).expect_err("refused");
    assert_eq!(refused(foreign), DecryptError::OtherKey { name: "x".to_owned() });
    let good = encrypted(ValueType::U8, 1).to_bytes();
    let trailing = [good.as_slice(), &[0]].concat();
    let wide = {
        let value = <tfhe::FheUint2 as tfhe::prelude::FheEncrypt<u8, _>>::encrypt(1u8, &key.0);
        bytes::write(&value)
    };
    let evaluation = testing::client().bytes.secret_key.to_vec();
    for bad in [vec![], trailing, wide, evaluation, good[..good.len() - 1].to_vec()] {
        assert!(matches!(refused(bad), DecryptError::Value { .. }));
    }
    assert_eq!(decrypt(&[], key), Err(DecryptError::Malformed));
    assert_eq!(decrypt(&vec![0; MAX_RESULT + 1], key), Err(DecryptError::TooLarge { size: MAX_RESULT + 1 }));
}
