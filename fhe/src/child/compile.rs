//! From a job's payload to the program that its inputs need.

use jobs::fhe::program::{Program, ValueType};

/// A program and what it costs.
#[derive(Clone, Debug)]
pub struct Compiled {
    pub program: Program,
    /// Bootstrappings of each step, by the price table.
    pub step_pbs: Vec<u64>,
}

/// Why there is no program.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CompileError {
    /// The payload is not one that was admitted: our fault.
    #[error("payload: {0}")]
    Payload(String),
    /// The algorithm does not take such inputs.
    #[error("inputs: {0}")]
    Inputs(String),
}

/// A compiler of payloads: RFC 8785 JSON and the types of the inputs.
pub type Compile<'a> = dyn Fn(&str, &[ValueType]) -> Result<Compiled, CompileError> + 'a;

/// Compiles the algorithms of the catalogue.
///
/// # Errors
/// See [`CompileError`].
pub fn compile(payload: &str, _inputs: &[ValueType]) -> Result<Compiled, CompileError> {
    Err(CompileError::Payload(format!("no algorithm is known: {payload}")))
}
