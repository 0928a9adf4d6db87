//! Putting batches back: whole or not at all, and no job twice.

use jobs::merkle::Batch;
use jobs::{JobId, JobStatus};
use store::batches::{self, Anchor, Horizon};
use store::resync::{self, Rebuilt, Standing, carriers};
use store::sealing::{self, LeafJob};
use store::transactions::{self, InBlock, Purpose, Transaction, TransactionState, Written};
use store::{PgPool, overview};
use uuid::Uuid;

use crate::outbox::{Outbox, REGISTRY};

/// The database forgets a batch, as after a restore.
async fn forget(pool: &PgPool, batch: Uuid) {
    for statement in [
        "UPDATE confirmations SET batch_id = NULL, leaf_index = NULL WHERE batch_id = $1",
        "DELETE FROM chain_transactions WHERE batch_id = $1",
        "DELETE FROM batches WHERE id = $1",
    ] {
        sqlx::query(statement).bind(batch).execute(pool).await.unwrap();
    }
}

/// What a caller who recomputed the root asks for.
async fn put_back(pool: &PgPool, leaves: &[LeafJob], id: Option<Uuid>) -> Option<Uuid> {
    let batch = Batch::seal(&leaves.iter().map(LeafJob::leaf).collect::<Vec<_>>()).unwrap();
    let entries = serde_json::to_value(batch.entries()).unwrap();
    let rebuilt = Rebuilt { id, root: batch.root().0, entries, from_block: 7, leaves };
    resync::rebuild(pool, &REGISTRY, &rebuilt).await.unwrap()
}

fn anchor() -> Anchor {
    Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None }
}

#[tokio::test]
async fn indices_are_given_in_the_order_in_which_jobs_wait() {
    let outbox = Outbox::new().await;
    let mut jobs = Vec::new();
    for _ in 0..7 {
        jobs.push(outbox.confirming().await);
    }
    let waiting = resync::without_batch(&outbox.pool).await.unwrap();
    assert_eq!(waiting.iter().map(|leaf| leaf.job_id).collect::<Vec<_>>(), jobs);
    let (batch, _) = outbox.seal(5).await.unwrap();
    let sealed = sealing::leaves(&outbox.pool, batch).await.unwrap();
    assert_eq!(sealed.iter().map(|leaf| leaf.job_id).collect::<Vec<_>>(), jobs[..5]);
    assert_eq!(resync::without_batch(&outbox.pool).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_batch_that_was_put_back_completes_its_open_jobs_and_no_other() {
    let outbox = Outbox::new().await;
    let jobs: [JobId; 2] = [outbox.confirming().await, outbox.confirming().await];
    let (batch, _) = outbox.seal(9).await.unwrap();
    let leaves = sealing::leaves(&outbox.pool, batch).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    // One of the two was COMPLETED when the backup was made.
    outbox
        .rewrite_ledger("DELETE FROM usage_ledger WHERE metric <> 'jobs_submitted' AND metric <> 'compute_units'")
        .await;
    sqlx::query("UPDATE jobs SET status = 'CONFIRMING', completed_at = NULL WHERE id = $1")
        .bind(jobs[1].0)
        .execute(&outbox.pool)
        .await
        .unwrap();
    forget(&outbox.pool, batch).await;

    let id = put_back(&outbox.pool, &leaves, None).await.expect("nothing speaks against it");
    let stored = resync::batches(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((stored.len(), stored[0].standing, stored[0].leaves), (1, Standing::Open, 2));
    for completed in [vec![jobs[1]], Vec::new()] {
        let done = batches::complete(&outbox.pool, id, &anchor()).await.unwrap();
        assert_eq!(done.into_iter().map(|(job, _)| job).collect::<Vec<_>>(), completed);
    }
    for job in jobs {
        assert_eq!(outbox.status(job).await, JobStatus::Completed);
    }
    assert!(outbox.usage(jobs[0]).await.iter().all(|(metric, _)| metric != "jobs_completed"), "not billed again");
    assert!(outbox.usage(jobs[1]).await.iter().any(|(metric, _)| metric == "jobs_completed"));
    let stored = resync::batches(&outbox.pool, &REGISTRY).await.unwrap();
    let standing = Standing::Anchored { block_number: 7, block_hash: [5; 32], is_final: false };
    assert_eq!(stored[0].standing, standing);
}

#[tokio::test]
async fn confirmations_that_are_lost_are_put_back_with_the_receipt_s_salt() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let leaves = sealing::leaves(&outbox.pool, batch).await.unwrap();
    sqlx::query("DELETE FROM confirmations WHERE job_id = $1").bind(job.0).execute(&outbox.pool).await.unwrap();
    let here = resync::leaf(&outbox.pool, job, leaves[0].leaf_index, leaves[0].salt).await.unwrap().unwrap();
    assert_eq!(here.leaf(), leaves[0].leaf());
    assert_eq!(put_back(&outbox.pool, &leaves, Some(batch)).await, Some(batch));
    assert_eq!(sealing::leaves(&outbox.pool, batch).await.unwrap().len(), 2);
    let pending = outbox.job().await;
    assert!(resync::leaf(&outbox.pool, pending, 9, [0; 32]).await.unwrap().is_none(), "its outcome is not fixed");
}

#[tokio::test]
async fn a_carrier_is_put_back_once_and_as_settled_as_its_batch() {
    let outbox = Outbox::new().await;
    let carrier = |hash| Transaction {
        tx_hash: [hash; 32],
        sender: [1; 20],
        nonce: 7,
        raw: vec![2, 3],
        max_fee_per_gas: u128::MAX,
        max_priority_fee_per_gas: 5,
    };
    let mut batches = Vec::new();
    for _ in 0..3 {
        outbox.confirming().await;
        batches.push(outbox.seal(1).await.unwrap().0);
    }
    let [open, confirmed, is_final] = batches[..] else { panic!("three batches") };
    let anchor = |hash| Anchor { tx_hash: [hash; 32], ..anchor() };
    batches::complete(&outbox.pool, is_final, &anchor(3)).await.unwrap();
    sqlx::query("UPDATE batches SET status = 'FINALIZED' WHERE id = $1")
        .bind(is_final)
        .execute(&outbox.pool)
        .await
        .unwrap();
    batches::complete(&outbox.pool, confirmed, &anchor(2)).await.unwrap();
    assert!(resync::batches(&outbox.pool, &REGISTRY).await.unwrap().iter().all(|batch| !batch.is_carried));

    let block = Some(InBlock { number: 7, hash: [5; 32] });
    for (batch, hash, state, block) in [
        (open, 1, TransactionState::Sent, None),
        (confirmed, 2, TransactionState::Confirmed, block),
        (is_final, 3, TransactionState::Finalized, block),
        // Another one than the one that anchors it.
        (confirmed, 4, TransactionState::Sent, None),
    ] {
        assert!(carriers::put_back(&outbox.pool, batch, &carrier(hash)).await.unwrap());
        assert!(!carriers::put_back(&outbox.pool, batch, &carrier(hash)).await.unwrap(), "it is there");
        let rows = transactions::of_batch(&outbox.pool, batch).await.unwrap();
        let row = rows.iter().find(|row| row.transaction.tx_hash == [hash; 32]).unwrap();
        assert_eq!((&row.transaction, row.state, row.block), (&carrier(hash), state, block), "{hash}");
    }
    // What is sent is settled by the step that completes its batch.
    batches::complete(&outbox.pool, open, &anchor(1)).await.unwrap();
    let rows = transactions::of_batch(&outbox.pool, open).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.state).collect::<Vec<_>>(), [TransactionState::Confirmed]);
    assert!(resync::batches(&outbox.pool, &REGISTRY).await.unwrap().iter().all(|batch| batch.is_carried));
}

#[tokio::test]
async fn jobs_of_an_anchored_batch_that_wait_are_counted() {
    let outbox = Outbox::new().await;
    let jobs = [outbox.confirming().await, outbox.confirming().await];
    let (batch, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    assert_eq!(resync::confirming(&outbox.pool, batch).await.unwrap(), 0);
    sqlx::query("UPDATE jobs SET status = 'CONFIRMING', completed_at = NULL WHERE id = $1")
        .bind(jobs[1].0)
        .execute(&outbox.pool)
        .await
        .unwrap();
    assert_eq!(resync::confirming(&outbox.pool, batch).await.unwrap(), 1);
    assert_eq!(resync::batches(&outbox.pool, &REGISTRY).await.unwrap()[0].confirming, 1);
}

#[tokio::test]
async fn a_job_of_another_batch_stays_where_it_is() {
    let outbox = Outbox::new().await;
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let mut leaves = sealing::leaves(&outbox.pool, batch).await.unwrap();
    leaves[0].leaf_index += 5;
    assert_eq!(put_back(&outbox.pool, &leaves, None).await, None);
    outbox.confirming().await;
    let mut taken = resync::without_batch(&outbox.pool).await.unwrap();
    taken[0].leaf_index = leaves[0].leaf_index - 5;
    assert_eq!(put_back(&outbox.pool, &taken, None).await, None, "its index is another job's");
    assert_eq!(outbox.count("SELECT count(*) FROM batches").await, 1, "nothing was changed");
}

#[tokio::test]
async fn the_sequence_moves_on_and_never_back() {
    let outbox = Outbox::new().await;
    assert_eq!(overview::next_index(&outbox.pool).await.unwrap(), 0);
    assert_eq!(resync::move_past(&outbox.pool, 0).await.unwrap(), 1, "even before the first was given");
    assert_eq!(resync::move_past(&outbox.pool, 41).await.unwrap(), 42);
    assert_eq!(resync::move_past(&outbox.pool, 41).await.unwrap(), 42);
    assert_eq!(resync::move_past(&outbox.pool, 7).await.unwrap(), 42);
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    assert_eq!(sealing::leaves(&outbox.pool, batch).await.unwrap()[0].leaf_index, 42);
}

#[tokio::test]
async fn the_overview_names_the_transaction_that_is_first_in_line() {
    let outbox = Outbox::new().await;
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    for (hash, nonce, fee) in [(1, 9, 5), (2, 8, 5), (3, 8, 6)] {
        let transaction = Transaction {
            tx_hash: [hash; 32],
            sender: [1; 20],
            nonce,
            raw: vec![hash],
            max_fee_per_gas: fee,
            max_priority_fee_per_gas: 1,
        };
        let written = transactions::write_ahead(&outbox.pool, batch, Purpose::Batch, &transaction).await.unwrap();
        assert_eq!(written, Written::Ahead);
    }
    outbox.execute("UPDATE chain_transactions SET created_at = created_at - interval '1 h' WHERE nonce = 8 AND max_fee_per_gas = 5").await;
    let waiting = overview::read(&outbox.pool, &REGISTRY).await.unwrap().waiting_transaction.unwrap();
    assert_eq!((waiting.tx_hash, waiting.nonce), ([3; 32], 8), "the dearest of its nonce");
    assert!((chrono::Utc::now() - waiting.since).num_minutes() > 50, "raised fees make no new beginning");
    batches::note_refused(&outbox.pool, batch, 7).await.unwrap();
    let seen = overview::read(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((seen.refused, seen.abandoned.batches), (1, 0));
    outbox.execute("UPDATE chain_transactions SET state = 'ABANDONED'").await;
    batches::abandon(&outbox.pool, batch, "test").await.unwrap();
    let seen = overview::read(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((seen.refused, seen.abandoned.batches, seen.waiting_transaction), (0, 1, None));
}

#[tokio::test]
async fn the_overview_counts_what_waits_and_what_is_where() {
    let outbox = Outbox::new().await;
    let empty = overview::read(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((empty.oldest_waiting, empty.highest_index, empty.next_index), (None, None, 0));
    let first = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let second = outbox.confirming().await;
    let seen = overview::read(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((seen.unsealed, seen.sealed.batches, seen.sealed.jobs), (1, 1, 1));
    assert_eq!(seen.oldest_waiting.unwrap().job, first, "in a batch that is not on chain");
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    let seen = overview::read(&outbox.pool, &REGISTRY).await.unwrap();
    assert_eq!((seen.sealed.batches, seen.confirmed.jobs, seen.next_index), (0, 1, 1));
    assert_eq!((seen.oldest_waiting.unwrap().job, seen.newest_anchor.unwrap().block_number), (second, 7));
    let block = InBlock { number: 7, hash: anchor().block_hash };
    batches::finalize(&outbox.pool, &REGISTRY, block).await.unwrap();
    batches::lift(&outbox.pool, batch, Horizon::WholeChain).await.unwrap();
    let other = batches::Registry { chain_id: 1, ..REGISTRY };
    let elsewhere = overview::read(&outbox.pool, &other).await.unwrap();
    assert_eq!((elsewhere.open_elsewhere, elsewhere.sent.batches), (1, 0));
}
