//! The meaning of programs, on clear numbers: what tests compare encrypted results with.

use super::program::{Binary, Operand, Operation, OutputValue, Program, ValueType};

/// Inputs that a program cannot be evaluated on.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ClearError {
    #[error("the program is not valid")]
    Program,
    #[error("the number of inputs is not the program's")]
    Count,
    #[error("input {0} is beyond its type")]
    Range(usize),
}

impl Program {
    /// The outputs for clear inputs (a bool is 0 or 1), in the program's order.
    ///
    /// # Errors
    /// A program that [`Program::check`] refuses; inputs that are not those of the program.
    pub fn evaluate_clear(&self, inputs: &[u64]) -> Result<Vec<(String, i128)>, ClearError> {
        let types = self.check().map_err(|_| ClearError::Program)?;
        if inputs.len() != self.inputs.len() {
            return Err(ClearError::Count);
        }
        if let Some(beyond) = inputs.iter().zip(&self.inputs).position(|(value, kind)| *value > kind.highest()) {
            return Err(ClearError::Range(beyond));
        }
        let mut values = inputs.to_vec();
        for step in &self.steps {
            let kind = types[values.len()];
            values.push(result(step, kind, &types, &values) & kind.highest());
        }
        let outputs = self.outputs.iter().map(|output| {
            let value = match output.value {
                OutputValue::Encrypted(id) => i128::from(values[id.index()]),
                OutputValue::Signed(id) => signed(values[id.index()], types[id.index()]),
                OutputValue::Clear(clear) => i128::from(clear),
            };
            (output.name.clone(), value)
        });
        Ok(outputs.collect())
    }
}

fn signed(value: u64, kind: ValueType) -> i128 {
    let value = i128::from(value);
    if value > i128::from(kind.highest() / 2) { value - (1 << kind.bits()) } else { value }
}

/// The result, of which the caller keeps the bits of `kind`.
fn result(step: &Operation, kind: ValueType, types: &[ValueType], values: &[u64]) -> u64 {
    let operand = |operand: Operand| match operand {
        Operand::Value(id) => values[id.index()],
        Operand::Clear(clear) => clear,
    };
    match step {
        Operation::Binary { operation, left, right } => {
            binary(*operation, values[left.index()], operand(*right), types[left.index()])
        }
        Operation::Not { value } => !values[value.index()],
        Operation::Select { condition, then, otherwise, .. } => {
            operand(if values[condition.index()] == 1 { *then } else { *otherwise })
        }
        Operation::Cast { value, .. } => values[value.index()] & kind.highest(),
        Operation::Sum { values: parts } => {
            parts.iter().fold(0_u64, |sum, part| sum.wrapping_add(values[part.index()]))
        }
    }
}

fn binary(operation: Binary, left: u64, right: u64, kind: ValueType) -> u64 {
    match operation {
        Binary::Add => left.wrapping_add(right),
        Binary::Sub => left.wrapping_sub(right),
        Binary::Mul => left.wrapping_mul(right),
        Binary::Div => left.checked_div(right).unwrap_or(kind.highest()),
        Binary::Rem => left.checked_rem(right).unwrap_or(left),
        Binary::Min => left.min(right),
        Binary::Max => left.max(right),
        Binary::And => left & right,
        Binary::Or => left | right,
        Binary::Xor => left ^ right,
        Binary::Shl => left << right,
        Binary::Shr => left >> right,
        Binary::Eq => u64::from(left == right),
        Binary::Ne => u64::from(left != right),
        Binary::Lt => u64::from(left < right),
        Binary::Le => u64::from(left <= right),
        Binary::Gt => u64::from(left > right),
        Binary::Ge => u64::from(left >= right),
    }
}
