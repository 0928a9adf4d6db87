//! The parent's side against a child that behaves as it is told: what dies, hangs or babbles ends its own request alone.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::path::PathBuf;
use std::time::Duration;

use activities::fhe::{Child, ChildOptions, Children, Ended, KEY_TIME, Lease, Listener, Phase};
use fhe::child::protocol::{Blob, Checkpoint, Done, KeyMode, LoadKey, Prepared, Refusal, Run};
use jobs::TenantId;
use tokio_util::sync::CancellationToken;

/// `activities/examples/fake_fhe_child.rs`, which cargo builds beside the tests.
fn fake() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.ancestors().nth(2).unwrap().join("examples/fake_fhe_child")
}

fn children() -> Children {
    Children::new(ChildOptions { program: fake(), memory_bytes: 1 << 30 }, 1)
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

async fn lease() -> Lease {
    children().lease(&tenant("acme")).await.unwrap()
}

fn run(payload: &str) -> Run {
    Run {
        job_id: [7; 16],
        tenant: "acme".to_owned(),
        submitter: [1; 20],
        mode: KeyMode::Network,
        key_id: [3; 32],
        payload: payload.to_owned(),
        inputs: Blob(b"inputs".to_vec()),
        checkpoint: None,
        checkpoint_pbs: 10,
        fhe_unit_ceiling: None,
    }
}

fn key(evaluation_key: &[u8]) -> LoadKey {
    let evaluation_key = Blob(evaluation_key.to_vec());
    LoadKey { mode: KeyMode::Network, key_id: [3; 32], evaluation_key, public_key: None, crs: None }
}

/// A wish that nobody has.
fn never() -> CancellationToken {
    CancellationToken::new()
}

#[derive(Default)]
struct Heard {
    prepared: usize,
    progress: Vec<u64>,
    checkpoints: Vec<Checkpoint>,
    /// Cancelled when the child computes.
    computing: CancellationToken,
}

impl Listener for Heard {
    async fn prepared(&mut self, _: &Prepared) {
        self.prepared += 1;
        self.computing.cancel();
    }

    fn progress(&mut self, _: u32, pbs: u64) {
        self.progress.push(pbs);
    }

    async fn checkpoint(&mut self, checkpoint: Checkpoint) {
        self.checkpoints.push(checkpoint);
    }
}

type Answer = (Option<Child>, Ended<(Prepared, Done)>);

/// One run that nobody stops.
async fn ran(child: Child, run: Run) -> (Answer, Heard) {
    let mut heard = Heard::default();
    let stop = CancellationToken::new();
    (child.run(run, &stop, Duration::from_secs(5), &mut heard).await.unwrap(), heard)
}

#[tokio::test]
async fn a_program_runs_to_its_result_and_the_child_serves_again() {
    let lease = lease().await;
    let child = lease.child().await.unwrap();
    let pid = child.pid();
    let ((child, ended), heard) = ran(child, run("")).await;
    let Ended::Done((prepared, done)) = ended else { panic!("{ended:?}") };
    assert_eq!((prepared.pbs, done.result.0.as_slice()), (40, b"inputs".as_slice()));
    assert_eq!((heard.prepared, heard.progress.as_slice()), (1, [10, 20, 30, 40].as_slice()));
    assert_eq!(heard.checkpoints.len(), 3);
    lease.give_back(child.unwrap());
    let again = lease.child().await.unwrap();
    assert_eq!(again.pid(), pid, "keys are loaded once");
    let resumed = Run { checkpoint: heard.checkpoints.into_iter().nth(1), ..run("") };
    assert_eq!(ran(again, resumed).await.1.progress, [30, 40]);
}

/// What it has read of one tenant must not come out in another's job.
#[tokio::test]
async fn a_child_serves_one_tenant_alone() {
    let children = children();
    let serve = async |name: &str| {
        let lease = children.lease(&tenant(name)).await.unwrap();
        let child = lease.child().await.unwrap();
        let pid = child.pid();
        let ((child, ended), _) = ran(child, run("")).await;
        assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
        lease.give_back(child.unwrap());
        pid
    };
    let first = serve("acme").await;
    assert_eq!(serve("acme").await, first);
    let other = serve("mallory").await;
    assert_ne!(other, first);
    dies(first).await;
    assert_eq!(serve("mallory").await, other);
    assert_ne!(serve("acme").await, other);
}

/// A hostile key must hold up nobody but its owner.
#[tokio::test]
async fn a_key_that_takes_too_long_or_is_not_wanted_any_more_ends_its_child() {
    let lease = lease().await;
    let child = lease.child().await.unwrap();
    let pid = child.pid();
    let (child, ended) = child.load_key(key(b"deaf"), &never(), Duration::from_millis(200)).await.unwrap();
    assert!(child.is_none());
    assert!(matches!(ended, Ended::Died { phase: Phase::LoadingKeys, .. }), "{ended:?}");
    dies(pid).await;
    let child = lease.child().await.unwrap();
    let (pid, stop) = (child.pid(), never());
    stop.cancel();
    let (child, ended) = child.check_key(b"deaf".to_vec(), &stop, KEY_TIME).await.unwrap();
    assert!(child.is_none());
    assert!(matches!(ended, Ended::Stopped), "{ended:?}");
    dies(pid).await;
}

/// It goes to the client, into the database and into a history.
#[tokio::test]
async fn what_a_child_says_is_cut() {
    let lease = lease().await;
    let ((_, ended), _) = ran(lease.child().await.unwrap(), run("babble")).await;
    let Ended::Failed { detail } = ended else { panic!("{ended:?}") };
    assert_eq!(detail, "ä".repeat(500) + "…");
}

#[tokio::test]
async fn keys_are_known_until_the_child_ends() {
    let lease = lease().await;
    let child = lease.child().await.unwrap();
    assert!(!child.holds(KeyMode::Network, [3; 32]));
    let (child, ended) = child.load_key(key(b"sound"), &never(), KEY_TIME).await.unwrap();
    assert!(matches!(ended, Ended::Done(())), "{ended:?}");
    let child = child.unwrap();
    assert!(child.holds(KeyMode::Network, [3; 32]));
    assert!(!child.holds(KeyMode::Client, [3; 32]));
    assert!(!child.holds(KeyMode::Network, [4; 32]));
    let (child, ended) = child.load_key(key(b"deadly"), &never(), KEY_TIME).await.unwrap();
    assert!(child.is_none());
    assert!(matches!(ended, Ended::Died { phase: Phase::LoadingKeys, .. }), "no inputs were read: {ended:?}");
    assert!(!lease.child().await.unwrap().holds(KeyMode::Network, [3; 32]), "another child begins with nothing");
}

#[tokio::test]
async fn a_death_is_told_with_its_phase_and_another_child_goes_on() {
    let lease = lease().await;
    for (payload, expected) in [("die reading", Phase::Reading), ("die computing", Phase::Computing)] {
        let ((child, ended), _) = ran(lease.child().await.unwrap(), run(payload)).await;
        assert!(child.is_none());
        let Ended::Died { phase, how } = ended else { panic!("{payload}: {ended:?}") };
        assert_eq!((phase, how.as_str()), (expected, "signal 6"), "{payload}");
        let ((_, ended), _) = ran(lease.child().await.unwrap(), run("")).await;
        assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
    }
}

#[tokio::test]
async fn a_child_killed_from_outside_is_seen() {
    let lease = lease().await;
    let child = lease.child().await.unwrap();
    let pid = child.pid().to_string();
    let (stop, mut heard) = (CancellationToken::new(), Heard::default());
    let computing = heard.computing.clone();
    let kill = async {
        computing.cancelled().await;
        assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
    };
    let (answer, ()) = tokio::join!(child.run(run("wait"), &stop, Duration::from_secs(5), &mut heard), kill);
    let Ended::Died { phase, how } = answer.unwrap().1 else { panic!("it lives") };
    assert_eq!((phase, how.as_str()), (Phase::Computing, "signal 9"));
}

#[tokio::test]
async fn garbage_ends_the_child_and_nothing_else() {
    let lease = lease().await;
    let ((child, ended), _) = ran(lease.child().await.unwrap(), run("garbage")).await;
    assert!(child.is_none());
    let Ended::Died { how, .. } = ended else { panic!("{ended:?}") };
    assert_eq!(how, "it closed its pipe and was killed");
    let out_of_turn = lease.child().await.unwrap();
    let mut heard = Heard::default();
    let stop = CancellationToken::new();
    let answer = out_of_turn.run(run("result first"), &stop, Duration::from_secs(5), &mut heard).await;
    assert!(answer.is_err(), "a result without a program is no result");
    let ((_, ended), _) = ran(lease.child().await.unwrap(), run("")).await;
    assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
}

#[tokio::test]
async fn refusals_and_failures_leave_the_child_alive() {
    let lease = lease().await;
    let child = lease.child().await.unwrap();
    let pid = child.pid();
    let ((child, ended), _) = ran(child, run("refuse")).await;
    assert!(matches!(ended, Ended::Refused { reason: Refusal::CiphertextInvalid, .. }), "{ended:?}");
    let ((child, ended), _) = ran(child.unwrap(), run("fail")).await;
    assert!(matches!(ended, Ended::Failed { .. }), "{ended:?}");
    assert_eq!(child.unwrap().pid(), pid);
}

#[tokio::test]
async fn a_child_stops_when_it_is_told_and_is_killed_when_it_does_not() {
    let lease = lease().await;
    let stopped = async |payload: &str, grace: Duration| {
        let mut heard = Heard::default();
        // As soon as it computes.
        let stop = heard.computing.clone();
        let child = lease.child().await.unwrap();
        let pid = child.pid();
        let (child, ended) = child.run(run(payload), &stop, grace, &mut heard).await.unwrap();
        assert!(matches!(ended, Ended::Stopped), "{payload}: {ended:?}");
        (child.map(|child| child.pid()), pid)
    };
    let (left, pid) = stopped("wait", Duration::from_secs(30)).await;
    assert_eq!(left, Some(pid), "it can serve another");
    // Left alone, this one would have a result in the end.
    let (left, pid) = stopped("deaf", Duration::from_millis(300)).await;
    assert_eq!(left, None);
    dies(pid).await;
}

#[tokio::test]
async fn a_dropped_child_is_killed() {
    let child = lease().await.child().await.unwrap();
    let pid = child.pid();
    assert!(alive(pid));
    drop(child);
    dies(pid).await;
}

#[tokio::test]
async fn a_child_is_given_nothing_but_its_limits() {
    let lease = lease().await;
    let ((_, ended), _) = ran(lease.child().await.unwrap(), run("surroundings")).await;
    let Ended::Failed { detail } = ended else { panic!("{ended:?}") };
    let parent = std::process::id();
    let arguments = format!(r#"["fhe-child", "--parent", "{parent}", "--memory-bytes", "1073741824"]"#);
    assert_eq!(detail, format!("[] {arguments}"));
}

/// Else a child could read the worker's environment and memory, where the keys are.
#[tokio::test]
async fn who_starts_children_is_closed_to_others_of_its_user() {
    drop(lease().await.child().await.unwrap());
    assert_eq!(nix::sys::prctl::get_dumpable(), Ok(false));
}

#[tokio::test]
async fn a_key_is_checked_by_its_hash() {
    let lease = lease().await;
    let (child, ended) = lease.child().await.unwrap().check_key(b"abc".to_vec(), &never(), KEY_TIME).await.unwrap();
    let Ended::Done(id) = ended else { panic!("{ended:?}") };
    assert_eq!(blobs::BlobHash(id), blobs::BlobHash::of(b"abc"));
    let (child, ended) = child.unwrap().check_key(b"deadly".to_vec(), &never(), KEY_TIME).await.unwrap();
    assert!(child.is_none());
    assert!(matches!(ended, Ended::Died { .. }), "{ended:?}");
}

/// Waits for a process that nobody needs any more to be gone.
async fn dies(pid: u32) {
    let death = async {
        while alive(pid) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(50), death).await.is_ok(), "process {pid} was left behind");
}

fn alive(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie is dead.
    !status.is_empty() && !status.contains(") Z ")
}
