//! `/wallet_transactions`: credits that are added to a wallet or taken back. The same request twice adds twice.

use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::unknown_to;
use super::wallets::{self, pairs};
use crate::Decimal;
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::invoicing;
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::prepaid::{Credit, Kind, LOWEST_PRIORITY, Pair, Purse, Wallet, WalletTransaction};
use crate::standin::query::Listed;
use crate::standin::records::Record;
use crate::standin::usage::with_fraction;

const ROOT: &str = "wallet_transaction";
const ROOTS: &str = "wallet_transactions";

/// Keys in a transaction's metadata; letters of a key, and of a value.
const MOST_KEYS: usize = 15;
const LONGEST_KEY: usize = 20;
const LONGEST_VALUE: usize = 100;
const LONGEST_NAME: usize = 255;

#[derive(Deserialize)]
struct Input {
    wallet_id: Option<String>,
    paid_credits: Option<Value>,
    granted_credits: Option<Value>,
    voided_credits: Option<Value>,
    name: Option<String>,
    priority: Option<i64>,
    invoice_requires_successful_payment: Option<bool>,
    metadata: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// Credits that are asked for.
pub(super) struct Added {
    pub paid: Option<Decimal>,
    pub granted: Option<Decimal>,
    pub voided: Option<Decimal>,
    pub name: Option<String>,
    pub metadata: Vec<Pair>,
    pub priority: u8,
    pub invoice_requires_successful_payment: bool,
}

/// What became of them.
pub(super) struct Made {
    pub records: Vec<Record>,
    /// The transactions as Lago answers them: before the invoice of what is to be paid was made.
    pub answered: Vec<WalletTransaction>,
}

impl Added {
    /// Credits as Lago takes them: as text, zero or more.
    pub(super) fn credits(field: &str, sent: Option<&Value>, errors: &mut Map<String, Value>) -> Option<Decimal> {
        let sent = sent.filter(|value| !value.is_null())?;
        let credits =
            sent.as_str().and_then(|text| text.parse::<Decimal>().ok()).filter(|number| !number.is_negative());
        if credits.is_none() {
            errors.insert(field.to_owned(), json!([format!("invalid_{field}"), "invalid_amount"]));
        }
        credits
    }

    pub(super) fn into_records(
        self,
        book: &Book,
        wallet: &Wallet,
        mut purse: Purse<'_>,
        now: DateTime<Utc>,
    ) -> Result<Made, Refusal> {
        let mut answered = Vec::new();
        let mut invoice = None;
        let with = |kind, credit: &Credit| WalletTransaction {
            name: self.name.clone(),
            metadata: self.metadata.clone(),
            priority: self.priority,
            invoice_requires_successful_payment: self.invoice_requires_successful_payment,
            ..WalletTransaction::new(wallet, kind, credit, now)
        };
        let worth = |field: &str, credits: &Decimal| {
            let credit = Credit::of_credits(&wallet.rate, credits)?;
            if credit.is_worthless(credits) { Err(Refusal::field(field, "amount_rounds_to_zero")) } else { Ok(credit) }
        };
        if let Some(credits) = self.paid.as_ref().filter(|credits| !credits.is_zero()) {
            let transaction = with(Kind::Purchased, &worth("paid_credits", credits)?);
            let asked = invoicing::credit_invoice(book, wallet, &transaction, now);
            purse.put_transaction(WalletTransaction { invoice_id: Some(asked.id), ..transaction.clone() });
            invoice = Some(asked);
            answered.push(transaction);
        }
        if let Some(credits) = self.granted.as_ref().filter(|credits| !credits.is_zero()) {
            let transaction = with(Kind::Granted, &worth("granted_credits", credits)?);
            purse.put_transaction(transaction.clone());
            purse.increase(&transaction)?;
            answered.push(transaction);
        }
        if let Some(credits) = self.voided.as_ref().filter(|credits| !credits.is_zero()) {
            let transaction = with(Kind::Voided, &Credit::exactly(&wallet.rate, credits)?);
            purse.decrease(transaction.clone())?;
            purse.refresh(&wallet.external_customer_id, None)?;
            answered.push(transaction);
        }
        let mut records = purse.records();
        records.extend(invoice.map(Record::Invoice));
        Ok(Made { records, answered })
    }
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    unknown_to("a top-up", &["payment_method", "invoice_custom_section"], &input.rest)?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let wallet = input.wallet_id.as_deref().and_then(|id| wallets::find(book, id).ok());
            match wallet {
                None => drop(errors.insert("wallet_id".to_owned(), json!(["wallet_not_found"]))),
                Some(wallet) if !wallet.is_active(now) => {
                    errors.insert("wallet_id".to_owned(), json!(["wallet_is_terminated"]));
                }
                Some(_) => {}
            }
            let paid = Added::credits("paid_credits", input.paid_credits.as_ref(), &mut errors);
            let granted = Added::credits("granted_credits", input.granted_credits.as_ref(), &mut errors);
            let voided = Added::credits("voided_credits", input.voided_credits.as_ref(), &mut errors);
            if wallet.zip(voided.as_ref()).is_some_and(|(wallet, voided)| *voided > wallet.credits) {
                errors.insert("voided_credits".to_owned(), json!(["insufficient_credits"]));
            }
            metadata_errors(input.metadata.as_ref(), &mut errors);
            let name = input.name.filter(|name| !name.is_empty());
            if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
                errors.insert("name".to_owned(), json!(["too_long"]));
            }
            let (Some(wallet), true) = (wallet, errors.is_empty()) else { return Err(Refusal::Invalid(errors)) };
            let required = input.invoice_requires_successful_payment;
            let added = Added {
                paid,
                granted,
                voided,
                name,
                metadata: pairs(input.metadata.as_ref()),
                priority: wallets::priority(input.priority)?.unwrap_or(LOWEST_PRIORITY),
                invoice_requires_successful_payment: required.unwrap_or(wallet.invoice_requires_successful_payment),
            };
            let made = added.into_records(book, wallet, Purse::of(book, now), now)?;
            let answer = json!({ ROOTS: made.answered.iter().map(|one| view(wallet, one)).collect::<Vec<_>>() });
            Ok((made.records, answer))
        })
        .await
}

/// Lago's complaints about a list of keys and values.
pub(super) fn metadata_errors(metadata: Option<&Value>, errors: &mut Map<String, Value>) {
    let complaint = match metadata {
        None | Some(Value::Null) => None,
        Some(Value::Array(items)) if items.len() > MOST_KEYS => Some("too_many_keys"),
        Some(Value::Array(items)) => items.iter().find_map(pair_error),
        Some(Value::Object(object)) if object.is_empty() => None,
        Some(_) => Some("invalid_type"),
    };
    if let Some(complaint) = complaint {
        errors.insert("metadata".to_owned(), json!([complaint]));
    }
}

fn pair_error(item: &Value) -> Option<&'static str> {
    let text = |name: &str| item.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    if item.get("value").is_some_and(|value| value.is_object() || value.is_array()) {
        return Some("nested_structure_not_allowed");
    }
    let (Some(key), Some(value), Some(2)) = (text("key"), text("value"), item.as_object().map(Map::len)) else {
        return Some("invalid_key_value_pair");
    };
    if key.chars().count() > LONGEST_KEY {
        Some("key_too_long")
    } else if value.chars().count() > LONGEST_VALUE {
        Some("value_too_long")
    } else {
        None
    }
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    status: Option<String>,
    transaction_status: Option<String>,
    transaction_type: Option<String>,
}

/// Newest first. A filter of no known value filters nothing, as in Lago.
pub(super) async fn list(
    State(keeper): State<Keeper>,
    Path(wallet_id): Path<String>,
    Listed { query, paging }: Listed<ListQuery>,
) -> Answer {
    let among = |value: Option<String>, known: &[&str]| value.filter(|value| known.contains(&value.as_str()));
    let status = among(query.status, &["pending", "settled", "failed"]);
    let kind = among(query.transaction_status, &["purchased", "granted", "voided", "invoiced"]);
    let direction = among(query.transaction_type, &["inbound", "outbound"]);
    keeper
        .read(move |book, _| {
            let wallet = wallets::find(book, &wallet_id)?;
            let all = book.wallet_transactions.iter().rev().filter(|one| one.wallet_id == wallet.id);
            let views = all.map(|one| view(wallet, one)).filter(|view| {
                let is =
                    |field: &str, wanted: &Option<String>| wanted.as_ref().is_none_or(|value| view[field] == **value);
                is("status", &status) && is("transaction_status", &kind) && is("transaction_type", &direction)
            });
            Ok(paging.answer(ROOTS, views.collect()))
        })
        .await
}

pub(super) async fn show(State(keeper): State<Keeper>, Path(id): Path<String>) -> Answer {
    keeper
        .read(move |book, _| {
            let found = book.wallet_transactions.iter().find(|one| one.id.to_string() == id);
            let found = found.and_then(|one| Some((book.wallet(one.wallet_id)?, one)));
            let (wallet, one) = found.ok_or(Refusal::NotFound(ROOT))?;
            Ok(json!({ ROOT: view(wallet, one) }))
        })
        .await
}

pub(in crate::standin) fn view(wallet: &Wallet, transaction: &WalletTransaction) -> Value {
    let left = transaction.remaining_cents.filter(|_| transaction.kind.adds());
    json!({
        "lago_id": transaction.id,
        "lago_wallet_id": transaction.wallet_id,
        "lago_invoice_id": transaction.invoice_id,
        "lago_credit_note_id": null,
        "lago_voided_invoice_id": null,
        "billing_entity_code": "default",
        "status": transaction.status,
        "source": "manual",
        "transaction_status": transaction.kind,
        "transaction_type": transaction.kind.direction(),
        "amount": with_fraction(&transaction.amount),
        "credit_amount": with_fraction(&transaction.credits),
        "remaining_amount_cents": left,
        "remaining_credit_amount": left.map(|cents| with_fraction(&Credit::of_cents(&wallet.rate, cents).credits)),
        "priority": transaction.priority,
        "settled_at": transaction.settled_at.map(iso),
        "failed_at": transaction.failed_at.map(iso),
        "created_at": iso(transaction.created_at),
        "invoice_requires_successful_payment": transaction.invoice_requires_successful_payment,
        "metadata": transaction.metadata,
        "name": transaction.name,
        "payment_method": { "payment_method_id": null, "payment_method_type": "provider" },
    })
}
