//! What a database forgot is put back from the chain: whole, once, and only what the chain confirms.

use alloy::primitives::{Address, B256};
use jobs::merkle::Batch;
use jobs::receipt::{Anchor as ReceiptAnchor, Receipt};
use jobs::{JobId, JobStatus};
use serde_json::json;
use store::batches;
use store::sealing::{self, LeafJob};
use uuid::Uuid;

use crate::anvil::CHAIN_ID;
use crate::stage::{Run, Stage};

impl Stage {
    fn resync(&self, arguments: &[&str]) -> Run {
        self.operator.chain(&[&["resync", "--json"], arguments].concat())
    }

    /// Runs it for the second time: there is nothing left to do, and nothing changes.
    async fn changes_nothing_any_more(&self, code: i32) {
        let before = self.everything().await;
        let again = self.resync(&[]);
        assert_eq!(again.code, Some(code), "{again:?}");
        assert_eq!(self.everything().await, before);
    }
}

fn drift(run: &Run) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let rows = run.json()["drift"].as_array().unwrap().clone();
    rows.iter().map(|row| (text(&row["what"]), text(&row["outcome"]))).collect()
}

fn outcomes(run: &Run) -> Vec<String> {
    drift(run).into_iter().map(|(_, outcome)| outcome).collect()
}

#[tokio::test]
async fn a_database_that_forgot_its_batches_gets_them_back() {
    let stage = Stage::new().await;
    for jobs in [3, 1, 2] {
        stage.confirmed(jobs).await;
    }
    let waits = stage.outbox.confirming().await;
    let truth = stage.truth().await;
    stage.forgets().await;
    let forgotten = stage.everything().await;
    assert_ne!(stage.truth().await, truth);

    let dry = stage.resync(&["--dry-run"]);
    assert_eq!(dry.code, Some(9), "{dry:?}");
    assert_eq!(outcomes(&dry), ["would_mend"; 4], "three batches and the sequence");
    assert_eq!(stage.everything().await, forgotten, "a dry run changes nothing");

    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned(); 4]), "{run:?}");
    assert_eq!(stage.truth().await, truth);
    stage.changes_nothing_any_more(0).await;
    let next = stage.seals(9).await;
    let leaf = sealing::leaves(&stage.outbox.pool, next).await.unwrap().remove(0);
    assert_eq!((leaf.job_id, leaf.leaf_index), (waits, 6), "past the highest bit on chain");
}

#[tokio::test]
async fn jobs_that_the_backup_had_open_are_completed_and_billed_once() {
    let stage = Stage::new().await;
    stage.confirmed(2).await;
    let truth = stage.truth().await;
    stage.forgets().await;
    stage.outbox.execute("UPDATE jobs SET status = 'CONFIRMING', completed_at = NULL").await;
    stage
        .outbox
        .rewrite_ledger("DELETE FROM usage_ledger WHERE metric IN ('jobs_completed', 'chain_confirmations')")
        .await;
    let run = stage.resync(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(stage.truth().await, truth);
    stage.changes_nothing_any_more(0).await;
}

#[tokio::test]
async fn a_batch_that_is_on_chain_and_open_here_is_completed() {
    let stage = Stage::new().await;
    let job = stage.outbox.confirming().await;
    let batch = stage.seals(9).await;
    stage.sends(batch).await;
    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned()]), "{run:?}");
    assert_eq!(stage.outbox.status(job).await, JobStatus::Completed);
    stage.changes_nothing_any_more(0).await;
}

#[tokio::test]
async fn a_transaction_that_was_forgotten_is_written_down_again_unless_somebody_else_sent_it() {
    let stage = Stage::new().await;
    stage.confirmed(2).await;
    let truth = stage.truth().await;
    stage.outbox.execute("DELETE FROM chain_transactions").await;
    let forgotten = stage.everything().await;
    assert_eq!(outcomes(&stage.resync(&["--dry-run"])), ["would_mend"]);
    assert_eq!(stage.everything().await, forgotten, "a dry run changes nothing");
    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned()]), "{run:?}");
    assert_eq!(stage.truth().await, truth);
    stage.changes_nothing_any_more(0).await;

    // Not what a batcher sends: nobody here ever signed it.
    stage.outbox.confirming().await;
    let batch = stage.seals(9).await;
    let anchor = stage.is_confirmed_by_a_stranger(batch).await;
    batches::complete(&stage.outbox.pool, batch, &anchor).await.unwrap();
    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run), &run.json()["agreeing_batches"]), (Some(0), vec![], &json!(2)), "{run:?}");
}

#[tokio::test]
async fn jobs_of_an_anchored_batch_that_still_wait_are_completed_and_billed_once() {
    let stage = Stage::new().await;
    stage.confirmed(3).await;
    let truth = stage.truth().await;
    for lost in ["SELECT 1", "UPDATE confirmations SET batch_id = NULL, leaf_index = NULL WHERE leaf_index = 1"] {
        for statement in [
            "UPDATE jobs SET status = 'CONFIRMING', completed_at = NULL
              WHERE id = (SELECT job_id FROM confirmations WHERE leaf_index = 1)",
            "DELETE FROM usage_ledger WHERE metric IN ('jobs_completed', 'chain_confirmations')
                AND job_id = (SELECT job_id FROM confirmations WHERE leaf_index = 1)",
            lost,
        ] {
            stage.outbox.rewrite_ledger(statement).await;
        }
        assert_eq!(outcomes(&stage.resync(&["--dry-run"])), ["would_mend"], "{lost}");
        let run = stage.resync(&[]);
        assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned()]), "{run:?}");
        assert_eq!(stage.truth().await, truth, "{lost}");
        stage.changes_nothing_any_more(0).await;
    }
}

#[tokio::test]
async fn nothing_more_is_changed_once_the_leadership_is_lost() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.confirmed(1).await;
    }
    stage.forgets().await;
    // Whoever leads is cut off by the first batch that is put back.
    for statement in [
        "CREATE FUNCTION cut_off() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             PERFORM pg_terminate_backend(pid, 5000) FROM pg_locks
               WHERE locktype = 'advisory' AND pid <> pg_backend_pid()
                 AND database = (SELECT oid FROM pg_database WHERE datname = current_database());
             RETURN NULL;
         END $$",
        "CREATE TRIGGER cut_off AFTER INSERT ON batches EXECUTE FUNCTION cut_off()",
    ] {
        stage.outbox.execute(statement).await;
    }
    let run = stage.resync(&[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(stage.outbox.count("SELECT count(*) FROM batches").await, 1, "the others were left alone");
    stage.outbox.execute("DROP TRIGGER cut_off ON batches").await;
    assert_eq!(stage.resync(&[]).code, Some(0), "another run goes on there");
    assert_eq!(stage.outbox.count("SELECT count(*) FROM batches").await, 3);
}

#[tokio::test]
async fn a_batch_that_stands_in_another_block_is_anchored_there() {
    let stage = Stage::new().await;
    stage.confirmed(1).await;
    let truth = stage.truth().await;
    stage.outbox.execute("UPDATE batches SET block_hash = decode(repeat('ab', 32), 'hex'), status = 'FINALIZED'").await;
    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned()]), "{run:?}");
    assert_eq!(stage.truth().await, truth);
    assert_eq!(stage.outbox.count("SELECT count(*) FROM job_events WHERE event_type = 'job.reanchored'").await, 1);
    stage.changes_nothing_any_more(0).await;
}

#[tokio::test]
async fn a_batch_that_the_chain_lost_is_sent_again_unless_it_was_final() {
    let stage = Stage::new().await;
    stage.confirmed(1).await;
    // Another root: the chain knows nothing of it.
    stage.outbox.execute("UPDATE batches SET root = decode(repeat('cd', 32), 'hex'), status = 'FINALIZED'").await;
    let run = stage.resync(&["--dry-run"]);
    let mut found = outcomes(&run);
    found.sort();
    assert_eq!((run.code, found), (Some(9), vec!["left".to_owned(); 2]), "{run:?}");
    stage.outbox.execute("UPDATE batches SET status = 'CONFIRMED'").await;
    let run = stage.resync(&[]);
    assert!(outcomes(&run).contains(&"mended".to_owned()), "{run:?}");
    assert_eq!(stage.outbox.count("SELECT count(*) FROM batches WHERE status = 'SENT'").await, 1);
    assert_eq!(stage.outbox.count("SELECT count(*) FROM jobs WHERE status = 'COMPLETED'").await, 1, "it stays");
}

#[tokio::test]
async fn a_foreign_root_is_named_and_its_index_never_given() {
    let stage = Stage::new().await;
    stage.confirmed(1).await;
    let root = stage.confirms_elsewhere(50).await;
    let run = stage.resync(&[]);
    assert_eq!((run.code, outcomes(&run)), (Some(9), vec!["left".to_owned(), "mended".to_owned()]), "{run:?}");
    assert_eq!(run.json()["drift"][0]["root"], json!(root));
    stage.changes_nothing_any_more(9).await;
    stage.outbox.confirming().await;
    let batch = stage.seals(9).await;
    assert_eq!(sealing::leaves(&stage.outbox.pool, batch).await.unwrap()[0].leaf_index, 51);
}

#[tokio::test]
async fn an_open_batch_whose_index_is_taken_is_named() {
    let stage = Stage::new().await;
    stage.outbox.confirming().await;
    stage.seals(9).await;
    stage.confirms_elsewhere(0).await;
    let run = stage.resync(&[]);
    assert_eq!(run.code, Some(9), "{run:?}");
    assert!(drift(&run).iter().any(|(what, outcome)| what.contains("has confirmed its index 0") && outcome == "left"));
}

/// The receipts of a batch, as the API would give them.
fn receipts(stage: &Stage, leaves: &[LeafJob], anchor: &batches::Anchor) -> Vec<Receipt> {
    let tree = Batch::seal(&leaves.iter().map(LeafJob::leaf).collect::<Vec<_>>()).unwrap();
    let receipt = |(position, job): (usize, &LeafJob)| {
        let anchor = ReceiptAnchor {
            chain_id: CHAIN_ID,
            registry: Address::from(stage.on.address),
            tx_hash: B256::from(anchor.tx_hash),
            block_number: anchor.block_number.cast_unsigned(),
            block_hash: B256::from(anchor.block_hash),
        };
        let inclusion = tree.inclusion(position).unwrap();
        Receipt::of_plain_job(job.leaf(), job.salt.into(), job.content_hash.into(), inclusion, anchor)
    };
    leaves.iter().enumerate().map(receipt).collect()
}

#[tokio::test]
async fn receipts_tell_what_the_order_of_waiting_jobs_does_not() {
    let stage = Stage::new().await;
    for _ in 0..3 {
        stage.outbox.confirming().await;
    }
    let batch: Uuid = stage.seals(9).await;
    let anchor = stage.sends(batch).await;
    batches::complete(&stage.outbox.pool, batch, &anchor).await.unwrap();
    let leaves = sealing::leaves(&stage.outbox.pool, batch).await.unwrap();
    let truth = stage.truth().await;
    stage.forgets().await;
    // The salt of one job is gone, and the order of the others.
    let lost: JobId = leaves[0].job_id;
    sqlx::query("DELETE FROM confirmations WHERE job_id = $1").bind(lost.0).execute(&stage.outbox.pool).await.unwrap();
    let none = stage.resync(&[]);
    assert_eq!((none.code, outcomes(&none)), (Some(9), vec!["left".to_owned(), "mended".to_owned()]), "{none:?}");

    let folder = stage.operator.path("receipts");
    std::fs::create_dir(&folder).unwrap();
    let receipts = receipts(&stage, &leaves, &anchor);
    let mut forged = receipts[0].clone();
    forged.leaf.submitter = Address::ZERO;
    for (name, receipt) in [("forged.json", &forged), ("honest.json", &receipts[0])] {
        std::fs::write(folder.join(name), serde_json::to_vec(receipt).unwrap()).unwrap();
    }
    let run = stage.resync(&["--receipts", folder.to_str().unwrap()]);
    assert_eq!((run.code, outcomes(&run)), (Some(0), vec!["mended".to_owned()]), "{run:?}");
    let ignored = run.json()["ignored_receipts"].to_string();
    assert!(ignored.contains("forged.json: does not verify") && !ignored.contains("honest"), "{ignored}");
    assert_eq!(stage.truth().await, truth);
    stage.changes_nothing_any_more(0).await;
}

#[tokio::test]
async fn nothing_is_mended_while_a_batcher_is_at_work() {
    let stage = Stage::new().await;
    stage.confirmed(1).await;
    stage.forgets().await;
    let before = stage.everything().await;
    let leader = batches::lead(&stage.outbox.pool, &stage.on).await.unwrap().expect("nobody leads");
    let run = stage.resync(&[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(run.stderr.contains("stop the workers of queue jobs"), "{run:?}");
    assert_eq!(stage.everything().await, before);
    assert_eq!(stage.resync(&["--dry-run"]).code, Some(9), "looking is free");
    drop(leader);
}

#[tokio::test]
async fn another_chain_or_contract_is_compared_with_nothing() {
    let mut stage = Stage::new().await;
    stage.confirmed(1).await;
    let before = stage.everything().await;
    stage.operator.set("ZAMA__CHAIN__REGISTRY", Address::repeat_byte(1).to_string());
    assert_eq!(stage.resync(&[]).code, Some(2), "there is no registry");
    stage.operator.set("ZAMA__CHAIN__CHAIN_ID", "1");
    assert_eq!(stage.resync(&[]).code, Some(2));
    assert_eq!(stage.everything().await, before);
}
