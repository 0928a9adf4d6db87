//! The computations as one would write them with tfhe-rs.

use tfhe::prelude::*;
use tfhe::{ClientKey, FheBool, FheUint8, FheUint16, FheUint32};

use crate::Fault;
use crate::bare::write;
use crate::task::SET;

/// What the statistics of values come to.
pub(crate) struct Statistics {
    sum: FheUint16,
    mean: FheUint8,
    min: FheUint8,
    max: FheUint8,
    variance: FheUint16,
}

impl Statistics {
    pub(crate) fn write(&self) -> Result<(), Fault> {
        write(&self.sum)?;
        write(&self.variance)?;
        [&self.mean, &self.min, &self.max].into_iter().try_for_each(write)
    }

    pub(crate) fn clear(&self, key: &ClientKey, count: usize) -> String {
        let (sum, variance): (u16, u16) = (self.sum.decrypt(key), self.variance.decrypt(key));
        let [mean, min, max]: [u8; 3] = [&self.mean, &self.min, &self.max].map(|value| value.decrypt(key));
        format!(r#"{{"count":{count},"sum":{sum},"mean":{mean},"min":{min},"max":{max},"variance":{variance}}}"#)
    }
}

pub(crate) fn statistics(values: &[FheUint8]) -> Statistics {
    let count = values.len() as u32;
    let wide: Vec<FheUint16> = values.iter().map(|value| value.clone().cast_into()).collect();
    let sum: FheUint16 = wide.iter().sum();
    let mean = (&sum / count as u16).cast_into();
    let min = tree(values, |left, right| left.min(right));
    let max = tree(values, |left, right| left.max(right));
    let squares: Vec<FheUint32> = wide.iter().map(|value| (value * value).cast_into()).collect();
    let squares: FheUint32 = squares.iter().sum();
    let wide_sum: FheUint32 = sum.clone().cast_into();
    let variance = (squares * count - &wide_sum * &wide_sum) / (count * count);
    Statistics { sum, mean, min, max, variance: variance.cast_into() }
}

fn tree<T: Clone>(values: &[T], join: impl Fn(&T, &T) -> T + Copy) -> T {
    let mut level = values.to_vec();
    while level.len() > 1 {
        level = level.chunks(2).map(|pair| if let [a, b] = pair { join(a, b) } else { pair[0].clone() }).collect();
    }
    level.swap_remove(0)
}

/// The first of the highest values, of eight.
pub(crate) fn maximum(values: &[FheUint16]) -> (FheUint8, FheUint16) {
    let mut level: Vec<(FheUint16, Vec<FheBool>)> = values.iter().map(|value| (value.clone(), Vec::new())).collect();
    while level.len() > 1 {
        let join = |pair: &[(FheUint16, Vec<FheBool>)]| {
            let [(left, left_bits), (right, right_bits)] = pair else { unreachable!("a power of two of values") };
            let wins = right.gt(left);
            let price = wins.if_then_else(right, left);
            let mut bits: Vec<FheBool> =
                left_bits.iter().zip(right_bits).map(|(left, right)| wins.if_then_else(right, left)).collect();
            bits.push(wins);
            (price, bits)
        };
        level = level.chunks(2).map(join).collect();
    }
    let (price, bits) = level.swap_remove(0);
    let places = bits.into_iter().enumerate().map(|(place, bit)| {
        let bit: FheUint8 = bit.cast_into();
        if place == 0 { bit } else { bit << place as u8 }
    });
    let places: Vec<FheUint8> = places.collect();
    (places.iter().sum(), price)
}

pub(crate) fn membership(candidate: &FheUint32) -> FheBool {
    let mut set = SET;
    set.sort_unstable();
    let hits: Vec<FheUint8> = set.iter().map(|element| candidate.eq(*element).cast_into()).collect();
    let hits: FheUint8 = hits.iter().sum();
    hits.ne(0_u8)
}
