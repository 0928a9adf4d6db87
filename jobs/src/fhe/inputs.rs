//! Complaints about the inputs themselves: how many there are and of which types.

use super::program::ValueType;
use crate::field_error::FieldError;

/// Where complaints about inputs stand, seen from the payload.
const POINTER: &str = "/encrypted_data_url";

/// What the inputs of a built-in algorithm must be.
pub(super) struct Inputs;

impl Inputs {
    pub(super) fn refused(reason: impl Into<String>) -> Vec<FieldError> {
        vec![FieldError::new(POINTER, reason)]
    }

    /// The one type of all inputs, which must be among `allowed`.
    pub(super) fn of_one_type(inputs: &[ValueType], allowed: &[ValueType]) -> Result<ValueType, Vec<FieldError>> {
        let first = *inputs.first().ok_or_else(|| Self::refused("must hold a value"))?;
        if let Some(other) = inputs.iter().find(|kind| **kind != first) {
            return Err(Self::refused(format!("must hold values of one type; it holds {first} and {other}")));
        }
        if !allowed.contains(&first) {
            let names: Vec<_> = allowed.iter().map(|kind| kind.as_str()).collect();
            return Err(Self::refused(format!("must hold values of {}; it holds {first}", names.join(", "))));
        }
        Ok(first)
    }

    pub(super) fn at_most(count: usize, limit: usize, kind: ValueType) -> Result<(), Vec<FieldError>> {
        match count <= limit {
            true => Ok(()),
            false => Err(Self::refused(format!("must hold at most {limit} values of {kind}; it holds {count}"))),
        }
    }

    pub(super) fn exactly(count: usize, expected: usize) -> Result<(), Vec<FieldError>> {
        match count == expected {
            true => Ok(()),
            false => Err(Self::refused(format!("must hold {expected} values; it holds {count}"))),
        }
    }
}
