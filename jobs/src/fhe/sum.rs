//! Long sums in parts, so that a computation can be stopped and resumed between them.

use super::program::{Binary, Operation, ValueId};

/// Values that one step adds at most.
pub(super) const CHUNK: usize = 32;

/// The sum of one value or more. `push` appends a step and names its result.
pub(super) fn in_parts(values: &[ValueId], mut push: impl FnMut(Operation) -> ValueId) -> ValueId {
    let mut parts = values.to_vec();
    while parts.len() > 1 {
        parts = parts
            .chunks(CHUNK)
            .map(|chunk| match chunk {
                [one] => *one,
                [left, right] => {
                    push(Operation::Binary { operation: Binary::Add, left: *left, right: (*right).into() })
                }
                _ => push(Operation::Sum { values: chunk.to_vec() }),
            })
            .collect();
    }
    parts[0]
}
