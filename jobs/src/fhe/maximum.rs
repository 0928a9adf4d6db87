//! `encrypted_maximum`: the highest value (a sealed bid's price) and the index of the first one that has it.

use super::builder::Builder;
use super::inputs::Inputs;
use super::program::{Binary, OutputValue, Program, ValueId, ValueType};
use crate::field_error::FieldError;

/// Most values of a type.
pub(super) fn limit(kind: ValueType) -> usize {
    match kind {
        ValueType::Bool => 0,
        ValueType::U8 | ValueType::U16 => 64,
        ValueType::U32 => 32,
        ValueType::U64 => 16,
    }
}

pub(super) fn compile(inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
    let kind = Inputs::of_one_type(inputs, &ValueType::NUMBERS)?;
    Inputs::at_most(inputs.len(), limit(kind), kind)?;
    let mut builder = Builder::new(inputs);
    let values = builder.inputs();
    let winner = tournament(&mut builder, &values);
    let index = match index(&mut builder, &winner.bits) {
        Some(index) => OutputValue::Encrypted(index),
        None => OutputValue::Clear(0),
    };
    builder.output("index", index);
    builder.output("price", OutputValue::Encrypted(winner.price));
    Ok(builder.finish())
}

/// Who won among some neighbours: the value, and its place among them, lowest bit first.
struct Champion {
    price: ValueId,
    bits: Vec<ValueId>,
}

/// The left side has a power of two of values, so that a place is the place on a side and one bit that tells the side.
fn tournament(builder: &mut Builder, values: &[ValueId]) -> Champion {
    if let [only] = values {
        return Champion { price: *only, bits: Vec::new() };
    }
    let (left, right) = values.split_at(values.len().next_power_of_two() / 2);
    let left = tournament(builder, left);
    let right = tournament(builder, right);
    // Strictly: of equal values the first one wins.
    let right_wins = builder.binary(Binary::Gt, right.price, left.price);
    let price = builder.select(right_wins, right.price, left.price);
    let mut bits = Vec::with_capacity(left.bits.len() + 1);
    for (place, of_left) in left.bits.into_iter().enumerate() {
        bits.push(match right.bits.get(place) {
            Some(of_right) => builder.select(right_wins, *of_right, of_left),
            None => {
                let left_wins = builder.not(right_wins);
                builder.binary(Binary::And, of_left, left_wins)
            }
        });
    }
    bits.push(right_wins);
    Champion { price, bits }
}

fn index(builder: &mut Builder, bits: &[ValueId]) -> Option<ValueId> {
    let parts: Vec<_> = (0..)
        .zip(bits)
        .map(|(place, bit)| {
            let bit = builder.cast(*bit, ValueType::U8);
            builder.times(bit, 1 << place)
        })
        .collect();
    (!parts.is_empty()).then(|| builder.sum(&parts))
}
