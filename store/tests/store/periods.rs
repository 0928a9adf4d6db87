//! What is compared of a billing period: each row of it, where it stands, and what lacks in it.

use chrono::{DateTime, TimeDelta, Utc};
use store::usage::periods::{self, PeriodRow, Span, Standing};

use crate::outbox::Outbox;

const HOUR: f64 = 3600.0;

/// A row of acme, with what else is set in it.
async fn row(
    outbox: &Outbox,
    id: &str,
    occurred_at: DateTime<Utc>,
    billed_at: Option<DateTime<Utc>>,
    dead: Option<&str>,
) {
    let insert = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, billed_at, dead_reason)
                  VALUES ($1, 'acme', 'api_calls', $1, 1, $2, $3, $4)";
    let insert = sqlx::query(insert).bind(id).bind(occurred_at).bind(billed_at).bind(dead);
    insert.execute(&outbox.pool).await.unwrap();
}

fn standings(rows: &[PeriodRow]) -> Vec<(&str, Standing)> {
    rows.iter().map(|row| (row.id.as_str(), row.standing)).collect()
}

#[tokio::test]
async fn a_row_stands_where_its_delivery_is() {
    let outbox = Outbox::new().await;
    let now = Utc::now();
    let (young, old) = (now - TimeDelta::minutes(50), now - TimeDelta::minutes(70));
    let span = Span { from: now - TimeDelta::days(1), until: now + TimeDelta::days(1) };
    row(&outbox, "delivered", old, Some(old), None).await;
    store::usage::delivered(&outbox.pool, &["delivered".to_owned()]).await.unwrap();
    row(&outbox, "waiting", young, Some(young), None).await;
    row(&outbox, "overdue", old, Some(now), None).await;
    row(&outbox, "refused", young, Some(young), Some("422: no")).await;
    row(&outbox, "sandbox", old, Some(old), Some("test mode")).await;
    row(&outbox, "elsewhen", old, Some(now - TimeDelta::days(3)), None).await;
    row(&outbox, "unsent", old, None, None).await;
    let rows = periods::rows(&outbox.pool, "acme", span, HOUR).await.unwrap();
    let expected = [
        ("delivered", Standing::Delivered),
        ("overdue", Standing::Overdue),
        ("refused", Standing::Refused),
        ("sandbox", Standing::Out),
        ("waiting", Standing::Waiting),
    ];
    assert_eq!(standings(&rows), expected);
    assert!(rows.iter().all(|row| row.billed_at.is_some()));
    assert_eq!(periods::waiting(&outbox.pool, "acme", span.until).await.unwrap(), 4);
    assert_eq!(periods::waiting(&outbox.pool, "acme", span.from).await.unwrap(), 1, "what is billed before");
}

#[tokio::test]
async fn what_no_period_has_is_found_where_it_was_used() {
    let outbox = Outbox::new().await;
    let now = Utc::now();
    let before = now - TimeDelta::days(3);
    let span = Span { from: now - TimeDelta::days(1), until: now + TimeDelta::days(1) };
    for (id, occurred_at) in [("a-old", before), ("b-late", now - TimeDelta::minutes(70)), ("c-young", now)] {
        row(&outbox, id, occurred_at, None, None).await;
    }
    for (id, occurred_at, why) in
        [("d-dead", now, "422: no"), ("e-dead", before, "422: no"), ("f-free", now, "test mode")]
    {
        row(&outbox, id, occurred_at, None, Some(why)).await;
    }
    let overdue = periods::overdue(&outbox.pool, "acme", span.until, HOUR).await.unwrap();
    assert_eq!(standings(&overdue), [("a-old", Standing::Overdue), ("b-late", Standing::Overdue)]);
    let overdue = periods::overdue(&outbox.pool, "acme", span.from, HOUR).await.unwrap();
    assert_eq!(standings(&overdue), [("a-old", Standing::Overdue)], "what was used later is another period's");
    assert!(periods::overdue(&outbox.pool, "acme", span.until, 100.0 * HOUR).await.unwrap().is_empty());
    let refused = periods::refused(&outbox.pool, "acme", span).await.unwrap();
    assert_eq!(standings(&refused), [("d-dead", Standing::Refused)]);
    assert!(periods::refused(&outbox.pool, "other", span).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tenant_that_ended_before_a_span_is_compared_for_what_there_is_of_it_and_not_for_ever() {
    let outbox = Outbox::new().await;
    outbox
        .execute(
            "INSERT INTO tenants (id, plan, billing_ended_at)
             SELECT id, 'team', now() - interval '40 days'
               FROM unnest(ARRAY['billed', 'letter', 'settled', 'subscribed', 'used', 'waits']) AS id
             UNION ALL VALUES ('open', 'team', NULL), ('within', 'team', now() - interval '20 days')",
        )
        .await;
    outbox
        .execute(
            "INSERT INTO usage_ledger
                    (id, tenant, metric, segment, units, occurred_at, billed_at, delivered_at, dead_reason)
             SELECT tenant, tenant, 'api_calls', '0', 1, now() - make_interval(days => used),
                    now() - make_interval(days => billed), CASE WHEN billed IS NOT NULL THEN now() END, dead
               FROM (VALUES ('billed', 60, 10, NULL), ('settled', 60, 50, NULL), ('waits', 60, NULL, NULL),
                            ('used', 10, NULL, '422: no'), ('letter', 60, NULL, '422: no'))
                    AS one (tenant, used, billed, dead)",
        )
        .await;
    let now = Utc::now();
    let span = Span { from: now - TimeDelta::days(30), until: now + TimeDelta::days(1) };
    let subscribed = ["subscribed".to_owned()];
    let compared = async |after| {
        let tenants = store::tenants::to_compare(&outbox.pool, span, after, &subscribed).await.unwrap();
        tenants.iter().map(|tenant| tenant.id.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(compared(None).await, ["billed", "open", "subscribed", "used", "waits", "within"]);
    assert_eq!(compared(Some("subscribed")).await, ["used", "waits", "within"]);
    assert_eq!(compared(Some("within")).await, [""; 0]);
}
