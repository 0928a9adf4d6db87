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
use super::prepaid::{Bill, Purse};
use super::records::{Invoice, InvoiceKind, InvoicingReason, PaymentStatus, Plan, Record, Subscription};
use super::usage::{Line, priced, tax_codes, taxes_of, too_large, with_fraction};
use crate::Decimal;

mod credits;

pub(super) use credits::credit_invoice;

/// The invoices of a month that is over, of all subscriptions that had a part of it and have none for it yet; with them
/// what they drew from prepaid credits.
pub(super) fn close(book: &Book, month: NaiveDate, now: DateTime<Utc>) -> Result<(Vec<Invoice>, Vec<Record>), Refusal> {
    if now < Period::month(month).until {
        return Err(Refusal::field("month", "not_over"));
    }
    let mut made = Vec::new();
    let mut purse = Purse::of(book, now);
    for subscription in &book.subscriptions {
        let period = Period::of_month(subscription, month);
        let is_invoiced =
            |invoice: &Invoice| invoice.subscription_id == Some(subscription.id) && invoice.from == period.from;
        if period.is_empty() || subscription.started_at(now).is_none() || book.invoices.iter().any(is_invoiced) {
            continue;
        }
        let (days, reason) = (period.days(), InvoicingReason::SubscriptionPeriodic);
        let span = Span { subscription, period, days, reason, now };
        let mut new = invoice(book, &span, &mut purse)?;
        new.sequential_id += made.len();
        made.push(new);
    }
    Ok((made, purse.records()))
}

/// What is invoiced, and why.
pub(super) struct Span<'a> {
    pub subscription: &'a Subscription,
    pub period: Period,
    /// Days of it that the plan's own fee is for.
    pub days: i64,
    pub reason: InvoicingReason,
    pub now: DateTime<Utc>,
}

/// The invoice of a subscription's period, paid from prepaid credits as far as they reach.
pub(super) fn invoice(book: &Book, span: &Span<'_>, purse: &mut Purse<'_>) -> Result<Invoice, Refusal> {
    let Span { subscription, period, days, reason, now } = *span;
    // One that ends now had its own events until now.
    let priced = priced(book, subscription, period, now)?;
    let plan = priced.plan;
    let base = base_fee(plan.amount_cents, period, days)?;
    let used: Vec<&Line<'_>> = priced.lines.iter().filter(|line| !line.units.is_zero()).collect();
    let taxed = used.iter().map(|line| (tax_codes(book, plan, Some(line.charge)), line.amount_cents));
    let taxes_amount_cents = taxes_of(book, taxed.chain([(tax_codes(book, plan, None), base)]))?;
    let view = Fees { plan, subscription, period, now };
    let mut fees: Vec<Value> = used.iter().map(|line| view.charge(line)).collect();
    fees.push(view.subscription(base));
    let invoice = Invoice {
        id: Uuid::now_v7(),
        sequential_id: book.invoices.len() + 1,
        external_customer_id: subscription.external_customer_id.clone(),
        subscription_id: Some(subscription.id),
        external_subscription_id: Some(subscription.external_id.clone()),
        plan_id: Some(plan.id),
        reason: Some(reason),
        from: period.from,
        until: period.until,
        currency: plan.amount_currency.clone(),
        fees_amount_cents: priced.amount_cents()?.checked_add(base).ok_or_else(too_large)?,
        taxes_amount_cents,
        fees,
        kind: InvoiceKind::Subscription,
        payment: PaymentStatus::Pending,
        granted_credit_cents: 0,
        purchased_credit_cents: 0,
        document: Some(Uuid::new_v4()),
        updated_at: None,
        created_at: now,
    };
    let total_cents = invoice.fees_amount_cents.checked_add(taxes_amount_cents).ok_or_else(too_large)?;
    let drawn = purse.draw(&Bill {
        invoice_id: invoice.id,
        external_customer_id: &invoice.external_customer_id,
        currency: &invoice.currency,
        total_cents,
    })?;
    // There is nothing to pay where nothing is left.
    let payment = if drawn.cents() == total_cents { PaymentStatus::Succeeded } else { PaymentStatus::Pending };
    Ok(Invoice {
        payment,
        granted_credit_cents: drawn.granted_cents,
        purchased_credit_cents: drawn.purchased_cents,
        ..invoice
    })
}

/// The plan's own fee, by days of the period's month.
fn base_fee(amount_cents: i64, period: Period, days: i64) -> Result<i64, Refusal> {
    let whole = Period::month(period.from.date_naive()).days();
    let amount = i128::from(amount_cents) * i128::from(days);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_month_costs_its_days_and_half_a_cent_goes_up() {
        // By hand: cents * days / days of the month.
        let cases = [
            ("2026-11-20", 4_900, 11, 1_797), // 1796.67
            ("2026-11-01", 4_900, 30, 4_900),
            ("2026-11-30", 4_900, 1, 163),    // 163.33
            ("2026-12-22", 4_900, 10, 1_581), // 1580.65
            ("2027-02-28", 49_900, 1, 1_782), // 1782.14
            ("2028-02-16", 4_900, 14, 2_366), // 2365.52, in a leap year
            ("2026-11-30", 15, 1, 1),         // 0.5
            ("2026-11-30", 14, 1, 0),         // 0.47
            ("2026-11-30", 45, 1, 2),         // 1.5
            ("2026-11-01", 4_900, 0, 0),
            ("2026-11-01", i64::MAX, 30, i64::MAX),
        ];
        for (first, cents, days, fee) in cases {
            let from: DateTime<Utc> = format!("{first}T10:00:00Z").parse().unwrap();
            let period = Period { from, ..Period::month(from.date_naive()) };
            assert_eq!(base_fee(cents, period, days).unwrap(), fee, "{days} days from {first} of {cents}");
        }
    }
}
