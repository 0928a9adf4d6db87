//! `/invoices`, and the command that Lago's clock gives there: closing a month.

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::standin::answer::{Paging, Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::invoicing;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::{Period, iso};
use crate::standin::records::{Invoice, InvoicingReason, Record};

const ROOT: &str = "invoice";

#[derive(Deserialize)]
pub(super) struct ListQuery {
    external_customer_id: Option<String>,
    issuing_date_from: Option<NaiveDate>,
    issuing_date_to: Option<NaiveDate>,
}

/// Newest first, without their fees.
pub(super) async fn list(
    State(keeper): State<Keeper>,
    Query(query): Query<ListQuery>,
    Query(paging): Query<Paging>,
) -> Answer {
    keeper
        .read(move |book, _| {
            let wanted = |invoice: &&Invoice| {
                query.external_customer_id.as_ref().is_none_or(|id| *id == invoice.external_customer_id)
                    && query.issuing_date_from.is_none_or(|from| from <= issued(invoice))
                    && query.issuing_date_to.is_none_or(|to| issued(invoice) <= to)
            };
            let newest = book.invoices.iter().rev().filter(wanted).map(|invoice| view(book, invoice));
            Ok(paging.answer("invoices", newest.collect()))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(id): Path<Uuid>) -> Answer {
    keeper
        .read(move |book, _| {
            let found = book.invoices.iter().find(|invoice| invoice.id == id).ok_or(Refusal::NotFound(ROOT))?;
            Ok(json!({ ROOT: whole(book, found) }))
        })
        .await
}

/// `{"close": {"month": "2026-11"}}`: makes the invoices of a month that is over, those that there are not yet.
pub(super) async fn close(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Map<String, Value> = rooted(&body, "close")?;
    let month = input.get("month").and_then(Value::as_str).unwrap_or_default();
    let day: NaiveDate = format!("{month}-01").parse().map_err(|_| Refusal::field("month", "value_is_invalid"))?;
    keeper
        .change(move |book, now| {
            let made = invoicing::close(book, day, now)?;
            let answer = json!({ "invoices": made.iter().map(|invoice| view(book, invoice)).collect::<Vec<_>>() });
            Ok((made.into_iter().map(Record::Invoice).collect(), answer))
        })
        .await
}

/// Lago issues on the day on which the period is over.
fn issued(invoice: &Invoice) -> NaiveDate {
    invoice.until.date_naive()
}

fn view(book: &Book, invoice: &Invoice) -> Value {
    let total = invoice.fees_amount_cents + invoice.taxes_amount_cents;
    let customer = book.customers.get(&invoice.external_customer_id).map(super::customers::view);
    json!({
        "lago_id": invoice.id,
        "billing_entity_code": "default",
        "sequential_id": invoice.sequential_id,
        "number": format!("STD-IN00-{}-{:03}", invoice.until.format("%Y%m"), invoice.sequential_id),
        "issuing_date": issued(invoice).to_string(),
        "payment_due_date": issued(invoice).to_string(),
        "net_payment_term": 0,
        "payment_overdue": false,
        "self_billed": false,
        "invoice_type": "subscription",
        "status": "finalized",
        "payment_status": "pending",
        "currency": invoice.currency,
        "fees_amount_cents": invoice.fees_amount_cents,
        "coupons_amount_cents": 0,
        "credit_notes_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": invoice.fees_amount_cents,
        "taxes_amount_cents": invoice.taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": total,
        "prepaid_credit_amount_cents": 0,
        "progressive_billing_credit_amount_cents": 0,
        "total_amount_cents": total,
        "total_due_amount_cents": total,
        "version_number": 4,
        "created_at": iso(invoice.created_at),
        "updated_at": iso(invoice.created_at),
        "payment_dispute_lost_at": null,
        "file_url": null,
        "web_url": null,
        "customer": customer,
        "metadata": [],
        "applied_taxes": [],
    })
}

/// With its fees and periods.
fn whole(book: &Book, invoice: &Invoice) -> Value {
    let mut view = view(book, invoice);
    let period = Period { from: invoice.from, until: invoice.until };
    let mut fees = invoice.fees.clone();
    for fee in &mut fees {
        fee["lago_invoice_id"] = json!(invoice.id);
    }
    view["fees"] = json!(fees);
    view["credits"] = json!([]);
    view["subscriptions"] = json!([]);
    view["billing_periods"] = json!([{
        "lago_subscription_id": invoice.subscription_id,
        "external_subscription_id": invoice.external_subscription_id,
        "lago_plan_id": invoice.plan_id,
        "subscription_from_datetime": iso(invoice.from),
        "subscription_to_datetime": last(invoice, &period),
        "charges_from_datetime": iso(invoice.from),
        "charges_to_datetime": last(invoice, &period),
        "invoicing_reason": invoice.reason,
    }]);
    view
}

/// The last moment of the period: that of its last day, or of the termination.
fn last(invoice: &Invoice, period: &Period) -> String {
    match invoice.reason {
        InvoicingReason::SubscriptionPeriodic => period.last_second(),
        InvoicingReason::SubscriptionTerminating => iso(invoice.until),
    }
}
