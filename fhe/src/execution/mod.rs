//! The interpreter of programs: one operation a step, so that a worker can report, checkpoint and stop between any two.

mod checkpoint;
mod operate;
mod outcome;

#[cfg(test)]
mod tests;

use jobs::fhe::lifetimes::Lifetimes;
use jobs::fhe::program::{Operand, Operation, Program, ValueId, ValueType};
use sha2::{Digest, Sha256};
use tfhe::{ServerKey, with_server_key_as_context};

use self::operate::Right;
pub use self::outcome::Outcome;
use crate::bytes::contained;
use crate::inputs::Inputs;
use crate::keys::EvaluationKey;
use crate::value::EncryptedValue;

/// Why an operation cannot be done on its operands.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Unsuitable {
    #[error("the operands have types that the operation does not take")]
    Types,
    #[error("a clear number is too large for the type")]
    ClearTooLarge,
    #[error("the divisor is zero")]
    DivisionByZero,
    #[error("a shift by an encrypted number is not offered")]
    EncryptedShift,
    #[error("the operation is not offered on encrypted values of this width")]
    TooWide,
}

/// Why a program was not executed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ExecutionError {
    #[error("the program reads a value before it exists")]
    Malformed,
    #[error("the program takes {expected:?} and was given {given:?}")]
    Inputs { expected: Vec<ValueType>, given: Vec<ValueType> },
    #[error("step {step}: {reason}")]
    Step { step: usize, reason: Unsuitable },
    #[error("step {step} panicked")]
    Panicked { step: usize },
    #[error("the checkpoint belongs to another job or program, or is damaged")]
    Checkpoint,
    #[error("the program has steps left")]
    Unfinished,
}

/// A program on its way.
pub struct Execution {
    key: ServerKey,
    program: Program,
    lifetimes: Lifetimes,
    values: Vec<Option<EncryptedValue>>,
    step: usize,
    program_hash: [u8; 32],
    inputs_hash: [u8; 32],
}

impl Execution {
    /// Starts the program on its inputs.
    ///
    /// # Errors
    /// Inputs of other types, or a program that reads what does not exist.
    pub fn new(key: &EvaluationKey, program: Program, inputs: Inputs) -> Result<Self, ExecutionError> {
        Self::begin(key.server_key().clone(), program, inputs)
    }

    pub(crate) fn with_key(
        key: ServerKey,
        program: Program,
        inputs: Vec<EncryptedValue>,
        inputs_hash: [u8; 32],
    ) -> Result<Self, ExecutionError> {
        let types = inputs.iter().map(EncryptedValue::value_type).collect();
        Self::begin(key, program, Inputs { types, values: inputs.into_iter().map(Some).collect(), hash: inputs_hash })
    }

    fn begin(key: ServerKey, program: Program, inputs: Inputs) -> Result<Self, ExecutionError> {
        let Inputs { types: given, mut values, hash: inputs_hash } = inputs;
        if given != program.inputs {
            return Err(ExecutionError::Inputs { expected: program.inputs, given });
        }
        let lifetimes = Lifetimes::of(&program).ok_or(ExecutionError::Malformed)?;
        values.resize_with(program.inputs.len() + program.steps.len(), || None);
        let program_hash = program_hash(&program);
        let mut execution = Self { key, program, lifetimes, values, step: 0, program_hash, inputs_hash };
        execution.forget();
        Ok(execution)
    }

    /// Steps that are done.
    #[must_use]
    pub fn position(&self) -> usize {
        self.step
    }

    /// Whether no step is left.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.step == self.program.steps.len()
    }

    /// Executes one operation; does nothing when none is left.
    ///
    /// # Errors
    /// An operation that its operands do not suit: a program that the type checker would refuse.
    pub fn step(&mut self) -> Result<(), ExecutionError> {
        let step = self.step;
        let Some(operation) = self.program.steps.get(step) else { return Ok(()) };
        let result = contained(|| with_server_key_as_context(self.key.clone(), || self.evaluate(operation)))
            .ok_or(ExecutionError::Panicked { step })?
            .map_err(|reason| ExecutionError::Step { step, reason })?;
        self.values[self.program.inputs.len() + step] = Some(result);
        self.step += 1;
        self.forget();
        Ok(())
    }

    fn evaluate(&self, operation: &Operation) -> Result<EncryptedValue, Unsuitable> {
        match operation {
            Operation::Binary { operation, left, right } => {
                operate::binary(*operation, self.value(*left)?, self.operand(right)?)
            }
            Operation::Not { value } => Ok(operate::not(self.value(*value)?)),
            Operation::Select { condition, then, otherwise, result } => {
                operate::select(self.value(*condition)?, self.operand(then)?, self.operand(otherwise)?, *result)
            }
            Operation::Cast { value, to } => operate::cast(self.value(*value)?, *to),
            Operation::Sum { values } => {
                let values: Result<Vec<_>, _> = values.iter().map(|id| self.value(*id)).collect();
                operate::sum(&values?)
            }
        }
    }

    fn operand<'a>(&'a self, operand: &Operand) -> Result<Right<'a>, Unsuitable> {
        match operand {
            Operand::Value(id) => self.value(*id).map(Right::Encrypted),
            Operand::Clear(value) => Ok(Right::Clear(*value)),
        }
    }

    fn value(&self, ValueId(id): ValueId) -> Result<&EncryptedValue, Unsuitable> {
        self.values.get(id as usize).and_then(Option::as_ref).ok_or(Unsuitable::Types)
    }

    /// Drops what nobody reads any more: a u64 takes half a megabyte.
    fn forget(&mut self) {
        let (lifetimes, step) = (&self.lifetimes, self.step);
        for (id, value) in self.values.iter_mut().enumerate() {
            if value.is_some() && !lifetimes.needed_from(id, step) {
                *value = None;
            }
        }
    }
}

/// SHA-256 of the program's RFC 8785 form, in which each integer beyond 2^53 - 1 is its decimal string: that form
/// alone would round two programs to one.
#[must_use]
pub fn program_hash(program: &Program) -> [u8; 32] {
    let mut value = serde_json::to_value(program).expect("a program is plain data");
    keep_exact(&mut value);
    let text = serde_json_canonicalizer::to_string(&value).expect("a JSON value has a canonical form");
    Sha256::digest(text).into()
}

fn keep_exact(value: &mut serde_json::Value) {
    use serde_json::Value;
    match value {
        Value::Number(number) if number.as_u64().is_some_and(|n| n > jobs::json::MAX_SAFE_INTEGER.unsigned_abs()) => {
            *value = Value::String(number.to_string());
        }
        Value::Array(items) => items.iter_mut().for_each(keep_exact),
        Value::Object(members) => members.values_mut().for_each(keep_exact),
        _ => {}
    }
}
