//! An encrypted value of any of the types that programs know.

use jobs::fhe::program::ValueType;
use tfhe::integer::IntegerCiphertext;
use tfhe::prelude::*;
use tfhe::shortint::Ciphertext;
use tfhe::shortint::parameters::{CiphertextConformanceParams, PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128};
use tfhe::{
    ClientKey, FheBool, FheInt8, FheInt16, FheInt32, FheInt64, FheUint8, FheUint16, FheUint32, FheUint64,
    ReRandomizationContext, ReRandomizationMode, ReRandomizationSeedGen, Tag,
};

use crate::bytes::{self, ReadError, contained};

/// Bits of a block.
const BLOCK_BITS: u32 = 2;

/// Largest serialised value: 64 bits take 528 KB.
pub(crate) const MAX_VALUE_BYTES: usize = 1024 * 1024;

/// One ciphertext.
#[derive(Clone)]
pub enum EncryptedValue {
    Bool(FheBool),
    U8(FheUint8),
    U16(FheUint16),
    U32(FheUint32),
    U64(FheUint64),
}

/// The same expression for whatever the value holds.
macro_rules! each {
    ($value:expr, $inner:ident => $body:expr) => {
        match $value {
            EncryptedValue::Bool($inner) => $body,
            EncryptedValue::U8($inner) => $body,
            EncryptedValue::U16($inner) => $body,
            EncryptedValue::U32($inner) => $body,
            EncryptedValue::U64($inner) => $body,
        }
    };
}

impl EncryptedValue {
    /// The type.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match self {
            Self::Bool(_) => ValueType::Bool,
            Self::U8(_) => ValueType::U8,
            Self::U16(_) => ValueType::U16,
            Self::U32(_) => ValueType::U32,
            Self::U64(_) => ValueType::U64,
        }
    }

    pub(crate) fn encrypt(kind: ValueType, clear: u64, key: &ClientKey) -> Self {
        match kind {
            ValueType::Bool => Self::Bool(FheBool::encrypt(clear != 0, key)),
            ValueType::U8 => Self::U8(FheUint8::encrypt(clear as u8, key)),
            ValueType::U16 => Self::U16(FheUint16::encrypt(clear as u16, key)),
            ValueType::U32 => Self::U32(FheUint32::encrypt(clear as u32, key)),
            ValueType::U64 => Self::U64(FheUint64::encrypt(clear, key)),
        }
    }

    #[cfg(test)]
    pub(crate) fn decrypt(&self, key: &ClientKey) -> u64 {
        match self {
            Self::Bool(value) => u64::from(value.decrypt(key)),
            Self::U8(value) => value.decrypt(key),
            Self::U16(value) => value.decrypt(key),
            Self::U32(value) => value.decrypt(key),
            Self::U64(value) => value.decrypt(key),
        }
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        each!(self, value => bytes::write(value))
    }

    /// The bytes of the value as a signed number of its width; `None` for a bool. Needs the server key on this thread.
    pub(crate) fn to_signed_bytes(&self) -> Option<Vec<u8>> {
        match self.clone() {
            Self::Bool(_) => None,
            Self::U8(value) => Some(bytes::write(&FheInt8::cast_from(value))),
            Self::U16(value) => Some(bytes::write(&FheInt16::cast_from(value))),
            Self::U32(value) => Some(bytes::write(&FheInt32::cast_from(value))),
            Self::U64(value) => Some(bytes::write(&FheInt64::cast_from(value))),
        }
    }

    /// Reads a value that a computation produced.
    pub(crate) fn from_bytes(kind: ValueType, bytes: &[u8]) -> Result<Self, ReadError> {
        const KIND: &str = "encrypted value";
        let value = match kind {
            ValueType::Bool => Self::Bool(bytes::read(bytes, MAX_VALUE_BYTES, KIND)?),
            ValueType::U8 => Self::U8(bytes::read(bytes, MAX_VALUE_BYTES, KIND)?),
            ValueType::U16 => Self::U16(bytes::read(bytes, MAX_VALUE_BYTES, KIND)?),
            ValueType::U32 => Self::U32(bytes::read(bytes, MAX_VALUE_BYTES, KIND)?),
            ValueType::U64 => Self::U64(bytes::read(bytes, MAX_VALUE_BYTES, KIND)?),
        };
        match contained(|| value.is_computed_value()) {
            Some(true) => Ok(value),
            _ => Err(ReadError::Parameters { kind: KIND }),
        }
    }

    fn is_computed_value(&self) -> bool {
        match self {
            Self::Bool(value) => are_computed_blocks(&[value.clone().into_raw_parts()], 1),
            Self::U8(value) => are_computed_blocks(value.clone().into_raw_parts().0.blocks(), 8 / BLOCK_BITS),
            Self::U16(value) => are_computed_blocks(value.clone().into_raw_parts().0.blocks(), 16 / BLOCK_BITS),
            Self::U32(value) => are_computed_blocks(value.clone().into_raw_parts().0.blocks(), 32 / BLOCK_BITS),
            Self::U64(value) => are_computed_blocks(value.clone().into_raw_parts().0.blocks(), 64 / BLOCK_BITS),
        }
    }

    pub(crate) fn tag(&self) -> &Tag {
        each!(self, value => value.tag())
    }

    pub(crate) fn add_to(&self, context: &mut ReRandomizationContext) {
        each!(self, value => context.add_ciphertext(value));
    }

    /// Other randomness, same value. Needs the server key on this thread.
    pub(crate) fn re_randomize(&mut self, seeds: &mut ReRandomizationSeedGen) -> tfhe::Result<()> {
        let seed = seeds.next_seed()?;
        each!(self, value => value.re_randomize(ReRandomizationMode::UseAvailableMode, seed))
    }
}

/// Whether blocks have our parameters. tfhe's own check takes fresh ciphertexts alone: a computed block may have a
/// lower degree and less noise, for example after a shift.
pub(crate) fn are_computed_blocks(blocks: &[Ciphertext], expected: u32) -> bool {
    let parameters = PARAM_MESSAGE_2_CARRY_2_KS_PBS_TUNIFORM_2M128;
    let fresh = parameters.to_shortint_conformance_param();
    blocks.len() == expected as usize
        && blocks.iter().all(|block| {
            let computed =
                CiphertextConformanceParams { degree: block.degree, noise_level: block.noise_level(), ..fresh };
            block.degree.get() < parameters.message_modulus.0 * parameters.carry_modulus.0
                && block.noise_level().get() <= parameters.max_noise_level.get()
                && block.is_conformant(&computed)
        })
}
