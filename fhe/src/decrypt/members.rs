//! The bytes of a result, taken apart: a CBOR map in the one spelling that programs leave.

use std::collections::BTreeSet;
use std::fmt;

use ciborium::Value;
use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};

/// Most outputs of a program that are read.
const MAX_MEMBERS: usize = 1024;

/// What stands under a name.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Member {
    Ciphertext(Vec<u8>),
    Clear(u64),
}

/// `None` for anything else, another spelling of the same map included.
pub(super) fn members(result: &[u8]) -> Option<Vec<(String, Member)>> {
    let Members(members) = ciborium::from_reader(result).ok()?;
    let mut names = BTreeSet::new();
    (members.iter().all(|(name, _)| names.insert(name)) && written(&members) == result).then_some(members)
}

fn written(members: &[(String, Member)]) -> Vec<u8> {
    let member = |(name, member): &(String, Member)| {
        let value = match member {
            Member::Ciphertext(bytes) => Value::Bytes(bytes.clone()),
            Member::Clear(number) => Value::Integer((*number).into()),
        };
        (Value::Text(name.clone()), value)
    };
    let map = Value::Map(members.iter().map(member).collect());
    let mut bytes = Vec::new();
    ciborium::into_writer(&map, &mut bytes).expect("writing to memory does not fail");
    bytes
}

struct Members(Vec<(String, Member)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Limited;
        impl<'de> Visitor<'de> for Limited {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a map of at most {MAX_MEMBERS} outputs")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut read = Vec::new();
                while let Some(member) = map.next_entry()? {
                    if read.len() == MAX_MEMBERS {
                        return Err(A::Error::invalid_length(MAX_MEMBERS + 1, &self));
                    }
                    read.push(member);
                }
                Ok(Members(read))
            }
        }
        deserializer.deserialize_map(Limited)
    }
}

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a byte string or an unsigned number")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Member, E> {
                Ok(Member::Ciphertext(bytes.to_vec()))
            }

            fn visit_byte_buf<E: Error>(self, bytes: Vec<u8>) -> Result<Member, E> {
                Ok(Member::Ciphertext(bytes))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Member, E> {
                Ok(Member::Clear(number))
            }
        }
        deserializer.deserialize_any(Either)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cbor(value: &Value) -> Vec<u8> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).expect("memory");
        bytes
    }

    fn pair(name: &str, value: Value) -> (Value, Value) {
        (Value::Text(name.to_owned()), value)
    }

    #[test]
    fn members_keep_their_order() {
        let bytes = cbor(&Value::Map(vec![pair("sum", Value::Bytes(vec![1])), pair("count", Value::from(300u64))]));
        let expected = vec![("sum".to_owned(), Member::Ciphertext(vec![1])), ("count".to_owned(), Member::Clear(300))];
        assert_eq!(members(&bytes), Some(expected));
    }

    #[test]
    fn another_spelling_or_shape_is_refused() {
        let good = cbor(&Value::Map(vec![pair("a", Value::from(1u64))]));
        assert!(members(&good).is_some());
        let trailing = [good.as_slice(), &[0]].concat();
        let indefinite = [&[0xbf], &good[1..], &[0xff]].concat();
        let long_number = vec![0xa1, 0x61, b'a', 0x18, 0x01];
        let twice = cbor(&Value::Map(vec![pair("a", Value::from(1u64)), pair("a", Value::from(1u64))]));
        let negative = cbor(&Value::Map(vec![pair("a", Value::from(-1i64))]));
        let nested = cbor(&Value::Map(vec![pair("a", Value::Array(vec![]))]));
        let number_name = cbor(&Value::Map(vec![(Value::from(1u64), Value::from(1u64))]));
        for bad in
            [trailing, indefinite, long_number, twice, negative, nested, number_name, vec![], vec![0xa1], vec![0x80]]
        {
            assert_eq!(members(&bad), None, "{bad:02x?}");
        }
    }
}
