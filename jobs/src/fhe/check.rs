//! The type checker of programs: what it accepts, the interpreter executes and the price table knows.

use super::lifetimes::{Lifetimes, MAX_LIVE_BYTES};
use super::program::{Binary, Operand, Operation, OutputValue, Program, ValueId, ValueType};
use crate::field_error::{FieldError, FieldErrors};

/// Most inputs of a program.
pub const MAX_INPUTS: usize = 512;
/// Most steps of a client's own program.
pub const MAX_STEPS: usize = 1_000;
/// Most steps of any program: a clear set of 512 takes two for each element, 256 weights of 32 bits about as many.
const MAX_COMPILED_STEPS: usize = 4_000;
/// Most outputs of a program.
pub const MAX_OUTPUTS: usize = 16;
/// Longest name, in characters.
pub const MAX_NAME: usize = 32;

/// The part of a step that is wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Part {
    Operation,
    /// Counted from 0: left and right; condition, then and otherwise; the values of a sum.
    Operand(usize),
    /// The type of a cast.
    Target,
}

/// Why a step is refused.
pub(super) type Fault = (Part, String);

impl Program {
    /// Checks everything that the interpreter relies on, and tells the type of each value.
    ///
    /// # Errors
    /// What is wrong, with pointers into the program: `/steps/4/args/1`.
    pub fn check(&self) -> Result<Vec<ValueType>, Vec<FieldError>> {
        let mut errors = FieldErrors::default();
        count(self.inputs.len(), MAX_INPUTS, "/inputs", &mut errors);
        count(self.outputs.len(), MAX_OUTPUTS, "/outputs", &mut errors);
        if self.steps.len() > MAX_COMPILED_STEPS {
            errors.add("/steps", format!("must have at most {MAX_COMPILED_STEPS} elements"));
        }
        let mut types = self.inputs.clone();
        for (index, step) in self.steps.iter().enumerate() {
            match result_type(step, &types) {
                Ok(kind) => types.push(kind),
                Err((part, reason)) => {
                    let at = match part {
                        Part::Operation => format!("/steps/{index}"),
                        Part::Operand(operand) => format!("/steps/{index}/args/{operand}"),
                        Part::Target => format!("/steps/{index}/to"),
                    };
                    errors.add(at, reason);
                    return errors.or(None);
                }
            }
        }
        for (index, output) in self.outputs.iter().enumerate() {
            if !is_name(&output.name) {
                errors.add(format!("/outputs/{index}/name"), NAME_RULE);
            }
            if self.outputs[..index].iter().any(|earlier| earlier.name == output.name) {
                errors.add(format!("/outputs/{index}/name"), "is given twice");
            }
            let kind = match output.value {
                OutputValue::Clear(_) => continue,
                OutputValue::Encrypted(value) | OutputValue::Signed(value) => types.get(value.index()),
            };
            match (kind, output.value) {
                (None, _) => errors.add(format!("/outputs/{index}"), "is not a value of the program"),
                (Some(ValueType::Bool), OutputValue::Signed(_)) => {
                    errors.add(format!("/outputs/{index}"), "must be a number to be signed");
                }
                _ => {}
            }
        }
        if errors.is_empty() {
            let kept = Lifetimes::of(self).map_or(0, |lifetimes| lifetimes.most_bytes(&types));
            if kept > MAX_LIVE_BYTES {
                let reason = format!("must keep at most {MAX_LIVE_BYTES} bytes of values at once; they keep {kept}");
                errors.add("/steps", reason);
            }
        }
        errors.or(Some(types))
    }
}

fn count(count: usize, max: usize, pointer: &str, errors: &mut FieldErrors) {
    if !(1..=max).contains(&count) {
        errors.add(pointer, format!("must have 1 to {max} elements; it has {count}"));
    }
}

/// What [`is_name`] asks for.
pub(super) const NAME_RULE: &str = "must be a name: 1 to 32 of a-z, 0-9 and _, beginning with a letter";

/// `[a-z][a-z0-9_]{0,31}`
pub(super) fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() <= MAX_NAME
        && bytes.first().is_some_and(u8::is_ascii_lowercase)
        && bytes.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
}

/// The type of what a step computes from values of `types`, or why it cannot.
pub(super) fn result_type(step: &Operation, types: &[ValueType]) -> Result<ValueType, Fault> {
    match step {
        Operation::Binary { operation, left, right } => binary(*operation, *left, *right, types),
        Operation::Not { value } => type_of(*value, 0, types),
        Operation::Select { condition, then, otherwise, result } => {
            if type_of(*condition, 0, types)? != ValueType::Bool {
                return Err((Part::Operand(0), "must be a bool".to_owned()));
            }
            if matches!((then, otherwise), (Operand::Clear(_), Operand::Clear(_))) {
                return Err((Part::Operand(1), "must be encrypted, or the other one must be".to_owned()));
            }
            same_type(*then, 1, *result, types)?;
            same_type(*otherwise, 2, *result, types)?;
            Ok(*result)
        }
        Operation::Cast { value, to } => {
            type_of(*value, 0, types)?;
            match to.is_number() {
                true => Ok(*to),
                false => Err((Part::Target, "must be a type of numbers; compare with 0 to get a bool".to_owned())),
            }
        }
        Operation::Sum { values } => {
            let first = values.first().ok_or((Part::Operation, "must have something to add".to_owned()))?;
            let kind = number(*first, 0, types)?;
            for (index, value) in values.iter().enumerate() {
                same_type(Operand::Value(*value), index, kind, types)?;
            }
            Ok(kind)
        }
    }
}

fn binary(operation: Binary, left: ValueId, right: Operand, types: &[ValueType]) -> Result<ValueType, Fault> {
    let bits_or_equality = matches!(operation, Binary::And | Binary::Or | Binary::Xor | Binary::Eq | Binary::Ne);
    let kind = if bits_or_equality { type_of(left, 0, types)? } else { number(left, 0, types)? };
    if matches!(operation, Binary::Shl | Binary::Shr) {
        return match right {
            Operand::Clear(bits) if bits < u64::from(kind.bits()) => Ok(kind),
            _ => Err((Part::Operand(1), format!("must be a clear number of bits, 0 to {}", kind.bits() - 1))),
        };
    }
    same_type(right, 1, kind, types)?;
    let encrypted = matches!(right, Operand::Value(_));
    match operation {
        Binary::Div | Binary::Rem if right == Operand::Clear(0) => Err((Part::Operand(1), "must not be 0".to_owned())),
        Binary::Div | Binary::Rem if encrypted && kind > ValueType::U16 => {
            Err((Part::Operand(1), format!("must be clear: division of {kind} by an encrypted number is too long")))
        }
        Binary::Mul if encrypted && kind == ValueType::U64 => {
            Err((Part::Operand(1), "must be clear: a product of two encrypted u64 is too long".to_owned()))
        }
        _ if operation.is_comparison() => Ok(ValueType::Bool),
        _ => Ok(kind),
    }
}

fn type_of(value: ValueId, operand: usize, types: &[ValueType]) -> Result<ValueType, Fault> {
    types.get(value.index()).copied().ok_or((Part::Operand(operand), "is not an earlier value".to_owned()))
}

fn number(value: ValueId, operand: usize, types: &[ValueType]) -> Result<ValueType, Fault> {
    match type_of(value, operand, types)? {
        ValueType::Bool => Err((Part::Operand(operand), "must be a number; it is a bool".to_owned())),
        kind => Ok(kind),
    }
}

/// A clear operand fits the type, an encrypted one has it.
fn same_type(value: Operand, operand: usize, kind: ValueType, types: &[ValueType]) -> Result<(), Fault> {
    match value {
        Operand::Clear(clear) if clear > kind.highest() => {
            Err((Part::Operand(operand), format!("must fit {kind}: 0 to {}", kind.highest())))
        }
        Operand::Clear(_) => Ok(()),
        Operand::Value(value) => match type_of(value, operand, types)? {
            found if found == kind => Ok(()),
            found => Err((Part::Operand(operand), format!("must be of type {kind}; it is {found}"))),
        },
    }
}
