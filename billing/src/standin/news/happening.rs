//! Which changes are news, found by what the book held before them: so no handler can forget to tell.

use chrono::{DateTime, Utc};

use super::{Notice, Subject};
use crate::standin::book::Book;
use crate::standin::prepaid::{Wallet, WalletTransaction};
use crate::standin::records::{Aggregation, Customer, Event, Invoice, InvoiceKind, Record, Subscription};

type Happening = (&'static str, Subject);

/// The notices of a change, one for each endpoint that wants to hear of it; `book` is as it was before.
pub(in crate::standin) fn notices_of(book: &Book, change: &[Record], now: DateTime<Utc>) -> Vec<Notice> {
    if book.webhook_endpoints.is_empty() {
        return Vec::new();
    }
    let happenings = happenings(book, change, now);
    let for_endpoint = |(kind, about): &Happening| {
        let endpoints = book.webhook_endpoints.iter().filter(|endpoint| endpoint.wants(kind));
        endpoints.map(|endpoint| Notice::new(endpoint.id, kind, about.clone(), now)).collect::<Vec<_>>()
    };
    happenings.iter().flat_map(for_endpoint).collect()
}

fn happenings(book: &Book, change: &[Record], now: DateTime<Utc>) -> Vec<Happening> {
    let mut told: Vec<Happening> = Vec::new();
    for record in change {
        match record {
            Record::Metric(metric) => {
                let is_known = book.metrics.contains_key(&metric.code);
                let kind = if is_known { "billable_metric.updated" } else { "billable_metric.created" };
                told.push((kind, Subject::BillableMetric(metric.code.clone())));
            }
            Record::Plan(plan) => {
                let kind = if book.plans.contains_key(&plan.code) { "plan.updated" } else { "plan.created" };
                told.push((kind, Subject::Plan(plan.code.clone())));
            }
            Record::Customer(customer) => told.extend(of_customer(book, customer)),
            Record::Subscription(subscription) => told.extend(of_subscription(book, subscription, now)),
            Record::Invoice(invoice) => told.extend(of_invoice(book, invoice)),
            Record::Wallet(wallet) => told.extend(of_wallet(book, wallet)),
            Record::WalletTransaction(transaction) => told.extend(of_transaction(book, transaction)),
            Record::Tax(_)
            | Record::Event(_)
            | Record::WebhookEndpoint(_)
            | Record::WebhookEndpointGone(_)
            | Record::MetricGone(_)
            | Record::Notice(_)
            | Record::SigningKey(_) => {}
        }
    }
    told.extend(of_events(book, change));
    told
}

/// A currency that a customer takes from what it is given is no change that Lago tells.
fn of_customer(book: &Book, customer: &Customer) -> Option<Happening> {
    let kind = match book.customers.get(&customer.external_id) {
        None => "customer.created",
        Some(known) if known.updated_at != customer.updated_at => "customer.updated",
        Some(_) => return None,
    };
    Some((kind, Subject::Customer(customer.external_id.clone())))
}

fn of_subscription(book: &Book, subscription: &Subscription, now: DateTime<Utc>) -> Option<Happening> {
    let known = book.subscriptions.iter().find(|known| known.id == subscription.id);
    let was = known.map(|known| known.status(now));
    let kind = match (was, subscription.status(now)) {
        (None | Some("pending"), "active") => "subscription.started",
        (Some("active"), "terminated") => "subscription.terminated",
        // It is to be followed by one on a cheaper plan, or no more.
        (Some("active"), "active") => "subscription.updated",
        _ => return None,
    };
    Some((kind, Subject::Subscription(subscription.id)))
}

fn of_invoice(book: &Book, invoice: &Invoice) -> Vec<Happening> {
    let known = book.invoice(invoice.id);
    let mut kinds = Vec::new();
    match known {
        None if invoice.kind == InvoiceKind::Credit => kinds.push("invoice.paid_credit_added"),
        None => kinds.push("invoice.created"),
        Some(known) if known.payment != invoice.payment => kinds.push("invoice.payment_status_updated"),
        Some(_) => {}
    }
    if invoice.document.is_some() && known.is_none_or(|known| known.document.is_none()) {
        kinds.push("invoice.generated");
    }
    kinds.into_iter().map(|kind| (kind, Subject::Invoice(invoice.id))).collect()
}

fn of_wallet(book: &Book, wallet: &Wallet) -> Vec<Happening> {
    let known = book.wallet(wallet.id);
    let mut kinds = Vec::new();
    match known {
        None => kinds.push("wallet.created"),
        Some(known) if known.terminated_at != wallet.terminated_at => kinds.push("wallet.terminated"),
        Some(_) => {}
    }
    let balance = known.map_or(0, |known| known.balance_cents);
    if kinds.is_empty() || (known.is_none() && wallet.balance_cents != balance) {
        kinds.push("wallet.updated");
    }
    if wallet.is_depleted && !known.is_some_and(|known| known.is_depleted) {
        kinds.push("wallet.depleted_ongoing_balance");
    }
    kinds.into_iter().map(|kind| (kind, Subject::Wallet(wallet.id))).collect()
}

fn of_transaction(book: &Book, transaction: &WalletTransaction) -> Option<Happening> {
    let known = book.wallet_transactions.iter().find(|known| known.id == transaction.id);
    let kind = match known {
        None => "wallet_transaction.created",
        Some(known) if known.status != transaction.status => "wallet_transaction.updated",
        Some(_) => return None,
    };
    Some((kind, Subject::WalletTransaction(transaction.id)))
}

/// Events that Lago took and counts nowhere.
fn of_events(book: &Book, change: &[Record]) -> Option<Happening> {
    let events = || {
        change.iter().filter_map(|record| match record {
            Record::Event(event) => Some(event),
            _ => None,
        })
    };
    let ids = |is_wrong: fn(&Book, &Event) -> bool| -> Vec<String> {
        events().filter(|event| is_wrong(book, event)).map(|event| event.transaction_id.clone()).collect()
    };
    let invalid_code = ids(|book, event| !book.metrics.contains_key(&event.code));
    let missing_aggregation_property = ids(lacks_its_number);
    let is_fine = invalid_code.is_empty() && missing_aggregation_property.is_empty();
    (!is_fine).then_some(("events.errors", Subject::EventsErrors { invalid_code, missing_aggregation_property }))
}

fn lacks_its_number(book: &Book, event: &Event) -> bool {
    book.metrics.get(&event.code).is_some_and(|metric| {
        metric.aggregation != Aggregation::Count
            && metric.field_name.as_deref().is_none_or(|field| event.number(field).is_none())
    })
}
