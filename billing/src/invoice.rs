//! An invoice as a whole: its periods, and its lines as Lago made them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::{Decimal, ExternalId, Invoice, LagoClient, LagoError};

/// Days after the end of a period within which Lago issues its invoice, whatever grace finance has given it.
pub const ISSUED_WITHIN_DAYS: i64 = 62;

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

    /// Whether the other one ends in the very second in which this one begins.
    fn follows(&self, other: &Self) -> bool {
        let is_same = self.subscription.is_some() && self.subscription == other.subscription;
        is_same && other.to.timestamp() == self.from.timestamp() && (other.from, other.to) < (self.from, self.to)
    }
}

/// Has periods begin where the ones that they follow are over. A change of plan ends one within a second and begins another
/// one in it; Lago tells that second of both, and bills what was used in it by the first: events carry whole seconds, so that
/// none of it is after the change.
fn part(invoices: &mut [WholeInvoice]) {
    let told: Vec<BilledPeriod> = invoices.iter().flat_map(|invoice| invoice.periods.clone()).collect();
    for period in invoices.iter_mut().flat_map(|invoice| &mut invoice.periods) {
        let over = told.iter().filter(|other| period.follows(other)).map(BilledPeriod::until).max();
        period.from = over.unwrap_or(period.from);
    }
}

/// Whether an invoice may be that of a period that ended at a moment.
fn may_have_ended(invoice: &Invoice, moment: DateTime<Utc>) -> bool {
    let Ok(issued) = invoice.issuing_date.parse::<NaiveDate>() else { return true };
    // A day before: Lago issues by the customer's day.
    (-1..=ISSUED_WITHIN_DAYS).contains(&(issued - moment.date_naive()).num_days())
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
    /// An invoice by Lago's id, as Lago tells it, or `None` when there is none. Its first second may be another one's last,
    /// too: [`Self::invoice_of`].
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoice(&self, lago_id: &str) -> Result<Option<WholeInvoice>, LagoError> {
        let found: Option<Answer> = self.find(&["invoices", lago_id]).await?;
        found.map(|answer| answer.invoice.read()).transpose()
    }

    /// A tenant's invoice by Lago's id, or `None` when it has none under it. No other invoice of the tenant covers a moment of
    /// its periods.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoice_of(&self, tenant: &ExternalId, lago_id: &str) -> Result<Option<WholeInvoice>, LagoError> {
        let found = self.invoice(lago_id).await?;
        let Some(invoice) = found.filter(|invoice| invoice.customer.as_deref() == Some(tenant.as_str())) else {
            return Ok(None);
        };
        let begins: Vec<DateTime<Utc>> = invoice.periods.iter().map(|period| period.from).collect();
        let mut all = vec![invoice];
        for head in self.invoices(tenant).await? {
            let may_precede = begins.iter().any(|begin| may_have_ended(&head, *begin));
            let Some(id) = head.lago_id.filter(|id| may_precede && id != lago_id) else { continue };
            all.extend(self.invoice(&id).await?.filter(WholeInvoice::is_in_force));
        }
        part(&mut all);
        Ok(Some(all.swap_remove(0)))
    }

    /// The tenant's invoices in force that bill usage of a span, with their fees. No two of them cover the same moment.
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
            found.extend(self.whole(head, read).await?.filter(WholeInvoice::is_in_force));
        }
        part(&mut found);
        let is_within = |period: &BilledPeriod| period.is_of(tenant) && period.from < until && from <= period.to;
        found.retain(|invoice| invoice.periods.iter().any(is_within));
        Ok(found)
    }

    /// An invoice with its fees, by its head; `None` of one that is not in force.
    async fn whole(&self, head: Invoice, read: &mut Vec<WholeInvoice>) -> Result<Option<WholeInvoice>, LagoError> {
        if !head.is_in_force() {
            return Ok(None);
        }
        // A draft's fees change, whatever its head says.
        if head.is_final()
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

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    /// Of periods of acme's, as Lago tells them.
    fn invoice(periods: &[(&str, &str)]) -> WholeInvoice {
        let period = |(from, to): &(&str, &str)| {
            serde_json::json!({ "external_subscription_id": "acme", "charges_from_datetime": from,
                                "charges_to_datetime": to })
        };
        let body = serde_json::json!({ "invoice": {
            "lago_id": "1", "number": "A-1", "issuing_date": "2026-12-01", "status": "finalized",
            "payment_status": "pending", "currency": "EUR", "fees_amount_cents": 8, "taxes_amount_cents": 2,
            "total_amount_cents": 10, "file_url": null, "created_at": "2026-12-01T00:10:00Z", "customer": null,
            "billing_periods": periods.iter().map(period).collect::<Vec<_>>(),
            "fees": [{ "item": { "type": "charge", "code": "api_calls", "name": "API calls" }, "units": "12.0",
                       "amount_cents": 8 }],
        } });
        serde_json::from_value::<Answer>(body).unwrap().invoice.read().unwrap()
    }

    #[test]
    fn the_last_second_of_a_period_is_billed_by_it_and_the_next_one_is_not() {
        let invoice = invoice(&[("2026-11-20T10:00:00Z", "2026-11-30T23:59:59Z")]);
        assert_eq!(invoice.fees[0].kind, FeeKind::Charge);
        let acme = ExternalId::parse("acme").unwrap();
        assert!(invoice.covers(&acme, at("2026-11-30T23:59:59.9Z")));
        assert!(!invoice.covers(&acme, at("2026-12-01T00:00:00Z")));
        assert!(!invoice.covers(&acme, at("2026-11-20T09:59:59Z")));
        assert!(!invoice.covers(&ExternalId::parse("other").unwrap(), at("2026-11-25T00:00:00Z")));
    }

    #[test]
    fn the_second_of_a_change_of_plan_is_billed_once_however_many_changes_it_has() {
        let change = "2026-11-20T10:00:00Z";
        // The invoice of the month before, one that two changes end, one between them, and what is left of the month.
        let told = [
            invoice(&[("2026-10-01T00:00:00Z", "2026-10-31T23:59:59Z")]),
            invoice(&[(change, "2026-11-30T23:59:59Z")]),
            invoice(&[(change, change)]),
            invoice(&[("2026-11-01T00:00:00Z", change)]),
        ];
        let acme = ExternalId::parse("acme").unwrap();
        for turn in 0..told.len() {
            let mut invoices = told.clone();
            invoices.rotate_left(turn);
            part(&mut invoices);
            for moment in ["2026-10-31T23:59:59.9Z", "2026-11-01T00:00:00Z", "2026-11-20T09:59:59.9Z", change]
                .into_iter()
                .chain(["2026-11-20T10:00:00.999Z", "2026-11-20T10:00:01Z", "2026-11-30T23:59:59.9Z"])
            {
                let covering = invoices.iter().filter(|invoice| invoice.covers(&acme, at(moment)));
                assert_eq!(covering.count(), 1, "{moment}");
            }
            let first = |invoice: &&WholeInvoice| invoice.periods[0].from == at("2026-11-01T00:00:00Z");
            let first = invoices.iter().find(first).unwrap();
            assert!(first.covers(&acme, at("2026-11-20T10:00:00.999Z")), "by the plan before the change");
        }
    }

    #[test]
    fn the_first_second_of_a_tenant_is_its_first_invoices() {
        let mut invoices = [invoice(&[("2026-11-20T10:00:00Z", "2026-11-30T23:59:59Z")])];
        part(&mut invoices);
        assert_eq!(invoices[0].periods[0].from, at("2026-11-20T10:00:00Z"));
    }

    #[test]
    fn an_invoice_may_be_of_a_period_that_ended_before_it_was_issued() {
        let issued = invoice(&[]).head;
        for (moment, may) in [
            ("2026-12-01T23:00:00Z", true),
            ("2026-12-02T00:00:00Z", true),
            ("2026-12-03T00:00:00Z", false),
            ("2026-10-01T00:00:00Z", true),
            ("2026-09-29T00:00:00Z", false),
        ] {
            assert_eq!(may_have_ended(&issued, at(moment)), may, "{moment}");
        }
        assert!(may_have_ended(&Invoice { issuing_date: String::new(), ..issued }, at("2020-01-01T00:00:00Z")));
    }
}
