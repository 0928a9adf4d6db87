//! What programs cost: bootstrappings (PBS) of each operation by type, as tfhe 1.8.2 makes them. Where the real number
//! depends on the clear operand or on bits known to be zero, the table holds the most.

use super::program::{Binary, Operand, Operation, Program, ValueType};

/// Bootstrappings by type: u8, u16, u32, u64.
type ByType = [u64; 4];

/// What an operation on numbers costs with an encrypted and with a clear right operand.
struct Price {
    encrypted: ByType,
    clear: ByType,
}

/// An operation that the type checker refuses.
const NEVER: u64 = 0;

fn price(operation: Binary) -> Price {
    let (encrypted, clear) = match operation {
        Binary::Add | Binary::Sub => ([8, 16, 32, 64], [7, 15, 31, 63]),
        Binary::Mul => ([28, 111, 440, NEVER], [20, 63, 212, 767]),
        Binary::Div => ([164, 518, NEVER, NEVER], [44, 129, 363, 1_289]),
        Binary::Rem => ([164, 518, NEVER, NEVER], [64, 169, 443, 1_449]),
        Binary::Min | Binary::Max => ([17, 35, 71, 143], [7, 13, 27, 55]),
        Binary::And | Binary::Or | Binary::Xor => ([4, 8, 16, 32], [4, 8, 16, 32]),
        Binary::Shl | Binary::Shr => ([NEVER; 4], [4, 8, 16, 32]),
        Binary::Eq | Binary::Ne => ([5, 11, 21, 42], [3, 5, 11, 21]),
        Binary::Lt | Binary::Le | Binary::Gt | Binary::Ge => ([5, 11, 23, 47], [3, 5, 11, 23]),
    };
    Price { encrypted, clear }
}

/// Bootstrappings of each step of a program that [`Program::check`] accepts; empty for another one.
pub fn step_pbs(program: &Program) -> Vec<u64> {
    let Ok(types) = program.check() else { return Vec::new() };
    program.steps.iter().map(|step| pbs(step, &types)).collect()
}

fn pbs(step: &Operation, types: &[ValueType]) -> u64 {
    match step {
        Operation::Binary { operation, left, right } => binary(*operation, types[left.index()], *right),
        Operation::Not { .. } | Operation::Cast { .. } => 0,
        Operation::Select { then, otherwise, result, .. } => {
            let clear = [then, otherwise].into_iter().any(|operand| matches!(operand, Operand::Clear(_)));
            blocks(*result) * if clear { 1 } else { 3 }
        }
        Operation::Sum { values } => sum(values.len() as u64, blocks(types[values[0].index()])),
    }
}

/// A number is encrypted in blocks of two bits.
fn blocks(kind: ValueType) -> u64 {
    u64::from(kind.bits().div_ceil(2))
}

fn binary(operation: Binary, kind: ValueType, right: Operand) -> u64 {
    let column = match kind {
        ValueType::Bool => return 1,
        ValueType::U8 => 0,
        ValueType::U16 => 1,
        ValueType::U32 => 2,
        ValueType::U64 => 3,
    };
    match (operation, right) {
        (_, Operand::Value(_)) => price(operation).encrypted[column],
        (Binary::Shl | Binary::Shr, Operand::Clear(bits)) => shift(bits, blocks(kind)),
        (Binary::Mul, Operand::Clear(0)) => 0,
        (Binary::Mul | Binary::Div, Operand::Clear(power)) if power.is_power_of_two() => {
            shift(u64::from(power.trailing_zeros()), blocks(kind))
        }
        (_, Operand::Clear(_)) => price(operation).clear[column],
    }
}

/// Whole blocks are moved for nothing; an odd number of bits changes each block that remains.
fn shift(bits: u64, blocks: u64) -> u64 {
    if bits.is_multiple_of(2) { 0 } else { blocks - bits / 2 }
}

/// Columns of `count` blocks are added five at a time, until two are left and carries are propagated.
fn sum(count: u64, blocks: u64) -> u64 {
    match count {
        0 | 1 => 0,
        2 | 3 => 2 * blocks,
        _ => (count * blocks * 7).div_ceil(10) + 2 * blocks,
    }
}
