//! `encrypted_statistical_analysis`: count, sum, mean, extremes and variance of values of one type.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::{LazyLock, Mutex, PoisonError};

use super::KeyMode;
use super::builder::Builder;
use super::inputs::Inputs;
use super::price::Price;
use super::program::{Binary, OutputValue, Program, ValueId, ValueType};
use crate::field_error::{FieldError, FieldErrors, element};
use crate::object::Object;

/// One number that describes the values.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Statistic {
    /// How many values there are; not encrypted.
    Count,
    Sum,
    /// Rounded down.
    Mean,
    Min,
    Max,
    /// Of the population, rounded down.
    Variance,
}

impl Statistic {
    /// Every statistic, in the order of the result.
    pub const ALL: [Self; 6] = [Self::Count, Self::Sum, Self::Mean, Self::Min, Self::Max, Self::Variance];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Sum => "sum",
            Self::Mean => "mean",
            Self::Min => "min",
            Self::Max => "max",
            Self::Variance => "variance",
        }
    }

    /// Most values of a type that the statistic takes; 0: it does not take the type.
    pub fn limit(self, kind: ValueType) -> usize {
        match (self, kind) {
            (Self::Count | Self::Sum | Self::Mean, ValueType::U8 | ValueType::U16) => 256,
            (Self::Count | Self::Sum | Self::Mean, ValueType::U32) => 128,
            (Self::Min | Self::Max, ValueType::U8) => 128,
            (Self::Min | Self::Max, ValueType::U16) => 64,
            (Self::Min | Self::Max, ValueType::U32) => 32,
            (Self::Variance, ValueType::U8) => 64,
            (Self::Variance, ValueType::U16) => 16,
            _ => 0,
        }
    }
}

impl fmt::Display for Statistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Statistic {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|statistic| statistic.as_str() == name);
        found.ok_or_else(|| format!("is not one of {}", Self::ALL.map(Self::as_str).join(", ")))
    }
}

/// Which statistics are wanted: those that are named, or all that the type and the number of values allow.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Statistics {
    named: Option<Vec<Statistic>>,
}

impl Statistics {
    /// The types that any statistic takes.
    pub(super) const TYPES: [ValueType; 3] = [ValueType::U8, ValueType::U16, ValueType::U32];

    pub(super) fn read(parameters: &mut Object<'_>, errors: &mut FieldErrors) -> Option<Self> {
        let Some(at) = parameters.optional("statistics") else { return Some(Self::default()) };
        let named = at.all(Statistic::ALL.len(), errors, |at, errors| at.parsed::<Statistic>(errors))?;
        let twice = (1..named.len()).find(|index| named[..*index].contains(&named[*index]));
        if let Some(index) = twice {
            errors.add(element(&at.pointer, index), "is given twice");
            return None;
        }
        Some(Self { named: Some(named) })
    }

    /// The number of values of a type that costs most, which depends on the divisors; `None` where none is allowed.
    pub(super) fn dearest_count(&self, kind: ValueType, mode: KeyMode) -> Option<usize> {
        type Known = HashMap<(Statistics, ValueType, KeyMode), Option<usize>>;
        // There are few sets of statistics, and each takes some hundred programs to look through.
        static KNOWN: LazyLock<Mutex<Known>> = LazyLock::new(Mutex::default);
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        *known.entry((self.sorted(), kind, mode)).or_insert_with(|| {
            let pbs = |count: usize| {
                let program = self.compile(&vec![kind; count]).ok()?;
                Some((Price::of(&program, mode).total(), count))
            };
            (1..=Statistic::Count.limit(kind)).filter_map(pbs).max().map(|(_, count)| count)
        })
    }

    fn sorted(&self) -> Self {
        let mut sorted = self.clone();
        sorted.named.iter_mut().for_each(|named| named.sort_unstable());
        sorted
    }

    pub(super) fn compile(&self, inputs: &[ValueType]) -> Result<Program, Vec<FieldError>> {
        let kind = Inputs::of_one_type(inputs, &Self::TYPES)?;
        let wanted = self.wanted(kind, inputs.len())?;
        let mut program = Analysis::new(inputs, kind);
        for statistic in wanted {
            let value = program.add(statistic);
            program.builder.output(statistic.as_str(), value);
        }
        Ok(program.builder.finish())
    }

    fn wanted(&self, kind: ValueType, count: usize) -> Result<Vec<Statistic>, Vec<FieldError>> {
        let Some(named) = &self.named else {
            Inputs::at_most(count, Statistic::Count.limit(kind), kind)?;
            return Ok(Statistic::ALL.into_iter().filter(|statistic| count <= statistic.limit(kind)).collect());
        };
        let mut errors = FieldErrors::default();
        for (index, statistic) in named.iter().enumerate() {
            let limit = statistic.limit(kind);
            if count > limit {
                let reason = match limit {
                    0 => format!("is not offered for {kind}"),
                    _ => format!("takes at most {limit} values of {kind}; there are {count}"),
                };
                errors.add(format!("/parameters/statistics/{index}"), reason);
            }
        }
        let mut wanted = named.clone();
        wanted.sort_unstable();
        errors.or(Some(wanted))
    }
}

/// A program that describes values of one type.
struct Analysis {
    builder: Builder,
    kind: ValueType,
    values: Vec<ValueId>,
    count: u64,
    sum: Option<ValueId>,
}

impl Analysis {
    fn new(inputs: &[ValueType], kind: ValueType) -> Self {
        let builder = Builder::new(inputs);
        let values = builder.inputs();
        Self { kind, count: values.len() as u64, values, builder, sum: None }
    }

    fn add(&mut self, statistic: Statistic) -> OutputValue {
        match statistic {
            Statistic::Count => OutputValue::Clear(self.count),
            Statistic::Sum => OutputValue::Encrypted(self.sum()),
            Statistic::Mean => OutputValue::Encrypted(self.mean()),
            Statistic::Min => OutputValue::Encrypted(self.builder.reduce(Binary::Min, &self.values)),
            Statistic::Max => OutputValue::Encrypted(self.builder.reduce(Binary::Max, &self.values)),
            Statistic::Variance => OutputValue::Encrypted(self.variance()),
        }
    }

    /// In the next wider type, which holds the sum of as many values as the limits allow.
    fn sum(&mut self) -> ValueId {
        if let Some(sum) = self.sum {
            return sum;
        }
        let wide = wider(self.kind);
        let widened = self.builder.cast_all(&self.values, wide);
        let sum = self.builder.sum(&widened);
        self.sum = Some(sum);
        sum
    }

    fn mean(&mut self) -> ValueId {
        let sum = self.sum();
        let mean = self.builder.divided(sum, self.count);
        self.builder.cast(mean, self.kind)
    }

    /// floor((n Σx² − (Σx)²) / n²): exact, and no number on the way is beyond its type.
    fn variance(&mut self) -> ValueId {
        let square_type = wider(self.kind);
        let result_type = wider(square_type);
        let widened = self.builder.cast_all(&self.values, square_type);
        let squares: Vec<_> = widened.iter().map(|value| self.builder.binary(Binary::Mul, *value, *value)).collect();
        let squares = self.builder.cast_all(&squares, result_type);
        let squares = self.builder.sum(&squares);
        let times_count = self.builder.times(squares, self.count);
        let sum = self.sum();
        let square_of_sum = self.square(sum);
        let difference = self.builder.binary(Binary::Sub, times_count, square_of_sum);
        let variance = self.builder.divided(difference, self.count * self.count);
        // At most a quarter of the highest square.
        self.builder.cast(variance, square_type)
    }

    /// The square of a sum, in the type twice as wide.
    fn square(&mut self, sum: ValueId) -> ValueId {
        let builder = &mut self.builder;
        let wide = wider(builder.type_of(sum));
        if wide < ValueType::U64 {
            let sum = builder.cast(sum, wide);
            return builder.binary(Binary::Mul, sum, sum);
        }
        // (high 2^16 + low)² from products of 32 bits: there is no product of two encrypted u64. The sum of 16 values
        // of 16 bits has 20, so that `high` has 4 and twice `high` times `low` 21.
        let low = builder.cast(sum, ValueType::U16);
        let low = builder.cast(low, ValueType::U32);
        let high = builder.binary(Binary::Shr, sum, 16);
        let high = builder.cast(high, ValueType::U8);
        let low_square = builder.binary(Binary::Mul, low, low);
        let high_square = builder.binary(Binary::Mul, high, high);
        let wide_high = builder.cast(high, ValueType::U32);
        let mixed = builder.binary(Binary::Mul, low, wide_high);
        let parts = [(low_square, 0), (mixed, 17), (high_square, 32)].map(|(part, bits)| {
            let part = builder.cast(part, wide);
            if bits == 0 { part } else { builder.binary(Binary::Shl, part, bits) }
        });
        builder.sum(&parts)
    }
}

fn wider(kind: ValueType) -> ValueType {
    match kind {
        ValueType::Bool => ValueType::U8,
        ValueType::U8 => ValueType::U16,
        ValueType::U16 => ValueType::U32,
        ValueType::U32 | ValueType::U64 => ValueType::U64,
    }
}
