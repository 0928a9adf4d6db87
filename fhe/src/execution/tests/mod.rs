//! Operations against a clear oracle, checkpoints, and the same bytes from two processes.

mod determinism;
mod operations;
mod oracle;
mod programs;

use jobs::fhe::program::{Binary, Operand, Operation, ValueId, ValueType};

use super::{Execution, ExecutionError};
use crate::dry_run::counting_keys;
use crate::keys::{EvaluationKey, SecretKey};
use crate::testing::Drawn;
use crate::value::EncryptedValue;

const NUMBERS: [ValueType; 4] = ValueType::NUMBERS;
const BINARIES: [Binary; 18] = Binary::ALL;

/// A key to test with.
struct Key {
    client: tfhe::ClientKey,
    server: tfhe::ServerKey,
}

/// Runs on one thread: the fast key's bootstrappings are shorter than handing a part of them to another thread.
fn alone<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    crate::profile::pin();
    rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread").install(work)
}

/// The fast key without security.
fn fast() -> Key {
    let keys = counting_keys();
    Key { client: keys.client.clone(), server: keys.server.clone() }
}

fn real() -> Key {
    let keys = crate::testing::client();
    Key::of(&keys.secret, &keys.evaluation)
}

impl Key {
    fn of(secret: &SecretKey, evaluation: &EvaluationKey) -> Self {
        Self { client: secret.0.clone(), server: evaluation.server_key().clone() }
    }

    /// The one operation, on the values.
    fn evaluate(&self, operation: Operation, values: &[(ValueType, u64)]) -> Result<(ValueType, u64), ExecutionError> {
        let output = jobs::fhe::program::OutputValue::Encrypted(ValueId(values.len() as u32));
        let kinds = values.iter().map(|(kind, _)| *kind).collect();
        let program = crate::testing::program(kinds, vec![operation], &[("result", output)]);
        let inputs = values.iter().map(|(kind, value)| EncryptedValue::encrypt(*kind, *value, &self.client)).collect();
        let mut execution = Execution::with_key(self.server.clone(), program, inputs, [0; 32])?;
        execution.step()?;
        let result = execution.value(ValueId(values.len() as u32)).expect("the step defines it");
        // What leaves is what a reader takes.
        let bytes = result.to_bytes();
        let kind = result.value_type();
        let decrypted = result.decrypt(&self.client);
        assert!(!bytes.is_empty());
        Ok((kind, decrypted))
    }
}

fn encrypted(operation: Binary) -> Operation {
    Operation::Binary { operation, left: ValueId(0), right: Operand::Value(ValueId(1)) }
}

fn clear(operation: Binary, right: u64) -> Operation {
    Operation::Binary { operation, left: ValueId(0), right: Operand::Clear(right) }
}

/// What an operation on two numbers of a width gives.
fn oracle(operation: Binary, kind: ValueType, left: u64, right: u64) -> (ValueType, u64) {
    let wrap = |value: u128| (kind, (value & u128::from(kind.highest())) as u64);
    let bool = |value: bool| (ValueType::Bool, u64::from(value));
    let (a, b) = (u128::from(left), u128::from(right));
    match operation {
        Binary::Add => wrap(a + b),
        Binary::Sub => wrap((1 << 64) + a - b),
        Binary::Mul => wrap(a * b),
        Binary::Div => wrap(a.checked_div(b).unwrap_or(u128::MAX)),
        Binary::Rem => wrap(a.checked_rem(b).unwrap_or(a)),
        Binary::Min => wrap(a.min(b)),
        Binary::Max => wrap(a.max(b)),
        Binary::And => wrap(a & b),
        Binary::Or => wrap(a | b),
        Binary::Xor => wrap(a ^ b),
        Binary::Shl => wrap(if right < 64 { a << right } else { 0 }),
        Binary::Shr => wrap(if right < 64 { a >> right } else { 0 }),
        Binary::Eq => bool(a == b),
        Binary::Ne => bool(a != b),
        Binary::Lt => bool(a < b),
        Binary::Le => bool(a <= b),
        Binary::Gt => bool(a > b),
        Binary::Ge => bool(a >= b),
    }
}

fn is_shift(operation: Binary) -> bool {
    matches!(operation, Binary::Shl | Binary::Shr)
}

fn is_division(operation: Binary) -> bool {
    matches!(operation, Binary::Div | Binary::Rem)
}

/// Whether the operation is offered on two encrypted numbers of the type.
fn is_offered(operation: Binary, kind: ValueType) -> bool {
    match operation {
        Binary::Shl | Binary::Shr => false,
        Binary::Div | Binary::Rem => kind.bits() <= 16,
        Binary::Mul => kind.bits() <= 32,
        _ => true,
    }
}

/// Edges and a few random numbers.
fn pairs(kind: ValueType) -> Vec<(u64, u64)> {
    let max = kind.highest();
    let mut pairs = vec![
        (0, 0),
        (0, 1),
        (1, 0),
        (max, 0),
        (0, max),
        (max, max),
        (max, 1),
        (max / 2, max / 2 + 1),
        (max / 2 + 1, 2),
    ];
    let mut random = Drawn;
    pairs.extend((0..4).map(|_| (random.next_u64() & max, random.next_u64() & max)));
    pairs
}
