//! Prepaid credits: nobody spends what is not there, however many ask at once.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use jobs::credits::{Counted, PriceList, Share, Told};
use jobs::usage::Metric;
use store::admission::Admitted;
use store::credits::accounts::{self, Account, Ages, Owed};
use store::credits::{Prepaid, Unpaid};
use store::limits::Limited;
use store::usage;
use store::usage::periods::{self, Span};

use crate::outbox::{New, Outbox};
use crate::top_ups::wish;

/// A cent for each compute unit: a job of [`Outbox`] reserves two.
struct Cents;

impl PriceList for Cents {
    fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str {
        plan
    }

    fn currency(&self, _: &str) -> &str {
        "EUR"
    }

    fn month(&self, _: &str, units: &Counted) -> i64 {
        units.iter().filter(|(metric, _)| *metric == Metric::ComputeUnits).map(|(_, units)| units).sum()
    }

    fn most(&self, plan: &str, used: &Counted, more: &Counted) -> i64 {
        self.month(plan, &used.plus(more))
    }

    fn share(&self, _: &str, _: &Counted) -> Share {
        unreachable!("nobody asks what a job costs")
    }
}

const COST: usize = 2;

fn paid() -> New<'static> {
    New { prepaid: Some(Prepaid { prices: &Cents }), ..New::default() }
}

/// Acme is there, and has so much; `counted` units are in the answer.
async fn told(outbox: &Outbox, balance_cents: i64, counted: i64) -> DateTime<Utc> {
    let tenant = "acme".parse().unwrap();
    store::tenants::ensure_tenant(&outbox.pool, &tenant, "development").await.unwrap();
    let asking = accounts::asking(&outbox.pool, "acme").await.unwrap();
    keep(outbox, balance_cents, counted, asking).await;
    asking.as_of
}

async fn keep(outbox: &Outbox, balance_cents: i64, counted: i64, asking: accounts::Asking) {
    let told = Told {
        currency: "EUR".to_owned(),
        plan: "team".to_owned(),
        balance_cents,
        usage_cents: counted,
        units: [(Metric::ComputeUnits, counted)].into_iter().collect(),
        owed_cents: 7,
        as_of: asking.as_of,
    };
    let period_from = asking.as_of - TimeDelta::days(3);
    let owed = vec![Owed {
        from: period_from - TimeDelta::days(30),
        until: period_from,
        plan: "team".to_owned(),
        cents: 7,
        beside_list_cents: 0,
    }];
    let account = Account { told, period_from, owed, rows_from: asking.rows_from };
    accounts::keep(&outbox.pool, "acme", &account).await.unwrap();
}

async fn available(outbox: &Outbox) -> i64 {
    let purse = accounts::purse(&outbox.pool, &"acme".parse().unwrap()).await.unwrap().expect("it was told");
    purse.left(&Cents).available_cents
}

#[tokio::test(flavor = "multi_thread")]
async fn admissions_at_once_spend_what_there_is_and_no_more() {
    let outbox = Outbox::new().await;
    // Seven are owed. The first ones are far from the end.
    told(&outbox, 540 + 7, 0).await;
    let nodes: [Outbox; 3] = std::array::from_fn(|_| outbox.through_own_pool());
    let answers = join_all((0..300).map(|turn| nodes[turn % 3].admit(paid()))).await;
    let admitted = answers.iter().filter(|(_, admitted)| matches!(admitted, Admitted::New { .. })).count();
    let refused =
        answers.iter().filter(|(_, admitted)| matches!(admitted, Admitted::Limited(Limited::Credits(_)))).count();
    assert_eq!((admitted, refused), (540 / COST, 300 - 540 / COST), "{answers:?}");
    assert_eq!(available(&outbox).await, 0);
    let (_, last) = outbox.admit(paid()).await;
    let why = Unpaid::Exhausted { available_cents: 0, wanted_cents: 2 };
    assert!(matches!(last, Admitted::Limited(Limited::Credits(unpaid)) if unpaid == why), "{last:?}");
    // Who does not pay before is not asked.
    assert!(matches!(outbox.admit(New::default()).await.1, Admitted::New { .. }));
}

#[tokio::test]
async fn far_from_their_end_credits_make_nobody_wait() {
    let outbox = Outbox::new().await;
    told(&outbox, 1_000_000, 0).await;
    let mut under_way = store::begin(&outbox.pool).await.unwrap();
    let lock = "SELECT pg_advisory_xact_lock_shared(hashtextextended('credits/acme', 0))";
    sqlx::query(lock).execute(&mut *under_way).await.unwrap();
    assert!(matches!(outbox.admit(paid()).await.1, Admitted::New { .. }));
    under_way.rollback().await.unwrap();
}

#[tokio::test]
async fn what_the_billing_system_has_not_counted_is_counted_here() {
    let outbox = Outbox::new().await;
    told(&outbox, 107, 0).await;
    let job = outbox.confirming().await;
    // Five units used; that it is completed and confirmed costs nothing here.
    assert_eq!(available(&outbox).await, 95);
    let row = [format!("{job}:compute_units:0")];
    let occurred = Utc::now() - TimeDelta::hours(1);
    usage::freeze(&outbox.pool, &row, occurred).await.unwrap();
    usage::delivered(&outbox.pool, &row).await.unwrap();
    assert_eq!(available(&outbox).await, 95, "delivered after it was asked");
    told(&outbox, 107, 5).await;
    assert_eq!(available(&outbox).await, 95, "in the answer");
    let late = outbox.confirming().await;
    assert_eq!(available(&outbox).await, 90);
    usage::dead(&outbox.pool, &format!("{late}:compute_units:0"), "422: no").await.unwrap();
    assert_eq!(available(&outbox).await, 95, "what is refused for good is billed by nobody");
    // A month's rows, delivered an hour late and long after they were used.
    let old = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
               VALUES ('old', 'acme', 'compute_units', 'old', 3, now() - interval '9 days')";
    outbox.execute(old).await;
    told(&outbox, 107, 5).await;
    assert_eq!(available(&outbox).await, 92);
    usage::freeze(&outbox.pool, &["old".to_owned()], DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(&outbox.pool, &["old".to_owned()]).await.unwrap();
    assert_eq!(available(&outbox).await, 92, "as old as it is");
}

/// However long the billing system is away, an admission reads what has happened lately.
#[tokio::test]
async fn what_waits_is_added_up_once_and_by_no_admission() {
    let outbox = Outbox::new().await;
    told(&outbox, 107, 0).await;
    let old = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
               VALUES ('old', 'acme', 'compute_units', 'old', 3, now() - interval '2 hours')";
    outbox.execute(old).await;
    accounts::gather(&outbox.pool, 0.0).await.unwrap();
    assert_eq!(available(&outbox).await, 100, "who needs no credits waits for the next answer");
    outbox.execute("UPDATE tenants SET requires_credits = true").await;
    accounts::gather(&outbox.pool, 3600.0).await.unwrap();
    assert_eq!(available(&outbox).await, 100, "and who was told an hour ago at most");
    accounts::gather(&outbox.pool, 0.0).await.unwrap();
    assert_eq!(available(&outbox).await, 97);
    outbox.confirming().await;
    assert_eq!(available(&outbox).await, 92, "what comes now is seen at once");
    outbox.rewrite_ledger("UPDATE usage_ledger SET units = 50 WHERE id = 'old'").await;
    assert_eq!(available(&outbox).await, 92, "nobody reads it again");
    outbox.rewrite_ledger("UPDATE usage_ledger SET units = 3 WHERE id = 'old'").await;

    usage::freeze(&outbox.pool, &["old".to_owned()], DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(&outbox.pool, &["old".to_owned()]).await.unwrap();
    assert_eq!(available(&outbox).await, 92, "it was not told yet");
    accounts::gather(&outbox.pool, 0.0).await.unwrap();
    assert_eq!(available(&outbox).await, 92);
    told(&outbox, 107, 3).await;
    assert_eq!(available(&outbox).await, 92, "the same, by the billing system's own count");
}

#[tokio::test]
async fn a_period_that_is_over_holds_what_is_billed_in_it() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    let rows = "INSERT INTO usage_ledger
                    (id, tenant, metric, segment, units, occurred_at, billed_at, delivered_at, dead_reason)
                SELECT id, 'acme', 'compute_units', id, units, moment, moment, delivered, dead
                  FROM (VALUES ('before', 1, timestamptz '2026-10-31 23:59:59.9Z', now(), NULL),
                               ('first', 2, '2026-11-01 00:00:00Z', now(), NULL),
                               ('last', 4, '2026-11-30 23:59:59.9Z', now(), NULL),
                               ('unknown', 8, '2026-11-30 23:59:59Z', NULL, NULL),
                               ('refused', 16, '2026-11-20 00:00:00Z', NULL, '422: no'),
                               ('told later', 32, '2026-11-20 00:00:00Z', now() + interval '1 hour', NULL),
                               ('after', 64, '2026-12-01 00:00:00Z', now(), NULL))
                       AS listed (id, units, moment, delivered, dead)";
    outbox.execute(rows).await;
    let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
    let november = Span { from: at("2026-11-01T00:00:00Z"), until: at("2026-12-01T00:00:00Z") };
    let as_of = Utc::now() + TimeDelta::minutes(30);
    let counted = periods::units(&outbox.pool, "acme", november, as_of).await.unwrap();
    assert_eq!(counted.iter().collect::<Vec<_>>(), [(Metric::ComputeUnits, 2 + 4 + 8)]);
    let taken = periods::taken(&outbox.pool, "acme", november.from, as_of).await.unwrap();
    assert_eq!(taken.iter().collect::<Vec<_>>(), [(Metric::ComputeUnits, 2 + 4 + 64)], "and what goes on");
}

#[tokio::test]
async fn an_older_answer_does_not_take_a_newer_ones_place() {
    let outbox = Outbox::new().await;
    told(&outbox, 10, 0).await;
    let older = accounts::asking(&outbox.pool, "acme").await.unwrap();
    let newer = told(&outbox, 50, 0).await;
    keep(&outbox, 20, 0, older).await;
    let found = accounts::find(&outbox.pool, "acme").await.unwrap().unwrap();
    assert_eq!((found.told.balance_cents, found.told.as_of), (50, newer));
    assert_eq!(found.owed.iter().map(|owed| (owed.cents, owed.until)).collect::<Vec<_>>(), [(7, found.period_from)]);
}

#[tokio::test]
async fn accounts_of_those_who_have_credits_are_asked_for_the_oldest_first() {
    let outbox = Outbox::new().await;
    for tenant in ["acme", "b", "c", "d"] {
        store::tenants::ensure_tenant(&outbox.pool, &tenant.parse().unwrap(), "team").await.unwrap();
    }
    let due = async |required, others| accounts::due(&outbox.pool, Ages { required, others }, 9).await.unwrap();
    assert_eq!(due(0.0, 0.0).await, [""; 0]);
    outbox.execute("UPDATE tenants SET requires_credits = true WHERE id = 'acme'").await;
    outbox.execute("UPDATE tenants SET credits_enforced = true WHERE id = 'b'").await;
    wish(&outbox, "c", "k", 5).await;
    assert_eq!(due(0.0, 0.0).await, ["acme", "b", "c"]);
    told(&outbox, 1, 0).await;
    assert_eq!(due(0.0, 0.0).await, ["b", "c", "acme"]);
    assert_eq!(due(60.0, 60.0).await, ["b", "c"]);
    outbox.execute("UPDATE tenants SET billing_ended_at = now() WHERE id = 'b'").await;
    assert_eq!(due(60.0, 60.0).await, ["c"]);
    outbox.execute("UPDATE tenants SET closed_at = now() WHERE id = 'c'").await;
    assert_eq!(due(60.0, 60.0).await, [""; 0], "it has no account, and gets none any more");
    outbox.execute("UPDATE tenants SET billing_ready_at = now() WHERE id = 'c'").await;
    assert_eq!(due(60.0, 60.0).await, ["c"]);
}
