//! What a worker and its child process say to each other: one CBOR message a frame, each frame with its length
//! (u32, big-endian) in front. The worker asks over the child's standard input and reads its standard output.

pub use jobs::fhe::KeyMode;
use jobs::fhe::program::ValueType;
use serde::{Deserialize, Serialize};

use crate::profile::Profile;

/// Largest frame, in bytes: a client's evaluation key, the largest thing that is sent, and room around it.
pub const MAX_FRAME: usize = jobs::fhe::MAX_EVALUATION_KEY_BYTES + 32 * 1024 * 1024;

/// Largest values of a checkpoint, in bytes: what a program may keep at once, and room around it. What is more is not
/// saved.
pub const MAX_CHECKPOINT: usize = jobs::fhe::MAX_LIVE_BYTES as usize + 1024 * 1024;

/// What the worker asks for.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// Load a key; kept until the child ends (network) or until another client's key comes.
    LoadKey(LoadKey),
    /// Read inputs, compile, execute.
    Run(Box<Run>),
    /// Stop after the operation that runs now; answered by [`Event::Stopped`].
    Stop,
    /// Check a client's evaluation key, nothing else.
    CheckKey { evaluation_key: Blob },
}

/// Bytes that CBOR carries as a byte string.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Blob(#[serde(with = "serde_bytes")] pub Vec<u8>);

#[derive(Debug, Deserialize, Serialize)]
pub struct LoadKey {
    pub mode: KeyMode,
    /// SHA-256 that binds everything that is computed under the key.
    pub key_id: [u8; 32],
    /// Compressed evaluation key.
    pub evaluation_key: Blob,
    /// Compact public key; network mode.
    pub public_key: Option<Blob>,
    /// Common reference string of the proofs; network mode.
    pub crs: Option<Blob>,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Run {
    /// The job's UUID; seeds re-randomisation with what follows.
    pub job_id: [u8; 16],
    pub tenant: String,
    pub submitter: [u8; 20],
    pub mode: KeyMode,
    pub key_id: [u8; 32],
    /// The algorithm and its parameters: the job's payload, RFC 8785 JSON.
    pub payload: String,
    /// The blob that the client uploaded.
    pub inputs: Blob,
    /// A checkpoint of an earlier attempt, whose origin the worker has verified.
    pub checkpoint: Option<Checkpoint>,
    /// A checkpoint is made after as many bootstrappings.
    pub checkpoint_pbs: u64,
    /// Most FHE units that the job may cost; nothing is computed of a program that costs more.
    pub fhe_unit_ceiling: Option<u64>,
}

/// Where an execution stands between two steps.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Checkpoint {
    pub program_hash: [u8; 32],
    pub inputs_hash: [u8; 32],
    /// Steps that are done.
    pub step: u32,
    /// The values that later steps and outputs still need, inputs excepted.
    pub values: Blob,
}

/// What the child tells.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// The key is there.
    KeyLoaded,
    /// The evaluation key is sound; its id.
    KeyChecked {
        key_id: [u8; 32],
    },
    /// The inputs were read and verified, and the program is compiled: from here on a death is not the inputs' fault.
    /// The first answer to a run that is not refused; the work, which begins with the inputs, comes after it.
    Prepared(Prepared),
    /// Bootstrappings done, of those in [`Prepared`].
    Progress {
        step: u32,
        pbs: u64,
    },
    Checkpoint(Checkpoint),
    Done(Done),
    Stopped,
    /// The client's fault: the job fails.
    Refused {
        reason: Refusal,
        detail: String,
    },
    /// Ours: the attempt fails.
    Failed {
        detail: String,
    },
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Prepared {
    pub input_types: Vec<ValueType>,
    /// SHA-256 of the inputs as they were serialised again.
    pub inputs_hash: [u8; 32],
    pub program_hash: [u8; 32],
    /// How the child evaluates.
    pub profile: Profile,
    /// Steps of the whole program, and bootstrappings of it and of its inputs, whatever the checkpoint saved.
    pub steps: u32,
    pub pbs: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub struct Done {
    /// CBOR map: name to a serialised ciphertext, or to a number that everybody may know.
    pub result: Blob,
    /// SHA-256 of `result`.
    pub result_hash: [u8; 32],
}

/// Why the inputs or the key are refused.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// Bytes, proof or metadata are wrong.
    CiphertextInvalid,
    /// Well-formed, but under another key or other parameters.
    KeyMismatch,
    /// The number or types of the inputs do not fit the algorithm.
    InputsUnfit,
    /// On these inputs the program costs more than the job may.
    TooDear,
}
