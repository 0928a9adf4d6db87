//! What the child tells, held against what the parent knows by itself: the program of the job's payload, its price, the
//! evaluation profile, and the form of the result. What the ciphertexts hold, the child alone knows.

use ciborium::Value;
use fhe::child::protocol::Prepared;
use fhe::execution::program_hash;
use fhe::profile;
use jobs::fhe::EncryptedRequest;
use jobs::fhe::program::{OutputValue, Program, ValueType};

/// A block of a ciphertext: 2,049 numbers of eight bytes. What stands around all of a value's blocks is less.
const BLOCK_BYTES: usize = 2_049 * 8;

/// What the child tells otherwise than it is.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Disagreement {
    #[error("the payload compiles to no program for the inputs that it names")]
    Inputs,
    #[error("it computed another program")]
    Program,
    #[error("it names another price")]
    Price,
    #[error("it evaluates otherwise than this build")]
    Profile,
    #[error("its result is not that of the program: {0}")]
    Result(&'static str),
}

/// Whether the child's word agrees with ours.
pub(super) fn check(request: &EncryptedRequest, prepared: &Prepared, result: &[u8]) -> Result<(), Disagreement> {
    let program = request.compile(&prepared.input_types).map_err(|_| Disagreement::Inputs)?;
    if program_hash(&program) != prepared.program_hash {
        return Err(Disagreement::Program);
    }
    if request.price(&program).total() != prepared.pbs || program.steps.len() as u64 != u64::from(prepared.steps) {
        return Err(Disagreement::Price);
    }
    if prepared.profile != *profile::pin() {
        return Err(Disagreement::Profile);
    }
    check_result(&program, result).map_err(Disagreement::Result)
}

fn check_result(program: &Program, result: &[u8]) -> Result<(), &'static str> {
    let types = program.check().map_err(|_| "the program is not sound")?;
    let mut rest = result;
    let Ok(Value::Map(members)) = ciborium::from_reader(&mut rest) else { return Err("it is not a map") };
    if !rest.is_empty() || members.len() != program.outputs.len() {
        return Err("it has another length");
    }
    for (output, (name, value)) in program.outputs.iter().zip(&members) {
        if name.as_text() != Some(output.name.as_str()) {
            return Err("an output has another name");
        }
        let fits = match output.value {
            OutputValue::Clear(number) => *value == Value::Integer(number.into()),
            OutputValue::Encrypted(id) | OutputValue::Signed(id) => {
                value.as_bytes().is_some_and(|bytes| has_size_of(types[id.index()], bytes.len()))
            }
        };
        if !fits {
            return Err("an output has another type");
        }
    }
    Ok(())
}

/// The bytes themselves are for the child alone; each type has its own number of blocks.
fn has_size_of(kind: ValueType, bytes: usize) -> bool {
    (bytes / BLOCK_BYTES) as u64 == kind.blocks()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> EncryptedRequest {
        let program = json!({
            "inputs": [{"name": "a", "type": "u8"}, {"name": "b", "type": "u16"}],
            "steps": [{"name": "large", "op": "gt", "args": ["a", 5]}],
            "outputs": ["b", "large"]
        });
        let url = format!("/v1/blobs/0x{}", "ab".repeat(32));
        let payload = json!({"algorithm": "program", "encrypted_data_url": url, "parameters": {"program": program}});
        EncryptedRequest::parse_payload(&payload).unwrap()
    }

    fn honest(request: &EncryptedRequest) -> Prepared {
        let input_types = vec![ValueType::U8, ValueType::U16];
        let program = request.compile(&input_types).unwrap();
        Prepared {
            inputs_hash: [1; 32],
            program_hash: program_hash(&program),
            profile: profile::pin().clone(),
            steps: 1,
            pbs: request.price(&program).total(),
            input_types,
        }
    }

    /// A map of these names and blocks, with what stands around a value.
    fn result(members: &[(&str, usize)]) -> Vec<u8> {
        let value = |blocks: usize| Value::Bytes(vec![0; blocks * BLOCK_BYTES + 300]);
        let members = members.iter().map(|(name, blocks)| (Value::Text((*name).to_owned()), value(*blocks)));
        let mut bytes = Vec::new();
        ciborium::into_writer(&Value::Map(members.collect()), &mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_honest_child_is_believed() {
        let request = request();
        assert_eq!(check(&request, &honest(&request), &result(&[("b", 8), ("large", 1)])), Ok(()));
    }

    #[test]
    fn another_program_price_or_profile_is_not_attested() {
        let request = request();
        let bytes = result(&[("b", 8), ("large", 1)]);
        let honest = honest(&request);
        let other = |types: &[ValueType]| Prepared { input_types: types.to_vec(), ..honest.clone() };
        let profile = profile::Profile { threads: 9, ..honest.profile.clone() };
        for (told, expected) in [
            (other(&[ValueType::U8]), Disagreement::Inputs),
            (Prepared { program_hash: [9; 32], ..honest.clone() }, Disagreement::Program),
            (Prepared { pbs: honest.pbs + 1, ..honest.clone() }, Disagreement::Price),
            (Prepared { steps: 2, ..honest.clone() }, Disagreement::Price),
            (Prepared { profile, ..honest.clone() }, Disagreement::Profile),
        ] {
            assert_eq!(check(&request, &told, &bytes), Err(expected));
        }
    }

    #[test]
    fn a_result_has_the_program_s_outputs_in_their_order_and_types() {
        let request = request();
        let prepared = honest(&request);
        let good = result(&[("b", 8), ("large", 1)]);
        for bytes in [
            result(&[("b", 8)]),
            result(&[("large", 1), ("b", 8)]),
            result(&[("b", 4), ("large", 1)]),
            result(&[("b", 8), ("large", 8)]),
            result(&[("b", 8), ("small", 1)]),
            [good.as_slice(), &[0]].concat(),
            good[..good.len() - 1].to_vec(),
            Vec::new(),
        ] {
            assert!(matches!(check(&request, &prepared, &bytes), Err(Disagreement::Result(_))));
        }
    }
}
