//! Invoices on the wire. Amounts are integers of the currency's minor unit.

use chrono::{DateTime, Utc};
use jobs::usage::Quantity;
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::billing_system::{Invoice, InvoiceHead, InvoiceLine};

/// An invoice's head.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoiceSummary)]
pub struct Summary {
    #[schema(example = "1a901a90-1a90-1a90-1a90-1a901a901a90")]
    pub id: String,
    #[schema(example = "ZAM-0C5E-202611-001")]
    pub number: String,
    /// Day of issue, `YYYY-MM-DD`.
    #[schema(example = "2026-12-01")]
    pub issuing_date: String,
    /// draft, finalized, voided, ...
    #[schema(example = "finalized")]
    pub status: String,
    /// pending, succeeded, failed.
    #[schema(example = "pending")]
    pub payment_status: String,
    #[schema(example = "EUR")]
    pub currency: String,
    /// Without taxes, in the currency's minor unit.
    pub fees_amount_cents: i64,
    pub taxes_amount_cents: i64,
    pub total_amount_cents: i64,
    /// Address of the PDF; null until there is one.
    pub pdf_url: Option<String>,
}

/// An invoice with its lines.
#[derive(Serialize, ToSchema)]
#[schema(as = Invoice)]
pub struct Whole {
    #[serde(flatten)]
    pub summary: Summary,
    pub periods: Vec<Period>,
    pub lines: Vec<Line>,
}

/// What an invoice covers: usage whose `billed_at` is from `from` to before `until`.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoicePeriod)]
pub struct Period {
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
}

/// A line of an invoice.
#[derive(Serialize, ToSchema)]
#[schema(as = InvoiceLine)]
pub struct Line {
    /// The metric, or the plan for its own fee.
    #[schema(example = "compute_units")]
    pub code: String,
    pub name: String,
    /// `usage` of a metric, or a `fee`.
    #[schema(example = "usage")]
    pub kind: &'static str,
    /// A decimal string, so that no digit is lost.
    #[schema(value_type = String, example = "12345.5")]
    pub units: String,
    /// Without taxes, in the currency's minor unit.
    pub amount_cents: i64,
}

impl From<InvoiceHead> for Summary {
    fn from(head: InvoiceHead) -> Self {
        Self {
            id: head.id,
            number: head.number,
            issuing_date: head.issuing_date,
            status: head.status,
            payment_status: head.payment_status,
            currency: head.currency,
            fees_amount_cents: head.fees_amount_cents,
            taxes_amount_cents: head.taxes_amount_cents,
            total_amount_cents: head.total_amount_cents,
            pdf_url: head.pdf_url,
        }
    }
}

impl From<Invoice> for Whole {
    fn from(invoice: Invoice) -> Self {
        let period = |(from, until)| Period { from, until };
        Self {
            summary: invoice.head.into(),
            periods: invoice.periods.into_iter().map(period).collect(),
            lines: invoice.lines.into_iter().map(Line::from).collect(),
        }
    }
}

impl From<InvoiceLine> for Line {
    fn from(line: InvoiceLine) -> Self {
        let kind = if line.is_usage { "usage" } else { "fee" };
        let units = Quantity::to_string(&line.units);
        Self { code: line.code, name: line.name, kind, units, amount_cents: line.amount_cents }
    }
}

/// An example of an invoice's head.
pub fn summary_example() -> Value {
    json!({
        "id": "1a901a90-1a90-4a90-9a90-1a901a901a90", "number": "ZAM-0C5E-202611-001", "issuing_date": "2026-12-01",
        "status": "finalized", "payment_status": "pending", "currency": "EUR", "fees_amount_cents": 4901,
        "taxes_amount_cents": 980, "total_amount_cents": 5881, "pdf_url": null
    })
}

/// An example of an invoice.
pub fn example() -> Value {
    let mut whole = summary_example();
    whole["periods"] = json!([{"from": "2026-11-01T00:00:00Z", "until": "2026-12-01T00:00:00Z"}]);
    whole["lines"] = json!([
        {"code": "compute_units", "name": "Compute units", "kind": "usage", "units": "12", "amount_cents": 1},
        {"code": "team", "name": "Team", "kind": "fee", "units": "1", "amount_cents": 4900}
    ]);
    whole
}
