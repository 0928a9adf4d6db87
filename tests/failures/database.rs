//! PostgreSQL dies, or is restarted, while clients submit.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use futures::future::join_all;
use nix::sys::signal::Signal;

use crate::harness::{Stack, factor, until};

const CLIENTS: u64 = 8;

#[tokio::test]
async fn every_answer_is_202_or_503_and_no_job_is_half_done_when_it_dies() {
    let stack = Stack::own();
    loses_nothing(&stack, || stack.kills("postgres")).await;
}

/// As `systemctl restart` does it: sessions are told (57P01), and the log is written to its end.
#[tokio::test]
async fn every_answer_is_202_or_503_and_no_job_is_half_done_when_it_is_restarted() {
    let stack = Stack::own();
    loses_nothing(&stack, || stack.place.signal(&stack.place.part("postgres"), Signal::SIGINT)).await;
    assert!(stack.says("postgres", "received fast shutdown request") > 0);
}

/// Clients submit, and meanwhile PostgreSQL goes away again and again.
async fn loses_nothing(stack: &Stack, goes: impl Fn()) {
    let zama = stack.tenant();
    let (accepted, refused) = (AtomicU64::new(0), AtomicU64::new(0));
    let enough = AtomicBool::new(false);

    let client = async |client: u64| {
        let mut ids = Vec::new();
        for number in 0.. {
            if enough.load(Ordering::Relaxed) {
                break;
            }
            // A client that was refused asks again with its key: a commit whose answer was lost is found.
            let (id, refusals) = zama.insists(&format!("{client}-{number}"), &factor(1_000_003 + number)).await;
            for answer in &refusals {
                assert_eq!((answer.status, answer.code()), (503, "SERVICE_UNAVAILABLE"), "{answer:?}");
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
            }
            refused.fetch_add(refusals.len() as u64, Ordering::Relaxed);
            accepted.fetch_add(1, Ordering::Relaxed);
            ids.push(id);
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        ids
    };
    let operator = async {
        until("some are accepted", async || (accepted.load(Ordering::Relaxed) >= CLIENTS).then_some(())).await;
        // A kill that met no request on its way was not noticed: a request that comes later waits for the restart.
        until("some are refused", async || {
            let then = accepted.load(Ordering::Relaxed);
            goes();
            until("some are accepted again", async || {
                (accepted.load(Ordering::Relaxed) >= then + 2 * CLIENTS).then_some(())
            })
            .await;
            (refused.load(Ordering::Relaxed) > 0).then_some(())
        })
        .await;
        enough.store(true, Ordering::Relaxed);
    };
    let (ids, ()) = tokio::join!(join_all((0..CLIENTS).map(&client)), operator);

    let ids = ids.concat();
    println!("{} accepted, {} refused", ids.len(), refused.load(Ordering::Relaxed));
    zama.all_complete_confirmed_and_billed_once(&ids).await;
    assert_eq!(zama.jobs().await.len(), ids.len(), "a job that no client knows");
    stack.lists(ids.len(), &zama.tenant).await;
}
