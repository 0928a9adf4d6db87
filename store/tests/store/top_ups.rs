//! Top-ups of prepaid credits: each is tried by one at a time, and what was noted of it stays.

use futures::future::join_all;
use store::accounts;
use store::credits::top_ups::{self, Kind, Made, NewTopUp, Outcome, Pauses, Requested, State, TopUp};
use uuid::Uuid;

use crate::outbox::{Outbox, note_of};

const NOW: Pauses = Pauses { tried: 0.0, looked_at: 0.0, looked_at_late: 0.0 };
const LATER: Pauses = Pauses { tried: 60.0, looked_at: 60.0, looked_at_late: 3600.0 };

pub async fn wish(outbox: &Outbox, tenant: &str, key: &str, amount_cents: i64) -> Requested {
    wish_among(outbox, tenant, key, amount_cents, None).await
}

/// A wish of somebody who may have so many open.
async fn wish_among(outbox: &Outbox, tenant: &str, key: &str, amount_cents: i64, most_open: Option<i64>) -> Requested {
    store::tenants::ensure_tenant(&outbox.pool, &tenant.parse().unwrap(), "team").await.unwrap();
    asks(outbox, tenant, key, amount_cents, most_open).await
}

/// The same of a tenant that is there.
async fn asks(outbox: &Outbox, tenant: &str, key: &str, amount_cents: i64, most_open: Option<i64>) -> Requested {
    let (tenant, key) = (tenant.parse().unwrap(), key.parse().unwrap());
    let (id, kind) = (Uuid::now_v7(), Kind::Paid);
    let new = NewTopUp {
        id,
        tenant: &tenant,
        key: &key,
        amount_cents,
        currency: "EUR",
        kind,
        requested_by: Some(&outbox.user),
        most_open,
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

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_no_more_open_than_it_may_whoever_asks_at_once() {
    let outbox = Outbox::new().await;
    let nodes: [Outbox; 3] = std::array::from_fn(|_| outbox.through_own_pool());
    let keys: Vec<String> = (0..30).map(|number| format!("k{number}")).collect();
    let tries = keys.iter().enumerate().map(|(turn, key)| wish_among(&nodes[turn % 3], "acme", key, 500, Some(5)));
    let answers = join_all(tries).await;
    let count = |is: fn(&Requested) -> bool| answers.iter().filter(|answer| is(answer)).count();
    let (new, refused) = (count(|one| matches!(one, Requested::New(_))), count(|one| *one == Requested::TooMany));
    assert_eq!((new, refused), (5, 25), "{answers:?}");
    let noted = "SELECT count(*) FROM credit_top_ups";
    assert_eq!((outbox.count(noted).await, outbox.count("SELECT count(*) FROM audit_notes").await), (5, 5));
    let known = answers.iter().position(|one| matches!(one, Requested::New(_))).unwrap();
    let again = wish_among(&outbox, "acme", &keys[known], 500, Some(5)).await;
    assert!(matches!(again, Requested::Known(_)), "what was noted is told as before: {again:?}");
    assert!(matches!(wish_among(&outbox, "other", "k", 500, Some(5)).await, Requested::New(_)));
    assert!(matches!(wish(&outbox, "acme", "operator", 500).await, Requested::New(_)), "an operator has no limit");
    assert_eq!(wish_among(&outbox, "acme", "more", 500, Some(5)).await, Requested::TooMany);
    outbox.execute("UPDATE credit_top_ups SET state = 'refused', refusal = 'no' WHERE tenant = 'acme'").await;
    assert!(matches!(wish_among(&outbox, "acme", "more", 500, Some(5)).await, Requested::New(_)), "they have ended");
}

#[tokio::test]
async fn tenants_take_turns_however_many_top_ups_one_has() {
    let outbox = Outbox::new().await;
    for number in 0..30 {
        wish(&outbox, "acme", &format!("k{number}"), 1).await;
    }
    for tenant in ["b", "c"] {
        wish(&outbox, tenant, "k", 1).await;
    }
    let first = top_ups::to_send(&outbox.pool, NOW, 4).await.unwrap();
    assert_eq!(first.iter().map(|one| one.tenant.as_str()).collect::<Vec<_>>(), ["acme", "b", "c", "acme"]);
}

/// Notes that the billing system has a tenant's top-up, under a wallet, and waits for the payment.
async fn sent(outbox: &Outbox, tenant: &str, key: &str, wallet: Uuid) -> Uuid {
    let Requested::New(top_up) = wish(outbox, tenant, key, 1).await else { panic!("it is new") };
    top_ups::begin_try(&outbox.pool, top_up.id, wallet, NOW).await.unwrap().expect("the first try");
    let made = Made { transaction: Uuid::now_v7(), invoice: None, outcome: Outcome::Pending };
    assert!(top_ups::note(&outbox.pool, top_up.id, &made).await.unwrap());
    top_up.id
}

#[tokio::test]
async fn a_wallet_is_looked_at_once_for_all_of_its_top_ups() {
    let outbox = Outbox::new().await;
    let (one, other) = (Uuid::now_v7(), Uuid::now_v7());
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(sent(&outbox, "acme", &format!("k{number}"), one).await);
    }
    sent(&outbox, "b", "k", other).await;
    let found = top_ups::to_look_at(&outbox.pool, NOW, 9).await.unwrap();
    let seen = found.iter().map(|sent| (sent.wallet, sent.tenant.as_str(), sent.top_ups.len())).collect::<Vec<_>>();
    assert_eq!(seen, [(one, "acme", 5), (other, "b", 1)]);
    assert_eq!(found[0].top_ups.iter().map(|top_up| top_up.id).collect::<Vec<_>>(), ids);
    // One that is due is enough, and a wallet that cannot be read stands behind the others.
    top_ups::begin_look(&outbox.pool, one).await.unwrap();
    let found = top_ups::to_look_at(&outbox.pool, NOW, 1).await.unwrap();
    assert_eq!((found[0].wallet, found[0].top_ups.len()), (other, 1));
}

#[tokio::test]
async fn the_older_a_top_up_the_rarer_it_is_looked_at() {
    let outbox = Outbox::new().await;
    let id = sent(&outbox, "acme", "k", Uuid::now_v7()).await;
    // Minutes since it was sent, minutes since it was looked at, and whether it is looked at again.
    for (age, left_alone, is_due) in [
        (1, 0, false),
        (2, 2, true),
        (5, 2, true),
        (60, 5, false),
        (60, 6, true),
        (600, 50, false),
        (600, 58, true),
        (60_000, 59, false),
        (60_000, 61, true),
    ] {
        let set = "UPDATE credit_top_ups SET sent_at = now() - make_interval(mins => $2),
                          looked_at = now() - make_interval(mins => $3) WHERE id = $1";
        sqlx::query(set).bind(id).bind(age).bind(left_alone).execute(&outbox.pool).await.unwrap();
        let found = top_ups::to_look_at(&outbox.pool, LATER, 9).await.unwrap();
        assert_eq!(found.len() == 1, is_due, "{age} minutes old, left alone for {left_alone}");
    }
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
    assert!(top_ups::to_send(&outbox.pool, LATER, 9).await.unwrap().is_empty(), "it is left alone");
    assert_eq!(top_ups::to_send(&outbox.pool, NOW, 9).await.unwrap()[0].id, id);
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
    assert!(top_ups::to_send(&outbox.pool, NOW, 9).await.unwrap().is_empty());
    assert!(top_ups::to_look_at(&outbox.pool, LATER, 9).await.unwrap().is_empty(), "nobody pays that fast");
    assert_eq!(top_ups::to_look_at(&outbox.pool, NOW, 9).await.unwrap().len(), 1);
    assert!(top_ups::note(&outbox.pool, top_up.id, &made(Outcome::Settled)).await.unwrap());
    assert!(!top_ups::note(&outbox.pool, top_up.id, &made(Outcome::Failed("late".to_owned()))).await.unwrap());
    assert_eq!(pending().await, 0);
    assert!(top_ups::to_look_at(&outbox.pool, NOW, 9).await.unwrap().is_empty());
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

#[tokio::test]
async fn a_closed_tenant_gets_no_more_credits() {
    let outbox = Outbox::new().await;
    let first = wished(&outbox).await;
    let acme = "acme".parse().unwrap();
    let since = accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap().expect("it was there");
    assert_eq!(wish(&outbox, "acme", "l", 5).await, Requested::Closed { since });
    assert_eq!(wish(&outbox, "acme", "k", 500).await, Requested::Known(first), "what was noted is told as before");
    assert!(matches!(wish(&outbox, "other", "l", 5).await, Requested::New(_)));
    assert_eq!(outbox.count("SELECT count(*) FROM credit_top_ups WHERE tenant = 'acme'").await, 1);
    assert_eq!(outbox.count("SELECT count(*) FROM audit_notes WHERE tenant = 'acme'").await, 2, "the wish and the end");
}

#[tokio::test]
async fn a_wish_waits_for_who_closes_its_tenant_and_is_refused() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    let mut closing = store::begin(&outbox.pool).await.unwrap();
    let close = "UPDATE tenants SET closed_at = now() WHERE id = 'acme'";
    sqlx::query(close).execute(&mut *closing).await.unwrap();
    let other = outbox.through_own_pool();
    let wishing = tokio::spawn(async move { asks(&other, "acme", "k", 500, None).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR SHARE%'
                    AND datname = current_database()";
    while outbox.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    closing.commit().await.unwrap();
    let answer = wishing.await.unwrap();
    assert!(matches!(answer, Requested::Closed { .. }), "{answer:?}");
    assert_eq!(outbox.count("SELECT count(*) FROM credit_top_ups").await, 0);
}

#[tokio::test]
async fn who_closes_a_tenant_waits_for_its_open_wishes() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    let mut wishing = store::begin(&outbox.pool).await.unwrap();
    let looks = "SELECT closed_at FROM tenants WHERE id = 'acme' FOR SHARE";
    sqlx::query(looks).execute(&mut *wishing).await.unwrap();
    let other = outbox.through_own_pool();
    let closing = tokio::spawn(async move {
        let acme = "acme".parse().unwrap();
        accounts::close(&other.pool, &acme, &note_of(&acme)).await.unwrap()
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%closed_at%'
                    AND datname = current_database()";
    while outbox.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    wishing.rollback().await.unwrap();
    assert!(closing.await.unwrap().is_some());
}

/// One that was tried may have arrived: whether it did is known to the billing system alone.
#[tokio::test]
async fn what_nobody_has_tried_to_send_ends_with_its_tenant() {
    let outbox = Outbox::new().await;
    let untried = wished(&outbox).await.id;
    let Requested::New(TopUp { id: tried, .. }) = wish(&outbox, "acme", "l", 5).await else { panic!("it is new") };
    let first = top_ups::begin_try(&outbox.pool, tried, Uuid::nil(), NOW).await.unwrap().expect("the first try");
    assert!(!first.is_closed);
    let ends = async |id| top_ups::refuse_of_closed(&outbox.pool, id, "the end").await.unwrap();
    assert!(!ends(untried).await, "it is open");
    let acme = "acme".parse().unwrap();
    accounts::close(&outbox.pool, &acme, &note_of(&acme)).await.unwrap();
    assert_eq!((ends(untried).await, ends(untried).await, ends(tried).await), (true, false, false));
    assert!(top_ups::begin_try(&outbox.pool, untried, Uuid::nil(), NOW).await.unwrap().is_none());
    let again = top_ups::begin_try(&outbox.pool, tried, Uuid::nil(), NOW).await.unwrap().expect("its time is over");
    assert_eq!((again.number, again.is_closed), (2, true));
    let refused = top_ups::find(&outbox.pool, &acme, untried).await.unwrap().unwrap();
    assert_eq!((refused.state, refused.refusal.as_deref()), (State::Refused, Some("the end")));
}
