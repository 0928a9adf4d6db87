//! Writing programs step by step, in the forms that cost least.

use std::collections::HashMap;

use super::check::result_type;
use super::program::{Binary, Operand, Operation, Output, OutputValue, Program, ValueId, ValueType};
use super::sum;

/// A program that grows.
pub(super) struct Builder {
    program: Program,
    types: Vec<ValueType>,
    /// Casts that were made: one is enough.
    casts: HashMap<(ValueId, ValueType), ValueId>,
}

impl Builder {
    pub(super) fn new(inputs: &[ValueType]) -> Self {
        let program = Program { inputs: inputs.to_vec(), ..Program::default() };
        Self { program, types: inputs.to_vec(), casts: HashMap::new() }
    }

    pub(super) fn inputs(&self) -> Vec<ValueId> {
        (0..).take(self.program.inputs.len()).map(ValueId).collect()
    }

    pub(super) fn type_of(&self, value: ValueId) -> ValueType {
        self.types[value.index()]
    }

    fn push(&mut self, step: Operation) -> ValueId {
        let kind = result_type(&step, &self.types);
        debug_assert!(kind.is_ok(), "{step:?}: {kind:?}");
        let id = ValueId(u32::try_from(self.types.len()).unwrap_or(u32::MAX));
        self.types.push(kind.unwrap_or(ValueType::Bool));
        self.program.steps.push(step);
        id
    }

    pub(super) fn binary(&mut self, operation: Binary, left: ValueId, right: impl Into<Operand>) -> ValueId {
        self.push(Operation::Binary { operation, left, right: right.into() })
    }

    pub(super) fn not(&mut self, value: ValueId) -> ValueId {
        self.push(Operation::Not { value })
    }

    pub(super) fn select(&mut self, condition: ValueId, then: ValueId, otherwise: ValueId) -> ValueId {
        let result = self.type_of(then);
        self.push(Operation::Select { condition, then: then.into(), otherwise: otherwise.into(), result })
    }

    pub(super) fn cast(&mut self, value: ValueId, to: ValueType) -> ValueId {
        if self.type_of(value) == to {
            return value;
        }
        if let Some(done) = self.casts.get(&(value, to)) {
            return *done;
        }
        let cast = self.push(Operation::Cast { value, to });
        self.casts.insert((value, to), cast);
        cast
    }

    pub(super) fn cast_all(&mut self, values: &[ValueId], to: ValueType) -> Vec<ValueId> {
        values.iter().map(|value| self.cast(*value, to)).collect()
    }

    /// The sum of one value or more.
    pub(super) fn sum(&mut self, values: &[ValueId]) -> ValueId {
        sum::in_parts(values, |part| self.push(part))
    }

    /// All of one value or more under an associative operation, as a balanced tree.
    pub(super) fn reduce(&mut self, operation: Binary, values: &[ValueId]) -> ValueId {
        let mut level = values.to_vec();
        while level.len() > 1 {
            level = level
                .chunks(2)
                .map(|pair| match pair {
                    [left, right] => self.binary(operation, *left, *right),
                    rest => rest[0],
                })
                .collect();
        }
        level[0]
    }

    /// Times a clear factor above 0.
    pub(super) fn times(&mut self, value: ValueId, factor: u64) -> ValueId {
        match factor {
            1 => value,
            power if power.is_power_of_two() => self.binary(Binary::Shl, value, u64::from(power.trailing_zeros())),
            _ => self.binary(Binary::Mul, value, factor),
        }
    }

    /// Divided by a clear number above 0, rounded down.
    pub(super) fn divided(&mut self, value: ValueId, divisor: u64) -> ValueId {
        match divisor {
            1 => value,
            power if power.is_power_of_two() => self.binary(Binary::Shr, value, u64::from(power.trailing_zeros())),
            _ => self.binary(Binary::Div, value, divisor),
        }
    }

    pub(super) fn output(&mut self, name: &str, value: OutputValue) {
        self.program.outputs.push(Output { name: name.to_owned(), value });
    }

    pub(super) fn finish(self) -> Program {
        self.program
    }
}
