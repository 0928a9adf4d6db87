//! A typed straight-line program over encrypted values: what every encrypted algorithm is compiled to, what is priced,
//! and what the worker executes step by step.

use serde::{Deserialize, Serialize};

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

/// A value of a program: first its inputs in their order, then the results of its steps in theirs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct ValueId(pub u32);

/// An operand: an encrypted value, or a number that everybody may read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Operand {
    Value(ValueId),
    Clear(u64),
}

/// Operations on two numbers. Arithmetic wraps at the type's width.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    /// Quotient, rounded down.
    Div,
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
