//! What Lago would invoice now, and what it has invoiced.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};

use crate::event::PageMeta;
use crate::query::Query;
use crate::{Decimal, ExternalId, LagoClient, LagoError};

/// Invoices in one page of a list; Lago gives no more.
const INVOICES_A_PAGE: u32 = 100;

/// The open period of a tenant's subscription, priced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CurrentUsage {
    /// Start of what the period counts.
    pub from: DateTime<Utc>,
    /// End of the period.
    pub to: DateTime<Utc>,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Charges without taxes, in minor units.
    pub amount_cents: i64,
    pub taxes_amount_cents: i64,
    pub total_amount_cents: i64,
    /// One a charge, in Lago's order.
    pub lines: Vec<UsageLine>,
}

/// One line of what would be invoiced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UsageLine {
    /// The metric's code.
    pub metric: String,
    /// The metric's name.
    pub name: String,
    /// How the price is made: standard, graduated, volume, package, ...
    pub charge_model: String,
    pub units: Decimal,
    pub events_count: i64,
    /// Price of the units without taxes, in minor units.
    pub amount_cents: i64,
}

/// An invoice's head.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Invoice {
    /// Lago's own id, which its other calls take.
    pub lago_id: Option<String>,
    pub number: String,
    /// Day of issue, `YYYY-MM-DD`.
    pub issuing_date: String,
    /// draft, finalized, voided, ...
    pub status: String,
    /// pending, succeeded, failed.
    pub payment_status: String,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Fees without taxes, in minor units.
    pub fees_amount_cents: i64,
    pub taxes_amount_cents: i64,
    pub total_amount_cents: i64,
    /// Address of the PDF, once there is one.
    pub file_url: Option<String>,
}

impl Invoice {
    /// Whether it is what is owed: neither voided nor still to be made.
    #[must_use]
    pub fn is_in_force(&self) -> bool {
        self.is_final() || self.status == "draft"
    }

    /// Whether nothing is added to it any more. In a period of grace it is a draft.
    #[must_use]
    pub fn is_final(&self) -> bool {
        self.status == "finalized"
    }
}

// lago-client has both calls. It keeps to itself how long Lago asks to wait, which a long reading needs.
impl LagoClient {
    /// What the tenant would be invoiced if its open period ended now.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 404 for an unknown tenant, 405 without a subscription.
    pub async fn current_usage(&self, tenant: &ExternalId) -> Result<CurrentUsage, LagoError> {
        let path = ["customers", tenant.as_str(), "current_usage"];
        let query = Query::CurrentUsage { external_subscription_id: tenant.as_str() };
        let answer: UsageAnswer = self.get_with(&path, &query).await?;
        Ok(answer.customer_usage.into())
    }

    /// All invoices of a tenant, as Lago orders them (newest first).
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoices(&self, tenant: &ExternalId) -> Result<Vec<Invoice>, LagoError> {
        self.invoices_issued(tenant, None, None).await
    }

    /// Those that were issued on certain days.
    pub(crate) async fn invoices_issued(
        &self,
        tenant: &ExternalId,
        first_day: Option<NaiveDate>,
        last_day: Option<NaiveDate>,
    ) -> Result<Vec<Invoice>, LagoError> {
        let mut invoices = Vec::new();
        let mut page = 1;
        loop {
            let query = Query::Invoices {
                external_customer_id: tenant.as_str(),
                issuing_date_from: first_day,
                issuing_date_to: last_day,
                page,
                per_page: INVOICES_A_PAGE,
            };
            let answer: InvoicePage = self.get_with(&["invoices"], &query).await?;
            invoices.extend(answer.invoices);
            match answer.meta.next_page {
                Some(next) if next > page => page = next,
                _ => return Ok(invoices),
            }
        }
    }
}

#[derive(Deserialize)]
struct InvoicePage {
    invoices: Vec<Invoice>,
    meta: PageMeta,
}

#[derive(Deserialize)]
struct UsageAnswer {
    customer_usage: UsageBody,
}

#[derive(Deserialize)]
struct UsageBody {
    from_datetime: DateTime<Utc>,
    to_datetime: DateTime<Utc>,
    currency: String,
    amount_cents: i64,
    taxes_amount_cents: i64,
    total_amount_cents: i64,
    charges_usage: Vec<ChargeBody>,
}

#[derive(Deserialize)]
struct ChargeBody {
    units: Decimal,
    events_count: i64,
    amount_cents: i64,
    charge: ModelBody,
    billable_metric: MetricBody,
}

#[derive(Deserialize)]
struct ModelBody {
    charge_model: String,
}

#[derive(Deserialize)]
struct MetricBody {
    name: String,
    code: String,
}

impl From<UsageBody> for CurrentUsage {
    fn from(usage: UsageBody) -> Self {
        Self {
            from: usage.from_datetime,
            to: usage.to_datetime,
            currency: usage.currency,
            amount_cents: usage.amount_cents,
            taxes_amount_cents: usage.taxes_amount_cents,
            total_amount_cents: usage.total_amount_cents,
            lines: usage.charges_usage.into_iter().map(UsageLine::from).collect(),
        }
    }
}

impl From<ChargeBody> for UsageLine {
    fn from(line: ChargeBody) -> Self {
        Self {
            metric: line.billable_metric.code,
            name: line.billable_metric.name,
            charge_model: line.charge.charge_model,
            units: line.units,
            events_count: line.events_count,
            amount_cents: line.amount_cents,
        }
    }
}
