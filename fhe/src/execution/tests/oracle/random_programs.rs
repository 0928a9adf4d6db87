//! Programs of chance, held to the clear evaluation.

use jobs::fhe::program::{Operand, Operation, Output, OutputValue, Program, ValueId, ValueType};

use super::cases::any;
use crate::execution::tests::{BINARIES, Key, NUMBERS, alone, fast};
use crate::testing::Drawn;

/// Programs as clients may write them: whatever the type checker lets pass does what the clear evaluation says.
#[test]
fn random_programs_are_those_of_the_clear_evaluation() {
    let key = fast();
    alone(|| {
        for _ in 0..40 {
            holds_in_the_clear(&key, &random_program(12));
        }
    });
}

pub(super) fn holds_in_the_clear(key: &Key, program: &Program) {
    let values: Vec<u64> = program.inputs.iter().map(|kind| any(*kind)).collect();
    let expected = program.evaluate_clear(&values).expect("a sound program");
    assert_eq!(key.run(program, &values), expected, "{program:?} on {values:?}");
}

/// Each step that the type checker takes is kept; every value is an output.
pub(super) fn random_program(steps: usize) -> Program {
    let mut random = Drawn;
    let mut pick = |limit: usize| (random.next_u64() % limit as u64) as usize;
    let mut program = Program { inputs: vec![ValueType::Bool], ..Program::default() };
    for kind in NUMBERS {
        program.inputs.extend([kind, kind]);
    }
    let inputs = program.inputs.len();
    program.outputs = vec![Output { name: "v".to_owned(), value: OutputValue::Encrypted(ValueId(0)) }];
    while program.steps.len() < steps {
        let defined = inputs + program.steps.len();
        let value = ValueId(pick(defined) as u32);
        let other = ValueId(pick(defined) as u32);
        let right = match pick(3) {
            0 => Operand::Clear([0, 1, 2, 3, 7, 10, 100, 255, 65_535][pick(9)]),
            _ => Operand::Value(other),
        };
        let step = match pick(12) {
            0 => Operation::Not { value },
            1 | 2 => Operation::Cast { value, to: ValueType::ALL[pick(ValueType::ALL.len())] },
            3 => Operation::Sum { values: vec![value, other, value] },
            4 => {
                let result = ValueType::ALL[pick(ValueType::ALL.len())];
                let then = Operand::Value(ValueId(pick(defined) as u32));
                Operation::Select { condition: value, then, otherwise: right, result }
            }
            _ => Operation::Binary { operation: BINARIES[pick(BINARIES.len())], left: value, right },
        };
        program.steps.push(step);
        if program.check().is_err() {
            program.steps.pop();
        }
    }
    let outputs = (inputs..inputs + steps)
        .map(|id| Output { name: format!("v{id}"), value: OutputValue::Encrypted(ValueId(id as u32)) });
    program.outputs = outputs.collect();
    program
}
