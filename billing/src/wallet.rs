//! A customer's prepaid credits: Lago's wallets and their transactions, read and topped up.
//!
//! A credit is worth `rate` of the currency's main unit. Granted credits count at once. Paid ones make an invoice of their
//! own and count once it is paid: without a payment provider when somebody marks it as paid ([`crate::LagoClient::mark_as_paid`]).
//! Lago takes the same top-up twice, so each carries an id of ours by which one with an unknown outcome is found again.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Decimal, ExternalId, LagoError};

mod calls;
mod wire;

/// The key in a transaction's metadata that holds our id of the top-up; Lago allows 20 characters.
pub const TOP_UP_KEY: &str = "zama_top_up";

/// Lago's id of a wallet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct WalletId(pub Uuid);

impl fmt::Display for WalletId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl FromStr for WalletId {
    type Err = LagoError;

    fn from_str(text: &str) -> Result<Self, LagoError> {
        text.parse().map(Self).map_err(|_| LagoError::Invalid(format!("{text:?} is no id of a wallet")))
    }
}

/// A wallet as Lago tells it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Wallet {
    pub id: WalletId,
    /// Our name for whose it is.
    pub customer: String,
    /// Our name for it, once among the customer's active wallets; wallets of older versions of Lago have none.
    pub code: Option<String>,
    pub name: Option<String>,
    pub status: WalletStatus,
    /// ISO 4217 code of all amounts.
    pub currency: String,
    /// What one credit is worth in the currency's main unit.
    pub rate: Decimal,
    /// Settled credits that no invoice has drawn yet.
    pub credits: Decimal,
    /// The same in minor units.
    pub balance_cents: i64,
    /// Credits that invoices have drawn.
    pub consumed_credits: Decimal,
    /// `credits` less what the open period has used by now, taxes included; below zero when more was used. Lago brings it up
    /// to date every few minutes: it may lag behind current usage.
    pub ongoing_credits: Decimal,
    /// The same in minor units.
    pub ongoing_balance_cents: i64,
    /// What the open period has used by now, taxes included, in minor units.
    pub ongoing_usage_cents: i64,
    pub created_at: DateTime<Utc>,
    /// From when on its credits are lost.
    pub expires_at: Option<DateTime<Utc>>,
    pub terminated_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WalletStatus {
    Active,
    /// Its credits are lost.
    Terminated,
}

/// A wallet that is to be made, empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewWallet {
    pub customer: ExternalId,
    /// Unique among the customer's active wallets: a repeat finds the wallet instead of making another one.
    pub code: ExternalId,
    pub name: String,
    /// ISO 4217 code; the customer's own currency, once it has one.
    pub currency: String,
    /// What one credit is worth in the currency's main unit.
    pub rate: Decimal,
}

/// Credits that are to be added. Lago cuts each number after five decimals; one that is zero adds nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Ours; stands in the metadata of each transaction that it makes.
    pub id: Uuid,
    /// Credits that the customer pays for: Lago makes an invoice, and they count once it is paid.
    pub paid: Decimal,
    /// Credits for nothing: they count at once.
    pub granted: Decimal,
    /// What the invoice calls them; Lago's own words when not given.
    pub name: Option<String>,
}

/// A change of a wallet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WalletTransaction {
    /// Lago's id.
    pub id: Uuid,
    pub wallet: WalletId,
    pub status: TransactionStatus,
    pub kind: TransactionKind,
    pub direction: Direction,
    /// In the currency's main unit, never below zero.
    pub amount: Decimal,
    /// In credits, never below zero.
    pub credits: Decimal,
    /// The invoice that asks for its payment, or that drew it.
    pub invoice: Option<String>,
    /// Our id of the top-up that made it.
    pub top_up: Option<Uuid>,
    pub created_at: DateTime<Utc>,
    pub settled_at: Option<DateTime<Utc>>,
    pub failed_at: Option<DateTime<Utc>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionStatus {
    /// Its invoice is to be paid.
    Pending,
    /// It counts.
    Settled,
    /// Its payment failed, or its wallet ended before.
    Failed,
}

/// Why there is a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransactionKind {
    Purchased,
    Granted,
    /// Taken back by a person.
    Voided,
    /// Drawn by an invoice.
    Invoiced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Adds.
    Inbound,
    /// Takes away.
    Outbound,
}
