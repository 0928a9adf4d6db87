//! From a job's payload to the program that its inputs need.

use jobs::FieldError;
use jobs::fhe::EncryptedRequest;
use jobs::fhe::price::Price;
use jobs::fhe::program::{Program, ValueType};
use jobs::field_error::all_under;

/// A program and what it costs.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub program: Program,
    /// Bootstrappings of the inputs, by the price table.
    pub input_pbs: u64,
    /// Bootstrappings of each step, by the price table.
    pub step_pbs: Vec<u64>,
}

/// Why there is no program.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// The payload is not one that was admitted: our fault.
    #[error("payload: {0}")]
    Payload(String),
    /// The algorithm does not take such inputs.
    #[error("inputs: {0}")]
    Inputs(String),
}

/// A compiler of payloads: RFC 8785 JSON and the types of the inputs.
pub type Compile<'a> = dyn Fn(&str, &[ValueType]) -> Result<Compiled, CompileError> + 'a;

/// Compiles the algorithms of the catalogue.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(payload: &str, inputs: &[ValueType]) -> Result<Compiled, CompileError> {
    let payload = serde_json::from_str(payload).map_err(|error| CompileError::Payload(error.to_string()))?;
    let request = EncryptedRequest::parse_payload(&payload).map_err(|errors| CompileError::Payload(listed(errors)))?;
    let program = request.compile(inputs).map_err(|errors| CompileError::Inputs(listed(errors)))?;
    let Price { inputs: input_pbs, steps: step_pbs } = request.price(&program);
    Ok(Compiled { program, input_pbs, step_pbs })
}

/// With pointers into the job's document, as admission tells them.
fn listed(errors: Vec<FieldError>) -> String {
    all_under(errors, "/payload").iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place_in_the_job() {
        let url = format!("/v1/blobs/{}", "ab".repeat(32));
        let payload = format!(
            r#"{{"algorithm":"encrypted_maximum","encrypted_data_url":"{url}","parameters":{{"count":3,"value_type":"u8"}}}}"#
        );
        assert!(compile(&payload, &[ValueType::U8; 3]).is_ok());
        let told = compile(&payload, &[ValueType::U8; 2]).unwrap_err().to_string();
        assert!(told.starts_with("inputs: /payload/parameters/count: "), "{told}");
    }
}
