//! What a webhook is about, as the API shows it.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::{customers, invoices, metrics, plans, subscriptions, wallet_transactions, wallets};
use crate::standin::book::Book;
use crate::standin::news::Subject;

/// The object of a notice; `None` when there is none any more.
pub(in crate::standin) fn view_of(book: &Book, subject: &Subject, now: DateTime<Utc>) -> Option<Value> {
    Some(match subject {
        Subject::BillableMetric(code) => metrics::view(book.metrics.get(code)?),
        Subject::Plan(code) => plans::view(book, book.plans.get(code)?, now),
        Subject::Customer(external_id) => customers::view(book.customers.get(external_id)?),
        Subject::Subscription(id) => {
            let subscription = book.subscriptions.iter().find(|known| known.id == *id)?;
            let mut view = subscriptions::view(book, subscription, now);
            view["plan"] = book.plans.get(&subscription.plan_code).map(|plan| plans::view(book, plan, now)).into();
            view["customer"] = book.customers.get(&subscription.external_customer_id).map(customers::view).into();
            view
        }
        Subject::Invoice(id) => invoices::whole(book, book.invoice(*id)?),
        Subject::Wallet(id) => wallets::view(book.wallet(*id)?, now),
        Subject::WalletTransaction(id) => {
            let transaction = book.wallet_transactions.iter().find(|known| known.id == *id)?;
            let wallet = book.wallet(transaction.wallet_id)?;
            let mut view = wallet_transactions::view(wallet, transaction);
            view["wallet"] = wallets::view(wallet, now);
            view
        }
        Subject::EventsErrors { invalid_code, missing_aggregation_property } => json!({
            "invalid_code": invalid_code,
            "missing_aggregation_property": missing_aggregation_property,
            "missing_group_key": null,
            "invalid_filter_values": [],
        }),
    })
}
