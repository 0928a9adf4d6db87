//! `/invoices`, and the command that Lago's clock gives there: closing a month.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use chrono::NaiveDate;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::unknown_to;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::{Period, iso};
use crate::standin::prepaid::Purse;
use crate::standin::query::Listed;
use crate::standin::records::{Invoice, InvoiceKind, InvoicingReason, PaymentStatus, Record};
use crate::standin::{document, invoicing};

const ROOT: &str = "invoice";

#[derive(Deserialize)]
pub(super) struct ListQuery {
    external_customer_id: Option<String>,
    issuing_date_from: Option<NaiveDate>,
    issuing_date_to: Option<NaiveDate>,
}

/// Newest first, without their fees.
pub(super) async fn list(State(keeper): State<Keeper>, Listed { query, paging }: Listed<ListQuery>) -> Answer {
    keeper
        .read(move |book, _| {
            let wanted = |invoice: &&Invoice| {
                query.external_customer_id.as_ref().is_none_or(|id| *id == invoice.external_customer_id)
                    && query.issuing_date_from.is_none_or(|from| from <= invoice.issued())
                    && query.issuing_date_to.is_none_or(|to| invoice.issued() <= to)
            };
            let newest = book.invoices.iter().rev().filter(wanted).map(|invoice| view(book, invoice));
            Ok(paging.answer("invoices", newest.collect()))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper.read(move |book, _| Ok(json!({ ROOT: whole(book, find(book, &id)?) }))).await
}

fn find<'a>(book: &'a Book, id: &str) -> Result<&'a Invoice, Refusal> {
    let found = id.parse().ok().and_then(|id| book.invoice(id));
    found.ok_or(Refusal::NotFound(ROOT))
}

#[derive(Deserialize)]
struct Update {
    payment_status: Option<String>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What finance says of a payment. Credits that were asked for count from then on, or fail.
pub(super) async fn update(State(keeper): State<Keeper>, Path(id): Path<String>, body: Bytes) -> Answer {
    let update: Update = rooted(&body, ROOT)?;
    unknown_to("an invoice", &["metadata"], &update.rest)?;
    let said = match update.payment_status.as_deref() {
        None => None,
        Some("pending") => Some(PaymentStatus::Pending),
        Some("succeeded") => Some(PaymentStatus::Succeeded),
        Some("failed") => Some(PaymentStatus::Failed),
        Some(_) => return Err(Refusal::field("payment_status", "value_is_invalid")),
    };
    keeper
        .change(move |book, now| {
            let known = find(book, &id)?;
            let Some(payment) = said else { return Ok((Vec::new(), json!({ ROOT: whole(book, known) }))) };
            let paid = Invoice { payment, updated_at: Some(now), ..known.clone() };
            let mut purse = Purse::of(book, now);
            if paid.kind == InvoiceKind::Credit {
                let asked = book.wallet_transactions.iter().find(|one| one.invoice_id == Some(paid.id)).cloned();
                match (payment, asked) {
                    (PaymentStatus::Succeeded, Some(asked)) => purse.settle(asked)?,
                    (PaymentStatus::Failed, Some(asked)) => purse.fail(asked),
                    _ => {}
                }
            }
            let answer = json!({ ROOT: whole(book, &paid) });
            let mut records = vec![Record::Invoice(paid)];
            records.extend(purse.records());
            Ok((records, answer))
        })
        .await
}

/// The invoice with the address of its PDF; nothing but 200 when there is none yet, and then it is made.
pub(super) async fn download(State(keeper): State<Keeper>, Path(id): Path<String>) -> Result<Response, Refusal> {
    let answered = keeper
        .change(move |book, _| {
            let known = find(book, &id)?;
            if known.document.is_some() {
                return Ok((Vec::new(), json!({ ROOT: view(book, known) })));
            }
            let made = Invoice { document: Some(Uuid::new_v4()), ..known.clone() };
            Ok((vec![Record::Invoice(made)], Value::Null))
        })
        .await?;
    Ok(if answered.0.is_null() { StatusCode::OK.into_response() } else { answered.into_response() })
}

/// Where PDFs are; the path that Lago's have.
pub(super) const DOCUMENTS: &str = "/rails/active_storage/blobs/redirect";

/// A PDF under its secret address.
pub(super) async fn document(
    State(keeper): State<Keeper>,
    Path((token, _)): Path<(String, String)>,
) -> Result<Response, Refusal> {
    let found = keeper
        .look(move |book, _| {
            let token = token.parse::<Uuid>().ok();
            let known = book.invoices.iter().find(|invoice| token.is_some() && invoice.document == token);
            known.map(|invoice| document::of(book, invoice)).ok_or(Refusal::NotFound("blob"))
        })
        .await?;
    Ok(([(CONTENT_TYPE, "application/pdf")], found).into_response())
}

fn file_url(book: &Book, invoice: &Invoice) -> Option<String> {
    Some(format!("{}{DOCUMENTS}/{}/{}.pdf", book.origin, invoice.document?, invoice.number()))
}

/// `{"close": {"month": "2026-11"}}`: makes the invoices of a month that is over, those that there are not yet.
pub(super) async fn close(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Map<String, Value> = rooted(&body, "close")?;
    let month = input.get("month").and_then(Value::as_str).unwrap_or_default();
    let day: NaiveDate = format!("{month}-01").parse().map_err(|_| Refusal::field("month", "value_is_invalid"))?;
    keeper
        .change(move |book, now| {
            let (made, drawn) = invoicing::close(book, day, now)?;
            let answer = json!({ "invoices": made.iter().map(|invoice| view(book, invoice)).collect::<Vec<_>>() });
            Ok((made.into_iter().map(Record::Invoice).chain(drawn).collect(), answer))
        })
        .await
}

pub(in crate::standin) fn view(book: &Book, invoice: &Invoice) -> Value {
    let customer = book.customers.get(&invoice.external_customer_id).map(super::customers::view);
    // Lago tells the parts where there are some.
    let part = |cents: i64| (cents > 0).then_some(cents);
    json!({
        "lago_id": invoice.id,
        "billing_entity_code": "default",
        "sequential_id": invoice.sequential_id,
        "number": invoice.number(),
        "issuing_date": invoice.issued().to_string(),
        "payment_due_date": invoice.issued().to_string(),
        "net_payment_term": 0,
        "payment_overdue": false,
        "self_billed": false,
        "invoice_type": invoice.kind,
        "status": "finalized",
        "payment_status": invoice.payment,
        "currency": invoice.currency,
        "fees_amount_cents": invoice.fees_amount_cents,
        "coupons_amount_cents": 0,
        "credit_notes_amount_cents": 0,
        "sub_total_excluding_taxes_amount_cents": invoice.fees_amount_cents,
        "taxes_amount_cents": invoice.taxes_amount_cents,
        "sub_total_including_taxes_amount_cents": invoice.with_taxes_cents(),
        "prepaid_credit_amount_cents": invoice.granted_credit_cents + invoice.purchased_credit_cents,
        "prepaid_granted_credit_amount_cents": part(invoice.granted_credit_cents),
        "prepaid_purchased_credit_amount_cents": part(invoice.purchased_credit_cents),
        "progressive_billing_credit_amount_cents": 0,
        "total_amount_cents": invoice.total_cents(),
        "total_due_amount_cents": invoice.total_cents(),
        "total_paid_amount_cents": 0,
        "version_number": 4,
        "created_at": iso(invoice.created_at),
        "updated_at": iso(invoice.updated_at.unwrap_or(invoice.created_at)),
        "payment_dispute_lost_at": null,
        "voided_at": null,
        "file_url": file_url(book, invoice),
        "xml_url": null,
        "web_url": null,
        "customer": customer,
        "metadata": [],
        "applied_taxes": [],
    })
}

/// With its fees and periods.
pub(in crate::standin) fn whole(book: &Book, invoice: &Invoice) -> Value {
    let mut view = view(book, invoice);
    let mut fees = invoice.fees.clone();
    for fee in &mut fees {
        fee["lago_invoice_id"] = json!(invoice.id);
        fee["payment_status"] = json!(invoice.payment);
    }
    view["fees"] = json!(fees);
    view["credits"] = json!([]);
    view["subscriptions"] = json!([]);
    view["billing_periods"] = json!(billed(invoice).into_iter().collect::<Vec<_>>());
    view
}

/// The period of a subscription's invoice.
fn billed(invoice: &Invoice) -> Option<Value> {
    let reason = invoice.reason?;
    let to = last(reason, invoice);
    Some(json!({
        "lago_subscription_id": invoice.subscription_id?,
        "external_subscription_id": invoice.external_subscription_id,
        "lago_plan_id": invoice.plan_id,
        "subscription_from_datetime": iso(invoice.from),
        "subscription_to_datetime": to,
        "charges_from_datetime": iso(invoice.from),
        "charges_to_datetime": to,
        "invoicing_reason": reason,
    }))
}

/// The last moment of the period: that of its last day, or of the termination.
fn last(reason: InvoicingReason, invoice: &Invoice) -> String {
    match reason {
        InvoicingReason::SubscriptionPeriodic => Period { from: invoice.from, until: invoice.until }.last_second(),
        InvoicingReason::SubscriptionTerminating => iso(invoice.until),
    }
}
