//! When each value of a program is needed for the last time.

use jobs::fhe::program::{Operand, Operation, OutputValue, Program, ValueId};

/// The steps that read a value for the last time.
pub(super) struct Lifetimes {
    last_use: Vec<LastUse>,
}

#[derive(Clone, Copy, PartialEq)]
enum LastUse {
    Never,
    Step(usize),
    Output,
}

impl Lifetimes {
    /// `None` if a step or an output reads a value that does not exist by then.
    pub(super) fn of(program: &Program) -> Option<Self> {
        let inputs = program.inputs.len();
        let mut last_use = vec![LastUse::Never; inputs + program.steps.len()];
        for (step, operation) in program.steps.iter().enumerate() {
            for ValueId(id) in operands(operation) {
                if id as usize >= inputs + step {
                    return None;
                }
                last_use[id as usize] = LastUse::Step(step);
            }
        }
        for output in &program.outputs {
            if let OutputValue::Encrypted(ValueId(id)) | OutputValue::Signed(ValueId(id)) = output.value {
                *last_use.get_mut(id as usize)? = LastUse::Output;
            }
        }
        Some(Self { last_use })
    }

    /// Whether a step from `step` on, or an output, reads the value.
    pub(super) fn needed_from(&self, value: usize, step: usize) -> bool {
        match self.last_use[value] {
            LastUse::Never => false,
            LastUse::Step(last) => last >= step,
            LastUse::Output => true,
        }
    }
}

/// The encrypted values that an operation reads.
pub(super) fn operands(operation: &Operation) -> Vec<ValueId> {
    let encrypted = |operand: &Operand| match operand {
        Operand::Value(id) => Some(*id),
        Operand::Clear(_) => None,
    };
    match operation {
        Operation::Binary { left, right, .. } => std::iter::once(*left).chain(encrypted(right)).collect(),
        Operation::Not { value } | Operation::Cast { value, .. } => vec![*value],
        Operation::Select { condition, then, otherwise, .. } => {
            std::iter::once(*condition).chain(encrypted(then)).chain(encrypted(otherwise)).collect()
        }
        Operation::Sum { values } => values.clone(),
    }
}
