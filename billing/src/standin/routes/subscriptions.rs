//! `/subscriptions`: when events begin and cease to count.

use axum::body::Bytes;
use axum::extract::{Path, State};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::metrics::required;
use super::{customers, plans, unknown_to};
use crate::standin::answer::{Refusal, rooted};
use crate::standin::book::Book;
use crate::standin::invoicing::{self, Span};
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::{Period, iso, iso_millis};
use crate::standin::prepaid::Purse;
use crate::standin::query::{Asked, Listed};
use crate::standin::records::{InvoicingReason, Plan, Record, Subscription};

const ROOT: &str = "subscription";

#[derive(Deserialize)]
struct Input {
    external_customer_id: Option<String>,
    plan_code: Option<String>,
    external_id: Option<String>,
    name: Option<String>,
    billing_time: Option<String>,
    subscription_at: Option<String>,
    plan_overrides: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

/// What Lago would heed of a subscription: when it ends by itself, how that is billed, and what else makes its invoices.
const UNHEEDED: [&str; 10] = [
    "ending_at",
    "on_termination_invoice",
    "on_termination_credit_note",
    "usage_thresholds",
    "activation_rules",
    "payment_method",
    "invoice_custom_section",
    "consolidate_invoice",
    "billing_entity_code",
    "purchase_order_number",
];

/// Lago's names of a subscription's states.
#[derive(Deserialize)]
pub(super) struct StatusQuery {
    status: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct ListQuery {
    external_customer_id: Option<String>,
    plan_code: Option<String>,
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    if input.billing_time.as_deref().is_some_and(|time| time != "calendar") {
        return Err(Refusal::NotImplemented("a billing time other than calendar".to_owned()));
    }
    if input.plan_overrides.is_some_and(|overrides| !overrides.is_null()) {
        return Err(Refusal::Forbidden);
    }
    unknown_to("a subscription", &UNHEEDED, &input.rest)?;
    let subscription_at = time("subscription_at", input.subscription_at.as_deref())?;
    keeper
        .change(move |book, now| {
            let mut errors = Map::new();
            let customer_id = required(&mut errors, "external_customer_id", input.external_customer_id);
            let external_id = required(&mut errors, "external_id", input.external_id);
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
            let plan_code = input.plan_code.unwrap_or_default();
            let plan = book.plans.get(&plan_code).ok_or(Refusal::NotFound("plan"))?;
            if let Some(known) = current(book, &external_id, now) {
                return match known {
                    other if other.external_customer_id != customer_id => {
                        Err(Refusal::field("external_id", "value_already_exist"))
                    }
                    same => change_plan(book, same, plan, now),
                };
            }
            // Lago makes the customer when a subscription names a new one.
            let known = book.customers.get(&customer_id).cloned();
            let is_new = known.is_none();
            let customer = known.unwrap_or_else(|| customers::new(book, &customer_id, now));
            let billed = customers::in_currency(&customer, &plan.amount_currency)?;
            let mut records = Vec::new();
            if is_new || billed.is_some() {
                records.push(Record::Customer(billed.unwrap_or_else(|| customer.clone())));
            }
            let subscription = Subscription {
                id: Uuid::now_v7(),
                external_id,
                customer_id: customer.id,
                external_customer_id: customer_id,
                plan_code,
                name: input.name,
                subscription_at: subscription_at.unwrap_or(now),
                terminated_at: None,
                canceled_at: None,
                began_at: None,
                created_at: now,
            };
            let answer = answer(book, &subscription, now);
            records.push(Record::Subscription(subscription));
            Ok((records, answer))
        })
        .await
}

/// The active one, unless `status` says `pending`.
pub(super) async fn terminate(
    State(keeper): State<Keeper>,
    Path(external_id): Path<String>,
    Asked(query): Asked<StatusQuery>,
) -> Answer {
    keeper
        .change(move |book, now| {
            if query.status.as_deref() == Some("pending") {
                return cancel(book, &external_id, now);
            }
            let active = book.active_subscription(&external_id, now).cloned().ok_or(Refusal::NotFound(ROOT))?;
            let next = waiting(book, &active, now).map(|next| cancelled(next, now));
            let mut records: Vec<Record> = next.map(Record::Subscription).into_iter().collect();
            let (subscription, ending) = ended(book, active, End::Termination, now)?;
            let answer = answer(book, &subscription, now);
            records.extend(ending);
            Ok((records, answer))
        })
        .await
}

/// What was to begin is cancelled, and the one whose place it would have taken goes on.
fn cancel(book: &Book, external_id: &str, now: DateTime<Utc>) -> Result<(Vec<Record>, Value), Refusal> {
    let is_pending = |item: &&Subscription| item.external_id == external_id && item.status(now) == "pending";
    let pending = book.subscriptions.iter().find(is_pending).ok_or(Refusal::NotFound(ROOT))?;
    let gone = cancelled(pending, now);
    let answer = answer(book, &gone, now);
    let mut records = vec![Record::Subscription(gone)];
    if let Some(active) = book.active_subscription(external_id, now) {
        records.push(Record::Subscription(Subscription { terminated_at: None, ..active.clone() }));
    }
    Ok((records, answer))
}

/// To a plan that costs as much or more at once, and what was used until now is invoiced; to a cheaper one with the next
/// period. To the plan that it has nothing is changed, not even what is to follow.
fn change_plan(
    book: &Book,
    known: &Subscription,
    plan: &Plan,
    now: DateTime<Utc>,
) -> Result<(Vec<Record>, Value), Refusal> {
    if known.plan_code == plan.code {
        return Ok((Vec::new(), answer(book, known, now)));
    }
    let next = waiting(book, known, now).map(|next| cancelled(next, now));
    let mut records: Vec<Record> = next.map(Record::Subscription).into_iter().collect();
    let begins = |began_at| Subscription {
        id: Uuid::now_v7(),
        plan_code: plan.code.clone(),
        began_at: Some(began_at),
        terminated_at: None,
        created_at: now,
        ..known.clone()
    };
    let current = book.plans.get(&known.plan_code).ok_or(Refusal::NotFound("plan"))?;
    let answered = if plan.amount_cents >= current.amount_cents {
        let (_, ending) = ended(book, known.clone(), End::Upgrade, now)?;
        let next = begins(now);
        records.extend(ending);
        records.push(Record::Subscription(next.clone()));
        next
    } else {
        let month = Period::month(now.date_naive());
        let ends = Subscription { terminated_at: Some(month.until), ..known.clone() };
        records.extend([Record::Subscription(ends.clone()), Record::Subscription(begins(month.until))]);
        ends
    };
    Ok((records, answer(book, &answered, now)))
}

/// Why a subscription ends at once.
#[derive(Clone, Copy)]
enum End {
    Termination,
    /// Another plan goes on, and bills the day of the change.
    Upgrade,
}

/// A subscription that ends now; with it its last invoice, and what that drew from prepaid credits.
fn ended(
    book: &Book,
    subscription: Subscription,
    end: End,
    now: DateTime<Utc>,
) -> Result<(Subscription, Vec<Record>), Refusal> {
    let ended = Subscription { terminated_at: Some(now), ..subscription };
    let period = Period::current(&ended, now);
    let mut purse = Purse::of(book, now);
    purse.ends(ended.id);
    let days = match end {
        End::Termination => period.days(),
        End::Upgrade => (period.days() - 1).max(0),
    };
    let span = Span { subscription: &ended, period, days, reason: InvoicingReason::SubscriptionTerminating, now };
    let invoice = invoicing::invoice(book, &span, &mut purse)?;
    let mut records = vec![Record::Invoice(invoice), Record::Subscription(ended.clone())];
    records.extend(purse.records());
    Ok((ended, records))
}

/// The subscription that takes the place of this one later.
fn waiting<'a>(book: &'a Book, current: &Subscription, now: DateTime<Utc>) -> Option<&'a Subscription> {
    let next = |item: &&Subscription| item.external_id == current.external_id && item.id != current.id;
    book.subscriptions.iter().filter(next).find(|item| item.status(now) == "pending")
}

fn cancelled(waiting: &Subscription, now: DateTime<Utc>) -> Subscription {
    Subscription { canceled_at: Some(now), ..waiting.clone() }
}

/// Without `status` only an active one is found, and of several the one that ended last, as in Lago.
pub(super) async fn show(
    State(keeper): State<Keeper>,
    Path(external_id): Path<String>,
    Asked(query): Asked<StatusQuery>,
) -> Answer {
    keeper
        .read(move |book, now| {
            let status = query.status.as_deref().unwrap_or("active");
            let is_asked_for = |item: &&Subscription| item.external_id == external_id && item.status(now) == status;
            // `terminated_at DESC NULLS FIRST, started_at DESC`, and of what is alike the newest.
            let found = book
                .subscriptions
                .iter()
                .filter(is_asked_for)
                .max_by_key(|item| (item.terminated_at.is_none(), item.terminated_at, item.started_at(now)));
            Ok(answer(book, found.ok_or(Refusal::NotFound(ROOT))?, now))
        })
        .await
}

/// Active ones, newest first.
pub(super) async fn list(State(keeper): State<Keeper>, Listed { query, paging }: Listed<ListQuery>) -> Answer {
    keeper
        .read(move |book, now| {
            let matching = book.subscriptions.iter().rev().filter(|item| {
                item.is_active(now)
                    && query.external_customer_id.as_ref().is_none_or(|id| *id == item.external_customer_id)
                    && query.plan_code.as_ref().is_none_or(|code| *code == item.plan_code)
            });
            Ok(paging.answer("subscriptions", matching.map(|item| view(book, item, now)).collect()))
        })
        .await
}

/// The subscription that is active or will be.
fn current<'a>(book: &'a Book, external_id: &str, now: DateTime<Utc>) -> Option<&'a Subscription> {
    let with =
        |status| book.subscriptions.iter().find(|item| item.external_id == external_id && item.status(now) == status);
    with("active").or_else(|| with("pending"))
}

fn time(field: &str, text: Option<&str>) -> Result<Option<DateTime<Utc>>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| Refusal::field(field, "invalid_date"))?;
    Ok(Some(parsed.to_utc()))
}

/// One subscription with its plan.
fn answer(book: &Book, subscription: &Subscription, now: DateTime<Utc>) -> Value {
    let mut view = view(book, subscription, now);
    view["plan"] = book.plans.get(&subscription.plan_code).map_or(Value::Null, |plan| plans::view(book, plan, now));
    json!({ ROOT: view })
}

pub(in crate::standin) fn view(book: &Book, subscription: &Subscription, now: DateTime<Utc>) -> Value {
    let plan = book.plans.get(&subscription.plan_code);
    let period = Period::current(subscription, now);
    let next = waiting(book, subscription, now).filter(|_| subscription.status(now) == "active");
    json!({
        "lago_id": subscription.id,
        "external_id": subscription.external_id,
        "lago_customer_id": subscription.customer_id,
        "external_customer_id": subscription.external_customer_id,
        "name": subscription.name,
        "plan_code": subscription.plan_code,
        "plan_amount_cents": plan.map(|plan| plan.amount_cents),
        "plan_amount_currency": plan.map(|plan| &plan.amount_currency),
        "status": subscription.status(now),
        "billing_time": "calendar",
        "subscription_at": iso(subscription.subscription_at),
        "started_at": subscription.started_at(now).map(iso_millis),
        "trial_ended_at": null,
        "ending_at": null,
        "terminated_at": subscription.terminated_at.map(iso),
        "canceled_at": subscription.canceled_at.map(iso),
        "created_at": iso(subscription.created_at),
        "previous_plan_code": null,
        "next_plan_code": next.map(|next| &next.plan_code),
        "downgrade_plan_date": next.map(|next| next.start().date_naive().to_string()),
        "current_billing_period_started_at": iso(period.from),
        "current_billing_period_ending_at": period.last_second(),
        "on_termination_credit_note": null,
        "on_termination_invoice": "generate",
    })
}
