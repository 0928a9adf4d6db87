//! `/wallets`: prepaid credits of a customer.

use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::customers;
use super::plans::CURRENCIES;
use crate::Decimal;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::{iso, iso_millis};
use crate::standin::prepaid::{CREDIT_DIGITS, LOWEST_PRIORITY, Purse, Wallet};
use crate::standin::query::Listed;
use crate::standin::records::Record;
use crate::standin::usage::with_fraction;

mod input;

use input::{Input, Update};
pub(super) use input::{pairs, priority};

const ROOT: &str = "wallet";
/// Active wallets that a customer may have.
const MOST_WALLETS: usize = 6;

/// The answer shows the wallet before its first credits, which are there right after, as in Lago.
pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    input.refuse_the_unsupported()?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let customer = input.external_customer_id.as_deref().and_then(|id| book.customers.get(id));
            let active = customer.map_or(0, |customer| active_of(book, customer.id, now).count());
            if customer.is_none() {
                errors.insert("customer".to_owned(), json!(["customer_not_found"]));
            } else if active >= MOST_WALLETS {
                errors.insert("customer".to_owned(), json!(["wallet_limit_reached"]));
            }
            let added = input.added(&mut errors);
            let expiration_at = input::expiration(input.expiration_at.as_deref(), now, &mut errors);
            let (Some(customer), true) = (customer, errors.is_empty()) else { return Err(Refusal::Invalid(errors)) };
            let mut records = Vec::new();
            let currency = match &input.currency {
                Some(currency) if CURRENCIES.contains(&currency.as_str()) => {
                    records.extend(customers::in_currency(customer, currency)?.map(Record::Customer));
                    currency.clone()
                }
                Some(_) => return Err(Refusal::field("currency", "value_is_invalid")),
                None => customers::currency_of(customer)
                    .map(str::to_owned)
                    .ok_or_else(|| Refusal::field("currency", "value_is_invalid"))?,
            };
            let wallet = Wallet {
                id: Uuid::now_v7(),
                customer_id: customer.id,
                external_customer_id: customer.external_id.clone(),
                code: input.code(active_of(book, customer.id, now), now)?,
                rate: input.rate()?,
                priority: priority(input.priority)?.unwrap_or(LOWEST_PRIORITY),
                currency,
                invoice_requires_successful_payment: input.invoice_requires_successful_payment.unwrap_or(false),
                balance_cents: 0,
                credits: Decimal::zero(),
                consumed_credits: Decimal::zero(),
                ongoing_usage_cents: 0,
                is_depleted: false,
                metadata: input.metadata.unwrap_or_default(),
                name: input.name,
                expiration_at,
                terminated_at: None,
                last_balance_sync_at: None,
                last_consumed_credit_at: None,
                created_at: now,
            };
            let answer = json!({ ROOT: view(&wallet, now) });
            let mut purse = Purse::of(book, now);
            purse.put_wallet(wallet.clone());
            let made = added.into_records(book, &wallet, purse, now)?;
            records.extend(made.records);
            Ok((records, answer))
        })
        .await
}

fn active_of(book: &Book, customer_id: Uuid, now: DateTime<Utc>) -> impl Iterator<Item = &Wallet> {
    book.wallets.iter().filter(move |wallet| wallet.customer_id == customer_id && wallet.is_active(now))
}

/// What is sent changes; the balance is none of it.
pub(super) async fn update(State(keeper): State<Keeper>, Path(id): Path<String>, body: Bytes) -> Answer {
    let update: Update = rooted(&body, ROOT)?;
    update.refuse_the_unsupported()?;
    keeper
        .change(move |book, now| {
            let known = find(book, &id)?;
            if !known.is_active(now) {
                // Versions of Lago differ in this.
                return Err(Refusal::NotImplemented("changing a wallet that has ended".to_owned()));
            }
            let others = active_of(book, known.customer_id, now).filter(|other| other.id != known.id);
            let changed = update.applied(known, others, now)?;
            let matters = changed.code != known.code || changed.priority != known.priority;
            let mut purse = Purse::of(book, now);
            let customer = changed.external_customer_id.clone();
            purse.put_wallet(changed);
            if matters {
                purse.refresh(&customer, None)?;
            }
            let shown = purse.wallet(known.id).unwrap_or(known);
            let answer = json!({ ROOT: view(shown, now) });
            Ok((purse.records(), answer))
        })
        .await
}

/// Ends it, and what is left in it is lost. One that has ended is answered as it is.
pub(super) async fn terminate(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper
        .change(move |book, now| {
            let known = find(book, &id)?;
            if !known.is_active(now) {
                return Ok((Vec::new(), json!({ ROOT: view(known, now) })));
            }
            let ended = Wallet { terminated_at: Some(now), ..known.clone() };
            let answer = json!({ ROOT: view(&ended, now) });
            Ok((vec![Record::Wallet(ended)], answer))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper.read(move |book, now| Ok(json!({ ROOT: view(find(book, &id)?, now) }))).await
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    external_customer_id: Option<String>,
    currency: Option<String>,
}

/// Newest first, ended ones included.
pub(super) async fn list(State(keeper): State<Keeper>, Listed { query, paging }: Listed<ListQuery>) -> Answer {
    keeper
        .read(move |book, now| {
            if query.external_customer_id.as_ref().is_some_and(|id| !book.customers.contains_key(id)) {
                return Err(Refusal::NotFound("customer"));
            }
            let matching = book.wallets.iter().rev().filter(|wallet| {
                query.external_customer_id.as_ref().is_none_or(|id| *id == wallet.external_customer_id)
                    && query.currency.as_ref().is_none_or(|currency| *currency == wallet.currency)
            });
            Ok(paging.answer("wallets", matching.map(|wallet| view(wallet, now)).collect()))
        })
        .await
}

pub(super) fn find<'a>(book: &'a Book, id: &str) -> Result<&'a Wallet, Refusal> {
    let found = id.parse().ok().and_then(|id| book.wallet(id));
    found.ok_or(Refusal::NotFound(ROOT))
}

pub(in crate::standin) fn view(wallet: &Wallet, now: DateTime<Utc>) -> Value {
    let credits = |cents: i64| with_fraction(&Decimal::from(cents).percent().divided(&wallet.rate, CREDIT_DIGITS));
    let ended_at = wallet.ended_at(now);
    let mut view = json!({
        "lago_id": wallet.id,
        "lago_customer_id": wallet.customer_id,
        "external_customer_id": wallet.external_customer_id,
        "billing_entity_code": "default",
        "status": if ended_at.is_none() { "active" } else { "terminated" },
        "currency": wallet.currency,
        "name": wallet.name,
        "code": wallet.code,
        "rate_amount": with_fraction(&wallet.rate),
        "credits_balance": with_fraction(&wallet.credits),
        "credits_ongoing_balance": credits(wallet.ongoing_balance_cents()),
        "credits_ongoing_usage_balance": credits(wallet.ongoing_usage_cents),
        "balance_cents": wallet.balance_cents,
        "ongoing_balance_cents": wallet.ongoing_balance_cents(),
        "ongoing_usage_balance_cents": wallet.ongoing_usage_cents,
        "consumed_credits": with_fraction(&wallet.consumed_credits),
        "created_at": iso(wallet.created_at),
        "expiration_at": wallet.expiration_at.map(iso),
        "last_balance_sync_at": wallet.last_balance_sync_at.map(iso),
        "last_consumed_credit_at": wallet.last_consumed_credit_at.map(iso),
        "terminated_at": ended_at.map(iso_millis),
        "invoice_requires_successful_payment": wallet.invoice_requires_successful_payment,
        "paid_top_up_min_amount_cents": null,
        "paid_top_up_max_amount_cents": null,
        "priority": wallet.priority,
        "recurring_transaction_rules": [],
        "applies_to": { "fee_types": [], "billable_metric_codes": [] },
        "applied_invoice_custom_sections": [],
        "payment_method": { "payment_method_id": null, "payment_method_type": "provider" },
    });
    if !wallet.metadata.is_empty() {
        view["metadata"] = json!(wallet.metadata);
    }
    view
}
