//! Sealing and completing: every job in one batch, every index once, every completion billed once.

use std::collections::BTreeSet;
use std::time::Duration;

use store::batches::{self, Anchor, Finality, Horizon, Registry};
use store::transactions::{self, InBlock, Purpose, Transaction, TransactionState};
use store::{StoreError, receipts, sealing};

use crate::outbox::{Outbox, REGISTRY};
use crate::patience::until;
use crate::relay::Relay;

fn anchor() -> Anchor {
    Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None }
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

/// Batches that get into no block: the registry is paused, gas is too dear.
#[tokio::test]
async fn the_more_batches_wait_for_a_block_the_longer_the_next_one_waits_for_company() {
    let outbox = Outbox::new().await;
    let policy = |max_jobs| sealing::SealPolicy { on: REGISTRY, max_jobs, max_age_seconds: 10.0 };
    let due = async |max_jobs| sealing::is_due(&outbox.pool, &policy(max_jobs)).await.unwrap();
    let mut sealed = Vec::new();
    for _ in 0..5 {
        outbox.confirming().await;
        sealed.push(outbox.seal(9).await.unwrap().0);
    }
    outbox.confirming().await;
    let older = "UPDATE confirmations SET created_at = created_at - interval '30 seconds' WHERE batch_id IS NULL";
    outbox.execute(older).await;
    assert!(!due(2).await, "doubled twice: 40 seconds");
    assert!(due(1).await, "by size as ever");
    outbox.execute(older).await;
    assert!(due(2).await, "after a minute");
    outbox.seal(9).await.unwrap();
    outbox.confirming().await;
    outbox.execute(older).await;
    assert!(!due(2).await, "doubled three times: 80 seconds");
    for (nonce, batch) in sealed.into_iter().take(2).enumerate() {
        let hash = [u8::try_from(nonce).unwrap(); 32];
        let sent = Transaction {
            tx_hash: hash,
            sender: [6; 20],
            nonce: nonce as u64,
            raw: vec![1],
            max_fee_per_gas: 1,
            max_priority_fee_per_gas: 1,
        };
        assert_eq!(
            transactions::write_ahead(&outbox.pool, batch, Purpose::Batch, &sent).await.unwrap(),
            transactions::Written::Ahead
        );
        assert!(!due(2).await, "in no block yet");
        let block = InBlock { number: 8, hash };
        transactions::landed(&outbox.pool, hash, TransactionState::Mined, block).await.unwrap();
    }
    assert!(due(2).await, "four wait: doubled once, 20 seconds");
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
    assert_eq!(batches::anchored(&outbox.pool, &REGISTRY, Finality::Open, 10).await.unwrap()[0].block.number, 7);
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
    until("the leadership ends with its connection", async || {
        batches::lead(&outbox.pool, &REGISTRY).await.unwrap().map(drop)
    })
    .await;
}

/// No error, no end of the connection: a firewall that forgot it, a machine that hangs.
#[tokio::test]
async fn a_leader_that_the_database_does_not_answer_stops_before_another_one_leads() {
    let outbox = Outbox::new().await;
    let relay = Relay::before(&outbox.pool).await;
    let mut leader = batches::lead(&relay.pool, &REGISTRY).await.unwrap().expect("nobody leads");
    leader.check().await.unwrap();
    relay.falls_silent();
    let lost = leader.check_within(Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(lost, StoreError::Silent(_)) && lost.is_unavailable(), "{lost}");
    assert!(batches::lead(&outbox.pool, &REGISTRY).await.unwrap().is_none(), "the database has not noticed");
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
    let anchored = batches::anchored(&outbox.pool, &REGISTRY, Finality::Open, 10).await.unwrap();
    assert_eq!((anchored.len(), anchored[0].id, anchored[0].block.number), (1, batch, 7));
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
    assert_eq!(batches::anchored(&outbox.pool, &REGISTRY, Finality::Open, 10).await.unwrap()[0].block.number, 9);
    assert_eq!(outbox.usage(job).await, usage);
    assert_eq!(outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.reanchored'").await, 1);
}

async fn finalizes(outbox: &Outbox, number: i64, hash: u8) -> u64 {
    batches::finalize(&outbox.pool, &REGISTRY, InBlock { number, hash: [hash; 32] }).await.unwrap()
}

/// The newer of two batches was confirmed on a new branch before anybody looked at the older one's block.
#[tokio::test]
async fn a_batch_is_final_with_its_own_block_and_no_other_of_the_number() {
    let outbox = Outbox::new().await;
    let mut confirmed = Vec::new();
    for (block_number, branch) in [(95, 1), (96, 2), (95, 2)] {
        outbox.confirming().await;
        let (batch, _) = outbox.seal(9).await.unwrap();
        let anchor = Anchor { tx_hash: [4; 32], block_number, block_hash: [branch; 32], gas: None };
        batches::complete(&outbox.pool, batch, &anchor).await.unwrap();
        confirmed.push(batch);
    }
    let [old, new, same_number] = confirmed[..] else { panic!("three batches") };
    assert_eq!(finalizes(&outbox, 96, 2).await, 1);
    assert_eq!(finalizes(&outbox, 95, 2).await, 1);
    let ids = async |finality| {
        let found = batches::anchored(&outbox.pool, &REGISTRY, finality, 10).await.unwrap();
        found.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(Finality::Final).await, [new, same_number]);
    assert_eq!(ids(Finality::Open).await, [old], "its block is in no chain");
    assert_eq!(finalizes(&outbox, 96, 2).await, 0, "once");
}

#[tokio::test]
async fn a_search_begins_before_the_newest_block_and_is_only_ever_widened() {
    let outbox = Outbox::new().await;
    outbox.confirming().await;
    let policy = sealing::SealPolicy { on: REGISTRY, max_jobs: 9, max_age_seconds: 0.0 };
    let (batch, _) = sealing::seal(&outbox.pool, &policy, 1_000).await.unwrap().unwrap();
    let open = async || {
        let open = batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap();
        (open[0].from_block, open[0].was_sent)
    };
    assert_eq!(open().await, (872, false), "the chain may go over to a lower branch");
    for (block, from) in [(2_000, 872), (500, 372), (0, 0)] {
        batches::search_from(&outbox.pool, batch, block).await.unwrap();
        assert_eq!(open().await, (from, true), "what is on chain was sent");
    }
    outbox.confirming().await;
    sealing::seal(&outbox.pool, &policy, 100).await.unwrap().unwrap();
    assert_eq!(batches::open(&outbox.pool, &REGISTRY, &[batch], 10).await.unwrap()[0].from_block, 0);
}

#[tokio::test]
async fn what_is_still_open_is_told_from_what_others_took_further() {
    let outbox = Outbox::new().await;
    let mut sealed = Vec::new();
    for _ in 0..3 {
        outbox.confirming().await;
        sealed.push(outbox.seal(9).await.unwrap().0);
    }
    batches::complete(&outbox.pool, sealed[0], &anchor()).await.unwrap();
    batches::abandon(&outbox.pool, sealed[1], "a bit is set").await.unwrap();
    assert_eq!(batches::still_open(&outbox.pool, &sealed).await.unwrap(), [sealed[2]]);
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
    finalizes(&outbox, 1_000, 5).await;

    let anchored = async |finality| {
        let found = batches::anchored(&outbox.pool, &REGISTRY, finality, 10).await.unwrap();
        found.into_iter().map(|batch| batch.id).collect::<Vec<_>>()
    };
    assert_eq!(anchored(Finality::Open).await, [young]);
    assert_eq!(anchored(Finality::Final).await, [old]);
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

    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), Some(2));
    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), None, "once");
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
    assert_eq!(batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap(), Some(1));
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
