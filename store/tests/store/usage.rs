//! The ledger as the outbox of the billing system: a timestamp that is fixed stays, a delivery is noted once.

use chrono::{DateTime, Utc};
use store::usage;

use crate::outbox::Outbox;

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
    usage::dead(&outbox.pool, &row.id, "too late").await.unwrap();
    usage::dead(&outbox.pool, &dead.id, "unknown metric").await.unwrap();
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
