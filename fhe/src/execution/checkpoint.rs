//! Where an execution stands, as bytes. Whoever keeps them must see that nobody else wrote them: a checkpoint is
//! computed on without any proof of where its ciphertexts come from.

use std::collections::BTreeMap;

use jobs::fhe::program::ValueType;
use serde::{Deserialize, Serialize, Serializer};
use serde_bytes::ByteBuf;

use super::{Execution, ExecutionError};
use crate::child::protocol::{Blob, Checkpoint};
use crate::value::EncryptedValue;

/// A value of a checkpoint.
#[derive(Deserialize, Serialize)]
struct Kept {
    id: u32,
    kind: ValueType,
    bytes: ByteBuf,
}

/// Values that become bytes one after another: all at once would be a copy more.
struct Keeping<'a>(&'a [(u32, &'a EncryptedValue)]);

impl Serialize for Keeping<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|(id, value)| Kept {
            id: *id,
            kind: value.value_type(),
            bytes: ByteBuf::from(value.to_bytes()),
        }))
    }
}

impl Execution {
    /// The values that are still needed and were computed, at the present step; `None` if they take more bytes than
    /// `limit`.
    #[must_use]
    pub fn checkpoint(&self, limit: usize) -> Option<Checkpoint> {
        let inputs = self.program.inputs.len();
        let kept: Vec<(u32, &EncryptedValue)> =
            (inputs..self.values.len()).filter_map(|id| Some((id as u32, self.values[id].as_ref()?))).collect();
        let mut values = Vec::new();
        ciborium::into_writer(&Keeping(&kept), &mut values).expect("writing to memory does not fail");
        (values.len() <= limit).then_some(Checkpoint {
            program_hash: self.program_hash,
            inputs_hash: self.inputs_hash,
            step: self.step as u32,
            values: Blob(values),
        })
    }

    /// Goes on where a checkpoint of this program on these inputs stands; called before the first step.
    ///
    /// # Errors
    /// A checkpoint of something else, or one that lacks values or has too many. The execution is then unchanged.
    pub fn restore(&mut self, checkpoint: &Checkpoint) -> Result<(), ExecutionError> {
        let step = checkpoint.step as usize;
        let ours = checkpoint.program_hash == self.program_hash && checkpoint.inputs_hash == self.inputs_hash;
        if !ours || self.step != 0 || step > self.program.steps.len() {
            return Err(ExecutionError::Checkpoint);
        }
        let mut kept = self.read(checkpoint).ok_or(ExecutionError::Checkpoint)?;
        let inputs = self.program.inputs.len();
        let needed: Vec<usize> = (inputs..inputs + step).filter(|id| self.lifetimes.needed_from(*id, step)).collect();
        if kept.len() != needed.len() || needed.iter().any(|id| !kept.contains_key(id)) {
            return Err(ExecutionError::Checkpoint);
        }
        for id in needed {
            self.values[id] = kept.remove(&id);
        }
        self.step = step;
        self.forget();
        Ok(())
    }

    fn read(&self, checkpoint: &Checkpoint) -> Option<BTreeMap<usize, EncryptedValue>> {
        let kept: Vec<Kept> = ciborium::from_reader(checkpoint.values.0.as_slice()).ok()?;
        let value = |kept: Kept| {
            let value = EncryptedValue::from_bytes(kept.kind, &kept.bytes).ok()?;
            (value.tag() == tfhe::prelude::Tagged::tag(&self.key)).then_some((kept.id as usize, value))
        };
        kept.into_iter().map(value).collect()
    }
}
