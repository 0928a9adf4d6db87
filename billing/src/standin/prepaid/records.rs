//! What the stand-in remembers of prepaid credits; lines of the journal, as those of `records`.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::Credit;
use crate::Decimal;

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::standin) struct Wallet {
    pub id: Uuid,
    pub customer_id: Uuid,
    pub external_customer_id: String,
    /// Once among the customer's active wallets.
    pub code: String,
    pub name: Option<String>,
    pub currency: String,
    /// What a credit is worth in the currency's main unit.
    pub rate: Decimal,
    /// 1 is drawn first, 50 last.
    pub priority: u8,
    pub invoice_requires_successful_payment: bool,
    pub balance_cents: i64,
    pub credits: Decimal,
    pub consumed_credits: Decimal,
    /// What the open periods had used when that was last looked at.
    pub ongoing_usage_cents: i64,
    /// Whether that left nothing.
    pub is_depleted: bool,
    /// Keys and values of the customer's, of no effect.
    pub metadata: Map<String, Value>,
    pub expiration_at: Option<DateTime<Utc>>,
    pub terminated_at: Option<DateTime<Utc>>,
    pub last_balance_sync_at: Option<DateTime<Utc>>,
    pub last_consumed_credit_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

impl Wallet {
    /// When it ended: by a request, or because its time was over.
    pub(in crate::standin) fn ended_at(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.terminated_at.or(self.expiration_at.filter(|end| *end <= now))
    }

    pub(in crate::standin) fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.ended_at(now).is_none()
    }

    pub(in crate::standin) fn ongoing_balance_cents(&self) -> i64 {
        self.balance_cents.saturating_sub(self.ongoing_usage_cents)
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::standin) struct WalletTransaction {
    pub id: Uuid,
    pub wallet_id: Uuid,
    pub kind: Kind,
    pub status: Status,
    pub credits: Decimal,
    /// In the currency's main unit.
    pub amount: Decimal,
    pub amount_cents: i64,
    /// Of what adds and has settled: what was not drawn yet.
    pub remaining_cents: Option<i64>,
    /// The invoice that asks for its payment, or that drew it.
    pub invoice_id: Option<Uuid>,
    pub priority: u8,
    pub invoice_requires_successful_payment: bool,
    pub metadata: Vec<Pair>,
    pub name: Option<String>,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::standin) struct Pair {
    pub key: String,
    pub value: String,
}

/// Lago's `transaction_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::standin) enum Kind {
    Purchased,
    Granted,
    Voided,
    Invoiced,
}

impl Kind {
    /// Lago's `transaction_type`.
    pub(in crate::standin) fn direction(self) -> &'static str {
        if self.adds() { "inbound" } else { "outbound" }
    }

    pub(in crate::standin) fn adds(self) -> bool {
        matches!(self, Self::Purchased | Self::Granted)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::standin) enum Status {
    Pending,
    Settled,
    Failed,
}

impl WalletTransaction {
    /// One that has settled, but for a purchase, which is to be paid first.
    pub(in crate::standin) fn new(wallet: &Wallet, kind: Kind, credit: &Credit, now: DateTime<Utc>) -> Self {
        let is_settled = kind != Kind::Purchased;
        Self {
            id: Uuid::now_v7(),
            wallet_id: wallet.id,
            kind,
            status: if is_settled { Status::Settled } else { Status::Pending },
            credits: credit.credits.clone(),
            amount: credit.amount.clone(),
            amount_cents: credit.cents,
            remaining_cents: (kind == Kind::Granted).then_some(credit.cents),
            invoice_id: None,
            priority: LOWEST_PRIORITY,
            invoice_requires_successful_payment: false,
            metadata: Vec::new(),
            name: None,
            created_at: now,
            settled_at: is_settled.then_some(now),
            failed_at: None,
        }
    }
}

/// What is drawn last, and what wallets have unless told otherwise.
pub(in crate::standin) const LOWEST_PRIORITY: u8 = 50;
