//! What nobody delivered: the tenants take turns, and no more is read than is answered.

use store::usage;

use crate::outbox::Outbox;
use crate::reads::rows_read;

/// Rows of tenants with backlogs of all kinds, each at a moment of its own.
const MIXED: &str = "
    INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, delivered_at, dead_reason)
    SELECT t.name || ':api_calls:' || n, t.name, 'api_calls', n::text, 1,
           now() - t.age + n * interval '11 seconds' + t.place * interval '1 second',
           CASE WHEN t.name = 'delivered' OR t.name = 'half' AND n % 2 = 0 THEN now() END,
           CASE WHEN t.name = 'refused' AND n % 3 = 0 THEN '422: no' END
      FROM (VALUES ('many', 60, interval '1 day', 0), ('some', 7, interval '1 day', 1), ('one', 1, interval '1 day', 2),
                   ('older', 3, interval '2 days', 3), ('half', 12, interval '1 day', 4),
                   ('refused', 9, interval '1 day', 5), ('delivered', 20, interval '1 day', 6),
                   ('young', 5, interval '10 minutes', 7)) AS t (name, size, age, place)
     CROSS JOIN LATERAL generate_series(1, t.size) AS n";

/// The same answer by a window over everything that is due.
const BY_A_WINDOW: &str = "
    SELECT id FROM (SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY occurred_at, id) AS turn FROM usage_ledger
                     WHERE delivered_at IS NULL AND dead_reason IS NULL
                       AND occurred_at < now() - make_interval(secs => $1)) due
     ORDER BY turn, occurred_at, id LIMIT $2";

#[tokio::test]
async fn the_tenants_take_turns_the_oldest_first() {
    let outbox = Outbox::new().await;
    assert!(usage::overdue(&outbox.pool, 0.0, 10).await.unwrap().is_empty());
    outbox.execute(MIXED).await;
    for age_seconds in [0.0, 3600.0, 100_000.0] {
        for limit in [1_i64, 2, 4, 5, 6, 7, 13, 30, 60, 1000] {
            let expected: Vec<String> =
                sqlx::query_scalar(BY_A_WINDOW).bind(age_seconds).bind(limit).fetch_all(&outbox.pool).await.unwrap();
            let due = usage::overdue(&outbox.pool, age_seconds, limit).await.unwrap();
            let found: Vec<&str> = due.iter().map(|row| row.id.as_str()).collect();
            assert_eq!(found, expected, "{limit} of an age of {age_seconds} seconds");
        }
    }
    let due = usage::overdue(&outbox.pool, 0.0, 6).await.unwrap();
    let tenants: Vec<&str> = due.iter().map(|row| row.tenant.as_str()).collect();
    assert_eq!(tenants, ["older", "many", "some", "one", "half", "refused"]);
}

/// What is longest when the billing system comes back must not be read whole for each thousand rows of it.
#[tokio::test]
async fn a_long_backlog_is_not_read_to_answer_a_part_of_it() {
    const ANSWERED: i64 = 100;
    let outbox = Outbox::new().await;
    outbox
        .execute(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
             SELECT 'n' || n || ':api_calls:0', CASE WHEN n % 10000 = 5000 THEN 'small' || n ELSE 'large' END, 'api_calls',
                    '0', 1, now() - interval '2 days' + n * interval '1 second'
               FROM generate_series(1, 50000) AS n",
        )
        .await;
    outbox.execute("ANALYZE usage_ledger").await;
    let (due, read) = rows_read(&outbox, async |pool| usage::overdue(pool, 0.0, ANSWERED).await.unwrap()).await;

    assert_eq!(due.len(), 100);
    assert_eq!(due.iter().filter(|row| row.tenant.starts_with("small")).count(), 5, "nobody is left out");
    assert!(read >= ANSWERED, "{read}: the count is of something else");
    assert!(read < 10 * ANSWERED, "{read} rows were read for {ANSWERED}");
}
