//! What encrypted algorithms compute, checked on clear numbers against straightforward oracles; what they refuse; what
//! they cost.

mod algorithms;
mod cost;
mod documents;
mod programs;
mod requests;

use std::collections::HashMap;

use serde_json::{Value, json};

use super::EncryptedRequest;
use super::program::ValueType;
use crate::field_error::FieldError;

const URL: &str = "/v1/blobs/0xabababababababababababababababababababababababababababababababab";

fn payload(algorithm: &str, parameters: Value) -> Value {
    json!({"algorithm": algorithm, "encrypted_data_url": URL, "parameters": parameters})
}

fn request(algorithm: &str, parameters: Value) -> EncryptedRequest {
    let payload = payload(algorithm, parameters);
    EncryptedRequest::parse_payload(&payload).unwrap_or_else(|errors| panic!("{payload}: {errors:?}"))
}

fn refused(payload: &Value) -> Vec<FieldError> {
    EncryptedRequest::parse_payload(payload).expect_err("is refused")
}

fn pointers(errors: Vec<FieldError>) -> Vec<String> {
    errors.into_iter().map(|error| error.pointer).collect()
}

/// The outputs for inputs of one type, by name.
fn compute(request: &EncryptedRequest, kind: ValueType, inputs: &[u64]) -> HashMap<String, i128> {
    let program = request.compile(&vec![kind; inputs.len()]).unwrap();
    program.evaluate_clear(inputs).unwrap().into_iter().collect()
}
