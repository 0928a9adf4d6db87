//! An invoice as a whole: its periods, and its lines as Lago made them.

use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use serde::{Deserialize, Serialize};

use crate::{Decimal, ExternalId, Invoice, LagoClient, LagoError};

/// An invoice with its fees.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WholeInvoice {
    #[serde(flatten)]
    pub head: Invoice,
    /// When Lago made it: what it received later stands in none.
    pub created_at: DateTime<Utc>,
    /// Whose it is: our name for the customer.
    pub customer: Option<String>,
    pub periods: Vec<BilledPeriod>,
    pub fees: Vec<Fee>,
}

/// What an invoice covers of a subscription.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BilledPeriod {
    pub subscription: Option<String>,
    /// First moment whose usage counts.
    pub from: DateTime<Utc>,
    /// Last second whose usage counts.
    pub to: DateTime<Utc>,
}

/// A line of an invoice.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fee {
    pub kind: FeeKind,
    /// The metric's code, or the plan's.
    pub code: String,
    pub name: String,
    pub units: Decimal,
    /// Without taxes, in minor units.
    pub amount_cents: i64,
}

/// What a line is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeeKind {
    /// Units of a metric.
    Charge,
    /// The plan itself.
    Subscription,
    /// Something that we have not provisioned, by Lago's name.
    Other(String),
}

impl BilledPeriod {
    /// First moment whose usage counts no more: Lago names the last second of a period.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        self.to + chrono::Duration::seconds(1)
    }

    pub(crate) fn is_of(&self, subscription: &ExternalId) -> bool {
        self.subscription.as_deref() == Some(subscription.as_str())
    }
}

impl WholeInvoice {
    /// Whether a moment of a subscription is billed by this invoice.
    #[must_use]
    pub fn covers(&self, subscription: &ExternalId, moment: DateTime<Utc>) -> bool {
        let is_within = |period: &BilledPeriod| period.from <= moment && moment < period.until();
        self.periods.iter().any(|period| period.is_of(subscription) && is_within(period))
    }

    /// Whether it is what is owed: neither voided nor still to be made.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.head.is_in_force()
    }
}

impl LagoClient {
    /// An invoice by Lago's id, or `None` when there is none.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoice(&self, lago_id: &str) -> Result<Option<WholeInvoice>, LagoError> {
        let found: Option<Answer> = self.find(&["invoices", lago_id]).await?;
        found.map(|answer| answer.invoice.read()).transpose()
    }

    /// An invoice whose periods share no second with those of others. Lago tells whole seconds: the one in which a plan was
    /// changed ends one period and begins the next, and what was used in it is billed by the first.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn with_periods_apart(&self, mut invoice: WholeInvoice) -> Result<WholeInvoice, LagoError> {
        let Some(customer) = &invoice.customer else { return Ok(invoice) };
        let tenant = ExternalId::parse(customer)?;
        for period in &mut invoice.periods {
            // Where a month begins no second is shared.
            if period.is_of(&tenant) && !begins_a_month(period.from) && self.ends_within(&tenant, period.from).await? {
                period.from += chrono::Duration::seconds(1);
            }
        }
        Ok(invoice)
    }

    /// Whether a period that began before this second ends within it.
    async fn ends_within(&self, tenant: &ExternalId, second: DateTime<Utc>) -> Result<bool, LagoError> {
        let ends = |period: &BilledPeriod| period.is_of(tenant) && period.from < second && period.to == second;
        // Lago issues the invoice of a period that was ended on the day of its end, in the customer's time zone.
        let day = second.date_naive();
        for head in self.invoices_issued(tenant, day.pred_opt(), day.succ_opt()).await? {
            let Some(id) = head.lago_id else { continue };
            let Some(whole) = self.invoice(&id).await? else { continue };
            if whole.is_in_force() && whole.periods.iter().any(ends) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The tenant's invoices in force that bill usage of a span, with their fees.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoices_of(
        &self,
        tenant: &ExternalId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<Vec<WholeInvoice>, LagoError> {
        self.invoices_of_again(tenant, from, until, &mut Vec::new()).await
    }

    /// The same, of which some were `read` a moment ago: what stands as it did is not asked for again, and what is asked for
    /// is added to them.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoices_of_again(
        &self,
        tenant: &ExternalId,
        from: DateTime<Utc>,
        until: DateTime<Utc>,
        read: &mut Vec<WholeInvoice>,
    ) -> Result<Vec<WholeInvoice>, LagoError> {
        let mut found = Vec::new();
        // An invoice is issued on the day of its period's end or later; in the customer's time zone that is a day before
        // ours, at most.
        for head in self.invoices_issued(tenant, from.date_naive().pred_opt(), None).await? {
            let Some(whole) = self.whole(head, read).await? else { continue };
            let is_within = |period: &BilledPeriod| period.is_of(tenant) && period.from < until && from <= period.to;
            if whole.is_in_force() && whole.periods.iter().any(is_within) {
                found.push(whole);
            }
        }
        Ok(found)
    }

    /// An invoice with its fees, by its head; `None` of one that is not in force.
    async fn whole(&self, head: Invoice, read: &mut Vec<WholeInvoice>) -> Result<Option<WholeInvoice>, LagoError> {
        if !head.is_in_force() {
            return Ok(None);
        }
        // A draft's fees change, whatever its head says.
        if head.status == "finalized"
            && let Some(known) = read.iter().find(|known| known.head == head)
        {
            return Ok(Some(known.clone()));
        }
        let Some(id) = head.lago_id else { return Ok(None) };
        let whole = self.invoice(&id).await?;
        read.extend(whole.clone());
        Ok(whole)
    }
}

fn begins_a_month(moment: DateTime<Utc>) -> bool {
    moment.day() == 1 && moment.time() == NaiveTime::MIN
}

#[derive(Deserialize)]
struct Answer {
    invoice: Body,
}

#[derive(Deserialize)]
struct Body {
    #[serde(flatten)]
    head: Invoice,
    created_at: DateTime<Utc>,
    customer: Option<CustomerBody>,
    #[serde(default)]
    billing_periods: Vec<PeriodBody>,
    #[serde(default)]
    fees: Vec<FeeBody>,
}

#[derive(Deserialize)]
struct CustomerBody {
    external_id: String,
}

#[derive(Deserialize)]
struct PeriodBody {
    external_subscription_id: Option<String>,
    charges_from_datetime: DateTime<Utc>,
    charges_to_datetime: DateTime<Utc>,
}

#[derive(Deserialize)]
struct FeeBody {
    item: ItemBody,
    units: String,
    amount_cents: i64,
}

#[derive(Deserialize)]
struct ItemBody {
    #[serde(rename = "type")]
    kind: String,
    code: String,
    name: String,
}

impl Body {
    fn read(self) -> Result<WholeInvoice, LagoError> {
        let period = |period: PeriodBody| BilledPeriod {
            subscription: period.external_subscription_id,
            from: period.charges_from_datetime,
            to: period.charges_to_datetime,
        };
        Ok(WholeInvoice {
            head: self.head,
            created_at: self.created_at,
            customer: self.customer.map(|customer| customer.external_id),
            periods: self.billing_periods.into_iter().map(period).collect(),
            fees: self.fees.into_iter().map(FeeBody::read).collect::<Result<_, _>>()?,
        })
    }
}

impl FeeBody {
    fn read(self) -> Result<Fee, LagoError> {
        let kind = match self.item.kind.as_str() {
            "charge" => FeeKind::Charge,
            "subscription" => FeeKind::Subscription,
            other => FeeKind::Other(other.to_owned()),
        };
        let units = self.units.parse().map_err(|error| LagoError::Unexpected(format!("units of a fee: {error}")))?;
        Ok(Fee { kind, code: self.item.code, name: self.item.name, units, amount_cents: self.amount_cents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_second_of_a_period_is_billed_by_it_and_the_next_one_is_not() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let body = serde_json::json!({ "invoice": {
            "lago_id": "1", "number": "A-1", "issuing_date": "2026-12-01", "status": "finalized",
            "payment_status": "pending", "currency": "EUR", "fees_amount_cents": 8, "taxes_amount_cents": 2,
            "total_amount_cents": 10, "file_url": null, "created_at": "2026-12-01T00:10:00Z", "customer": null,
            "billing_periods": [{ "external_subscription_id": "acme", "charges_from_datetime": "2026-11-20T10:00:00Z",
                                  "charges_to_datetime": "2026-11-30T23:59:59Z" }],
            "fees": [{ "item": { "type": "charge", "code": "api_calls", "name": "API calls" }, "units": "12.0",
                       "amount_cents": 8 }],
        } });
        let invoice = serde_json::from_value::<Answer>(body).unwrap().invoice.read().unwrap();
        assert_eq!(invoice.fees[0].kind, FeeKind::Charge);
        let acme = ExternalId::parse("acme").unwrap();
        assert!(invoice.covers(&acme, at("2026-11-30T23:59:59.9Z")));
        assert!(!invoice.covers(&acme, at("2026-12-01T00:00:00Z")));
        assert!(!invoice.covers(&acme, at("2026-11-20T09:59:59Z")));
        assert!(!invoice.covers(&ExternalId::parse("other").unwrap(), at("2026-11-25T00:00:00Z")));
    }
}
