//! A typed straight-line program over encrypted values: what every encrypted algorithm is compiled to, what is priced,
//! and what the worker executes step by step.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A block's 2,049 numbers of eight bytes, and room for what stands around them.
const BLOCK_BYTES: u64 = 17 * 1024;

/// The type of an encrypted value; unsigned, little-endian in two-bit blocks.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ValueType {
    Bool,
    U8,
    U16,
    U32,
    U64,
}

impl ValueType {
    /// Every type, narrowest first.
    pub const ALL: [Self; 5] = [Self::Bool, Self::U8, Self::U16, Self::U32, Self::U64];

    /// The types of numbers, narrowest first.
    pub const NUMBERS: [Self; 4] = [Self::U8, Self::U16, Self::U32, Self::U64];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Bool => "bool",
            Self::U8 => "u8",
            Self::U16 => "u16",
            Self::U32 => "u32",
            Self::U64 => "u64",
        }
    }

    /// Width in bits.
    pub fn bits(self) -> u32 {
        match self {
            Self::Bool => 1,
            Self::U8 => 8,
            Self::U16 => 16,
            Self::U32 => 32,
            Self::U64 => 64,
        }
    }

    /// Ciphertexts of two bits that a value consists of.
    pub fn blocks(self) -> u64 {
        u64::from(self.bits().div_ceil(2))
    }

    /// The most bytes that a value takes outside of the computation.
    pub fn most_bytes(self) -> u64 {
        self.blocks() * BLOCK_BYTES
    }

    /// The highest value of the type.
    pub fn highest(self) -> u64 {
        u64::MAX >> (64 - self.bits())
    }

    /// Whether values of the type are numbers.
    pub fn is_number(self) -> bool {
        self != Self::Bool
    }

    /// The narrowest type of numbers that holds 0 to `max`.
    pub fn holding(max: u128) -> Option<Self> {
        Self::NUMBERS.into_iter().find(|kind| max <= u128::from(kind.highest()))
    }
}

impl fmt::Display for ValueType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ValueType {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|kind| kind.as_str() == name);
        found.ok_or_else(|| "is not one of bool, u8, u16, u32, u64".to_owned())
    }
}

/// A value of a program: first its inputs in their order, then the results of its steps in theirs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ValueId(pub u32);

impl ValueId {
    /// Where the value stands among all values of its program.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An operand: an encrypted value, or a number that everybody may read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    Value(ValueId),
    Clear(u64),
}

impl From<ValueId> for Operand {
    fn from(value: ValueId) -> Self {
        Self::Value(value)
    }
}

impl From<u64> for Operand {
    fn from(clear: u64) -> Self {
        Self::Clear(clear)
    }
}

/// Operations on two numbers. Arithmetic wraps at the type's width.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// Quotient, rounded down; by an encrypted 0 it is the type's highest value.
    Div,
    /// Remainder; by an encrypted 0 it is the left operand.
    Rem,
    Min,
    Max,
    And,
    Or,
    Xor,
    /// By a clear number of bits.
    Shl,
    Shr,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Binary {
    /// Every operation, in the order of the tables that list them.
    pub const ALL: [Self; 18] = [
        Self::Add,
        Self::Sub,
        Self::Mul,
        Self::Div,
        Self::Rem,
        Self::Min,
        Self::Max,
        Self::And,
        Self::Or,
        Self::Xor,
        Self::Shl,
        Self::Shr,
        Self::Eq,
        Self::Ne,
        Self::Lt,
        Self::Le,
        Self::Gt,
        Self::Ge,
    ];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Add => "add",
            Self::Sub => "sub",
            Self::Mul => "mul",
            Self::Div => "div",
            Self::Rem => "rem",
            Self::Min => "min",
            Self::Max => "max",
            Self::And => "and",
            Self::Or => "or",
            Self::Xor => "xor",
            Self::Shl => "shl",
            Self::Shr => "shr",
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Lt => "lt",
            Self::Le => "le",
            Self::Gt => "gt",
            Self::Ge => "ge",
        }
    }

    /// Whether the result is a bool that tells how the operands compare.
    pub fn is_comparison(self) -> bool {
        matches!(self, Self::Eq | Self::Ne | Self::Lt | Self::Le | Self::Gt | Self::Ge)
    }

    /// The operation that gives the same with its operands exchanged.
    pub fn mirrored(self) -> Option<Self> {
        match self {
            Self::Sub | Self::Div | Self::Rem | Self::Shl | Self::Shr => None,
            Self::Lt => Some(Self::Gt),
            Self::Le => Some(Self::Ge),
            Self::Gt => Some(Self::Lt),
            Self::Ge => Some(Self::Le),
            same => Some(same),
        }
    }
}

/// One operation: the unit of execution, of progress and of cancellation.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// The left operand is encrypted and gives the type; the right one has that type, or is clear and fits it.
    Binary { operation: Binary, left: ValueId, right: Operand },
    /// Bitwise; of a bool, the opposite.
    Not { value: ValueId },
    /// `then` where the condition holds, `otherwise` else; at least one of the two is encrypted.
    Select { condition: ValueId, then: Operand, otherwise: Operand, result: ValueType },
    /// To another width: cut off, or filled with zeros; a bool becomes 0 or 1.
    Cast { value: ValueId, to: ValueType },
    /// The sum of many values of one type, wrapping: far cheaper than a chain of additions.
    Sum { values: Vec<ValueId> },
}

/// An encrypted value that leaves the program under a name.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Output {
    pub name: String,
    #[serde(flatten)]
    pub value: OutputValue,
}

/// What stands under an output's name.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputValue {
    /// An encrypted value.
    Encrypted(ValueId),
    /// An encrypted value that is read as a two's complement number.
    Signed(ValueId),
    /// What everybody may know, for example how many values there were.
    Clear(u64),
}

/// A straight-line program: no branch, no loop, every value written once.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Program {
    /// Types of the inputs.
    pub inputs: Vec<ValueType>,
    /// Step `i` defines value `inputs.len() + i` and reads earlier values alone.
    pub steps: Vec<Operation>,
    /// What leaves the program, in the order of the result.
    pub outputs: Vec<Output>,
}
