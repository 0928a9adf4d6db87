//! The body of `fhe-result`, read strictly.

use alloy::primitives::B256;
use jobs::field_error::{FieldErrors, member};
use jobs::json::MAX_SAFE_INTEGER;
use jobs::{ErrorCode, FieldError};
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::policy::problem::Problem;

/// Who may read a result, signed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct RetrievalBody {
    /// 65 bytes (r, s, v), 0x-hex; `clientSignature` is another name of it.
    #[schema(pattern = "^0x[0-9a-fA-F]{130}$")]
    #[serde(alias = "clientSignature")]
    client_signature: String,
    /// 32 random bytes, 0x-hex; used once. `retrievalNonce` is another name of it.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    #[serde(alias = "retrievalNonce")]
    retrieval_nonce: String,
    /// PEM (SubjectPublicKeyInfo, P-256) to seal to; the job's when absent. A grantee must send one.
    client_public_key: Option<String>,
    /// Unix seconds until which the signature holds; signed as 0 when absent: no end.
    deadline: Option<u64>,
}

/// What the body says.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) signature: Vec<u8>,
    pub(super) nonce: B256,
    pub(super) client_public_key: Option<String>,
    pub(super) deadline: Option<u64>,
}

/// Reads the body.
///
/// # Errors
/// INVALID_REQUEST with every wrong field. A signature of another length is one: it is told apart from one that is wrong.
pub(super) fn read(body: &Value) -> Result<Wish, Problem> {
    let Value::Object(fields) = body else {
        return Err(refusal(vec![FieldError::new("", "must be an object")]));
    };
    let mut reader = Reader { fields, taken: Vec::new(), errors: FieldErrors::default() };
    let signature = reader.hex("client_signature", "clientSignature", 65);
    let nonce = reader.hex("retrieval_nonce", "retrievalNonce", 32);
    let client_public_key =
        reader.optional("client_public_key", "must be a string", |value| value.as_str().map(str::to_owned));
    let deadline = reader.optional("deadline", "must be Unix seconds", |value| {
        // What JSON carries exactly.
        value.as_u64().filter(|seconds| *seconds <= MAX_SAFE_INTEGER.unsigned_abs())
    });
    reader.refuse_unknown();
    let wish = signature.zip(nonce).map(|(signature, nonce)| Wish {
        signature,
        nonce: B256::from_slice(&nonce),
        client_public_key,
        deadline,
    });
    reader.errors.or(wish).map_err(refusal)
}

fn refusal(errors: Vec<FieldError>) -> Problem {
    Problem::new(ErrorCode::InvalidRequest, "The retrieval is not valid.").with_errors(errors)
}

struct Reader<'a> {
    fields: &'a Map<String, Value>,
    taken: Vec<&'static str>,
    errors: FieldErrors,
}

impl Reader<'_> {
    /// A required byte string of this length, under one of two names.
    fn hex(&mut self, name: &'static str, alias: &'static str, length: usize) -> Option<Vec<u8>> {
        self.taken.extend([name, alias]);
        let (given, other) = (self.fields.get(name), self.fields.get(alias));
        if given.is_some() && other.is_some() {
            self.errors.add(member("", alias), format!("is another name of {name}; give one"));
            return None;
        }
        let at = if other.is_some() { alias } else { name };
        let Some(value) = given.or(other).filter(|value| !value.is_null()) else {
            self.errors.add(member("", at), "is missing");
            return None;
        };
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
        let bytes = digits.and_then(|digits| hex::decode(digits).ok()).filter(|bytes| bytes.len() == length);
        if bytes.is_none() {
            self.errors.add(member("", at), format!("must be {length} bytes, 0x-hex"));
        }
        bytes
    }

    /// A null is the same as an absent field.
    fn optional<T>(&mut self, name: &'static str, reason: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        self.taken.push(name);
        let value = self.fields.get(name).filter(|value| !value.is_null())?;
        let read = read(value);
        if read.is_none() {
            self.errors.add(member("", name), reason);
        }
        read
    }

    fn refuse_unknown(&mut self) {
        for name in self.fields.keys().filter(|name| !self.taken.contains(&name.as_str())) {
            self.errors.add(member("", name), "is not a known field");
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn either_name_is_read_and_both_at_once_are_refused() {
        let (signature, nonce) = (format!("0x{}", "5e".repeat(65)), format!("0x{}", "9d".repeat(32)));
        let snake = json!({"client_signature": signature, "retrieval_nonce": nonce, "deadline": 7});
        let camel = json!({"clientSignature": signature, "retrievalNonce": nonce, "client_public_key": null});
        assert_eq!(read(&snake).unwrap().deadline, Some(7));
        assert_eq!(read(&camel).unwrap().nonce, B256::repeat_byte(0x9d));
        let both = json!({"clientSignature": signature, "client_signature": signature, "retrievalNonce": nonce});
        assert!(read(&both).is_err());
    }

    #[test]
    fn everything_else_is_refused() {
        let nonce = format!("0x{}", "9d".repeat(32));
        let signature = format!("0x{}", "5e".repeat(65));
        for wrong in [
            json!(null),
            json!([]),
            json!({}),
            json!({"clientSignature": signature}),
            json!({"clientSignature": "5e", "retrievalNonce": nonce}),
            json!({"clientSignature": &signature[2..], "retrievalNonce": nonce}),
            json!({"clientSignature": format!("{signature}00"), "retrievalNonce": nonce}),
            json!({"clientSignature": signature, "retrievalNonce": &nonce[..64]}),
            json!({"clientSignature": signature, "retrievalNonce": 7}),
            json!({"clientSignature": signature, "retrievalNonce": nonce, "deadline": "soon"}),
            json!({"clientSignature": signature, "retrievalNonce": nonce, "deadline": -1}),
            json!({"clientSignature": signature, "retrievalNonce": nonce, "deadline": 1.5}),
            json!({"clientSignature": signature, "retrievalNonce": nonce, "client_public_key": 1}),
            json!({"clientSignature": signature, "retrievalNonce": nonce, "tenant": "acme"}),
        ] {
            assert!(read(&wrong).is_err(), "{wrong}");
        }
    }
}
