//! The bodies about a submitter's address, read strictly.

use alloy::primitives::{Address, B256};
use jobs::ErrorCode;
use jobs::field_error::FieldErrors;
use jobs::object::{At, Object};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::policy::problem::Problem;

/// Which address is to be proved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct NewSubmitterChallenge {
    #[schema(example = "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", pattern = "^0x[0-9a-fA-F]{40}$")]
    submitter: String,
}

/// A proof that an address is the caller's.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[allow(dead_code)]
pub struct SubmitterProof {
    /// The challenge's.
    #[schema(pattern = "^0x[0-9a-fA-F]{64}$")]
    nonce: String,
    /// 65 bytes (r, s, v), 0x-hex: the address's own over the challenge's typed data.
    #[schema(pattern = "^0x[0-9a-fA-F]{130}$")]
    signature: String,
}

/// What the body of a proof says.
#[derive(Clone, Debug)]
pub(super) struct Proof {
    pub(super) nonce: B256,
    pub(super) signature: Vec<u8>,
}

/// # Errors
/// INVALID_REQUEST with every wrong field.
pub(super) fn read_address(body: &Value) -> Result<Address, Problem> {
    let mut errors = FieldErrors::default();
    let address = Object::open(&At::root(body), &mut errors).and_then(|mut object| {
        let address = object.required("submitter").and_then(|at| hex::<20>(&at, &mut errors)).map(Address::from);
        object.close(&mut errors);
        // What nobody holds the key of.
        address.filter(|address| !address.is_zero())
    });
    errors.or(address).map_err(|errors| {
        Problem::new(ErrorCode::InvalidRequest, "The submitter's address is not valid.").with_errors(errors)
    })
}

/// # Errors
/// INVALID_REQUEST with every wrong field. A signature of another length is one: it is told apart from one that is wrong.
pub(super) fn read_proof(body: &Value) -> Result<Proof, Problem> {
    let mut errors = FieldErrors::default();
    let proof = Object::open(&At::root(body), &mut errors).and_then(|mut object| {
        let nonce = object.required("nonce").and_then(|at| hex::<32>(&at, &mut errors)).map(B256::from);
        let signature = object.required("signature").and_then(|at| hex::<65>(&at, &mut errors));
        object.close(&mut errors);
        Some(Proof { nonce: nonce?, signature: signature?.to_vec() })
    });
    errors
        .or(proof)
        .map_err(|errors| Problem::new(ErrorCode::InvalidRequest, "The proof is not valid.").with_errors(errors))
}

/// A byte string of this length, 0x-hex.
fn hex<const N: usize>(at: &At<'_>, errors: &mut FieldErrors) -> Option<[u8; N]> {
    let digits = at.text(errors)?.strip_prefix("0x");
    let bytes = digits.and_then(|digits| ::hex::decode(digits).ok()).and_then(|bytes| bytes.try_into().ok());
    if bytes.is_none() {
        errors.add(&at.pointer, format!("must be {N} bytes, 0x-hex"));
    }
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn bytes_have_one_form() {
        let (address, nonce, signature) = ("7a".repeat(20), "9d".repeat(32), "5e".repeat(65));
        let sound = json!({"submitter": format!("0x{address}")});
        assert_eq!(read_address(&sound).unwrap(), Address::repeat_byte(0x7a));
        let sound = json!({"nonce": format!("0x{nonce}"), "signature": format!("0x{signature}")});
        assert_eq!(read_proof(&sound).unwrap().nonce, B256::repeat_byte(0x9d));
        for wrong in [
            json!({"submitter": address}),
            json!({"submitter": format!("0x{address}00")}),
            json!({"submitter": format!("0x{}", "00".repeat(20))}),
            json!({"submitter": "vitalik.eth"}),
            json!({"submitter": 7}),
            json!({}),
            json!({"submitter": format!("0x{address}"), "user": "ada"}),
        ] {
            assert!(read_address(&wrong).is_err(), "{wrong}");
        }
        for wrong in [
            json!({"nonce": format!("0x{nonce}")}),
            json!({"nonce": format!("0x{nonce}"), "signature": format!("0x{}", &signature[2..])}),
            json!({"nonce": "0x", "signature": format!("0x{signature}")}),
        ] {
            assert!(read_proof(&wrong).is_err(), "{wrong}");
        }
    }
}
