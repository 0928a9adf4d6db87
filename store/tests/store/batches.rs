//! Sealing and completing: every job in one batch, every index once, every completion billed once.

use std::collections::BTreeSet;

use store::batches::{self, Anchor, Registry, Transaction};
use store::{receipts, sealing};

use crate::outbox::{Outbox, REGISTRY};

fn anchor() -> Anchor {
    Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32] }
}

#[tokio::test]
async fn a_batch_takes_those_that_have_waited_longest() {
    let outbox = Outbox::new().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(outbox.confirming().await);
    }
    let (first, size) = outbox.seal(3).await.unwrap();
    assert_eq!(size, 3);
    let leaves = sealing::leaves(&outbox.pool, first).await.unwrap();
    assert_eq!(leaves.iter().map(|leaf| leaf.job_id).collect::<Vec<_>>(), jobs[..3]);
    assert!(leaves.is_sorted_by_key(|leaf| leaf.leaf_index));
    assert_eq!(batches::waiting(&outbox.pool).await.unwrap().0, 2);
    assert_eq!(outbox.seal(3).await.unwrap().1, 2);
    assert_eq!(outbox.seal(3).await, None, "nothing waits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_seal_at_once_share_no_job_and_no_index() {
    let outbox = Outbox::new().await;
    for _ in 0..24 {
        outbox.confirming().await;
    }
    Box::pin(drain_from_three_sides(&outbox)).await;
    assert_eq!(outbox.count("SELECT count(*) FROM confirmations WHERE batch_id IS NULL").await, 0);
    assert_eq!(outbox.count("SELECT sum(job_count)::bigint FROM batches").await, 24);
    assert_eq!(outbox.count("SELECT count(DISTINCT leaf_index) FROM confirmations").await, 24);
}

async fn drain_from_three_sides(outbox: &Outbox) {
    let drain = async || while outbox.seal(5).await.is_some() {};
    tokio::join!(drain(), drain(), drain());
    drain().await;
}

#[tokio::test]
async fn a_batch_is_due_by_size_or_by_age() {
    let outbox = Outbox::new().await;
    let policy = |max_jobs, max_age_seconds| sealing::SealPolicy { on: REGISTRY, max_jobs, max_age_seconds };
    let due = async |max_jobs, age| sealing::is_due(&outbox.pool, &policy(max_jobs, age)).await.unwrap();
    assert!(!due(1, 0.0).await, "nothing waits");
    outbox.confirming().await;
    assert!(!due(2, 60.0).await);
    assert!(due(1, 60.0).await, "by size");
    let ages = "UPDATE confirmations SET created_at = created_at - interval '2 minutes'";
    sqlx::query(ages).execute(&outbox.pool).await.unwrap();
    assert!(due(2, 60.0).await, "by age");
}

#[tokio::test]
async fn completion_happens_once_for_all_of_a_batch() {
    let outbox = Outbox::new().await;
    let jobs = [outbox.confirming().await, outbox.confirming().await];
    let outside = outbox.confirming().await;
    let run = [(jobs[0], "run-1".to_owned())];
    store::starts::confirm(&outbox.pool, &run).await.unwrap();
    let (batch, _) = outbox.seal(2).await.unwrap();
    let open = batches::open(&outbox.pool, &REGISTRY, 10).await.unwrap();
    assert_eq!((open.len(), open[0].id, open[0].job_count, open[0].was_sent), (1, batch, 2, false));

    let completed = batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    assert_eq!(completed.iter().map(|(job, _)| *job).collect::<BTreeSet<_>>(), BTreeSet::from(jobs));
    let told: Vec<_> = completed.iter().filter_map(|(_, run)| run.as_ref()).collect();
    assert_eq!((told.len(), told[0].run_id.as_str()), (1, "run-1"));
    assert!(batches::complete(&outbox.pool, batch, &anchor()).await.unwrap().is_empty(), "a second time does nothing");
    for job in jobs {
        assert_eq!(outbox.status(job).await, jobs::JobStatus::Completed);
        let usage: Vec<String> = outbox.usage(job).await.into_iter().map(|(metric, _)| metric).collect();
        assert_eq!(usage, ["chain_confirmations", "compute_units", "jobs_completed", "jobs_submitted"]);
    }
    assert_eq!(outbox.status(outside).await, jobs::JobStatus::Confirming);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE data->>'status' = 'COMPLETED'").await, 2);
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 1, "only the job that waits");
    assert!(batches::open(&outbox.pool, &REGISTRY, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_transaction_is_written_before_it_is_sent_and_kept() {
    let outbox = Outbox::new().await;
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let transaction = Transaction {
        tx_hash: [4; 32],
        sender: [6; 20],
        nonce: u64::MAX,
        raw: vec![1, 2, 3],
        max_fee_per_gas: u128::MAX,
        max_priority_fee_per_gas: 0,
        created_at: chrono::Utc::now(),
    };
    batches::write_ahead(&outbox.pool, batch, &transaction).await.unwrap();
    let kept = batches::transactions(&outbox.pool, batch).await.unwrap();
    assert_eq!((kept.len(), kept[0].nonce, kept[0].max_fee_per_gas), (1, u64::MAX, u128::MAX));
    assert!(batches::open(&outbox.pool, &REGISTRY, 10).await.unwrap()[0].was_sent);
}

#[tokio::test]
async fn one_process_leads_until_its_connection_ends() {
    let outbox = Outbox::new().await;
    let mut leader = batches::lead(&outbox.pool, "r").await.unwrap().expect("nobody leads");
    assert!(batches::lead(&outbox.pool, "r").await.unwrap().is_none());
    assert!(batches::lead(&outbox.pool, "another").await.unwrap().is_some());
    leader.check().await.unwrap();
    drop(leader);
    let mut tries = 0;
    while batches::lead(&outbox.pool, "r").await.unwrap().is_none() {
        tries += 1;
        assert!(tries < 50, "the leadership ends with its connection");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_receipt_has_all_leaves_of_its_batch_and_no_other() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    outbox.confirming().await;
    let tenant = "acme".parse().unwrap();
    let reader = store::jobs::Reader { tenant: &tenant, user: None };
    assert!(receipts::find(&outbox.pool, reader, job).await.unwrap().unwrap().parts.is_none(), "not on chain yet");
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    let parts = receipts::find(&outbox.pool, reader, job).await.unwrap().unwrap().parts.unwrap();
    assert_eq!((parts.leaves.len(), parts.block_number, parts.tx_hash), (2, 7, [4; 32]));
}

#[tokio::test]
async fn a_batcher_sees_the_batches_of_its_registry_alone() {
    let outbox = Outbox::new().await;
    outbox.confirming().await;
    outbox.seal(9).await.unwrap();
    let others = [Registry { chain_id: 1, ..REGISTRY }, Registry { address: [8; 20], ..REGISTRY }];
    for other in &others {
        assert!(batches::open(&outbox.pool, other, 10).await.unwrap().is_empty());
    }
    assert_eq!(batches::open(&outbox.pool, &REGISTRY, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_batch_whose_block_is_gone_is_anchored_again_and_billed_no_second_time() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    let anchored = batches::anchored(&outbox.pool, &REGISTRY, 10).await.unwrap();
    assert_eq!((anchored.len(), anchored[0].id, anchored[0].block_number), (1, batch, 7));
    let usage = outbox.usage(job).await;

    batches::lift(&outbox.pool, batch).await.unwrap();
    let open = batches::open(&outbox.pool, &REGISTRY, 10).await.unwrap();
    assert_eq!((open.len(), open[0].from_block, open[0].was_sent), (1, 0, true));
    assert_eq!(outbox.status(job).await, jobs::JobStatus::Completed, "what was told stays true");
    let elsewhere = Anchor { block_number: 9, block_hash: [6; 32], ..anchor() };
    assert!(batches::complete(&outbox.pool, batch, &elsewhere).await.unwrap().is_empty(), "no job is completed twice");
    assert_eq!(batches::anchored(&outbox.pool, &REGISTRY, 10).await.unwrap()[0].block_number, 9);
    assert_eq!(outbox.usage(job).await, usage);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.reanchored'").await, 1);
}
