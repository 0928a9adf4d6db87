//! The FHE worker's side against the real computing process, with real keys: its limit of memory.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::PathBuf;
use std::time::Duration;

use activities::fhe::{Child, ChildOptions, Children, Ended, KEY_TIME, Lease, Listener, Phase};
use client::{ClearValue, OwnKey, OwnKeyFiles};
use fhe::child::protocol::{Blob, Checkpoint, Done, KeyMode, LoadKey, Prepared, Refusal, Run};
use tokio_util::sync::CancellationToken;

const MIB: u64 = 1 << 20;
/// Between the 500 that a client's key needs and the 720 that 512 values of 64 bits need beside it.
const LITTLE: u64 = 600 * MIB;

struct Nobody;

impl Listener for Nobody {
    async fn prepared(&mut self, _: &Prepared) {}
    fn progress(&mut self, _: u32, _: u64) {}
    async fn checkpoint(&mut self, _: Checkpoint) {}
}

async fn lease(memory_bytes: u64) -> Lease {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_zama-jobs"));
    Children::new(ChildOptions { program, memory_bytes }, 1).lease(&"acme".parse().unwrap()).await.unwrap()
}

/// A client's key and its inputs.
struct Keys {
    files: OwnKeyFiles,
    own: OwnKey,
}

impl Keys {
    async fn make() -> Self {
        let files = OwnKeyFiles::generate().await.unwrap();
        let own = OwnKey::from_bytes(&files.secret_key, files.key_id).unwrap();
        Self { files, own }
    }

    fn load(&self) -> LoadKey {
        let evaluation_key = Blob(self.files.evaluation_key.clone());
        LoadKey { mode: KeyMode::Client, key_id: self.files.key_id.0, evaluation_key, public_key: None, crs: None }
    }

    /// The maximum of these values.
    async fn run(&self, values: Vec<ClearValue>) -> Run {
        Run {
            job_id: [7; 16],
            tenant: "acme".to_owned(),
            submitter: [1; 20],
            mode: KeyMode::Client,
            key_id: self.files.key_id.0,
            payload: format!(
                r#"{{"algorithm":"encrypted_maximum","encrypted_data_url":"/v1/blobs/{}","key":{{"key_id":"{}","mode":"client"}}}}"#,
                "00".repeat(32),
                self.files.key_id
            ),
            inputs: Blob(self.own.encrypt(values).await.unwrap().bytes().to_vec()),
            checkpoint: None,
            checkpoint_pbs: 1000,
            fhe_unit_ceiling: None,
        }
    }
}

type Answer = (Option<Child>, Ended<(Prepared, Done)>);

async fn runs(child: Child, run: Run) -> Answer {
    let stop = CancellationToken::new();
    child.run(run, &stop, Duration::from_secs(60), &mut Nobody).await.unwrap()
}

async fn with_key(lease: &Lease, keys: &Keys) -> Child {
    let child = lease.child().await.unwrap();
    let (child, ended) = child.load_key(keys.load(), &CancellationToken::new(), KEY_TIME).await.unwrap();
    assert!(matches!(ended, Ended::Done(())), "{ended:?}");
    child.unwrap()
}

#[tokio::test]
async fn a_request_beyond_the_limit_of_memory_ends_its_process_alone() {
    let keys = Keys::make().await;
    let few = keys.run(vec![ClearValue::U8(5), ClearValue::U8(9)]).await;
    // Three megabytes that become a hundred times as many when they are read.
    let many = keys.run(vec![ClearValue::U64(u64::MAX); 512]).await;

    let lease = lease(LITTLE).await;
    let (child, ended) = runs(with_key(&lease, &keys).await, few.clone()).await;
    let Ended::Done((_, first)) = ended else { panic!("{ended:?}") };
    let child = child.unwrap();
    let pid = child.pid();
    let (child, ended) = runs(child, many.clone()).await;
    assert!(child.is_none());
    let Ended::Died { phase, how } = ended else { panic!("{ended:?}") };
    assert_eq!((phase, how.as_str()), (Phase::Reading, "signal 6"), "the allocator aborts it");

    let next = with_key(&lease, &keys).await;
    assert_ne!(next.pid(), pid, "another process goes on");
    let (_, ended) = runs(next, few).await;
    let Ended::Done((_, second)) = ended else { panic!("{ended:?}") };
    assert_eq!(second.result_hash, first.result_hash);

    // It is the limit: a process that may take more reads the same bytes, and says what is wrong with them.
    let roomy = self::lease(6144 * MIB).await;
    let (_, ended) = runs(with_key(&roomy, &keys).await, many).await;
    assert!(matches!(ended, Ended::Refused { reason: Refusal::InputsUnfit, .. }), "{ended:?}");
}
