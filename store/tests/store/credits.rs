//! Prepaid credits: nobody spends what is not there, however many ask at once; a top-up is tried by one at a time, and what
//! was noted of it stays.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use jobs::credits::{Counted, PriceList, Share, Told};
use jobs::usage::Metric;
use store::admission::Admitted;
use store::credits::accounts::{self, Account, Ages, Owed};
use store::credits::top_ups::{self, Kind, Made, NewTopUp, Outcome, Pauses, Requested, State, TopUp};
use store::credits::{Prepaid, Unpaid};
use store::limits::Limited;
use store::usage;
use uuid::Uuid;

use crate::outbox::{New, Outbox, note_of};

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
    let owed = Some(Owed { cents: 7, from: period_from - TimeDelta::days(30) });
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

#[tokio::test]
async fn an_older_answer_does_not_take_a_newer_ones_place() {
    let outbox = Outbox::new().await;
    told(&outbox, 10, 0).await;
    let older = accounts::asking(&outbox.pool, "acme").await.unwrap();
    let newer = told(&outbox, 50, 0).await;
    keep(&outbox, 20, 0, older).await;
    let found = accounts::find(&outbox.pool, "acme").await.unwrap().unwrap();
    assert_eq!((found.told.balance_cents, found.told.as_of), (50, newer));
    assert_eq!(found.owed.map(|owed| owed.cents), Some(7));
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
}

const NOW: Pauses = Pauses { tried: 0.0, looked_at: 0.0 };
const LATER: Pauses = Pauses { tried: 60.0, looked_at: 60.0 };

async fn wish(outbox: &Outbox, tenant: &str, key: &str, amount_cents: i64) -> Requested {
    let (tenant, key) = (tenant.parse().unwrap(), key.parse().unwrap());
    store::tenants::ensure_tenant(&outbox.pool, &tenant, "team").await.unwrap();
    let (id, kind) = (Uuid::now_v7(), Kind::Paid);
    let new = NewTopUp {
        id,
        tenant: &tenant,
        key: &key,
        amount_cents,
        currency: "EUR",
        kind,
        requested_by: Some(&outbox.user),
    };
    top_ups::request(&outbox.pool, &new, &note_of(&tenant)).await.unwrap()
}

async fn wished(outbox: &Outbox) -> TopUp {
    match wish(outbox, "acme", "k", 500).await {
        Requested::New(top_up) => top_up,
        other => panic!("{other:?}"),
    }
}

fn made(outcome: Outcome) -> Made {
    Made { transaction: Uuid::max(), invoice: Some("i".to_owned()), outcome }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wish_is_noted_once_whoever_asks_at_once() {
    let outbox = Outbox::new().await;
    let nodes: [Outbox; 3] = std::array::from_fn(|_| outbox.through_own_pool());
    let answers = join_all((0..30).map(|turn| wish(&nodes[turn % 3], "acme", "k", 500))).await;
    let new: Vec<&TopUp> = answers
        .iter()
        .filter_map(|answer| if let Requested::New(top_up) = answer { Some(top_up) } else { None })
        .collect();
    assert_eq!(new.len(), 1, "{answers:?}");
    assert!(
        answers
            .iter()
            .all(|answer| matches!(answer, Requested::New(top_up) | Requested::Known(top_up) if top_up == new[0]))
    );
    assert!(matches!(wish(&outbox, "acme", "k", 501).await, Requested::KeyReused { .. }));
    assert!(matches!(wish(&outbox, "other", "k", 501).await, Requested::New(_)), "a key is its tenant's");
    assert_eq!(outbox.count("SELECT count(*) FROM audit_notes WHERE tenant = 'acme'").await, 1, "written down once");
}

/// What a process leaves that dies between the send and its note: a try, and nothing of its outcome.
#[tokio::test(flavor = "multi_thread")]
async fn a_top_up_is_tried_by_one_and_after_its_death_by_another() {
    let outbox = Outbox::new().await;
    let id = wished(&outbox).await.id;
    let (first, other) = (Uuid::now_v7(), Uuid::now_v7());
    let tries = join_all((0..12).map(|_| top_ups::begin_try(&outbox.pool, id, first, LATER))).await;
    let tries: Vec<_> = tries.into_iter().filter_map(Result::unwrap).collect();
    assert_eq!(tries.iter().map(|this| this.number).collect::<Vec<_>>(), [1]);
    assert!(top_ups::due(&outbox.pool, LATER, 9).await.unwrap().is_empty(), "it is left alone");
    assert_eq!(top_ups::due(&outbox.pool, NOW, 9).await.unwrap()[0].id, id);
    // Where it may have gone to it is asked for, and nowhere else.
    let again = top_ups::begin_try(&outbox.pool, id, other, NOW).await.unwrap().expect("its time is over");
    assert_eq!((again.number, again.wallet), (2, first));
}

#[tokio::test]
async fn a_top_up_goes_through_its_states_and_never_back() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let top_up = wished(&outbox).await;
    assert_eq!((top_up.state, top_up.requested_by.as_deref()), (State::Requested, Some("ada")));
    top_ups::begin_try(&outbox.pool, top_up.id, Uuid::nil(), NOW).await.unwrap().unwrap();
    let tenant = "acme".parse().unwrap();
    let pending = async || top_ups::pending_cents(&outbox.pool, &tenant).await.unwrap();
    assert!(top_ups::note(&outbox.pool, top_up.id, &made(Outcome::Pending)).await.unwrap());
    let sent = top_ups::find(&outbox.pool, &tenant, top_up.id).await.unwrap().unwrap();
    assert_eq!((sent.state, sent.invoice_id.as_deref(), sent.settled_at), (State::Sent, Some("i"), None));
    assert!(top_ups::begin_try(&outbox.pool, top_up.id, Uuid::nil(), NOW).await.unwrap().is_none(), "it is there");
    assert!(!top_ups::refuse(&outbox.pool, top_up.id, "no").await.unwrap());
    assert_eq!(pending().await, 500);
    assert!(top_ups::due(&outbox.pool, LATER, 9).await.unwrap().is_empty());
    assert!(top_ups::note(&outbox.pool, top_up.id, &made(Outcome::Settled)).await.unwrap());
    assert!(!top_ups::note(&outbox.pool, top_up.id, &made(Outcome::Failed("late".to_owned()))).await.unwrap());
    assert_eq!(pending().await, 0);
    assert!(top_ups::due(&outbox.pool, NOW, 9).await.unwrap().is_empty());
    for statement in [
        "UPDATE credit_top_ups SET state = 'requested', settled_at = NULL, transaction_id = NULL, sent_at = NULL",
        "UPDATE credit_top_ups SET state = 'refused', refusal = 'no', settled_at = NULL",
        "UPDATE credit_top_ups SET amount_cents = 1",
        "DELETE FROM credit_top_ups",
    ] {
        for outbox in [&owner, &outbox] {
            sqlx::query(statement).execute(&outbox.pool).await.expect_err(statement);
        }
    }

    let Requested::New(other) = wish(&outbox, "acme", "l", 5).await else { panic!("it is new") };
    assert!(top_ups::refuse(&outbox.pool, other.id, "no such wallet").await.unwrap());
    let refused = top_ups::find(&outbox.pool, &tenant, other.id).await.unwrap().unwrap();
    assert_eq!((refused.state, refused.refusal.as_deref()), (State::Refused, Some("no such wallet")));
    let listed = top_ups::list(&outbox.pool, &tenant, None, 9).await.unwrap();
    assert_eq!(listed.iter().map(|one| one.id).collect::<Vec<_>>(), [other.id, top_up.id]);
}
