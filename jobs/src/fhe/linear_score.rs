//! `encrypted_linear_score`: the inputs weighted with clear weights, and whether the score reaches a threshold.

use super::builder::Builder;
use super::inputs::Inputs;
use super::program::{Binary, OutputValue, Program, ValueId, ValueType};
use crate::field_error::{FieldError, FieldErrors};
use crate::object::Object;

/// Most weights on numbers.
pub const MAX_WEIGHTS: usize = 64;
/// Most weights on bools.
pub const MAX_BOOL_WEIGHTS: usize = 256;

const INT32: std::ops::RangeInclusive<i64> = i32::MIN as i64..=i32::MAX as i64;

/// score = bias + Σ weight · input; passed = score ≥ threshold.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinearScore {
    weights: Vec<i32>,
    bias: i32,
    threshold: Option<i32>,
}

impl LinearScore {
    pub(super) fn read(parameters: Option<&mut Object<'_>>, errors: &mut FieldErrors) -> Option<Self> {
        let Some(parameters) = parameters else {
            errors.add("/parameters/weights", crate::object::REQUIRED);
            return None;
        };
        let int32 = |number: i64| i32::try_from(number).ok();
        let weights = parameters.required("weights");
        let bias = parameters.optional("bias").map_or(Some(0), |at| at.integer(INT32, errors).and_then(int32));
        let threshold = match parameters.optional("threshold") {
            None => Some(None),
            Some(at) => at.integer(INT32, errors).and_then(int32).map(Some),
        };
        let at = weights?;
        let weights = at.all(MAX_BOOL_WEIGHTS, errors, |at, errors| at.integer(INT32, errors).and_then(int32))?;
        if weights.iter().all(|weight| *weight == 0) {
            errors.add(&at.pointer, "must have a weight other than 0");
            return None;
        }
        Some(Self { weights, bias: bias?, threshold: threshold? })
    }

    /// How many inputs there must be.
    pub(super) fn count(&self) -> usize {
        self.weights.len()
    }

    pub(super) fn compile(&self, inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
        let kind = Inputs::of_one_type(inputs, &ValueType::ALL)?;
        let limit = if kind.is_number() { MAX_WEIGHTS } else { MAX_BOOL_WEIGHTS };
        let wrong = |reason| vec![FieldError::new("/parameters/weights", reason)];
        if self.weights.len() > limit {
            return Err(wrong(format!("must have at most {limit} elements for {kind}; it has {}", self.weights.len())));
        }
        Inputs::exactly(inputs.len(), self.weights.len())?;
        let score_type = self.score_type(kind).ok_or_else(|| {
            wrong(format!("are too great for inputs of {kind}: the score must fit 64 bits, whatever the inputs"))
        })?;

        let mut builder = Builder::new(inputs);
        let values = builder.inputs();
        let weighted = |negative: bool| -> Vec<(ValueId, u32)> {
            let of_sign = values.iter().zip(&self.weights).filter(|(_, weight)| (**weight < 0) == negative);
            of_sign.map(|(value, weight)| (*value, weight.unsigned_abs())).collect()
        };
        let positive = weighted_sum(&mut builder, &weighted(false), score_type);
        let negative = weighted_sum(&mut builder, &weighted(true), score_type);
        let (sum, bias) = match (positive, negative) {
            (Some(positive), Some(negative)) => (builder.binary(Binary::Sub, positive, negative), i64::from(self.bias)),
            // −x is not(x) + 1 in two's complement, and not costs nothing.
            (None, Some(negative)) => (builder.not(negative), i64::from(self.bias) + 1),
            (Some(positive), None) => (positive, i64::from(self.bias)),
            (None, None) => return Err(wrong("must have a weight other than 0".to_owned())),
        };
        let score = match bias {
            0 => sum,
            bias => builder.binary(Binary::Add, sum, twos_complement(bias, score_type)),
        };
        builder.output("score", OutputValue::Signed(score));
        if let Some(threshold) = self.threshold {
            // With the sign bit turned over, two's complement numbers compare as unsigned ones.
            let sign = 1 << (score_type.bits() - 1);
            let comparable = builder.binary(Binary::Xor, score, sign);
            let threshold = twos_complement(i64::from(threshold), score_type) ^ sign;
            let passed = builder.binary(Binary::Ge, comparable, threshold);
            builder.output("passed", OutputValue::Encrypted(passed));
        }
        Ok(builder.finish())
    }

    /// u32 or u64, to be read as two's complement: the score never overflows it.
    fn score_type(&self, kind: ValueType) -> Option<ValueType> {
        let reach = |negative: bool| -> i128 {
            let of_sign = self.weights.iter().filter(|weight| (**weight < 0) == negative);
            of_sign.map(|weight| i128::from(*weight) * i128::from(kind.highest())).sum()
        };
        let (lowest, highest) = (i128::from(self.bias) + reach(true), i128::from(self.bias) + reach(false));
        let fits = |bits: u32| lowest >= -(1_i128 << (bits - 1)) && highest < 1_i128 << (bits - 1);
        [ValueType::U32, ValueType::U64].into_iter().find(|kind| fits(kind.bits()))
    }
}

fn twos_complement(number: i64, kind: ValueType) -> u64 {
    number.cast_unsigned() & kind.highest()
}

/// Σ weight · value, modulo the width of `wide`; `None` when no weight is above 0.
///
/// Bit by bit of the weights: values whose weight has the bit are added in a narrow type, where known zeros cost
/// nothing, and then moved to the bit's place. Moves by an even number of bits are free, so that all odd ones are done
/// by one move at the end.
fn weighted_sum(builder: &mut Builder, weighted: &[(ValueId, u32)], wide: ValueType) -> Option<ValueId> {
    let odd = bit_sums(builder, weighted, wide, 1);
    let even = bit_sums(builder, weighted, wide, 0);
    let odd = (!odd.is_empty()).then(|| {
        let sum = builder.sum(&odd);
        builder.times(sum, 2)
    });
    let parts: Vec<_> = even.into_iter().chain(odd).collect();
    (!parts.is_empty()).then(|| builder.sum(&parts))
}

/// For each second bit from `first` on: the values whose weight has it, added and moved `first` bits less than to the
/// bit's place.
fn bit_sums(builder: &mut Builder, weighted: &[(ValueId, u32)], wide: ValueType, first: u32) -> Vec<ValueId> {
    let mut sums = Vec::new();
    for bit in (first..u32::BITS).step_by(2) {
        let chosen: Vec<_> =
            weighted.iter().filter(|(_, weight)| weight & (1 << bit) != 0).map(|(value, _)| *value).collect();
        let Some(one) = chosen.first() else { continue };
        let most = chosen.len() as u128 * u128::from(builder.type_of(*one).highest());
        let narrow = ValueType::holding(most).unwrap_or(ValueType::U64).min(wide);
        let chosen = builder.cast_all(&chosen, narrow);
        let sum = builder.sum(&chosen);
        let sum = builder.cast(sum, wide);
        sums.push(builder.times(sum, 1 << (bit - first)));
    }
    sums
}
