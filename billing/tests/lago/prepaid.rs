//! Invoices draw from prepaid credits: which ones, how much, and what is left to pay.
#![allow(clippy::unwrap_used, reason = "a test ends where something is not as it should be")]

use crate::harness::{Standin, acme, event, now, top_up};
use billing::{Direction, Metric, TopUp, TransactionKind, end_tenant};
use chrono::{Datelike, Days, NaiveDate};
use serde_json::{Value, json};

/// What team costs without its monthly fee, whose share depends on the day.
async fn without_fee(lago: &Standin) {
    let (status, _) = lago.call("PUT", "plans/team", json!({ "plan": { "amount_cents": 0 } })).await;
    assert_eq!(status, 200);
}

/// What acme's wallets hold, and what would be invoiced now, taxes included.
async fn balance_and_usage(lago: &Standin) -> (i64, i64) {
    let wallets = lago.client.wallets(&acme()).await.unwrap();
    let usage = lago.client.current_usage(&acme()).await.unwrap();
    (wallets.iter().map(|wallet| wallet.balance_cents).sum(), usage.total_amount_cents)
}

fn credited(invoice: &Value) -> [i64; 5] {
    [
        "prepaid_granted_credit_amount_cents",
        "prepaid_purchased_credit_amount_cents",
        "prepaid_credit_amount_cents",
        "total_amount_cents",
        "sub_total_including_taxes_amount_cents",
    ]
    .map(|field| invoice[field].as_i64().unwrap_or_default())
}

#[tokio::test]
async fn an_invoice_is_paid_from_granted_credits_first_and_then_from_bought_ones() {
    let lago = Standin::with_acme("team").await;
    without_fee(&lago).await;
    let wallet = lago.wallet().await;
    lago.sells(wallet.id, "5").await;
    lago.grants(wallet.id, "3").await;
    // 8 euros, and 20% of them.
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    end_tenant(&lago.client, &acme()).await.unwrap();
    let invoice = lago.newest_invoice().await;
    assert_eq!(credited(&invoice), [300, 500, 800, 160, 960]);
    assert_eq!((&invoice["payment_status"], &invoice["total_due_amount_cents"]), (&json!("pending"), &json!(160)));
    let empty = lago.wallet_now(wallet.id).await;
    assert_eq!((empty.balance_cents, empty.consumed_credits), (0, "8".parse().unwrap()));
    let drawn = &lago.client.wallet_transactions(wallet.id).await.unwrap()[0];
    assert_eq!((drawn.kind, drawn.direction), (TransactionKind::Invoiced, Direction::Outbound));
    assert_eq!(drawn.invoice.as_deref(), invoice["lago_id"].as_str());
}

#[tokio::test]
async fn an_invoice_that_credits_pay_wholly_is_paid_and_leaves_the_rest() {
    let lago = Standin::with_acme("team").await;
    without_fee(&lago).await;
    let wallet = lago.client.create_wallet(&crate::harness::new_wallet("0.01")).await.unwrap();
    lago.sells(wallet.id, "1000").await;
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    end_tenant(&lago.client, &acme()).await.unwrap();
    let invoice = lago.newest_invoice().await;
    assert_eq!(credited(&invoice), [0, 960, 960, 0, 960]);
    assert_eq!(invoice["payment_status"], "succeeded");
    let left = lago.wallet_now(wallet.id).await;
    assert_eq!((left.credits, left.balance_cents), ("40".parse().unwrap(), 40));
}

#[tokio::test]
async fn wallets_are_drawn_in_their_order_and_ended_ones_and_other_currencies_not_at_all() {
    let lago = Standin::with_acme("team").await;
    without_fee(&lago).await;
    let make = async |code: &str, priority: u8, credits: &str| {
        let body = json!({ "wallet": { "external_customer_id": "acme", "code": code, "priority": priority,
            "rate_amount": "1", "currency": "EUR", "granted_credits": credits } });
        let (status, made) = lago.call("POST", "wallets", body).await;
        assert_eq!(status, 200, "{made}");
        made["wallet"]["lago_id"].as_str().unwrap().to_owned()
    };
    let last = make("last", 50, "5").await;
    let first = make("first", 1, "6").await;
    let ended = make("ended", 2, "100").await;
    assert_eq!(lago.call("DELETE", &format!("wallets/{ended}"), json!(null)).await.0, 200);
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    end_tenant(&lago.client, &acme()).await.unwrap();
    assert_eq!(credited(&lago.newest_invoice().await)[2], 960);
    let balance = async |id: &str| {
        lago.call("GET", &format!("wallets/{id}"), json!(null)).await.1["wallet"]["balance_cents"].as_i64().unwrap()
    };
    assert_eq!([balance(&first).await, balance(&last).await, balance(&ended).await], [0, 140, 10_000]);
}

#[tokio::test]
async fn several_invoices_of_one_closing_share_what_there_is() {
    let lago = Standin::with_acme("team").await;
    without_fee(&lago).await;
    let first_of_month: NaiveDate = now().date_naive().with_day(1).unwrap();
    let last_month = first_of_month.checked_sub_days(Days::new(1)).unwrap();
    let at = format!("{}-01T00:00:00Z", last_month.format("%Y-%m"));
    let noon = last_month.and_hms_opt(12, 0, 0).unwrap().and_utc().timestamp();
    for name in ["one", "two"] {
        let subscription =
            json!({ "external_customer_id": "acme", "external_id": name, "plan_code": "team", "subscription_at": at });
        assert_eq!(lago.call("POST", "subscriptions", json!({ "subscription": subscription })).await.0, 200);
        let used = json!({ "transaction_id": name, "external_subscription_id": name, "code": "compute_units",
            "timestamp": noon, "properties": { "value": "100000" } });
        assert_eq!(lago.call("POST", "events", json!({ "event": used })).await.0, 200);
    }
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "10").await;
    let month = last_month.format("%Y-%m").to_string();
    assert_eq!(lago.client.close_month_of_stand_in(&month).await.unwrap(), 2);
    let listed = lago.call("GET", "invoices?external_customer_id=acme", json!(null)).await.1;
    let totals: Vec<_> = listed["invoices"].as_array().unwrap().iter().map(|one| credited(one)[3]).collect();
    assert_eq!(totals, [920, 0], "10 euros pay the first invoice of 9.60 and 40 cents of the second");
    assert_eq!(lago.wallet_now(wallet.id).await.balance_cents, 0);
    assert_eq!(lago.client.close_month_of_stand_in(&month).await.unwrap(), 0);
}

#[tokio::test]
async fn the_ongoing_balance_stands_still_until_the_wallet_changes_as_without_a_licence() {
    let lago = Standin::with_acme("team").await;
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "10").await;
    lago.send(event("cu", Metric::ComputeUnits, "100000")).await;
    assert_eq!(lago.wallet_now(wallet.id).await.ongoing_balance_cents, 1_000, "nobody looked since");
    // What is to be known at once is asked for: the balance, and what was used.
    assert_eq!(balance_and_usage(&lago).await, (1_000, 960));
    lago.grants(wallet.id, "1").await;
    let looked = lago.wallet_now(wallet.id).await;
    assert_eq!((looked.balance_cents, looked.ongoing_usage_cents, looked.ongoing_balance_cents), (1_100, 960, 140));
    assert_eq!(looked.ongoing_credits, "1.4".parse().unwrap());
}

#[tokio::test]
async fn what_is_left_counts_every_wallet_and_no_payment_that_is_awaited() {
    let lago = Standin::with_acme("team").await;
    assert_eq!(balance_and_usage(&lago).await, (0, 0));
    let wallet = lago.wallet().await;
    lago.grants(wallet.id, "4").await;
    lago.client.top_up(wallet.id, &TopUp { paid: "100".parse().unwrap(), ..top_up() }).await.unwrap();
    lago.send(event("fhe", Metric::FheComputeUnits, "10000")).await;
    // 40 euros and their tax against 4.
    assert_eq!(balance_and_usage(&lago).await, (400, 4_800));
}
