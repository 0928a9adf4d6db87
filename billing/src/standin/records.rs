//! What the stand-in remembers. These are the journal's lines, so a field may be added but not renamed.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::news::{Notice, SigningKey};
use super::prepaid::{Wallet, WalletTransaction};
use super::pricing::Pricing;
use crate::Decimal;

/// One change: the thing as it is from now on.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", content = "is", rename_all = "snake_case")]
pub(super) enum Record {
    Metric(Metric),
    Tax(Tax),
    Plan(Plan),
    Customer(Customer),
    Subscription(Subscription),
    WebhookEndpoint(WebhookEndpoint),
    Event(Event),
    Invoice(Invoice),
    Wallet(Wallet),
    WalletTransaction(WalletTransaction),
    /// A webhook endpoint that is no more.
    WebhookEndpointGone(Uuid),
    /// The code of a metric that is no more.
    MetricGone(String),
    Notice(Notice),
    SigningKey(SigningKey),
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Metric {
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    pub aggregation: Aggregation,
    pub field_name: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// The aggregations that the stand-in computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Aggregation {
    #[serde(rename = "count_agg")]
    Count,
    #[serde(rename = "sum_agg")]
    Sum,
    #[serde(rename = "max_agg")]
    Max,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Tax {
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub description: Option<String>,
    /// Percent.
    pub rate: Decimal,
    /// Applies where neither charge nor plan names a tax.
    pub applied_to_organization: bool,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Plan {
    pub id: Uuid,
    pub code: String,
    pub name: String,
    pub invoice_display_name: Option<String>,
    pub description: Option<String>,
    pub amount_cents: i64,
    pub amount_currency: String,
    pub pay_in_advance: bool,
    pub tax_codes: Vec<String>,
    pub charges: Vec<Charge>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Charge {
    pub id: Uuid,
    pub metric_id: Uuid,
    pub metric_code: String,
    pub invoice_display_name: Option<String>,
    pub pricing: Pricing,
    pub tax_codes: Vec<String>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Customer {
    pub id: Uuid,
    pub sequential_id: usize,
    pub external_id: String,
    /// Name, address, currency and the like, as they were sent last.
    pub fields: Map<String, Value>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Subscription {
    pub id: Uuid,
    pub external_id: String,
    pub customer_id: Uuid,
    pub external_customer_id: String,
    pub plan_code: String,
    pub name: Option<String>,
    /// From when on it is active.
    pub subscription_at: DateTime<Utc>,
    /// Until when it is active; may lie in the future.
    pub terminated_at: Option<DateTime<Utc>>,
    /// When it was taken back before it had begun.
    #[serde(default)]
    pub canceled_at: Option<DateTime<Utc>>,
    /// From when on it is active, where that is not `subscription_at`: after a change of plan.
    #[serde(default)]
    pub began_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct WebhookEndpoint {
    pub id: Uuid,
    pub webhook_url: String,
    pub signature_algo: String,
    pub name: Option<String>,
    /// What it wants to hear; everything when not given.
    #[serde(default)]
    pub event_types: Option<Vec<String>>,
    pub created_at: DateTime<Utc>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Event {
    pub id: Uuid,
    pub transaction_id: String,
    pub external_subscription_id: Option<String>,
    pub code: String,
    /// To the millisecond.
    pub timestamp: DateTime<Utc>,
    pub properties: Map<String, Value>,
    pub created_at: DateTime<Utc>,
    /// It went with its metric: it counts no more and is shown no more, and its id stays taken.
    #[serde(skip)]
    pub is_gone: bool,
}

/// What was invoiced: a subscription's period, or credits that are to be paid. Fees are kept as they were shown, since
/// nothing changes them.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Invoice {
    pub id: Uuid,
    pub sequential_id: usize,
    pub external_customer_id: String,
    /// The subscription and its plan; none of credits.
    pub subscription_id: Option<Uuid>,
    pub external_subscription_id: Option<String>,
    pub plan_id: Option<Uuid>,
    pub reason: Option<InvoicingReason>,
    /// First moment of the period, and the one at which it is over; of credits the moment at which they were asked for.
    pub from: DateTime<Utc>,
    pub until: DateTime<Utc>,
    pub currency: String,
    pub fees_amount_cents: i64,
    pub taxes_amount_cents: i64,
    pub fees: Vec<Value>,
    #[serde(default)]
    pub kind: InvoiceKind,
    #[serde(default)]
    pub payment: PaymentStatus,
    /// What prepaid credits have paid of it.
    #[serde(default)]
    pub granted_credit_cents: i64,
    #[serde(default)]
    pub purchased_credit_cents: i64,
    /// The part of its PDF's address that nobody guesses, once there is a PDF.
    #[serde(default)]
    pub document: Option<Uuid>,
    #[serde(default)]
    pub updated_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// Lago's `invoice_type`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InvoiceKind {
    #[default]
    Subscription,
    /// Asks for credits.
    Credit,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum PaymentStatus {
    #[default]
    Pending,
    Succeeded,
    Failed,
}

impl Invoice {
    /// What is to be paid: prepaid credits are paid already.
    pub(super) fn total_cents(&self) -> i64 {
        self.with_taxes_cents() - self.granted_credit_cents - self.purchased_credit_cents
    }

    pub(super) fn with_taxes_cents(&self) -> i64 {
        self.fees_amount_cents + self.taxes_amount_cents
    }

    /// Lago issues on the day on which the period is over.
    pub(super) fn issued(&self) -> NaiveDate {
        self.until.date_naive()
    }

    pub(super) fn number(&self) -> String {
        format!("STD-IN00-{}-{:03}", self.until.format("%Y%m"), self.sequential_id)
    }
}

/// Why an invoice was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum InvoicingReason {
    SubscriptionPeriodic,
    SubscriptionTerminating,
}

impl WebhookEndpoint {
    pub(super) fn wants(&self, kind: &str) -> bool {
        self.event_types.as_ref().is_none_or(|kinds| kinds.iter().any(|wanted| wanted == kind))
    }
}

impl Subscription {
    pub(super) fn status(&self, now: DateTime<Utc>) -> &'static str {
        if self.canceled_at.is_some() {
            return "canceled";
        }
        match (self.terminated_at, self.started_at(now)) {
            (Some(end), _) if end <= now => "terminated",
            (_, Some(_)) => "active",
            (_, None) => "pending",
        }
    }

    /// From when on its events count, once it has begun.
    pub(super) fn start(&self) -> DateTime<Utc> {
        self.began_at.unwrap_or(self.subscription_at)
    }

    /// Lago starts a subscription of today or earlier at once, with the time that was asked for; one that was taken back
    /// never.
    pub(super) fn started_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.canceled_at.is_some() {
            return None;
        }
        match self.began_at {
            Some(began_at) => (began_at <= now).then_some(began_at),
            None => (self.subscription_at.date_naive() <= now.date_naive()).then_some(self.subscription_at),
        }
    }

    pub(super) fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.status(now) == "active"
    }

    /// Whether an event of this time belongs to this subscription.
    pub(super) fn covers(&self, event: DateTime<Utc>, now: DateTime<Utc>) -> bool {
        self.started_at(now).is_some_and(|start| start <= event) && self.terminated_at.is_none_or(|end| event <= end)
    }
}

impl Event {
    /// The property as the number that Lago's sum sees; text that is no plain number counts as absent.
    pub(super) fn number(&self, field: &str) -> Option<Decimal> {
        number(self.properties.get(field)?)
    }
}

/// A property as a number, if it is one.
pub(super) fn number(property: &Value) -> Option<Decimal> {
    match property {
        Value::String(text) => text.parse().ok(),
        Value::Number(number) => number.to_string().parse().ok(),
        _ => None,
    }
}
