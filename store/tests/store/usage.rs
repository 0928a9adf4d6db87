//! The ledger as the outbox of the billing system: a timestamp that is fixed stays, a delivery is noted once.

use chrono::{DateTime, TimeDelta, Utc};
use jobs::TenantId;
use store::jobs::Reader;
use store::usage::corrections::{self, Anew};
use store::usage::dead_letters::{self, Which};
use store::usage::standing::Standing;
use store::usage::{self, TEST_MODE, UsageFilter, UsagePlace, groups};

use crate::outbox::{Outbox, draft};
use crate::reads::rows_read;

async fn billed_at(outbox: &Outbox) -> Option<DateTime<Utc>> {
    sqlx::query_scalar("SELECT billed_at FROM usage_ledger").fetch_one(&outbox.pool).await.unwrap()
}

#[tokio::test]
async fn a_row_is_billed_when_it_occurred_unless_its_period_is_over() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let row = usage::due_for_job(&outbox.pool, job).await.unwrap().remove(0);
    let ids = [row.id.clone()];
    let long_ago = row.occurred_at - chrono::Duration::days(20);
    usage::freeze(&outbox.pool, &ids, long_ago).await.unwrap();
    assert_eq!(billed_at(&outbox).await, Some(row.occurred_at));

    outbox
        .rewrite_ledger("UPDATE usage_ledger SET billed_at = NULL, occurred_at = occurred_at - interval '40 days'")
        .await;
    usage::freeze(&outbox.pool, &ids, long_ago).await.unwrap();
    assert_eq!(billed_at(&outbox).await, Some(long_ago), "late usage stands at the start of the open period");
    let told = usage::freeze(&outbox.pool, &ids, Utc::now()).await.unwrap();
    assert_eq!(told[&row.id], long_ago, "what may have been sent under one time is never sent under another");
    assert_eq!(billed_at(&outbox).await, Some(long_ago));
}

#[tokio::test]
async fn what_is_delivered_or_dead_is_not_due() {
    let outbox = Outbox::new().await;
    let (job, other) = (outbox.job().await, outbox.job().await);
    let due = async |job| usage::due_for_job(&outbox.pool, job).await.unwrap();
    let (row, dead) = (due(job).await.remove(0), due(other).await.remove(0));
    assert!(usage::overdue(&outbox.pool, 60.0, 10).await.unwrap().is_empty());
    assert_eq!(usage::overdue(&outbox.pool, 0.0, 10).await.unwrap().len(), 2);

    usage::delivered(&outbox.pool, std::slice::from_ref(&row.id)).await.unwrap();
    let first: DateTime<Utc> = sqlx::query_scalar("SELECT delivered_at FROM usage_ledger WHERE id = $1")
        .bind(&row.id)
        .fetch_one(&outbox.pool)
        .await
        .unwrap();
    usage::delivered(&outbox.pool, std::slice::from_ref(&row.id)).await.unwrap();
    let bury = async |id: &str, reason: &str| usage::dead(&outbox.pool, id, reason).await.unwrap();
    assert!(!bury(&row.id, "too late").await, "it was delivered");
    assert!(bury(&dead.id, "unknown metric").await);
    assert!(!bury(&dead.id, "another reason").await, "it is dead");
    assert!(due(job).await.is_empty() && due(other).await.is_empty());
    assert!(usage::overdue(&outbox.pool, 0.0, 10).await.unwrap().is_empty());
    let again: DateTime<Utc> = sqlx::query_scalar("SELECT delivered_at FROM usage_ledger WHERE id = $1")
        .bind(&row.id)
        .fetch_one(&outbox.pool)
        .await
        .unwrap();
    assert_eq!(again, first);
    assert_eq!(outbox.count("SELECT count(*) FROM usage_ledger WHERE dead_reason IS NOT NULL").await, 1);
}

/// What comes between the send of a row and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Heard {
    Answer,
    /// Somebody else who holds the row buries it.
    Burial,
    /// An operator has it tried again.
    Retry,
}

/// `meter` and the reporter may hold the same row: what one of them buries, the other one's answer may tell to be taken.
#[tokio::test]
async fn a_row_that_was_taken_is_no_dead_letter_whatever_is_heard_first() {
    use Heard::{Answer, Burial, Retry};
    let outbox = Outbox::new().await.as_application().await;
    for heard in [&[Burial, Answer][..], &[Burial, Answer, Retry], &[Answer, Burial, Retry], &[Burial, Retry, Answer]] {
        let job = outbox.job().await;
        let row = usage::due_for_job(&outbox.pool, job).await.unwrap().remove(0).id;
        let named = std::slice::from_ref(&row);
        usage::freeze(&outbox.pool, named, DateTime::UNIX_EPOCH).await.unwrap();
        let mut is_dead = false;
        for what in heard {
            match what {
                Burial => {
                    let is_buried = usage::dead(&outbox.pool, &row, "422: no").await.unwrap();
                    assert_eq!(is_buried, heard[0] == Burial, "{heard:?}");
                }
                Answer => {
                    let revived = usage::delivered(&outbox.pool, named).await.unwrap();
                    assert_eq!(!revived.is_empty(), is_dead, "{heard:?}");
                }
                Retry => {
                    let retried = dead_letters::retry(&outbox.pool, Which::Named(named), &draft()).await.unwrap();
                    assert_eq!(!retried.is_empty(), is_dead, "{heard:?}");
                }
            }
            is_dead = *what == Burial && heard[0] == Burial;
        }
        let row = usage::of_ids(&outbox.pool, named).await.unwrap().remove(0);
        assert!(row.delivered_at.is_some() && row.billed_at == Some(row.occurred_at), "{heard:?}: {row:?}");
        assert_eq!(row.dead_reason, None, "{heard:?}");
        assert!(usage::due_for_job(&outbox.pool, job).await.unwrap().is_empty());
    }
    assert_eq!(dead_letters::count(&outbox.pool).await.unwrap(), 0);
    let buried = "UPDATE usage_ledger SET dead_reason = '422: no'";
    let refused = sqlx::query(buried).execute(&outbox.pool).await.expect_err("all are delivered").to_string();
    assert!(refused.contains("usage_ledger_delivered_check"), "{refused}");
}

#[tokio::test]
async fn what_was_taken_back_or_is_of_a_sandbox_is_not_delivered_whoever_says_so() {
    let outbox = Outbox::new().await;
    let job = outbox.job().await;
    let row = usage::due_for_job(&outbox.pool, job).await.unwrap().remove(0).id;
    assert!(corrections::book_anew(&outbox.pool, &row, Anew::Waiting, "its period is over", None).await.unwrap());
    outbox.execute("INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme--test', 'development', 'acme')").await;
    let free =
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units) VALUES ('t', 'acme--test', 'api_calls', 't', 1)";
    outbox.execute(free).await;
    let ids = [row, "t".to_owned()];
    assert_eq!(usage::delivered(&outbox.pool, &ids).await.unwrap(), [""; 0]);
    assert_eq!(outbox.count("SELECT count(*) FROM usage_ledger WHERE delivered_at IS NOT NULL").await, 0);

    // By the name that the database gives it.
    let sandbox: TenantId = "acme--test".parse().unwrap();
    let reader = Reader { tenant: &sandbox, user: None };
    let rows = usage::list(&outbox.pool, reader, &UsageFilter::default(), None, 10).await.unwrap();
    assert_eq!(
        rows.iter().map(|row| (row.standing(), row.dead_reason.as_deref())).collect::<Vec<_>>(),
        [(Standing::TestMode, Some(TEST_MODE))]
    );
    assert_eq!(dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap(), [""; 0]);
}

#[tokio::test]
async fn a_tenant_with_many_due_rows_leaves_room_for_the_others() {
    let outbox = Outbox::new().await;
    for _ in 0..5 {
        outbox.job().await;
    }
    outbox.job_of("other", "normal").await;
    let due = usage::overdue(&outbox.pool, 0.0, 2).await.unwrap();
    assert!(due.iter().any(|row| row.tenant == "other"), "{due:?}");
}

/// Of a tenant with a row each minute, each billed ten days later, as `usage.csv` reads all of it, and as a day of it is added
/// up: by either time.
#[tokio::test]
async fn what_is_asked_of_a_part_of_the_ledger_reads_that_part() {
    const PAGE: i64 = 100;
    let outbox = Outbox::new().await;
    outbox
        .execute(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, billed_at)
             SELECT 'acme:api_calls:' || n, 'acme', 'api_calls', n, 1,
                    timestamptz '2026-01-01T00:00:00Z' + n * interval '1 minute',
                    timestamptz '2026-01-11T00:00:00Z' + n * interval '1 minute'
               FROM generate_series(1, 30000) AS n",
        )
        .await;
    outbox.execute("ANALYZE usage_ledger").await;
    let acme: TenantId = "acme".parse().unwrap();
    let reader = Reader { tenant: &acme, user: None };
    let minute = |n: i64| "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::minutes(n);

    let after = UsagePlace { at: minute(5_000), id: "acme:api_calls:5000".to_owned() };
    let (rows, read) = rows_read(&outbox, async |pool| {
        usage::list(pool, reader, &UsageFilter::default(), Some(&after), PAGE).await.unwrap()
    })
    .await;
    assert_eq!(
        (rows.len(), rows[0].id.as_str(), rows[99].id.as_str()),
        (100, "acme:api_calls:4999", "acme:api_calls:4900")
    );
    assert!((PAGE..3 * PAGE).contains(&read), "{read} rows were read for {PAGE}");

    let day = UsageFilter { from: Some(minute(1_440)), until: Some(minute(2_880)), ..UsageFilter::default() };
    let (totals, read) = rows_read(&outbox, async |pool| groups::totals(pool, reader, &day).await.unwrap()).await;
    assert_eq!(totals["api_calls"], 1_440);
    assert!((1_440..3 * 1_440).contains(&read), "{read} rows were read for 1,440");

    let later = |n: i64| minute(n + 14_400);
    let billed =
        UsageFilter { billed_from: Some(later(0)), billed_until: Some(later(20_001)), ..UsageFilter::default() };
    let after = UsagePlace { at: later(5_000), id: "acme:api_calls:5000".to_owned() };
    let (rows, read) =
        rows_read(&outbox, async |pool| usage::list(pool, reader, &billed, Some(&after), PAGE).await.unwrap()).await;
    assert_eq!(
        (rows.len(), rows[0].id.as_str(), rows[99].id.as_str()),
        (100, "acme:api_calls:4999", "acme:api_calls:4900")
    );
    assert!((PAGE..3 * PAGE).contains(&read), "{read} rows were read for {PAGE}");
    assert_eq!(billed.place_of(&rows[99]).at, later(4_900), "where the next page begins");

    let day =
        UsageFilter { billed_from: Some(later(1_440)), billed_until: Some(later(2_880)), ..UsageFilter::default() };
    let (totals, read) = rows_read(&outbox, async |pool| groups::totals(pool, reader, &day).await.unwrap()).await;
    assert_eq!(totals["api_calls"], 1_440);
    assert!((1_440..3 * 1_440).contains(&read), "{read} rows were read for 1,440");
}
