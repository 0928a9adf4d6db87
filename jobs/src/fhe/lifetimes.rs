//! When each value of a program is needed for the last time, and so how many bytes are kept at once.

use super::program::{Operand, Operation, OutputValue, Program, ValueId, ValueType};

/// Most bytes of computed values that a program keeps at once: what a checkpoint holds. A u64 takes half a megabyte.
pub const MAX_LIVE_BYTES: u64 = 192 << 20;

/// The steps that read a value for the last time.
pub struct Lifetimes {
    inputs: usize,
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
    pub fn of(program: &Program) -> Option<Self> {
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
        Some(Self { inputs, last_use })
    }

    /// Whether any step or output reads the value.
    pub fn is_used(&self, value: usize) -> bool {
        self.last_use[value] != LastUse::Never
    }

    /// Whether a step from `step` on, or an output, reads the value.
    pub fn needed_from(&self, value: usize, step: usize) -> bool {
        match self.last_use[value] {
            LastUse::Never => false,
            LastUse::Step(last) => last >= step,
            LastUse::Output => true,
        }
    }

    /// Most bytes of computed values, inputs excepted, that are kept between two steps; `types` are those of all values.
    pub(super) fn most_bytes(&self, types: &[ValueType]) -> u64 {
        let steps = self.last_use.len() - self.inputs;
        let mut ending = vec![0; steps];
        let (mut kept, mut most) = (0, 0);
        for step in 0..steps {
            let value = self.inputs + step;
            let bytes = types[value].most_bytes();
            match self.last_use[value] {
                LastUse::Never => {}
                LastUse::Step(last) => {
                    kept += bytes;
                    ending[last] += bytes;
                }
                LastUse::Output => kept += bytes,
            }
            kept -= ending[step];
            most = most.max(kept);
        }
        most
    }
}

/// The encrypted values that an operation reads.
fn operands(operation: &Operation) -> Vec<ValueId> {
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
