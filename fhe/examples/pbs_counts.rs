//! Prints how many bootstrappings each operation makes on fresh ciphertexts of each type: what the price table holds.

use std::fmt::Display;

use fhe::dry_run::dry_run;
use jobs::fhe::program::{Binary, Operand, Operation, Program, ValueId, ValueType};

fn main() {
    for kind in ValueType::ALL {
        for operation in Binary::ALL {
            let (left, right) = (ValueId(0), Operand::Value(ValueId(1)));
            line(
                kind,
                format!("{operation:?} encrypted"),
                vec![kind; 2],
                vec![Operation::Binary { operation, left, right }],
            );
            for clear in clears(kind, operation) {
                let right = Operand::Clear(clear);
                line(
                    kind,
                    format!("{operation:?} clear {clear}"),
                    vec![kind],
                    vec![Operation::Binary { operation, left, right }],
                );
            }
        }
        line(kind, "Not", vec![kind], vec![Operation::Not { value: ValueId(0) }]);
        selects(kind);
        for to in ValueType::ALL {
            line(kind, format!("Cast to {to:?}"), vec![kind], vec![Operation::Cast { value: ValueId(0), to }]);
        }
        for count in (1..=20).chain([24, 32, 48, 64, 96, 100, 128, 192, 256, 512]) {
            let values = (0..count).map(ValueId).collect();
            line(kind, format!("Sum of {count}"), vec![kind; count as usize], vec![Operation::Sum { values }]);
        }
    }
    widened_sums();
}

/// Clear numbers whose shape may matter: zero, one, powers of two, all ones, others.
fn clears(kind: ValueType, operation: Binary) -> Vec<u64> {
    if kind == ValueType::Bool {
        return vec![0, 1];
    }
    let largest = kind.highest();
    match operation {
        Binary::Shl | Binary::Shr => vec![0, 1, 2, 3, 7, 8],
        _ => {
            let mut clears = vec![0, 1, 2, 3, 4, 5, 7, 10, 13, 16, 85, 100, 170, largest / 2, largest / 2 + 1, largest];
            clears.dedup();
            clears
        }
    }
}

fn selects(kind: ValueType) {
    let select = |then, otherwise| Operation::Select { condition: ValueId(0), then, otherwise, result: kind };
    let (one, two) = (Operand::Value(ValueId(1)), Operand::Value(ValueId(2)));
    line(kind, "Select encrypted, encrypted", vec![ValueType::Bool, kind, kind], vec![select(one, two)]);
    for clear in [0, 1] {
        let clear_operand = Operand::Clear(clear);
        line(
            kind,
            format!("Select encrypted, clear {clear}"),
            vec![ValueType::Bool, kind],
            vec![select(one, clear_operand)],
        );
        line(
            kind,
            format!("Select clear {clear}, encrypted"),
            vec![ValueType::Bool, kind],
            vec![select(clear_operand, one)],
        );
    }
}

/// Sums of narrow values in a wider type, whose upper blocks are known zeros.
fn widened_sums() {
    for (from, to) in [
        (ValueType::Bool, ValueType::U8),
        (ValueType::Bool, ValueType::U16),
        (ValueType::Bool, ValueType::U32),
        (ValueType::U8, ValueType::U16),
        (ValueType::U8, ValueType::U32),
        (ValueType::U16, ValueType::U32),
        (ValueType::U16, ValueType::U64),
        (ValueType::U32, ValueType::U64),
    ] {
        for count in [2, 3, 4, 5, 8, 16, 32, 64, 128, 256] {
            let mut steps: Vec<Operation> = (0..count).map(|id| Operation::Cast { value: ValueId(id), to }).collect();
            steps.push(Operation::Sum { values: (count..2 * count).map(ValueId).collect() });
            line(to, format!("Sum of {count} widened from {from:?}"), vec![from; count as usize], steps);
        }
    }
}

fn line(kind: ValueType, name: impl Display, inputs: Vec<ValueType>, steps: Vec<Operation>) {
    match dry_run(&Program { inputs, steps, outputs: vec![] }) {
        Ok(counts) => println!("{kind:?}\t{name}\t{}", counts.last().copied().unwrap_or_default()),
        Err(error) => println!("{kind:?}\t{name}\t({error})"),
    }
}
