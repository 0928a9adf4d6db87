//! A job of the stack computed once more by a computing process of the test's own, from its beginning to its end.

use std::path::PathBuf;
use std::time::Duration;

use activities::fhe::{ChildOptions, Children, Ended, KEY_TIME, Listener};
use alloy::primitives::B256;
use fhe::child::protocol::{Blob, Checkpoint, KeyMode, Prepared, Run};
use sqlx::Row;
use tokio_util::sync::CancellationToken;

use super::story::Owner;
use crate::harness::{JobHandle, network_key};

const MEMORY: u64 = 4 << 30;
const PATIENCE: Duration = Duration::from_secs(60);

struct Nobody;

impl Listener for Nobody {
    async fn prepared(&mut self, _: &Prepared) {}
    fn progress(&mut self, _: u32, _: u64) {}
    async fn checkpoint(&mut self, _: Checkpoint) {}
}

/// SHA-256 of what a job under the network's key gives.
pub async fn result_hash(owner: &Owner<'_>, job: JobHandle<'_>, inputs: Vec<u8>) -> B256 {
    let payload = sqlx::query("SELECT payload FROM jobs WHERE id = $1").bind(job.id.0);
    let payload = owner.zama.stack.rows(payload).await[0].get(0);
    let program = PathBuf::from(env!("CARGO_BIN_EXE_zama-jobs"));
    let children = Children::new(ChildOptions { program, memory_bytes: MEMORY }, 1);
    let lease = children.lease(&owner.zama.tenant.parse().unwrap()).await.unwrap();
    let (key, stop) = (network_key(), CancellationToken::new());
    let run = Run {
        job_id: job.id.0.into_bytes(),
        tenant: owner.zama.tenant.clone(),
        submitter: owner.submitter.address().into_array(),
        mode: KeyMode::Network,
        key_id: key.key_id,
        payload,
        inputs: Blob(inputs),
        checkpoint: None,
        checkpoint_pbs: u64::MAX,
        fhe_unit_ceiling: None,
    };
    let child = lease.child().await.unwrap();
    let (child, ended) = child.load_key(key, &stop, KEY_TIME).await.unwrap();
    assert!(matches!(ended, Ended::Done(())), "{ended:?}");
    let (_, ended) = child.unwrap().run(run, &stop, PATIENCE, &mut Nobody).await.unwrap();
    let Ended::Done((_, done)) = ended else { panic!("{ended:?}") };
    done.result_hash.into()
}
