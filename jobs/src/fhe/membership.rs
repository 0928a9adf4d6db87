//! `encrypted_set_membership`: whether an encrypted value is in a set, which is clear or encrypted too.

use super::builder::Builder;
use super::inputs::Inputs;
use super::program::{Binary, Operand, OutputValue, Program, ValueId, ValueType};
use crate::field_error::{FieldError, FieldErrors, element};
use crate::object::{Object, unsigned_integer};

/// Most elements of a clear set.
pub const MAX_CLEAR_SET: usize = 512;
/// Most elements of an encrypted set.
pub const MAX_ENCRYPTED_SET: usize = 128;

/// The set in which the first input is looked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum SetMembership {
    /// Numbers that everybody may read, in the client's order; the candidate is the only input.
    Clear(Vec<u64>),
    /// All inputs but the first.
    Encrypted,
}

impl SetMembership {
    pub(super) fn read(parameters: Option<&mut Object<'_>>, errors: &mut FieldErrors) -> Option<Self> {
        const POINTER: &str = "/parameters";
        const ONE: &str = "must have either set or encrypted_set";
        let Some(parameters) = parameters else {
            errors.add(POINTER, ONE);
            return None;
        };
        let set = parameters.optional("set");
        let encrypted = parameters.optional("encrypted_set");
        match (set, encrypted) {
            (Some(set), None) => {
                let numbers = set.all(MAX_CLEAR_SET, errors, |at, errors| {
                    let number = unsigned_integer(at.value);
                    if number.is_none() {
                        errors.add(&at.pointer, "must be an integer of 0 or more, or its decimal string");
                    }
                    number
                });
                numbers.map(Self::Clear)
            }
            (None, Some(flag)) => match flag.boolean(errors)? {
                true => Some(Self::Encrypted),
                false => {
                    errors.add(&flag.pointer, "must be true, or a set must be given instead");
                    None
                }
            },
            _ => {
                errors.add(POINTER, ONE);
                None
            }
        }
    }

    pub(super) fn compile(&self, inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
        let kind = Inputs::of_one_type(inputs, &ValueType::NUMBERS)?;
        let mut builder = Builder::new(inputs);
        let values = builder.inputs();
        let (candidate, others) = (values[0], &values[1..]);
        let set: Vec<Operand> = match self {
            Self::Clear(numbers) => {
                Inputs::exactly(inputs.len(), 1)?;
                distinct(numbers, kind)?.into_iter().map(Operand::Clear).collect()
            }
            Self::Encrypted => {
                if others.is_empty() {
                    return Err(Inputs::refused("must hold the candidate and then the set"));
                }
                Inputs::at_most(inputs.len(), MAX_ENCRYPTED_SET + 1, kind)?;
                others.iter().map(|value| Operand::Value(*value)).collect()
            }
        };
        let hits: Vec<_> = set.into_iter().map(|element| builder.binary(Binary::Eq, candidate, element)).collect();
        let member = any(&mut builder, &hits);
        builder.output("member", OutputValue::Encrypted(member));
        Ok(builder.finish())
    }
}

/// A sum of bools is far cheaper than a tree of ors. Of a clear set at most one element is hit, of an encrypted one
/// every element may be the same: 128 fit the type.
fn any(builder: &mut Builder, hits: &[ValueId]) -> ValueId {
    if hits.len() <= 2 {
        return builder.reduce(Binary::Or, hits);
    }
    let hits = builder.cast_all(hits, ValueType::U8);
    let hits = builder.sum(&hits);
    builder.binary(Binary::Ne, hits, 0)
}

fn distinct(numbers: &[u64], kind: ValueType) -> Result<Vec<u64>, Vec<FieldError>> {
    let mut errors = FieldErrors::default();
    for (index, number) in numbers.iter().enumerate().filter(|(_, number)| **number > kind.highest()) {
        errors.add(element("/parameters/set", index), format!("{number} does not fit {kind}: 0 to {}", kind.highest()));
    }
    let mut distinct = numbers.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    errors.or(Some(distinct))
}
