//! Prepaid credits: each top-up arrives once, whatever is lost on its way, and what is told of an account is what Lago bills.

use activities::billing_delivery::{BillingDelivery, CreditPace};
use axum::http::{Method, StatusCode};
use axum::response::IntoResponse as _;
use billing::{Catalogue, Direction, PriceBook, TransactionStatus, WalletId, WalletTransaction};
use chrono::{Datelike as _, SubsecRound as _, TimeDelta, Utc};
use jobs::credits::PriceList as _;
use store::credits::accounts::{self, Account, Ages};
use store::credits::top_ups::{self, Kind, NewTopUp, Pauses, Requested, State, TopUp};
use store::usage;
use uuid::Uuid;

use super::months::{fixed, last_month, midnight, sent};
use super::unread::{Asked, Refuses, Watched};
use crate::chance::Chance;
use crate::outbox::note_of;
use crate::stage::{ACME, Stage, acme};
use crate::unreliable::{Unreliable, drafting};

/// Nothing is left alone: whatever can be tried is tried at once.
const AT_ONCE: CreditPace = CreditPace { pauses: NO_PAUSES, ages: Ages { required: 0.0, others: 0.0 } };
const NO_PAUSES: Pauses = Pauses { tried: 0.0, looked_at: 0.0, looked_at_late: 0.0 };

impl Stage {
    async fn wishes(&self, key: &str, kind: Kind, amount_cents: i64) -> Uuid {
        self.wishes_for(ACME, key, kind, amount_cents).await
    }

    async fn wishes_for(&self, tenant: &str, key: &str, kind: Kind, amount_cents: i64) -> Uuid {
        let (tenant, key) = (tenant.parse().unwrap(), key.parse().unwrap());
        let id = Uuid::now_v7();
        let new = NewTopUp {
            id,
            tenant: &tenant,
            key: &key,
            amount_cents,
            currency: "EUR",
            kind,
            requested_by: None,
            most_open: None,
        };
        let noted = top_ups::request(self.pool(), &new, &note_of(&tenant)).await.unwrap();
        assert!(matches!(noted, Requested::New(_)), "{noted:?}");
        id
    }

    async fn top_up(&self, id: Uuid) -> TopUp {
        top_ups::find(self.pool(), &ACME.parse().unwrap(), id).await.unwrap().expect("it was noted")
    }

    async fn account(&self) -> Account {
        accounts::find(self.pool(), ACME).await.unwrap().expect("it was told")
    }

    /// What Lago has added to acme's wallets.
    async fn added(&self) -> Vec<WalletTransaction> {
        let mut added = Vec::new();
        for wallet in self.lago.wallets(&acme()).await.unwrap() {
            added.extend(self.lago.wallet_transactions(wallet.id).await.unwrap());
        }
        added.retain(|transaction| transaction.direction == Direction::Inbound);
        added
    }
}

/// A turn; what it could not do is the next one's.
async fn turn(delivery: &BillingDelivery) {
    drop(Box::pin(delivery.settle_credits(AT_ONCE)).await);
}

#[tokio::test]
async fn each_top_up_arrives_once_whatever_is_lost_on_its_way() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for number in 0..6 {
        ids.push(stage.wishes(&format!("order-{number}"), Kind::Granted, 1_000 + number).await);
    }
    let way = Unreliable::before(&stage.origin, Chance::new().below(u64::MAX)).await;
    let delivery = stage.delivery_to(&way.origin);
    // Five of the first sends meet a fault each; other calls some by chance. Each turn tries all that are left.
    let mut turns = 0;
    while top_ups::pending_cents(stage.pool(), &ACME.parse().unwrap()).await.unwrap() > 0 {
        turn(&delivery).await;
        turns += 1;
        assert!(turns < 200, "it does not come to an end");
    }
    let added = stage.added().await;
    let sent: Vec<i64> = sorted(added.iter().map(|transaction| transaction.amount.minor_units(2).unwrap()));
    assert_eq!(sent, [1_000, 1_001, 1_002, 1_003, 1_004, 1_005], "each once: {added:#?}");
    for id in ids {
        let top_up = stage.top_up(id).await;
        assert_eq!(top_up.state, State::Settled);
        let there = added.iter().find(|transaction| Some(transaction.id) == top_up.transaction_id);
        assert_eq!(there.and_then(|transaction| transaction.top_up), Some(id), "the one that carries its id");
    }
    stage.delivery().ask_for_account(ACME).await.unwrap();
    assert_eq!(stage.account().await.told.balance_cents, 6_015);
}

fn sorted(amounts: impl Iterator<Item = i64>) -> Vec<i64> {
    let mut amounts: Vec<i64> = amounts.collect();
    amounts.sort_unstable();
    amounts
}

/// A process that dies between the send and its note leaves a try; the next one asks before it sends.
#[tokio::test]
async fn a_top_up_that_was_sent_and_not_noted_is_found() {
    let stage = Stage::new().await;
    let first = stage.wishes("first", Kind::Granted, 100).await;
    let delivery = stage.delivery();
    turn(&delivery).await;
    let wallet = stage.top_up(first).await.wallet_id.expect("it was sent there");

    let second = stage.wishes("second", Kind::Granted, 2_500).await;
    top_ups::begin_try(stage.pool(), second, wallet, AT_ONCE.pauses).await.unwrap().expect("the first try");
    let wish = billing::TopUp {
        id: second,
        paid: billing::Decimal::zero(),
        granted: billing::Decimal::from(25_u64),
        name: None,
    };
    stage.lago.top_up(WalletId(wallet), &wish).await.unwrap();
    // ... and died. It is left alone for a while, and then found.
    drop(Box::pin(delivery.settle_credits(CreditPace::default())).await);
    assert_eq!(stage.top_up(second).await.state, State::Requested);
    turn(&delivery).await;
    assert_eq!(stage.top_up(second).await.state, State::Settled);
    assert_eq!(stage.added().await.len(), 2, "one each");
    assert_eq!(stage.account().await.told.balance_cents, 2_600);
}

#[tokio::test]
async fn bought_credits_count_once_their_invoice_is_paid() {
    let stage = Stage::new().await;
    let id = stage.wishes("order", Kind::Paid, 5_050).await;
    let delivery = stage.delivery();
    turn(&delivery).await;
    assert_eq!(stage.top_up(id).await.state, State::Sent);
    // Lago makes the invoice a moment later.
    turn(&delivery).await;
    let sent = stage.top_up(id).await;
    assert_eq!((sent.state, sent.settled_at), (State::Sent, None));
    assert_eq!(stage.account().await.told.balance_cents, 0, "it is not paid");
    let invoice = sent.invoice_id.expect("an invoice asks for it");
    stage.lago.mark_as_paid(&invoice).await.unwrap();
    turn(&delivery).await;
    let settled = stage.top_up(id).await;
    assert_eq!((settled.state, settled.settled_at.is_some()), (State::Settled, true));
    assert_eq!(stage.account().await.told.balance_cents, 5_050);
    assert!(stage.added().await.iter().all(|transaction| transaction.status == TransactionStatus::Settled));
}

#[tokio::test]
async fn of_many_that_wait_in_a_wallet_the_paid_ones_count() {
    let stage = Stage::new().await;
    let mut ids = Vec::new();
    for number in 0..12 {
        ids.push(stage.wishes(&format!("order-{number}"), Kind::Paid, 100 + number).await);
    }
    let delivery = stage.delivery();
    // Sent with the first one, and invoiced a moment later.
    turn(&delivery).await;
    turn(&delivery).await;
    for paid in [ids[3], ids[11]] {
        let invoice = stage.top_up(paid).await.invoice_id.expect("an invoice asks for it");
        stage.lago.mark_as_paid(&invoice).await.unwrap();
    }
    turn(&delivery).await;
    for id in &ids {
        let expected = if [ids[3], ids[11]].contains(id) { State::Settled } else { State::Sent };
        assert_eq!(stage.top_up(*id).await.state, expected);
    }
    assert_eq!(
        stage.account().await.told.balance_cents,
        103 + 111,
        "whoever's top-up has moved on is asked for at once"
    );
}

#[tokio::test]
async fn what_lago_will_never_take_is_refused_with_its_reason() {
    let stage = Stage::new().await;
    stage.wishes("order", Kind::Granted, 100).await;
    let delivery = stage.delivery();
    turn(&delivery).await;
    let wallet = stage.added().await[0].wallet;
    stage.lago.terminate_wallet(wallet).await.unwrap();
    // Tried once before its wallet ended, and not there: it goes nowhere else.
    let late = stage.wishes("late", Kind::Granted, 100).await;
    top_ups::begin_try(stage.pool(), late, wallet.0, AT_ONCE.pauses).await.unwrap().expect("the first try");
    turn(&delivery).await;
    let refused = stage.top_up(late).await;
    assert_eq!(refused.state, State::Refused);
    assert!(refused.refusal.is_some_and(|reason| reason.contains("wallet")), "Lago's own words");
    // A new one gets a new wallet.
    let new = stage.wishes("new", Kind::Granted, 300).await;
    turn(&delivery).await;
    assert_eq!(stage.top_up(new).await.state, State::Settled);
    assert_eq!(stage.account().await.told.balance_cents, 300, "what was in the other one is lost");
}

fn is_top_up(asked: &Asked<'_>) -> bool {
    asked.method == Method::POST && asked.path == "/api/v1/wallet_transactions"
}

/// A right that the key has not, and a Lago that has been emptied, are somebody's to mend.
#[tokio::test]
async fn what_lago_refuses_to_this_key_or_at_this_address_waits_and_holds_back_nobody() {
    let stage = Stage::new().await;
    let abel = "INSERT INTO tenants (id, plan, created_at) VALUES ('abel', 'team', now() - interval '1 minute')";
    stage.outbox.execute(abel).await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let waiting = stage.wishes("order", Kind::Granted, 100).await;
    let others = stage.wishes_for("abel", "order", Kind::Granted, 200).await;
    let of_acme: Refuses = |asked| asked.names(ACME).then(|| StatusCode::FORBIDDEN.into_response());
    let of_top_ups: Refuses = |asked| is_top_up(asked).then(|| StatusCode::FORBIDDEN.into_response());
    let nowhere: Refuses = |asked| is_top_up(asked).then(|| StatusCode::NOT_FOUND.into_response());
    for refuses in [of_acme, of_top_ups, nowhere] {
        let way = Watched::before(&stage.origin, refuses).await;
        turn(&stage.delivery_to(&way.origin)).await;
        let waits = stage.top_up(waiting).await;
        assert_eq!((waits.state, waits.refusal), (State::Requested, None));
        let other = top_ups::find(stage.pool(), &"abel".parse().unwrap(), others).await.unwrap().expect("it was noted");
        assert_eq!(other.state, State::Settled);
    }
    turn(&stage.delivery()).await;
    assert_eq!(stage.top_up(waiting).await.state, State::Settled);
    assert_eq!(stage.added().await.len(), 1, "once");
}

/// What admission deducts for usage that Lago has not priced yet is what Lago then prices it at.
#[tokio::test]
async fn an_account_is_told_as_lago_prices_it() {
    let stage = Stage::new().await;
    stage.wishes("order", Kind::Granted, 10_000).await;
    let prices = PriceBook::new(Catalogue::standard(), "developer".to_owned());
    let available = async || {
        let purse = accounts::purse(stage.pool(), &ACME.parse().unwrap()).await.unwrap().expect("it was told");
        purse.left(&prices)
    };
    let delivery = stage.delivery();
    turn(&delivery).await;
    assert_eq!(available().await.available_cents, 10_000);
    // 100,000 units at 0.00008 and 20,000 at 0.00006, with a fifth of taxes: 11.04.
    stage.used("much", 120_000, Utc::now() - TimeDelta::seconds(2)).await;
    let before = available().await;
    assert_eq!((before.since_cents, before.available_cents), (1_104, 8_896));
    stage.delivers().await;
    assert_eq!(available().await, before, "it is delivered, and not told");
    turn(&delivery).await;
    let after = available().await;
    assert_eq!((after.since_cents, after.available_cents), (0, 8_896));
    let told = stage.account().await.told;
    assert_eq!((told.usage_cents, told.plan.as_str()), (1_104, "team"));
    assert_eq!(prices.month(&told.plan, &told.units), told.usage_cents);
    // The next ones are cheaper, since the month has so many.
    stage.used("more", 10_000, Utc::now() - TimeDelta::seconds(1)).await;
    assert_eq!(available().await.since_cents, 72);
}

/// Lago answers that it has an event and adds it up in the background: its worker may be behind, or an older sum kept.
#[tokio::test]
async fn what_lago_has_taken_and_does_not_tell_yet_is_counted() {
    let stage = Stage::new().await;
    stage.wishes("order", Kind::Granted, 2_000).await;
    let prices = PriceBook::new(Catalogue::standard(), "developer".to_owned());
    let delivery = stage.delivery();
    turn(&delivery).await;
    let moment = Utc::now().trunc_subsecs(0);
    let early = fixed(&stage, "early", 25_000, moment).await;
    let late = fixed(&stage, "late", 95_000, moment).await;
    usage::delivered(stage.pool(), &[early.clone(), late.clone()]).await.unwrap();
    // It tells of nothing, of one, and of both: 100,000 units at 0.00008 and 20,000 at 0.00006, with a fifth of taxes.
    for told in [None, Some((&early, 25_000)), Some((&late, 95_000))] {
        if let Some((id, units)) = told {
            stage.lago.send(&[sent(id, units, moment)]).await.unwrap();
        }
        for _ in 0..2 {
            turn(&delivery).await;
            let purse = accounts::purse(stage.pool(), &ACME.parse().unwrap()).await.unwrap().expect("it was told");
            assert_eq!((purse.told.usage_cents, purse.left(&prices).available_cents), (1_104, 896), "{told:?}");
        }
    }
}

/// Delivered between the last answer of a month and its end, it is in no answer: neither in that one nor in the new month's.
#[tokio::test]
async fn what_is_delivered_after_the_last_answer_of_a_month_is_owed_until_its_invoice() {
    let stage = Stage::since(midnight() - TimeDelta::days(40)).await;
    stage.wishes("order", Kind::Granted, 100_000).await;
    let prices = PriceBook::new(Catalogue::standard(), "developer".to_owned());
    let available = async || {
        let purse = accounts::purse(stage.pool(), &ACME.parse().unwrap()).await.unwrap().expect("it was told");
        purse.left(&prices).available_cents
    };
    let delivery = stage.delivery();
    turn(&delivery).await;
    let moment = midnight() - TimeDelta::seconds(9);
    let arrives = async |id: &String, units| {
        stage.lago.send(&[sent(id, units, moment)]).await.unwrap();
        usage::delivered(stage.pool(), std::slice::from_ref(id)).await.unwrap();
    };
    let early = fixed(&stage, "early", 25_000, moment).await;
    arrives(&early, 25_000).await;
    let late = fixed(&stage, "late", 95_000, moment).await;
    // What was told then: 25,000 units at 0.00008 with a fifth of taxes.
    let asking = accounts::asking(stage.pool(), ACME).await.unwrap();
    let mut last = stage.account().await;
    last.period_from = (midnight() - TimeDelta::days(1)).with_day(1).unwrap();
    last.rows_from = asking.rows_from;
    last.told.as_of = asking.as_of;
    last.told.usage_cents = 240;
    last.told.units = [(billing::Metric::ComputeUnits, 25_000)].into_iter().collect();
    accounts::keep(stage.pool(), ACME, &last).await.unwrap();
    // 100,000 units at 0.00008 and 20,000 at 0.00006: 11.04 in all.
    assert_eq!(available().await, 100_000 - 1_104);
    arrives(&late, 95_000).await;
    assert_eq!(available().await, 100_000 - 1_104);

    // One more whose delivery nobody knows of counts as billed, and as waiting, until it is known: 0.72 and 0.96.
    let unknown = fixed(&stage, "unknown", 10_000, moment).await;
    turn(&delivery).await;
    let account = stage.account().await;
    assert_eq!((account.period_from, account.told.usage_cents), (midnight(), 0));
    assert_eq!(account.owed.iter().map(|owed| (owed.cents, owed.until)).collect::<Vec<_>>(), [(1_176, midnight())]);
    assert_eq!((account.told.owed_cents, available().await), (1_176, 100_000 - 1_176 - 96));
    arrives(&unknown, 10_000).await;
    for _ in 0..2 {
        turn(&delivery).await;
        let told = (stage.account().await.told.owed_cents, available().await);
        assert_eq!(told, (1_176, 100_000 - 1_176), "nothing is missed, as long as there is no invoice");
    }

    stage.closes(last_month()).await;
    turn(&stage.delivery_to(&drafting(&stage.origin).await)).await;
    assert_eq!(stage.account().await.told.owed_cents, 1_176, "a draft draws nothing");
    turn(&delivery).await;
    let invoiced = stage.account().await;
    assert!(invoiced.owed.is_empty(), "{invoiced:?}");
    // The plan's own fee, which nobody used, is drawn with it.
    let drawn = 1_176 + 4_900 + 980;
    assert_eq!((invoiced.told.owed_cents, invoiced.told.balance_cents), (0, 100_000 - drawn));
    assert_eq!(available().await, 100_000 - drawn);
}

fn is_refused_as_closed(top_up: &TopUp) -> bool {
    (top_up.state, top_up.refusal.as_deref()) == (State::Refused, Some("the tenant was closed"))
}

#[tokio::test]
async fn what_was_not_sent_when_its_tenant_was_closed_is_never_invoiced() {
    let stage = Stage::new().await;
    let unsent = stage.wishes("unsent", Kind::Paid, 500).await;
    stage.loses_acme().await;
    turn(&stage.delivery()).await;
    let refused = stage.top_up(unsent).await;
    assert!(is_refused_as_closed(&refused), "{refused:?}");
    assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None, "no account is made for it");
    assert!(accounts::find(stage.pool(), ACME).await.unwrap().is_none());
}

/// Tries of a process that died: what Lago has is noted as it is there, although the account has ended meanwhile.
#[tokio::test]
async fn what_was_tried_before_its_tenant_was_closed_is_asked_for_and_not_sent_again() {
    let stage = Stage::new().await;
    let first = stage.wishes("first", Kind::Granted, 100).await;
    let delivery = stage.delivery();
    turn(&delivery).await;
    let wallet = stage.top_up(first).await.wallet_id.expect("it was sent there");
    let (arrived, lost) =
        (stage.wishes("arrived", Kind::Granted, 200).await, stage.wishes("lost", Kind::Granted, 300).await);
    for id in [arrived, lost] {
        top_ups::begin_try(stage.pool(), id, wallet, NO_PAUSES).await.unwrap().expect("the first try");
    }
    let (paid, granted) = (billing::Decimal::zero(), billing::Decimal::from(2_u64));
    let wish = billing::TopUp { id: arrived, paid, granted, name: None };
    stage.lago.top_up(WalletId(wallet), &wish).await.unwrap();
    stage.loses_acme().await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1, "its subscription is ended");
    turn(&delivery).await;
    assert_eq!(stage.top_up(arrived).await.state, State::Settled);
    let refused = stage.top_up(lost).await;
    assert!(is_refused_as_closed(&refused), "{refused:?}");
    assert_eq!(stage.added().await.len(), 2, "nothing was sent");
}
