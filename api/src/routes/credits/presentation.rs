//! A top-up as clients see it.

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use store::credits::top_ups;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::ApiState;

/// Credits that were asked for.
#[derive(Serialize, ToSchema)]
pub struct TopUp {
    pub id: Uuid,
    pub state: TopUpState,
    pub kind: TopUpKind,
    /// In minor units.
    #[schema(example = 5000)]
    pub amount_cents: i64,
    /// ISO 4217 code.
    #[schema(example = "EUR")]
    pub currency: String,
    /// The user who asked; null of an operator.
    #[schema(example = "amy")]
    pub requested_by: Option<String>,
    pub created_at: DateTime<Utc>,
    /// When the billing system is known to have it.
    pub sent_at: Option<DateTime<Utc>>,
    /// From when on the credits count.
    pub settled_at: Option<DateTime<Utc>>,
    /// The billing system's wallet and transaction.
    pub wallet_id: Option<Uuid>,
    pub transaction_id: Option<Uuid>,
    /// The invoice that asks for the payment.
    pub invoice_id: Option<String>,
    /// Why the credits never count.
    pub refusal: Option<String>,
    pub links: TopUpLinks,
}

/// Where a top-up is found.
#[derive(Serialize, ToSchema)]
pub struct TopUpLinks {
    #[serde(rename = "self")]
    pub this: String,
}

/// Where a top-up is.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopUpState {
    /// It goes to the billing system within a minute.
    Requested,
    /// Its invoice is to be paid.
    Sent,
    /// The credits count.
    Settled,
    /// They never will; see `refusal`.
    Refused,
}

/// How credits come about.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TopUpKind {
    /// They are invoiced, and count once they are paid.
    Paid,
    /// The operator gave them.
    Granted,
}

impl TopUp {
    pub fn of(state: &ApiState, top_up: top_ups::TopUp) -> Self {
        Self {
            links: TopUpLinks { this: format!("{}/v1/credits/top-ups/{}", state.public_url, top_up.id) },
            id: top_up.id,
            state: match top_up.state {
                top_ups::State::Requested => TopUpState::Requested,
                top_ups::State::Sent => TopUpState::Sent,
                top_ups::State::Settled => TopUpState::Settled,
                top_ups::State::Refused => TopUpState::Refused,
            },
            kind: match top_up.kind {
                top_ups::Kind::Paid => TopUpKind::Paid,
                top_ups::Kind::Granted => TopUpKind::Granted,
            },
            amount_cents: top_up.amount_cents,
            currency: top_up.currency,
            requested_by: top_up.requested_by,
            created_at: top_up.created_at,
            sent_at: top_up.sent_at,
            settled_at: top_up.settled_at,
            wallet_id: top_up.wallet_id,
            transaction_id: top_up.transaction_id,
            invoice_id: top_up.invoice_id,
            refusal: top_up.refusal,
        }
    }

    /// As it was answered when it was asked for.
    pub fn as_requested(state: &ApiState, top_up: top_ups::TopUp) -> Self {
        let then = top_ups::TopUp {
            state: top_ups::State::Requested,
            sent_at: None,
            settled_at: None,
            wallet_id: None,
            transaction_id: None,
            invoice_id: None,
            refusal: None,
            ..top_up
        };
        Self::of(state, then)
    }
}

const ID: &str = "019cebab-9a10-7b52-8d11-2f6c0d9e4a33";

pub fn requested_example() -> Value {
    json!({
        "id": ID, "state": "requested", "kind": "paid", "amount_cents": 5000, "currency": "EUR", "requested_by": "amy",
        "created_at": "2026-03-14T09:26:53.589Z", "sent_at": null, "settled_at": null, "wallet_id": null,
        "transaction_id": null, "invoice_id": null, "refusal": null,
        "links": {"self": format!("https://api.example.com/v1/credits/top-ups/{ID}")}
    })
}

pub fn settled_example() -> Value {
    let mut example = requested_example();
    for (name, value) in [
        ("state", "settled"),
        ("sent_at", "2026-03-14T09:27:10.120Z"),
        ("settled_at", "2026-03-16T11:02:41.003Z"),
        ("wallet_id", "1a901a90-1a90-4a90-9a90-1a901a901a91"),
        ("transaction_id", "1a901a90-1a90-4a90-9a90-1a901a901a92"),
        ("invoice_id", "1a901a90-1a90-4a90-9a90-1a901a901a93"),
    ] {
        example[name] = json!(value);
    }
    example
}
