//! Wallets and top-ups through the client: what counts when, what is found again, what is refused.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use crate::harness::{Standin, acme, event, id, new_wallet, top_up};
use billing::{
    Direction, LagoError, Metric, TOP_UP_KEY, TopUp, TransactionKind, TransactionStatus, WalletId, WalletStatus,
};
use serde_json::json;

#[tokio::test]
async fn granted_credits_count_at_once_and_paid_ones_when_they_are_paid() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.client.create_wallet(&new_wallet("0.5")).await.unwrap();
    assert_eq!((wallet.balance_cents, wallet.status), (0, WalletStatus::Active));
    let wanted = TopUp { paid: "10".parse().unwrap(), granted: "3".parse().unwrap(), ..top_up() };
    let made = lago.client.top_up(wallet.id, &wanted).await.unwrap();
    assert_eq!(
        made.iter().map(|one| one.kind).collect::<Vec<_>>(),
        [TransactionKind::Purchased, TransactionKind::Granted]
    );
    assert!(made.iter().all(|one| one.top_up == Some(wanted.id) && one.direction == Direction::Inbound));

    // 3 credits at half a euro; the ten wait.
    let waiting = lago.wallet_now(wallet.id).await;
    assert_eq!((waiting.credits, waiting.balance_cents), ("3".parse().unwrap(), 150));
    let bought = lago.client.transactions_of_top_up(wallet.id, wanted.id).await.unwrap();
    let bought = bought.into_iter().find(|one| one.kind == TransactionKind::Purchased).unwrap();
    assert_eq!((bought.status, &bought.amount), (TransactionStatus::Pending, &"5".parse().unwrap()));

    let asked = lago.client.invoice(&bought.invoice.unwrap()).await.unwrap().unwrap();
    assert_eq!((asked.head.total_amount_cents, asked.head.taxes_amount_cents), (500, 0), "no tax on credits");
    assert_eq!((asked.head.payment_status.as_str(), asked.fees[0].amount_cents), ("pending", 500));
    for _ in 0..2 {
        lago.client.mark_as_paid(&asked.head.lago_id.clone().unwrap()).await.unwrap();
        let paid = lago.wallet_now(wallet.id).await;
        assert_eq!((paid.credits, paid.balance_cents), ("13".parse().unwrap(), 650), "once, however often it is said");
    }
}

#[tokio::test]
async fn a_payment_that_failed_brings_nothing_until_it_succeeds() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    let wanted = TopUp { paid: "10".parse().unwrap(), ..top_up() };
    lago.client.top_up(wallet.id, &wanted).await.unwrap();
    let found = async || lago.client.transactions_of_top_up(wallet.id, wanted.id).await.unwrap().remove(0);
    let invoice = found().await.invoice.unwrap();
    let failed = json!({ "invoice": { "payment_status": "failed" } });
    assert_eq!(lago.call("PUT", &format!("invoices/{invoice}"), failed).await.0, 200);
    assert_eq!((found().await.status, lago.wallet_now(wallet.id).await.balance_cents), (TransactionStatus::Failed, 0));
    lago.client.mark_as_paid(&invoice).await.unwrap();
    assert_eq!(
        (found().await.status, lago.wallet_now(wallet.id).await.balance_cents),
        (TransactionStatus::Settled, 1_000)
    );
}

#[tokio::test]
async fn lago_takes_a_top_up_twice_and_ours_is_found_by_its_id() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    let wanted = TopUp { granted: "1".parse().unwrap(), ..top_up() };
    assert_eq!(lago.client.transactions_of_top_up(wallet.id, wanted.id).await.unwrap(), []);
    for times in 1..=2 {
        lago.client.top_up(wallet.id, &wanted).await.unwrap();
        assert_eq!(lago.client.transactions_of_top_up(wallet.id, wanted.id).await.unwrap().len(), times);
    }
    assert_eq!(lago.wallet_now(wallet.id).await.balance_cents, 200);
    assert!(TOP_UP_KEY.len() <= 20, "what Lago allows");
    let other = TopUp { granted: "1".parse().unwrap(), ..top_up() };
    assert_eq!(lago.client.transactions_of_top_up(wallet.id, other.id).await.unwrap(), []);
}

#[tokio::test]
async fn every_transaction_is_read_however_many_pages_there_are() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    let first = TopUp { granted: "1".parse().unwrap(), ..top_up() };
    lago.client.top_up(wallet.id, &first).await.unwrap();
    for _ in 0..120 {
        lago.grants(wallet.id, "1").await;
    }
    assert_eq!(lago.client.wallet_transactions(wallet.id).await.unwrap().len(), 121);
    assert_eq!(
        lago.client.transactions_of_top_up(wallet.id, first.id).await.unwrap().len(),
        1,
        "the oldest, on page two"
    );
}

#[tokio::test]
async fn a_wallet_is_made_once_whoever_asks_at_the_same_time() {
    let lago = Standin::with_acme("team").await;
    let new = new_wallet("1");
    let (one, other) = tokio::join!(lago.client.create_wallet(&new), lago.client.create_wallet(&new));
    assert_eq!(one.unwrap().id, other.unwrap().id);
    let known = lago.client.wallets(&acme()).await.unwrap();
    assert_eq!(known.len(), 1);

    // What has ended is none of the active ones: the code is free again.
    let ended = lago.client.terminate_wallet(known[0].id).await.unwrap().unwrap();
    assert_eq!(ended.status, WalletStatus::Terminated);
    assert_ne!(lago.client.create_wallet(&new).await.unwrap().id, ended.id);
    assert_eq!(lago.client.wallets(&acme()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn what_cannot_be_is_refused_as_lago_refuses_it() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    let nowhere = WalletId(uuid::Uuid::nil());
    assert_eq!(lago.call("GET", &format!("wallets/{nowhere}"), json!(null)).await.0, 404);
    assert_eq!(lago.client.terminate_wallet(nowhere).await.unwrap(), None);
    let is_refused = |error: LagoError, status: u16, why: &str| {
        assert!(
            matches!(&error, LagoError::Rejected { status: found, body } if *found == status && body.contains(why)),
            "{error}"
        );
    };
    is_refused(lago.client.wallet_transactions(nowhere).await.unwrap_err(), 404, "wallet_not_found");
    is_refused(lago.client.wallets(&id("nobody")).await.unwrap_err(), 404, "customer_not_found");
    let one = TopUp { granted: "1".parse().unwrap(), ..top_up() };
    is_refused(lago.client.top_up(nowhere, &one).await.unwrap_err(), 422, "wallet_not_found");
    let less = TopUp { granted: "-1".parse().unwrap(), ..top_up() };
    assert!(matches!(lago.client.top_up(wallet.id, &less).await, Err(LagoError::Invalid(_))), "nothing is sent");
    let worthless = TopUp { paid: "0.001".parse().unwrap(), ..top_up() };
    is_refused(lago.client.top_up(wallet.id, &worthless).await.unwrap_err(), 422, "amount_rounds_to_zero");
    lago.client.terminate_wallet(wallet.id).await.unwrap();
    is_refused(lago.client.top_up(wallet.id, &one).await.unwrap_err(), 422, "wallet_is_terminated");
    let dollars = billing::NewWallet { currency: "USD".to_owned(), ..new_wallet("1") };
    is_refused(lago.client.create_wallet(&dollars).await.unwrap_err(), 422, "currencies_does_not_match");
    assert_eq!(lago.wallet_now(wallet.id).await.balance_cents, 0);
}

#[tokio::test]
async fn credits_taken_back_are_gone_and_no_more_than_there_are() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "10").await;
    let void = |credits: &str| json!({ "wallet_transaction": { "wallet_id": wallet.id, "voided_credits": credits } });
    let (status, taken) = lago.call("POST", "wallet_transactions", void("4")).await;
    assert_eq!((status, &taken["wallet_transactions"][0]["transaction_status"]), (200, &json!("voided")));
    let (status, refused) = lago.call("POST", "wallet_transactions", void("6.1")).await;
    assert_eq!((status, &refused["error_details"]), (422, &json!({ "voided_credits": ["insufficient_credits"] })));
    let left = lago.wallet_now(wallet.id).await;
    assert_eq!((left.credits, left.balance_cents), ("6".parse().unwrap(), 600));
}

#[tokio::test]
async fn all_of_it_survives_a_crash() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "2.5").await;
    lago.sells(wallet.id, "7").await;
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    let before = (lago.wallet_now(wallet.id).await, lago.client.wallet_transactions(wallet.id).await.unwrap());
    let key = lago.client.notice_key().await.unwrap();
    let invoices = lago.client.invoices(&acme()).await.unwrap();
    let lago = lago.crash_and_restart().await;
    assert_eq!((lago.wallet_now(wallet.id).await, lago.client.wallet_transactions(wallet.id).await.unwrap()), before);
    assert_eq!(lago.client.notice_key().await.unwrap(), key);
    let after = lago.client.invoices(&acme()).await.unwrap();
    // The address is the stand-in's of now.
    let told = |invoices: &[billing::Invoice]| {
        invoices.iter().map(|one| (one.number.clone(), one.payment_status.clone())).collect::<Vec<_>>()
    };
    assert_eq!(told(&after), told(&invoices));
    assert_eq!(after[0].payment_status, "succeeded");
}
