//! What Lago would invoice now, and what it has invoiced.

use chrono::{DateTime, Utc};
use lago_types::filters::invoice::InvoiceFilters;
use lago_types::models::{Invoice as LagoInvoice, PaginationParams};
use lago_types::requests::customer_usage::GetCustomerCurrentUsageRequest;
use lago_types::requests::invoice::ListInvoicesRequest;
use serde::{Deserialize, Serialize};

use crate::{Decimal, ExternalId, LagoClient, LagoError};

const INVOICES_A_PAGE: i32 = 100;

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

impl LagoClient {
    /// What the tenant would be invoiced if its open period ended now.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 404 for an unknown tenant, 405 without a subscription.
    pub async fn current_usage(&self, tenant: &ExternalId) -> Result<CurrentUsage, LagoError> {
        let request = GetCustomerCurrentUsageRequest::new(tenant.to_string(), tenant.to_string());
        let usage = self.sdk.get_customer_current_usage(request).await?.customer_usage;
        let lines = usage
            .charges_usage
            .into_iter()
            .map(|line| {
                let units = line.units.parse().map_err(|error| LagoError::Unexpected(format!("units: {error}")))?;
                Ok(UsageLine {
                    metric: line.billable_metric.code,
                    name: line.billable_metric.name,
                    charge_model: line.charge.charge_model,
                    units,
                    events_count: line.events_count,
                    amount_cents: line.amount_cents,
                })
            })
            .collect::<Result<_, LagoError>>()?;
        Ok(CurrentUsage {
            from: usage.from_datetime,
            to: usage.to_datetime,
            currency: usage.currency,
            amount_cents: usage.amount_cents,
            taxes_amount_cents: usage.taxes_amount_cents,
            total_amount_cents: usage.total_amount_cents,
            lines,
        })
    }

    /// All invoices of a tenant, as Lago orders them (newest first).
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn invoices(&self, tenant: &ExternalId) -> Result<Vec<Invoice>, LagoError> {
        let mut invoices = Vec::new();
        let mut page = 1;
        loop {
            let request = ListInvoicesRequest::new()
                .with_filters(InvoiceFilters::new().with_customer_id(tenant.to_string()))
                .with_pagination(PaginationParams::new().with_page(page).with_per_page(INVOICES_A_PAGE));
            let answer = self.sdk.list_invoices(Some(request)).await?;
            for invoice in answer.invoices {
                invoices.push(Invoice::try_from(invoice)?);
            }
            match answer.meta.next_page {
                Some(next) if next > page => page = next,
                _ => return Ok(invoices),
            }
        }
    }
}

impl TryFrom<LagoInvoice> for Invoice {
    type Error = LagoError;

    fn try_from(invoice: LagoInvoice) -> Result<Self, LagoError> {
        Ok(Self {
            lago_id: invoice.lago_id.map(|id| id.to_string()),
            number: invoice.number,
            issuing_date: invoice.issuing_date,
            status: word(&invoice.status)?,
            payment_status: word(&invoice.payment_status)?,
            currency: invoice.currency,
            fees_amount_cents: invoice.fees_amount_cents,
            taxes_amount_cents: invoice.taxes_amount_cents,
            total_amount_cents: invoice.total_amount_cents,
            file_url: invoice.file_url,
        })
    }
}

/// The wire name of one of the crate's enums, which have no other text form.
fn word(value: &impl Serialize) -> Result<String, LagoError> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        _ => Err(LagoError::Unexpected("a status that is not a word".to_owned())),
    }
}
