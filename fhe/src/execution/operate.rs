//! One operation on encrypted values: which function of tfhe it is. The server key stands on the calling thread.

use jobs::fhe::program::{Binary, ValueType};
use tfhe::prelude::*;
use tfhe::{FheBool, FheUint8, FheUint16, FheUint32, FheUint64};

use super::Unsuitable;
use crate::value::EncryptedValue;

/// The right side of an operation.
#[derive(Clone, Copy)]
pub(super) enum Right<'a> {
    Encrypted(&'a EncryptedValue),
    Clear(u64),
}

/// The types that hold numbers.
trait Number: Clone + Sized {
    type Clear: Copy + TryFrom<u64>;

    fn of(value: &EncryptedValue) -> Option<&Self>;
    fn wrap(self) -> EncryptedValue;
    fn with_encrypted(&self, operation: Binary, right: &Self) -> Result<EncryptedValue, Unsuitable>;
    fn with_clear(&self, operation: Binary, right: Self::Clear) -> Result<EncryptedValue, Unsuitable>;
    fn shifted(&self, operation: Binary, bits: u64) -> Result<EncryptedValue, Unsuitable>;
    fn inverted(&self) -> Self;
    fn chosen(condition: &FheBool, then: Choice<'_, Self>, otherwise: Choice<'_, Self>) -> Self;
    fn cast(value: EncryptedValue) -> Self;
    fn total(values: &[&Self]) -> Self;
}

/// One side of a selection.
enum Choice<'a, N: Number> {
    Encrypted(&'a N),
    Clear(N::Clear),
}

/// An operation whose right side may be encrypted or clear, written alike for both.
macro_rules! on_numbers {
    ($operation:expr, $left:expr, $right:expr) => {
        match $operation {
            Binary::Add => ($left + $right).wrap(),
            Binary::Sub => ($left - $right).wrap(),
            Binary::Mul => ($left * $right).wrap(),
            Binary::Div => ($left / $right).wrap(),
            Binary::Rem => ($left % $right).wrap(),
            Binary::Min => $left.min($right).wrap(),
            Binary::Max => $left.max($right).wrap(),
            Binary::And => ($left & $right).wrap(),
            Binary::Or => ($left | $right).wrap(),
            Binary::Xor => ($left ^ $right).wrap(),
            Binary::Shl | Binary::Shr => return Err(Unsuitable::Types),
            Binary::Eq => EncryptedValue::Bool($left.eq($right)),
            Binary::Ne => EncryptedValue::Bool($left.ne($right)),
            Binary::Lt => EncryptedValue::Bool($left.lt($right)),
            Binary::Le => EncryptedValue::Bool($left.le($right)),
            Binary::Gt => EncryptedValue::Bool($left.gt($right)),
            Binary::Ge => EncryptedValue::Bool($left.ge($right)),
        }
    };
}

/// The same for bools.
macro_rules! on_bools {
    ($operation:expr, $left:expr, $right:expr) => {
        match $operation {
            Binary::And => $left & $right,
            Binary::Or => $left | $right,
            Binary::Xor => $left ^ $right,
            Binary::Eq => $left.eq($right),
            Binary::Ne => $left.ne($right),
            _ => return Err(Unsuitable::Types),
        }
    };
}

macro_rules! number {
    ($fhe:ty, $clear:ty, $variant:ident, wide_division: $wide_division:expr, wide_product: $wide_product:expr) => {
        impl Number for $fhe {
            type Clear = $clear;

            fn of(value: &EncryptedValue) -> Option<&Self> {
                match value {
                    EncryptedValue::$variant(inner) => Some(inner),
                    _ => None,
                }
            }

            fn wrap(self) -> EncryptedValue {
                EncryptedValue::$variant(self)
            }

            fn with_encrypted(&self, operation: Binary, right: &Self) -> Result<EncryptedValue, Unsuitable> {
                match operation {
                    Binary::Mul if $wide_product => Err(Unsuitable::TooWide),
                    Binary::Div | Binary::Rem if $wide_division => Err(Unsuitable::TooWide),
                    Binary::Shl | Binary::Shr => Err(Unsuitable::EncryptedShift),
                    _ => Ok(on_numbers!(operation, self, right)),
                }
            }

            fn with_clear(&self, operation: Binary, right: $clear) -> Result<EncryptedValue, Unsuitable> {
                match operation {
                    Binary::Div | Binary::Rem if right == 0 => Err(Unsuitable::DivisionByZero),
                    Binary::Shl | Binary::Shr => self.shifted(operation, u64::from(right)),
                    _ => Ok(on_numbers!(operation, self, right)),
                }
            }

            fn shifted(&self, operation: Binary, bits: u64) -> Result<EncryptedValue, Unsuitable> {
                match operation {
                    Binary::Shl => Ok((self << bits).wrap()),
                    Binary::Shr => Ok((self >> bits).wrap()),
                    _ => Err(Unsuitable::Types),
                }
            }

            fn inverted(&self) -> Self {
                !self
            }

            fn chosen(condition: &FheBool, then: Choice<'_, Self>, otherwise: Choice<'_, Self>) -> Self {
                match (then, otherwise) {
                    (Choice::Encrypted(then), Choice::Encrypted(otherwise)) => condition.if_then_else(then, otherwise),
                    (Choice::Encrypted(then), Choice::Clear(otherwise)) => {
                        condition.scalar_if_then_else(then, otherwise)
                    }
                    (Choice::Clear(then), Choice::Encrypted(otherwise)) => {
                        condition.scalar_if_then_else(then, otherwise)
                    }
                    (Choice::Clear(then), Choice::Clear(otherwise)) => Self::if_then_else(condition, then, otherwise),
                }
            }

            fn cast(value: EncryptedValue) -> Self {
                match value {
                    EncryptedValue::Bool(value) => value.cast_into(),
                    EncryptedValue::U8(value) => value.cast_into(),
                    EncryptedValue::U16(value) => value.cast_into(),
                    EncryptedValue::U32(value) => value.cast_into(),
                    EncryptedValue::U64(value) => value.cast_into(),
                }
            }

            fn total(values: &[&Self]) -> Self {
                values.iter().copied().sum()
            }
        }
    };
}

number!(FheUint8, u8, U8, wide_division: false, wide_product: false);
number!(FheUint16, u16, U16, wide_division: false, wide_product: false);
number!(FheUint32, u32, U32, wide_division: true, wide_product: false);
number!(FheUint64, u64, U64, wide_division: true, wide_product: true);

/// The same function for whichever number type a value has.
macro_rules! for_number {
    ($kind:expr, $number:ident => $body:expr, bool => $bool:expr) => {
        match $kind {
            ValueType::Bool => $bool,
            ValueType::U8 => {
                type $number = FheUint8;
                $body
            }
            ValueType::U16 => {
                type $number = FheUint16;
                $body
            }
            ValueType::U32 => {
                type $number = FheUint32;
                $body
            }
            ValueType::U64 => {
                type $number = FheUint64;
                $body
            }
        }
    };
}

pub(super) fn binary(operation: Binary, left: &EncryptedValue, right: Right<'_>) -> Result<EncryptedValue, Unsuitable> {
    for_number!(left.value_type(), N => binary_number::<N>(operation, left, right), bool => binary_bool(operation, left, right))
}

fn binary_number<N: Number>(
    operation: Binary,
    left: &EncryptedValue,
    right: Right<'_>,
) -> Result<EncryptedValue, Unsuitable> {
    let left = N::of(left).ok_or(Unsuitable::Types)?;
    match right {
        Right::Encrypted(right) => left.with_encrypted(operation, N::of(right).ok_or(Unsuitable::Types)?),
        Right::Clear(bits) if matches!(operation, Binary::Shl | Binary::Shr) => left.shifted(operation, bits),
        Right::Clear(right) => left.with_clear(operation, clear::<N>(right)?),
    }
}

fn binary_bool(operation: Binary, left: &EncryptedValue, right: Right<'_>) -> Result<EncryptedValue, Unsuitable> {
    let left = as_bool(left)?;
    let result = match right {
        Right::Encrypted(right) => on_bools!(operation, left, as_bool(right)?),
        Right::Clear(right) => on_bools!(operation, left, clear_bool(right)?),
    };
    Ok(EncryptedValue::Bool(result))
}

pub(super) fn not(value: &EncryptedValue) -> EncryptedValue {
    match value {
        EncryptedValue::Bool(value) => EncryptedValue::Bool(!value),
        EncryptedValue::U8(value) => value.inverted().wrap(),
        EncryptedValue::U16(value) => value.inverted().wrap(),
        EncryptedValue::U32(value) => value.inverted().wrap(),
        EncryptedValue::U64(value) => value.inverted().wrap(),
    }
}

pub(super) fn select(
    condition: &EncryptedValue,
    then: Right<'_>,
    otherwise: Right<'_>,
    result: ValueType,
) -> Result<EncryptedValue, Unsuitable> {
    let condition = as_bool(condition)?;
    for_number!(
        result,
        N => Ok(N::chosen(condition, choice(then)?, choice(otherwise)?).wrap()),
        bool => select_bool(condition, then, otherwise)
    )
}

fn choice<N: Number>(operand: Right<'_>) -> Result<Choice<'_, N>, Unsuitable> {
    match operand {
        Right::Encrypted(value) => N::of(value).map(Choice::Encrypted).ok_or(Unsuitable::Types),
        Right::Clear(value) => clear::<N>(value).map(Choice::Clear),
    }
}

fn select_bool(condition: &FheBool, then: Right<'_>, otherwise: Right<'_>) -> Result<EncryptedValue, Unsuitable> {
    let result = match (then, otherwise) {
        (Right::Encrypted(then), Right::Encrypted(otherwise)) => {
            condition.if_then_else(as_bool(then)?, as_bool(otherwise)?)
        }
        (Right::Encrypted(then), Right::Clear(otherwise)) => match clear_bool(otherwise)? {
            true => !condition | as_bool(then)?,
            false => condition & as_bool(then)?,
        },
        (Right::Clear(then), Right::Encrypted(otherwise)) => match clear_bool(then)? {
            true => condition | as_bool(otherwise)?,
            false => !condition & as_bool(otherwise)?,
        },
        (Right::Clear(_), Right::Clear(_)) => return Err(Unsuitable::Types),
    };
    Ok(EncryptedValue::Bool(result))
}

pub(super) fn cast(value: &EncryptedValue, to: ValueType) -> Result<EncryptedValue, Unsuitable> {
    for_number!(to, N => Ok(N::cast(value.clone()).wrap()), bool => as_bool(value).map(|same| EncryptedValue::Bool(same.clone())))
}

pub(super) fn sum(values: &[&EncryptedValue]) -> Result<EncryptedValue, Unsuitable> {
    let first = values.first().ok_or(Unsuitable::Types)?;
    for_number!(first.value_type(), N => sum_of::<N>(values), bool => Err(Unsuitable::Types))
}

fn sum_of<N: Number>(values: &[&EncryptedValue]) -> Result<EncryptedValue, Unsuitable> {
    let values: Option<Vec<&N>> = values.iter().map(|value| N::of(value)).collect();
    Ok(N::total(&values.ok_or(Unsuitable::Types)?).wrap())
}

fn as_bool(value: &EncryptedValue) -> Result<&FheBool, Unsuitable> {
    match value {
        EncryptedValue::Bool(value) => Ok(value),
        _ => Err(Unsuitable::Types),
    }
}

fn clear<N: Number>(value: u64) -> Result<N::Clear, Unsuitable> {
    N::Clear::try_from(value).map_err(|_| Unsuitable::ClearTooLarge)
}

fn clear_bool(value: u64) -> Result<bool, Unsuitable> {
    match value {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(Unsuitable::ClearTooLarge),
    }
}
