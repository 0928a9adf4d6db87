//! What programs cost: bootstrappings (PBS) of each operation by type, as tfhe 1.8.2 makes them under the parameters
//! of this service. Where the real number depends on bits that are known to be zero, it is the most.

mod addition;
mod division;
#[cfg(test)]
mod tests;

use super::KeyMode;
use super::program::{Binary, Operand, Operation, Program, ValueType};
use addition::{clear_product, moved, product, sum};
use division::{quotient, remainder};

/// Bootstrappings by type: u8, u16, u32, u64.
pub type ByType = [u64; 4];

/// What an operation on two encrypted numbers costs; `None` where the type checker refuses it.
pub fn encrypted(operation: Binary) -> [Option<u64>; 4] {
    match operation {
        Binary::Add | Binary::Sub => [8, 16, 32, 64].map(Some),
        Binary::Mul => [Some(28), Some(111), Some(440), None],
        Binary::Div | Binary::Rem => [Some(164), Some(518), None, None],
        Binary::Min | Binary::Max => [17, 35, 71, 143].map(Some),
        Binary::And | Binary::Or | Binary::Xor => [4, 8, 16, 32].map(Some),
        Binary::Shl | Binary::Shr => [None; 4],
        Binary::Eq | Binary::Ne => [5, 11, 21, 42].map(Some),
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => [5, 11, 23, 47].map(Some),
    }
}

/// What an operation with a clear number costs; `None` where that depends on the number.
pub fn clear(operation: Binary) -> Option<ByType> {
    match operation {
        Binary::Add | Binary::Sub => Some([7, 15, 31, 63]),
        Binary::Min | Binary::Max => Some([7, 13, 27, 55]),
        Binary::Eq | Binary::Ne => Some([3, 5, 11, 21]),
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => Some([3, 5, 11, 23]),
        Binary::Mul
        | Binary::Div
        | Binary::Rem
        | Binary::And
        | Binary::Or
        | Binary::Xor
        | Binary::Shl
        | Binary::Shr => None,
    }
}

/// What a program costs, in bootstrappings.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Price {
    /// Of making the inputs ready.
    pub inputs: u64,
    /// Of each step.
    pub steps: Vec<u64>,
}

impl Price {
    /// Of a program that [`Program::check`] accepts.
    pub fn of(program: &Program, mode: KeyMode) -> Self {
        Self { inputs: of_inputs(&program.inputs, mode), steps: step_pbs(program) }
    }

    pub fn total(&self) -> u64 {
        self.inputs + self.steps.iter().sum::<u64>()
    }
}

/// Bootstrappings of making inputs ready. Under the network's key each block is brought from the parameters of the
/// public key to those of the computation by one; what is encrypted under a client's key is ready.
pub fn of_inputs(inputs: &[ValueType], mode: KeyMode) -> u64 {
    match mode {
        KeyMode::Network => inputs.iter().map(|kind| kind.blocks()).sum(),
        KeyMode::Client => 0,
    }
}

/// Bootstrappings of each step of a program that [`Program::check`] accepts; empty for another one.
pub fn step_pbs(program: &Program) -> Vec<u64> {
    let Ok(types) = program.check() else { return Vec::new() };
    let mut used: Vec<usize> = program.inputs.iter().map(|kind| blocks(*kind)).collect();
    let mut prices = Vec::with_capacity(program.steps.len());
    for step in &program.steps {
        prices.push(pbs(step, &types, &used));
        let blocks = blocks(types[used.len()]);
        used.push(match step {
            Operation::Cast { value, .. } => used[value.index()].min(blocks),
            _ => blocks,
        });
    }
    prices
}

/// `used`: blocks of each value that are not known to be zero.
fn pbs(step: &Operation, types: &[ValueType], used: &[usize]) -> u64 {
    match step {
        Operation::Binary { operation: Binary::Mul, left, right: Operand::Value(right) } => {
            product(used[left.index()], used[right.index()], blocks(types[left.index()]))
        }
        Operation::Binary { operation, left, right } => binary(*operation, types[left.index()], *right),
        Operation::Not { .. } | Operation::Cast { .. } => 0,
        Operation::Select { then, otherwise, result, .. } => {
            let clear = [then, otherwise].into_iter().any(|operand| matches!(operand, Operand::Clear(_)));
            blocks(*result) as u64 * if clear { 1 } else { 3 }
        }
        Operation::Sum { values } => {
            let widest = values.iter().map(|value| used[value.index()]).max().unwrap_or(0);
            sum(values.len() as u64, widest, blocks(types[values[0].index()]))
        }
    }
}

/// A number is encrypted in blocks of two bits.
fn blocks(kind: ValueType) -> usize {
    kind.blocks() as usize
}

fn binary(operation: Binary, kind: ValueType, right: Operand) -> u64 {
    match (column(kind), right) {
        (None, _) => 1,
        (Some(column), Operand::Value(_)) => encrypted(operation)[column].unwrap_or(0),
        (Some(_), Operand::Clear(number)) => with_clear(operation, kind, number),
    }
}

/// The column of a type of numbers in the tables.
fn column(kind: ValueType) -> Option<usize> {
    ValueType::NUMBERS.into_iter().position(|number| number == kind)
}

/// What an operation on numbers costs with a clear number.
pub fn with_clear(operation: Binary, kind: ValueType, number: u64) -> u64 {
    match operation {
        Binary::Sub if number == 0 => 0,
        Binary::Mul => clear_product(number, blocks(kind), blocks(kind)),
        Binary::Div => quotient(number, kind),
        Binary::Rem => remainder(number, kind),
        Binary::Shl | Binary::Shr => moved(number, blocks(kind) as u64),
        // One for each block up to the highest bit; the rest stays or becomes zero.
        Binary::And | Binary::Or | Binary::Xor => u64::from((u64::BITS - number.leading_zeros()).div_ceil(2)),
        _ => clear(operation).zip(column(kind)).map_or(0, |(prices, column)| prices[column]),
    }
}

/// What the sum of `count` values of `kind` costs that were cast from `from`.
pub fn of_sum(count: u64, from: ValueType, kind: ValueType) -> u64 {
    sum(count, blocks(from), blocks(kind))
}
