//! What confirmations cost on chain: divided among the jobs that are billed for them, once, and kept as it was told.

use jobs::JobId;
use store::batches::{self, Anchor, Gas, Horizon};
use store::usage::corrections::{self, Anew};
use store::usage::{self, UsageRow};
use uuid::Uuid;

use crate::outbox::Outbox;

const PRICE: u128 = u128::MAX;

/// A transaction that confirms a batch, and the gas that it used.
fn confirmed_by(transaction: u8, used: i64) -> Anchor {
    let gas = Some(Gas { used, price: PRICE });
    Anchor { tx_hash: [transaction; 32], block_number: transaction.into(), block_hash: [transaction; 32], gas }
}

/// A sealed batch of so many jobs.
async fn sealed(outbox: &Outbox, jobs: i64) -> Uuid {
    for _ in 0..jobs {
        outbox.confirming().await;
    }
    outbox.seal(jobs).await.unwrap().0
}

/// What the jobs of a batch bear, in the order of its leaves, and of which transaction.
async fn borne(outbox: &Outbox, batch: Uuid) -> Vec<(Option<i64>, Option<u8>)> {
    let query = "SELECT u.gas, u.gas_tx_hash FROM confirmations c JOIN usage_ledger u ON u.job_id = c.job_id
                  WHERE c.batch_id = $1 AND u.metric = 'chain_confirmations' ORDER BY c.leaf_index";
    let rows: Vec<(Option<i64>, Option<Vec<u8>>)> =
        sqlx::query_as(query).bind(batch).fetch_all(&outbox.pool).await.unwrap();
    rows.into_iter().map(|(gas, hash)| (gas, hash.map(|hash| hash[0]))).collect()
}

/// What a batch says that it cost: transaction, gas and price.
async fn noted(outbox: &Outbox, batch: Uuid) -> Option<(u8, i64, u128)> {
    let query = "SELECT gas_tx_hash, gas_used, effective_gas_price::text FROM batches
                  WHERE id = $1 AND gas_used IS NOT NULL";
    let row: Option<(Vec<u8>, i64, String)> =
        sqlx::query_as(query).bind(batch).fetch_optional(&outbox.pool).await.unwrap();
    row.map(|(hash, used, price)| (hash[0], used, price.parse().unwrap()))
}

async fn confirmation(outbox: &Outbox, job: JobId) -> UsageRow {
    let due = usage::due_for_job(&outbox.pool, job).await.unwrap();
    due.into_iter().find(|row| row.metric == "chain_confirmations").expect("it is due")
}

#[tokio::test]
async fn jobs_of_a_batch_bear_its_gas_to_the_last_unit() {
    let outbox = Outbox::new().await;
    for (transaction, jobs, used, shares) in
        [(1, 3, 100, vec![34, 33, 33]), (2, 2, 60, vec![30, 30]), (3, 1, 69_146, vec![69_146]), (4, 2, 1, vec![1, 0])]
    {
        let batch = sealed(&outbox, jobs).await;
        batches::complete(&outbox.pool, batch, &confirmed_by(transaction, used)).await.unwrap();
        let shares: Vec<_> = shares.into_iter().map(|share| (Some(share), Some(transaction))).collect();
        assert_eq!(borne(&outbox, batch).await, shares);
        assert_eq!(noted(&outbox, batch).await, Some((transaction, used, PRICE)));
    }
    let others = "SELECT count(*) FROM usage_ledger WHERE metric <> 'chain_confirmations' AND gas IS NOT NULL";
    assert_eq!(outbox.count(others).await, 0);
    let unlike = "SELECT count(*) FROM batches b
                   WHERE gas_used <> (SELECT sum(gas) FROM usage_ledger u WHERE u.gas_tx_hash = b.gas_tx_hash)";
    assert_eq!(outbox.count(unlike).await, 0);
}

#[tokio::test]
async fn what_a_row_says_of_gas_is_never_changed() {
    let outbox = Outbox::new().await;
    let batch = sealed(&outbox, 2).await;
    batches::complete(&outbox.pool, batch, &confirmed_by(1, 100)).await.unwrap();
    for statement in [
        "UPDATE usage_ledger SET gas = gas + 1 WHERE gas IS NOT NULL",
        "UPDATE usage_ledger SET gas = NULL, gas_tx_hash = NULL WHERE gas IS NOT NULL",
        "UPDATE usage_ledger SET gas_tx_hash = decode(repeat('07', 32), 'hex') WHERE gas IS NOT NULL",
        "UPDATE usage_ledger SET gas = 7, gas_tx_hash = decode(repeat('07', 32), 'hex') WHERE gas IS NULL",
    ] {
        let refused = sqlx::query(statement).execute(&outbox.pool).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(borne(&outbox, batch).await, [(Some(50), Some(1)); 2]);
    for (metric, gas) in [("api_calls", "7"), ("chain_confirmations", "-7")] {
        let row = format!(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, gas, gas_tx_hash)
             VALUES ('x', 'acme', '{metric}', 'x', 1, {gas}, decode(repeat('07', 32), 'hex'))"
        );
        let refused = sqlx::query(sqlx::AssertSqlSafe(row)).execute(&outbox.pool).await.unwrap_err().to_string();
        assert!(refused.contains("usage_ledger_gas_check"), "{metric}: {refused}");
    }
}

#[tokio::test]
async fn a_batch_that_is_mined_again_keeps_the_gas_that_was_billed() {
    let outbox = Outbox::new().await;
    let batch = sealed(&outbox, 2).await;
    batches::complete(&outbox.pool, batch, &confirmed_by(1, 101)).await.unwrap();
    let before = borne(&outbox, batch).await;
    batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    assert_eq!(noted(&outbox, batch).await, Some((1, 101, PRICE)), "in no block, and billed all the same");
    batches::complete(&outbox.pool, batch, &confirmed_by(2, 250)).await.unwrap();
    assert_eq!(borne(&outbox, batch).await, before);
    assert_eq!(noted(&outbox, batch).await, Some((1, 101, PRICE)));
    let stands = "SELECT count(*) FROM batches WHERE tx_hash = decode(repeat('02', 32), 'hex') AND block_number = 2";
    assert_eq!(outbox.count(stands).await, 1, "where it stands is another matter");
}

/// Rows of before have none, and so has what nobody could tell the gas of.
#[tokio::test]
async fn what_was_billed_without_gas_stays_so() {
    let outbox = Outbox::new().await;
    let batch = sealed(&outbox, 2).await;
    let unknown = Anchor { gas: None, ..confirmed_by(1, 0) };
    batches::complete(&outbox.pool, batch, &unknown).await.unwrap();
    batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    batches::complete(&outbox.pool, batch, &confirmed_by(2, 250)).await.unwrap();
    assert_eq!(borne(&outbox, batch).await, [(None, None); 2]);
    assert_eq!(noted(&outbox, batch).await, None);
}

/// As after a restore: of three jobs of an anchored batch one waits, and its rows are gone.
#[tokio::test]
async fn a_job_that_is_completed_later_bears_what_the_others_left() {
    let outbox = Outbox::new().await;
    let batch = sealed(&outbox, 3).await;
    batches::complete(&outbox.pool, batch, &confirmed_by(1, 101)).await.unwrap();
    let whole = borne(&outbox, batch).await;
    assert_eq!(whole.iter().map(|(gas, _)| gas.unwrap()).collect::<Vec<_>>(), [34, 34, 33]);
    outbox
        .rewrite_ledger(
            "DELETE FROM usage_ledger WHERE metric IN ('jobs_completed', 'chain_confirmations')
                AND job_id = (SELECT job_id FROM confirmations WHERE leaf_index = 1)",
        )
        .await;
    outbox
        .execute(
            "UPDATE jobs SET status = 'CONFIRMING', completed_at = NULL
              WHERE id = (SELECT job_id FROM confirmations WHERE leaf_index = 1)",
        )
        .await;
    batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    assert_eq!(batches::complete(&outbox.pool, batch, &confirmed_by(2, 250)).await.unwrap().len(), 1);
    assert_eq!(borne(&outbox, batch).await, whole);
}

/// The first batch was taken back and given up: its job is billed for it, and stands in another one.
#[tokio::test]
async fn a_job_that_is_sealed_anew_bears_nothing_of_its_second_batch() {
    let outbox = Outbox::new().await;
    let first = sealed(&outbox, 1).await;
    batches::complete(&outbox.pool, first, &confirmed_by(1, 80)).await.unwrap();
    batches::lift(&outbox.pool, first, Horizon::Near).await.unwrap();
    batches::abandon(&outbox.pool, first, "a bit is set").await.unwrap();
    let second = sealed(&outbox, 2).await;
    assert_eq!(batches::complete(&outbox.pool, second, &confirmed_by(2, 90)).await.unwrap().len(), 1);
    assert_eq!(borne(&outbox, second).await, [(Some(80), Some(1)), (Some(90), Some(2))]);
}

#[tokio::test]
async fn a_row_that_is_booked_anew_takes_its_gas_along() {
    let outbox = Outbox::new().await;
    let job = outbox.confirming().await;
    let (batch, _) = outbox.seal(1).await.unwrap();
    batches::complete(&outbox.pool, batch, &confirmed_by(1, 101)).await.unwrap();
    let row = confirmation(&outbox, job).await;
    assert_eq!(row.gas, Some(101));
    assert!(corrections::book_anew(&outbox.pool, &row.id, Anew::Waiting, "its period is over", None).await.unwrap());
    let anew = confirmation(&outbox, job).await;
    assert_eq!((anew.id, anew.gas), (format!("{}.2", row.id), Some(101)), "the event that is billed carries it");
    assert_eq!(outbox.count("SELECT sum(gas)::bigint FROM usage_ledger").await, 101, "once");
}

/// What docs/finance.md has finance ask, as it is printed there, of all times.
fn printed(place: usize) -> sqlx::AssertSqlSafe<String> {
    let document = include_str!("../../../docs/finance.md");
    let block = document.split("```sql\n").nth(place).expect("a query").split("```").next().unwrap_or_default();
    sqlx::AssertSqlSafe(block.replace("2026-10-01", "2000-01-01").replace("2026-11-01", "2100-01-01"))
}

#[tokio::test]
async fn finance_adds_it_up_as_printed() {
    let outbox = Outbox::new().await;
    // A stranger may have confirmed two batches in one transaction: its jobs bear it twice, and neither query makes more of it.
    for (transaction, jobs) in [(1, 3), (2, 1), (3, 1), (3, 1)] {
        let batch = sealed(&outbox, jobs).await;
        let gas = Some(Gas { used: 70_000, price: 1_000_000_000 });
        let anchor = Anchor { gas, ..confirmed_by(transaction, 0) };
        batches::complete(&outbox.pool, batch, &anchor).await.unwrap();
    }
    let transactions: Vec<(String, i64, i64)> = sqlx::query_as(printed(1)).fetch_all(&outbox.pool).await.unwrap();
    let hash = |byte: &str| format!("0x{}", byte.repeat(32));
    assert_eq!(
        transactions,
        [(hash("01"), 70_000, 70_000), (hash("02"), 70_000, 70_000), (hash("03"), 70_000, 140_000)]
    );

    let tenants =
        format!("SELECT tenant, gas, trim_scale(eth)::text FROM ({}) asked", printed(2).0.trim().trim_end_matches(';'));
    let tenants: Vec<(String, i64, String)> =
        sqlx::query_as(sqlx::AssertSqlSafe(tenants)).fetch_all(&outbox.pool).await.unwrap();
    assert_eq!(tenants, [("acme".to_owned(), 280_000, "0.00028".to_owned())]);
}
