//! What the API asks of the billing system. The process that builds the server brings the connection: this room stays free
//! of it.

use chrono::{DateTime, Utc};
use futures::future::BoxFuture;
use jobs::TenantId;
use jobs::credits::PriceList;
use jobs::usage::Quantity;
use thiserror::Error;

/// An invoice's head.
#[derive(Clone, Debug)]
pub struct InvoiceHead {
    /// The billing system's own id.
    pub id: String,
    pub number: String,
    /// Day of issue, `YYYY-MM-DD`.
    pub issuing_date: String,
    /// draft, finalized, voided, ...
    pub status: String,
    /// pending, succeeded, failed.
    pub payment_status: String,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// Without taxes, in minor units.
    pub fees_amount_cents: i64,
    pub taxes_amount_cents: i64,
    pub total_amount_cents: i64,
    /// Address of the PDF, once there is one.
    pub pdf_url: Option<String>,
}

/// An invoice with its lines.
#[derive(Clone, Debug)]
pub struct Invoice {
    pub head: InvoiceHead,
    /// Whose it is, as the billing system names it.
    pub customer: Option<String>,
    /// What it covers of the tenant's subscription: usage that is billed from the first moment to before the second one.
    pub periods: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    pub lines: Vec<InvoiceLine>,
}

/// A line of an invoice.
#[derive(Clone, Debug)]
pub struct InvoiceLine {
    /// The metric, or the plan for its own fee.
    pub code: String,
    pub name: String,
    /// Whether it bills units of a metric.
    pub is_usage: bool,
    pub units: Quantity,
    /// Without taxes, in minor units.
    pub amount_cents: i64,
}

/// It gives no answer that helps.
#[derive(Clone, Debug, Error)]
#[error("the billing system does not answer: {0}")]
pub struct BillingUnavailable(pub String);

/// The billing system as the API sees it.
pub trait BillingSystem: Send + Sync {
    /// A tenant's invoices, the newest first; none of a tenant that it does not know.
    fn invoices<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<Vec<InvoiceHead>, BillingUnavailable>>;

    /// A tenant's invoice, whose periods no other one of its invoices covers; none of anybody else's.
    fn invoice<'a>(
        &'a self,
        tenant: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Invoice>, BillingUnavailable>>;

    /// What units cost by the plans that it was given; asks nobody.
    fn prices(&self) -> &dyn PriceList;

    /// The public key (PEM, RSA) under which it signs its notices.
    fn notice_key(&self) -> BoxFuture<'_, Result<String, BillingUnavailable>>;
}
