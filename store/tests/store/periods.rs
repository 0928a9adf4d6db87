//! What is compared of a billing period: each row of it, where it stands, and what lacks in it.

use std::slice::from_ref;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::JobId;
use store::usage::corrections::{self, Anew, Corrected, Correction};
use store::usage::dead_letters;
use store::usage::periods::{self, PeriodRow, Span, Standing};

use crate::outbox::{Outbox, draft};
use crate::reads::rows_read;

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
    let later = periods::clock(&outbox.pool).await.unwrap();
    let rows = periods::rows(&outbox.pool, "acme", span, later, HOUR).await.unwrap();
    let expected = [
        ("delivered", Standing::Delivered),
        ("overdue", Standing::Overdue),
        ("refused", Standing::Refused),
        ("sandbox", Standing::Out),
        ("waiting", Standing::Waiting),
    ];
    assert_eq!(standings(&rows), expected);
    assert!(rows.iter().all(|row| row.billed_at.is_some()));
    let rows = periods::rows(&outbox.pool, "acme", span, young, HOUR).await.unwrap();
    assert_eq!(standings(&rows)[0], ("delivered", Standing::Arriving), "delivered since then, however old it is");
    assert_eq!(periods::waiting(&outbox.pool, "acme", span.until).await.unwrap(), 4);
    assert_eq!(periods::waiting(&outbox.pool, "acme", span.from).await.unwrap(), 1, "what is billed before");
}

/// The database's clock was put back since: it is not told to be on its way until that time comes.
#[tokio::test]
async fn a_delivery_that_is_yet_to_come_is_one() {
    let outbox = Outbox::new().await;
    let now = Utc::now();
    let span = Span { from: now - TimeDelta::days(1), until: now + TimeDelta::days(1) };
    row(&outbox, "ahead", now, Some(now), None).await;
    outbox.execute("UPDATE usage_ledger SET delivered_at = now() + interval '1 day'").await;
    let since = periods::clock(&outbox.pool).await.unwrap();
    let rows = periods::rows(&outbox.pool, "acme", span, since, HOUR).await.unwrap();
    assert_eq!(standings(&rows), [("ahead", Standing::Delivered)]);
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

/// What is told to stand behind acme's calls.
async fn behind(outbox: &Outbox, span: Span) -> Vec<(String, i64)> {
    let parts = periods::behind(&outbox.pool, "acme", "api_calls", &[span], None, 100).await.unwrap();
    parts.into_iter().map(|(place, part)| (place, part.units)).collect()
}

/// Rows of every kind, all of a time that an invoice covers.
#[tokio::test]
async fn behind_a_line_stands_what_the_billing_system_took_and_nothing_else() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    let moment = Utc::now() - TimeDelta::hours(1);
    let span = Span { from: moment - TimeDelta::days(1), until: Utc::now() + TimeDelta::days(1) };
    for id in ["in-doubt", "late", "lost", "off", "refused", "taken", "wrong"] {
        row(&outbox, id, moment, Some(moment), None).await;
    }
    row(&outbox, "sandbox", moment, Some(moment), Some("test mode")).await;
    row(&outbox, "unsent", moment, None, None).await;
    let own = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    store::usage::delivered(&outbox.pool, &own(&["late", "taken", "wrong"])).await.unwrap();
    for id in ["off", "refused"] {
        store::usage::dead(&outbox.pool, id, "422: no").await.unwrap();
    }
    let units = |parts: &[(&str, i64)]| parts.iter().map(|(id, units)| ((*id).to_owned(), *units)).collect::<Vec<_>>();
    // One that came too late for its invoice is told of until it is booked anew: the ledger does not know yet.
    assert_eq!(behind(&outbox, span).await, units(&[("late", 1), ("taken", 1), ("wrong", 1)]));

    for (id, which) in [("late", Anew::Delivered), ("lost", Anew::Waiting)] {
        assert!(corrections::book_anew(&outbox.pool, id, which, "its period is over", None).await.unwrap());
    }
    dead_letters::write_off(&outbox.pool, "off", "used by nobody", &draft()).await.unwrap().expect("a dead letter");
    let correction = Correction { row: "wrong", units: -1, reason: "a test", open_from: Some(DateTime::UNIX_EPOCH) };
    let corrected = corrections::correct(&outbox.pool, correction, &draft()).await.unwrap();
    assert_eq!(corrected, Corrected::Booked("wrong.1".to_owned()));
    assert_eq!(behind(&outbox, span).await, units(&[("taken", 1), ("wrong", 1)]), "what was taken back is no part");

    // What stands for them is sent, and arrives.
    let anew = own(&["late.2", "lost.2", "wrong.1"]);
    store::usage::freeze(&outbox.pool, &anew, moment).await.unwrap();
    assert_eq!(behind(&outbox, span).await.len(), 2, "nobody knows whether it arrived");
    store::usage::delivered(&outbox.pool, &anew).await.unwrap();
    let all = [("late.2", 1), ("lost.2", 1), ("taken", 1), ("wrong", 1), ("wrong.1", -1)];
    assert_eq!(behind(&outbox, span).await, units(&all));
}

fn month(from: &str, until: &str) -> Span {
    Span { from: format!("{from}T00:00:00Z").parse().unwrap(), until: format!("{until}T00:00:00Z").parse().unwrap() }
}

#[tokio::test]
async fn a_job_of_two_months_is_one_part_of_an_invoice_of_both() {
    let outbox = Outbox::new().await;
    let mut jobs = [outbox.job().await, outbox.job().await, outbox.job().await];
    jobs.sort_unstable_by_key(|job| job.0);
    for job in &jobs {
        for (billed_at, units) in
            [("2026-01-31T23:59:59Z", 1_i64), ("2026-02-01T00:00:00Z", 10), ("2026-03-01T00:00:00Z", 100)]
        {
            let row = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, billed_at, delivered_at)
                       VALUES ($1::text || $2, 'acme', $1::uuid, 'api_calls', $2, $3, $2::timestamptz, now())";
            sqlx::query(row).bind(job.to_string()).bind(billed_at).bind(units).execute(&outbox.pool).await.unwrap();
        }
    }
    let spans = [month("2026-01-01", "2026-02-01"), month("2026-02-01", "2026-03-01")];
    let page = async |after: Option<&str>| {
        let parts = periods::behind(&outbox.pool, "acme", "api_calls", &spans, after, 2).await.unwrap();
        assert!(parts.iter().all(|(_, part)| part.units == 11 && part.row_id.is_none()), "{parts:?}");
        parts.into_iter().filter_map(|(_, part)| part.job_id).collect::<Vec<JobId>>()
    };
    assert_eq!(page(None).await, jobs[..2]);
    assert_eq!(page(Some(&jobs[1].to_string())).await, jobs[2..]);
}

/// Months of a large tenant: the rows of each lie between those of the others.
#[tokio::test]
async fn a_page_of_what_stands_behind_a_line_costs_a_page() {
    const PAGE: i64 = 100;
    let outbox = Outbox::new().await;
    outbox
        .execute(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, billed_at, delivered_at)
             SELECT m.metric || ':' || lpad(n::text, 5, '0'), 'acme', m.metric, '0', 1, t.at, t.at, t.at
               FROM (VALUES ('api_calls'), ('compute_units')) AS m (metric)
              CROSS JOIN generate_series(0, 24999) AS n
              CROSS JOIN LATERAL (SELECT (ARRAY['2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z',
                                                '2026-04-01T00:00:00Z', '2026-05-01T00:00:00Z']::timestamptz[])[1 + n % 5]
                                         + n * interval '90 seconds' AS at) AS t",
        )
        .await;
    outbox.execute("ANALYZE usage_ledger").await;
    for (span, after, first) in [
        (month("2026-03-01", "2026-04-01"), "compute_units:12000", 12_002),
        // A part of a month, as a change of plan makes it.
        (month("2026-03-15", "2026-04-01"), "", 13_442),
        (month("2026-03-01", "2026-03-15"), "compute_units:05000", 5_002),
    ] {
        let (parts, read) = rows_read(&outbox, async |pool| {
            periods::behind(pool, "acme", "compute_units", from_ref(&span), Some(after), PAGE).await.unwrap()
        })
        .await;
        let places: Vec<&str> = parts.iter().map(|(place, _)| place.as_str()).collect();
        let expected: Vec<String> = (0..100).map(|place| format!("compute_units:{:05}", first + place * 5)).collect();
        assert_eq!(places, expected);
        assert!(read >= PAGE, "{read}: the count is of something else");
        assert!(read < 3 * PAGE, "{read} rows were read for {PAGE}");
    }
}
