//! Divisions by a clear number: a product with a magic number and a move (Granlund and Montgomery, "Division by
//! Invariant Integers using Multiplication", 1994), as tfhe 1.8.2 makes them.

use super::addition::{clear_product, moved};
use crate::fhe::program::ValueType;

/// Bootstrappings of the quotient by `divisor`, which is above 0.
pub(super) fn quotient(divisor: u64, kind: ValueType) -> u64 {
    let blocks = u64::from(kind.bits() / 2);
    if divisor.is_power_of_two() {
        return moved(divisor.trailing_zeros().into(), blocks);
    }
    let limit = 1_u128 << kind.bits();
    let (multiplier, after) = magic(divisor, kind.bits(), kind.bits());
    if multiplier < limit {
        return high_product(multiplier, kind) + moved(after.into(), blocks);
    }
    let before = divisor.trailing_zeros();
    if before > 0 {
        let (multiplier, after) = magic(divisor >> before, kind.bits(), kind.bits() - before);
        return moved(before.into(), blocks) + high_product(multiplier, kind) + moved(after.into(), blocks);
    }
    // The multiplier has one bit more than the number: its high bit is a difference, a move by one and a sum.
    high_product(multiplier - limit, kind)
        + 2 * blocks
        + moved(1, blocks)
        + 2 * blocks
        + moved(u64::from(after) - 1, blocks)
}

/// Bootstrappings of the remainder by `divisor`, which is above 0.
pub(super) fn remainder(divisor: u64, kind: ValueType) -> u64 {
    let blocks = u64::from(kind.bits() / 2);
    if divisor.is_power_of_two() {
        return u64::from(divisor.trailing_zeros().div_ceil(2));
    }
    quotient(divisor, kind) + clear_product(divisor, kind.bits() as usize / 2, kind.bits() as usize / 2) + 2 * blocks
}

/// The upper half of a product, from a product of twice the width.
fn high_product(multiplier: u128, kind: ValueType) -> u64 {
    clear_product(u64::try_from(multiplier).unwrap_or(u64::MAX), kind.bits() as usize / 2, kind.bits() as usize)
}

/// A multiplier and a number of bits: x / divisor = x · multiplier / 2^(bits of x) / 2^(that number), for numbers of
/// `width` bits of which `precision` are used.
fn magic(divisor: u64, width: u32, precision: u32) -> (u128, u32) {
    let divisor = u128::from(divisor);
    let mut after = u64::BITS - u64::try_from(divisor - 1).unwrap_or(0).leading_zeros();
    let exponent = width + after;
    // The divisor is no power of two, so that 2^128 - 1 has the same quotient as 2^128, and its remainder one less.
    let (power, short) = if exponent == u128::BITS { (u128::MAX, 1) } else { (1 << exponent, 0) };
    let mut low = power / divisor;
    let mut high = low + (power % divisor + short + (1 << (exponent - precision))) / divisor;
    while low / 2 < high / 2 && after > 0 {
        (low, high, after) = (low / 2, high / 2, after - 1);
    }
    (high, after)
}
