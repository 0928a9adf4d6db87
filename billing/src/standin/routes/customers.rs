//! `/customers` and their current usage.

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::query::{All, Asked, Listed};
use crate::standin::records::{Customer, Record};
use crate::standin::usage::{Taxes, customer_usage};

const ROOT: &str = "customer";

/// What a customer may say about itself; kept and echoed, of no effect on amounts.
const FIELDS: [&str; 18] = [
    "name",
    "firstname",
    "lastname",
    "email",
    "address_line1",
    "address_line2",
    "city",
    "country",
    "state",
    "zipcode",
    "phone",
    "url",
    "legal_name",
    "legal_number",
    "logo_url",
    "tax_identification_number",
    "currency",
    "customer_type",
];

/// Creates, or changes the fields that are sent, null included.
pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let mut input: Map<String, Value> = rooted(&body, ROOT)?;
    keeper
        .change(move |book, now| {
            let Some(external_id) = input.get("external_id").and_then(Value::as_str).filter(|id| !id.is_empty()) else {
                return Err(Refusal::field("external_id", "value_is_mandatory"));
            };
            let mut customer = book.customers.get(external_id).cloned().unwrap_or_else(|| new(book, external_id, now));
            customer.updated_at = now;
            let known = FIELDS.into_iter().filter_map(|name| input.remove_entry(name));
            customer.fields.extend(known);
            let answer = json!({ ROOT: view(&customer) });
            Ok((vec![Record::Customer(customer)], answer))
        })
        .await
}

pub(super) fn new(book: &Book, external_id: &str, now: chrono::DateTime<chrono::Utc>) -> Customer {
    Customer {
        id: Uuid::now_v7(),
        sequential_id: book.customers.len() + 1,
        external_id: external_id.to_owned(),
        fields: Map::new(),
        created_at: now,
        updated_at: now,
    }
}

/// The customer with the currency of what it is given, if it had none; `None` when that is its currency already. Lago
/// bills a customer in one currency.
pub(super) fn in_currency(customer: &Customer, currency: &str) -> Result<Option<Customer>, Refusal> {
    match currency_of(customer) {
        Some(own) if own == currency => Ok(None),
        Some(_) => Err(Refusal::field("currency", "currencies_does_not_match")),
        None => {
            let mut customer = customer.clone();
            customer.fields.insert("currency".to_owned(), json!(currency));
            Ok(Some(customer))
        }
    }
}

pub(super) fn currency_of(customer: &Customer) -> Option<&str> {
    customer.fields.get("currency").and_then(Value::as_str).filter(|currency| !currency.is_empty())
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(external_id): Path<String>) -> Answer {
    keeper
        .read(move |book, _| {
            Ok(json!({ ROOT: view(book.customers.get(&external_id).ok_or(Refusal::NotFound(ROOT))?) }))
        })
        .await
}

pub(super) async fn list(State(keeper): State<Keeper>, Listed { paging, .. }: Listed<All>) -> Answer {
    keeper.read(move |book, _| Ok(paging.answer("customers", book.customers.values().map(view).collect()))).await
}

#[derive(Deserialize)]
pub(super) struct UsageQuery {
    external_subscription_id: Option<String>,
    apply_taxes: Option<String>,
}

pub(super) async fn current_usage(
    State(keeper): State<Keeper>,
    Path(external_id): Path<String>,
    Asked(query): Asked<UsageQuery>,
) -> Answer {
    keeper
        .read(move |book, now| {
            let customer = book.customers.get(&external_id).ok_or(Refusal::NotFound(ROOT))?;
            let subscription =
                query.external_subscription_id.as_deref().and_then(|id| book.active_subscription(id, now));
            let subscription = subscription.filter(|subscription| subscription.customer_id == customer.id);
            let subscription = subscription.ok_or(Refusal::NotAllowed("no_active_subscription"))?;
            let left_out = query.apply_taxes.as_deref().is_some_and(|text| text.eq_ignore_ascii_case("false"));
            customer_usage(book, subscription, if left_out { Taxes::LeftOut } else { Taxes::Applied }, now)
        })
        .await
}

pub(in crate::standin) fn view(customer: &Customer) -> Value {
    let slug = format!("STD-IN00-{:03}", customer.sequential_id);
    let mut view = json!({
        "lago_id": customer.id,
        "external_id": customer.external_id,
        "account_type": "customer",
        "sequential_id": customer.sequential_id,
        "slug": slug,
        "billing_entity_code": "default",
        "created_at": iso(customer.created_at),
        "updated_at": iso(customer.updated_at),
        "net_payment_term": null,
        "timezone": null,
        "applicable_timezone": "UTC",
        "finalize_zero_amount_invoice": "inherit",
        "skip_invoice_custom_sections": false,
        "billing_configuration": { "invoice_grace_period": null, "payment_provider": null, "payment_provider_code": null, "document_locale": null },
        "shipping_address": { "address_line1": null, "address_line2": null, "city": null, "country": null, "state": null, "zipcode": null },
        "metadata": [],
        "integration_customers": [],
        "taxes": [],
    });
    for name in FIELDS {
        view[name] = customer.fields.get(name).cloned().unwrap_or(Value::Null);
    }
    view
}
