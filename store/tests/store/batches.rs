//! Sealing and completing: every job in one batch, every index once, every completion billed once.

use std::collections::BTreeSet;

use store::batches::{self, Anchor, Horizon, Registry};
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
    assert_eq!(batches::waiting(&outbox.pool, &REGISTRY).await.unwrap().unsealed, 2);
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
    outbox.started(jobs[0], "run-1").await;
    let (batch, _) = outbox.seal(2).await.unwrap();
    let open = batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap();
    assert_eq!((open.len(), open[0].id, open[0].job_count, open[0].was_sent), (1, batch, 2, false));

    let completed = batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    assert_eq!(completed.iter().map(|(job, _)| *job).collect::<BTreeSet<_>>(), BTreeSet::from(jobs));
    let told: Vec<_> = completed.iter().filter_map(|(_, run)| run.as_ref()).collect();
    assert_eq!((told.len(), told[0].run_id.as_str()), (1, "run-1"));
    let events = outbox.count("SELECT count(*) FROM job_events").await;
    let elsewhere = Anchor { block_number: 8, block_hash: [6; 32], ..anchor() };
    for lost in [anchor(), elsewhere] {
        assert!(batches::complete(&outbox.pool, batch, &lost).await.unwrap().is_empty(), "a second time does nothing");
    }
    assert_eq!(outbox.count("SELECT count(*) FROM job_events").await, events, "and tells nothing");
    assert_eq!(batches::anchored(&outbox.pool, &REGISTRY, Horizon::Near, 10).await.unwrap()[0].block_number, 7);
    for job in jobs {
        assert_eq!(outbox.status(job).await, jobs::JobStatus::Completed);
        let usage: Vec<String> = outbox.usage(job).await.into_iter().map(|(metric, _)| metric).collect();
        assert_eq!(usage, ["chain_confirmations", "compute_units", "jobs_completed", "jobs_submitted"]);
    }
    assert_eq!(outbox.status(outside).await, jobs::JobStatus::Confirming);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE data->>'status' = 'COMPLETED'").await, 2);
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 1, "only the job that waits");
    assert!(batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn one_process_leads_until_its_connection_ends() {
    let outbox = Outbox::new().await;
    let mut leader = batches::lead(&outbox.pool, &REGISTRY).await.unwrap().expect("nobody leads");
    assert!(batches::lead(&outbox.pool, &REGISTRY).await.unwrap().is_none());
    for other in [Registry { chain_id: 1, ..REGISTRY }, Registry { address: [8; 20], ..REGISTRY }] {
        assert!(batches::lead(&outbox.pool, &other).await.unwrap().is_some());
    }
    leader.check().await.unwrap();
    assert_eq!(leader.patience_seconds().await.unwrap(), 30, "a host that vanished is noticed within a minute");
    drop(leader);
    let mut tries = 0;
    while batches::lead(&outbox.pool, &REGISTRY).await.unwrap().is_none() {
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
        assert!(batches::open(&outbox.pool, other, &[], 10).await.unwrap().is_empty());
    }
    let open = batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap();
    assert_eq!(open.len(), 1);
    assert!(batches::open(&outbox.pool, &REGISTRY, &[open[0].id], 10).await.unwrap().is_empty(), "it rests");
}

#[tokio::test]
async fn a_batch_whose_block_is_gone_is_anchored_again_and_billed_no_second_time() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    let anchored = batches::anchored(&outbox.pool, &REGISTRY, Horizon::Near, 10).await.unwrap();
    assert_eq!((anchored.len(), anchored[0].id, anchored[0].block_number), (1, batch, 7));
    let usage = outbox.usage(job).await;

    let version = "SELECT version FROM jobs";
    let before = outbox.count(version).await;
    batches::lift(&outbox.pool, batch, Horizon::WholeChain).await.unwrap();
    assert_eq!(outbox.count(version).await, before + 1, "the answer's tag changes with what it tells");
    let open = batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap();
    assert_eq!((open.len(), open[0].from_block, open[0].was_sent), (1, 0, true));
    assert_eq!(outbox.status(job).await, jobs::JobStatus::Completed, "what was told stays true");
    let elsewhere = Anchor { block_number: 9, block_hash: [6; 32], ..anchor() };
    assert!(batches::complete(&outbox.pool, batch, &elsewhere).await.unwrap().is_empty(), "no job is completed twice");
    assert_eq!(batches::anchored(&outbox.pool, &REGISTRY, Horizon::Near, 10).await.unwrap()[0].block_number, 9);
    assert_eq!(outbox.usage(job).await, usage);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.reanchored'").await, 1);
}

#[tokio::test]
async fn what_is_final_stays_and_a_reorganisation_is_searched_near_its_block() {
    let outbox = Outbox::new().await;
    let mut batches_of_two_blocks = Vec::new();
    for block_number in [1_000, 2_000] {
        outbox.confirming().await;
        let (batch, _) = outbox.seal(9).await.unwrap();
        batches::complete(&outbox.pool, batch, &Anchor { block_number, ..anchor() }).await.unwrap();
        batches_of_two_blocks.push(batch);
    }
    outbox.execute("UPDATE batches SET from_block = block_number - 10").await;
    let [old, young] = batches_of_two_blocks[..] else { panic!("two batches") };
    batches::finalize(&outbox.pool, &REGISTRY, 1_500).await.unwrap();

    let anchored = async |horizon| {
        let found = batches::anchored(&outbox.pool, &REGISTRY, horizon, 10).await.unwrap();
        found.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    assert_eq!(anchored(Horizon::Near).await, [young]);
    assert_eq!(anchored(Horizon::WholeChain).await, [young, old]);
    for batch in [old, young] {
        batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    }
    let open = batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap();
    assert_eq!(open.iter().map(|batch| (batch.id, batch.from_block)).collect::<Vec<_>>(), [(young, 1_862)]);
}

#[tokio::test]
async fn jobs_of_an_abandoned_batch_get_new_indices_and_are_completed_once() {
    let outbox = Outbox::new().await;
    let jobs = [outbox.confirming().await, outbox.confirming().await];
    let (first, _) = outbox.seal(9).await.unwrap();
    let before = sealing::leaves(&outbox.pool, first).await.unwrap();
    assert_eq!(batches::note_refused(&outbox.pool, first, 7).await.unwrap(), 7);
    assert_eq!(batches::note_refused(&outbox.pool, first, 9).await.unwrap(), 7, "the first look counts");

    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), 2);
    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), 0, "once");
    assert!(batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap().is_empty());
    assert!(batches::complete(&outbox.pool, first, &anchor()).await.unwrap().is_empty(), "its event comes too late");

    let (second, size) = outbox.seal(9).await.unwrap();
    assert_eq!(size, 2);
    let after = sealing::leaves(&outbox.pool, second).await.unwrap();
    assert!(after[0].leaf_index > before[1].leaf_index, "no index is given twice");
    assert_eq!(batches::complete(&outbox.pool, second, &anchor()).await.unwrap().len(), 2);
    for job in jobs {
        assert_eq!(outbox.status(job).await, jobs::JobStatus::Completed);
        assert_eq!(outbox.usage(job).await.len(), 4, "billed once");
    }
}

#[tokio::test]
async fn a_job_that_was_completed_is_sealed_anew_and_billed_no_second_time() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (first, _) = outbox.seal(9).await.unwrap();
    batches::complete(&outbox.pool, first, &anchor()).await.unwrap();
    let usage = outbox.usage(job).await;
    batches::lift(&outbox.pool, first, Horizon::Near).await.unwrap();
    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), 1);
    let (second, size) = outbox.seal(9).await.unwrap();
    assert_eq!(size, 1);
    assert!(batches::complete(&outbox.pool, second, &anchor()).await.unwrap().is_empty(), "it is COMPLETED since long");
    assert_eq!(outbox.usage(job).await, usage);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.reanchored'").await, 1);
}

#[tokio::test]
async fn the_oldest_that_waits_may_be_sealed_already() {
    let outbox = Outbox::new().await;
    let oldest = async || batches::waiting(&outbox.pool, &REGISTRY).await.unwrap().oldest;
    assert_eq!(oldest().await, None);
    outbox.confirming().await;
    let since = oldest().await.expect("one waits");
    let (batch, _) = outbox.seal(9).await.unwrap();
    outbox.confirming().await;
    assert_eq!(oldest().await, Some(since));
    batches::complete(&outbox.pool, batch, &anchor()).await.unwrap();
    assert!(oldest().await.is_some_and(|next| next > since));
}
