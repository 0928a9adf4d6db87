//! Invoices: what a subscription's period cost, fixed once it is over.
//!
//! Lago makes them by its clock on the first of the month; here a command closes a month. An event that comes after
//! that counts in no invoice, as in Lago.

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Refusal;
use super::book::Book;
use super::period::{Period, iso};
use super::records::{Invoice, InvoicingReason, Plan, Subscription};
use super::usage::{Line, priced, tax_codes, taxes_of, too_large, with_fraction};
use crate::Decimal;

/// The invoices of a month that is over, of all subscriptions that had a part of it and have none for it yet.
pub(super) fn close(book: &Book, month: NaiveDate, now: DateTime<Utc>) -> Result<Vec<Invoice>, Refusal> {
    if now < Period::month(month).until {
        return Err(Refusal::field("month", "not_over"));
    }
    let mut made = Vec::new();
    for subscription in &book.subscriptions {
        let period = Period::of_month(subscription, month);
        let is_invoiced = |invoice: &Invoice| invoice.subscription_id == subscription.id && invoice.from == period.from;
        if period.is_empty() || subscription.started_at(now).is_none() || book.invoices.iter().any(is_invoiced) {
            continue;
        }
        let mut new = invoice(book, subscription, period, InvoicingReason::SubscriptionPeriodic, now)?;
        new.sequential_id += made.len();
        made.push(new);
    }
    Ok(made)
}

/// The invoice of a subscription's period.
pub(super) fn invoice(
    book: &Book,
    subscription: &Subscription,
    period: Period,
    reason: InvoicingReason,
    now: DateTime<Utc>,
) -> Result<Invoice, Refusal> {
    // One that ends now had its own events until now.
    let priced = priced(book, subscription, period, now)?;
    let plan = priced.plan;
    let base = base_fee(plan, period)?;
    let used: Vec<&Line<'_>> = priced.lines.iter().filter(|line| !line.units.is_zero()).collect();
    let taxed = used.iter().map(|line| (tax_codes(book, plan, Some(line.charge)), line.amount_cents));
    let taxes_amount_cents = taxes_of(book, taxed.chain([(tax_codes(book, plan, None), base)]))?;
    let view = Fees { plan, subscription, period, now };
    let mut fees: Vec<Value> = used.iter().map(|line| view.charge(line)).collect();
    fees.push(view.subscription(base));
    Ok(Invoice {
        id: Uuid::now_v7(),
        sequential_id: book.invoices.len() + 1,
        external_customer_id: subscription.external_customer_id.clone(),
        subscription_id: subscription.id,
        external_subscription_id: subscription.external_id.clone(),
        plan_id: plan.id,
        reason,
        from: period.from,
        until: period.until,
        currency: plan.amount_currency.clone(),
        fees_amount_cents: priced.amount_cents()?.checked_add(base).ok_or_else(too_large)?,
        taxes_amount_cents,
        fees,
        created_at: now,
    })
}

/// The plan's own fee, by the days of the month that the period has.
fn base_fee(plan: &Plan, period: Period) -> Result<i64, Refusal> {
    let days = period.days();
    let whole = Period::month(period.from.date_naive()).days();
    let amount = i128::from(plan.amount_cents) * i128::from(days);
    // Halves away from zero, in whole numbers.
    let rounded = (amount * 2 + i128::from(whole)) / (i128::from(whole) * 2);
    i64::try_from(rounded).map_err(|_| too_large())
}

/// How the fees of an invoice are shown.
struct Fees<'a> {
    plan: &'a Plan,
    subscription: &'a Subscription,
    period: Period,
    now: DateTime<Utc>,
}

impl Fees<'_> {
    fn charge(&self, line: &Line<'_>) -> Value {
        let mut fee = self.fee(line.amount_cents, &line.units);
        fee["lago_charge_id"] = json!(line.charge.id);
        fee["events_count"] = json!(line.events_count);
        fee["item"] = json!({
            "type": "charge", "code": line.metric.code, "name": line.metric.name,
            "description": line.metric.description, "invoice_display_name": line.charge.invoice_display_name,
            "filters": null, "lago_item_id": line.metric.id, "item_type": "BillableMetric",
        });
        fee
    }

    fn subscription(&self, amount_cents: i64) -> Value {
        let mut fee = self.fee(amount_cents, &Decimal::from(1u64));
        fee["item"] = json!({
            "type": "subscription", "code": self.plan.code, "name": self.plan.name,
            "description": self.plan.description, "invoice_display_name": self.plan.invoice_display_name,
            "filters": null, "lago_item_id": self.subscription.id, "item_type": "Subscription",
        });
        fee
    }

    fn fee(&self, amount_cents: i64, units: &Decimal) -> Value {
        let currency = &self.plan.amount_currency;
        let precise = Decimal::from(amount_cents).percent().to_string();
        json!({
            "lago_id": Uuid::now_v7(), "lago_charge_id": null, "lago_invoice_id": null,
            "lago_subscription_id": self.subscription.id, "lago_customer_id": self.subscription.customer_id,
            "external_customer_id": self.subscription.external_customer_id,
            "external_subscription_id": self.subscription.external_id,
            "amount_cents": amount_cents, "amount_currency": currency, "precise_amount": precise,
            "total_amount_cents": amount_cents, "total_amount_currency": currency, "precise_total_amount": precise,
            "taxes_amount_cents": 0, "taxes_precise_amount": "0.0", "taxes_rate": 0.0,
            "units": with_fraction(units), "total_aggregated_units": with_fraction(units), "events_count": null,
            "payment_status": "pending", "pay_in_advance": false, "invoiceable": true,
            "from_date": iso(self.period.from), "to_date": self.period.last_second(),
            "created_at": iso(self.now), "succeeded_at": null, "failed_at": null, "refunded_at": null,
        })
    }
}
