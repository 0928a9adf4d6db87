//! What is metered by the hour stands in the ledger once, whoever counts and whoever books.

use chrono::{DateTime, DurationRound as _, TimeDelta, Utc};
use futures::future::join_all;
use store::usage::hours::{self, CallCount};
use uuid::Uuid;

use crate::outbox::Outbox;

fn hours_ago(hours: i64) -> DateTime<Utc> {
    (Utc::now() - TimeDelta::hours(hours)).duration_trunc(TimeDelta::hours(1)).unwrap()
}

fn count(tenant: &str, hour: DateTime<Utc>, calls: u64) -> CallCount {
    CallCount { tenant: tenant.to_owned(), hour, calls }
}

async fn acme() -> Outbox {
    let outbox = Outbox::new().await;
    store::tenants::ensure_tenant(&outbox.pool, &"acme".parse().unwrap(), "development").await.unwrap();
    outbox
}

/// Rows of a metric: id, units, reason.
async fn rows(outbox: &Outbox, metric: &str) -> Vec<(String, i64, Option<String>)> {
    let rows = "SELECT id, units, reason FROM usage_ledger WHERE metric = $1 ORDER BY id";
    sqlx::query_as(rows).bind(metric).fetch_all(&outbox.pool).await.unwrap()
}

#[tokio::test]
async fn an_hour_of_calls_is_one_row_however_many_processes_counted_and_however_often_they_told() {
    let outbox = acme().await;
    let (one, other) = (Uuid::new_v4(), Uuid::new_v4());
    let (past, open) = (hours_ago(3), hours_ago(0));
    for (node, calls) in [(one, 4), (one, 7), (one, 7), (one, 5), (other, 10)] {
        hours::count_calls(&outbox.pool, node, &[count("acme", past, calls), count("acme", open, 1)]).await.unwrap();
    }
    hours::count_calls(&outbox.pool, other, &[count("nobody-registered-it", past, 9)]).await.unwrap();
    let booked: u64 =
        join_all((0..4).map(|_| hours::book_calls(&outbox.pool, 300.0))).await.into_iter().map(Result::unwrap).sum();
    assert_eq!(booked, 1);
    let id = format!("acme:api_calls:{}", past.format("%Y-%m-%dT%HZ"));
    assert_eq!(rows(&outbox, "api_calls").await, [(id.clone(), 17, None)]);
    let occurred: DateTime<Utc> =
        sqlx::query_scalar("SELECT occurred_at FROM usage_ledger").fetch_one(&outbox.pool).await.unwrap();
    assert_eq!(occurred, past + TimeDelta::seconds(3599), "in its hour, and so in its month");

    // A process that could not tell it in time.
    hours::count_calls(&outbox.pool, one, &[count("acme", past, 12)]).await.unwrap();
    assert_eq!(hours::book_calls(&outbox.pool, 300.0).await.unwrap(), 1);
    let late = Some("counted after the hour was booked".to_owned());
    assert_eq!(rows(&outbox, "api_calls").await, [(id.clone(), 17, None), (format!("{id}.1"), 5, late)]);
    assert_eq!(hours::book_calls(&outbox.pool, 300.0).await.unwrap(), 0);
}

#[tokio::test]
async fn an_hour_is_not_booked_before_its_margin_is_over() {
    let outbox = acme().await;
    hours::count_calls(&outbox.pool, Uuid::new_v4(), &[count("acme", hours_ago(3), 1)]).await.unwrap();
    assert_eq!(hours::book_calls(&outbox.pool, 3.0 * 3600.0).await.unwrap(), 0);
    assert_eq!(hours::forget_calls(&outbox.pool, 0).await.unwrap(), 0, "what is not booked is not forgotten");
    assert_eq!(hours::book_calls(&outbox.pool, 300.0).await.unwrap(), 1);
    assert_eq!(hours::forget_calls(&outbox.pool, 1).await.unwrap(), 0);
    assert_eq!(hours::forget_calls(&outbox.pool, 0).await.unwrap(), 1);
}

async fn stores(outbox: &Outbox, tenant: &str, byte: u8, size: i64) {
    let insert = "INSERT INTO blobs (tenant, sha256, size, created_by) VALUES ($1, $2, $3, 'ada')";
    sqlx::query(insert).bind(tenant).bind(vec![byte; 32]).bind(size).execute(&outbox.pool).await.unwrap();
}

#[tokio::test]
async fn what_is_booked_is_not_added_up_again_and_who_stores_first_within_the_hour_is_booked() {
    let outbox = acme().await;
    store::tenants::ensure_tenant(&outbox.pool, &"globex".parse().unwrap(), "development").await.unwrap();
    // This hour may end meanwhile: the next one is booked, too.
    for hour in [hours_ago(0), hours_ago(-1)] {
        let segment = hour.format("%Y-%m-%dT%HZ").to_string();
        let booked = "INSERT INTO usage_ledger (id, tenant, metric, segment, units)
                      VALUES ('acme:storage_gb_hours:' || $1, 'acme', 'storage_gb_hours', $1, 1)";
        sqlx::query(booked).bind(segment).execute(&outbox.pool).await.unwrap();
    }
    // Whoever adds these up fails: their sum is no bigint.
    stores(&outbox, "acme", 1, i64::MAX).await;
    stores(&outbox, "acme", 2, i64::MAX).await;
    assert_eq!(hours::snapshot_storage(&outbox.pool).await.unwrap(), 0);
    stores(&outbox, "globex", 1, 1000).await;
    assert_eq!(hours::snapshot_storage(&outbox.pool).await.unwrap(), 1);
    assert_eq!(outbox.count("SELECT units FROM usage_ledger WHERE tenant = 'globex'").await, 1000);
}

#[tokio::test]
async fn what_is_stored_is_booked_once_an_hour_and_free_in_a_sandbox() {
    let outbox = acme().await;
    outbox.execute("INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme--test', 'development', 'acme')").await;
    outbox.execute("INSERT INTO tenants (id, plan, closed_at) VALUES ('gone', 'development', now())").await;
    for (tenant, byte) in [("acme", 1_u8), ("acme", 2), ("acme--test", 1), ("gone", 1)] {
        stores(&outbox, tenant, byte, 1000).await;
    }
    outbox
        .execute(
            "INSERT INTO client_keys (tenant, key_id, size, status, created_by, checked_at)
             VALUES ('acme', decode(repeat('03', 32), 'hex'), 500, 'ready', 'ada', now()),
                    ('acme', decode(repeat('04', 32), 'hex'), 70000, 'refused', 'ada', now())",
        )
        .await;
    // The hour may end between two of them: each has its own row.
    let first = hours::snapshot_storage(&outbox.pool).await.unwrap();
    assert_eq!(first, 2);
    let before = outbox.count("SELECT count(DISTINCT segment) FROM usage_ledger").await;
    assert_eq!(before, 1);
    join_all((0..3).map(|_| hours::snapshot_storage(&outbox.pool))).await.into_iter().for_each(|done| {
        done.unwrap();
    });
    let hours = outbox.count("SELECT count(DISTINCT segment) FROM usage_ledger").await;
    assert_eq!(outbox.count("SELECT count(*) FROM usage_ledger").await, 2 * hours, "one a tenant and hour");
    assert_eq!(outbox.count("SELECT min(units) FROM usage_ledger WHERE tenant = 'acme'").await, 2500);
    assert_eq!(
        outbox
            .count("SELECT count(*) FROM usage_ledger WHERE tenant = 'acme--test' AND dead_reason = 'test mode'")
            .await,
        hours
    );
}
