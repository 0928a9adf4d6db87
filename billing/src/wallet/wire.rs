//! Lago's JSON of wallets and their transactions.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use super::{
    Direction, TOP_UP_KEY, TransactionKind, TransactionStatus, Wallet, WalletId, WalletStatus, WalletTransaction,
};
use crate::{Decimal, LagoError};

/// A page of a list.
pub(super) trait Page {
    fn next_page(&self) -> Option<u32>;
}

#[derive(Deserialize)]
struct Meta {
    next_page: Option<u32>,
}

#[derive(Deserialize)]
pub(super) struct OneWallet {
    pub wallet: WalletBody,
}

#[derive(Deserialize)]
pub(super) struct Wallets {
    pub wallets: Vec<WalletBody>,
    meta: Meta,
}

impl Page for Wallets {
    fn next_page(&self) -> Option<u32> {
        self.meta.next_page
    }
}

/// A list, or what one top-up made, which has no pages.
#[derive(Deserialize)]
pub(super) struct Transactions {
    pub wallet_transactions: Vec<TransactionBody>,
    meta: Option<Meta>,
}

impl Page for Transactions {
    fn next_page(&self) -> Option<u32> {
        self.meta.as_ref().and_then(|meta| meta.next_page)
    }
}

#[derive(Deserialize)]
pub(super) struct WalletBody {
    lago_id: Uuid,
    external_customer_id: String,
    code: Option<String>,
    name: Option<String>,
    status: WalletStatus,
    currency: String,
    rate_amount: String,
    credits_balance: String,
    balance_cents: i64,
    consumed_credits: String,
    credits_ongoing_balance: String,
    ongoing_balance_cents: i64,
    ongoing_usage_balance_cents: i64,
    created_at: DateTime<Utc>,
    expiration_at: Option<DateTime<Utc>>,
    terminated_at: Option<DateTime<Utc>>,
}

impl WalletBody {
    pub(super) fn read(self) -> Result<Wallet, LagoError> {
        Ok(Wallet {
            id: WalletId(self.lago_id),
            customer: self.external_customer_id,
            code: self.code,
            name: self.name,
            status: self.status,
            currency: self.currency,
            rate: number("rate_amount", &self.rate_amount)?,
            credits: number("credits_balance", &self.credits_balance)?,
            balance_cents: self.balance_cents,
            consumed_credits: number("consumed_credits", &self.consumed_credits)?,
            ongoing_credits: number("credits_ongoing_balance", &self.credits_ongoing_balance)?,
            ongoing_balance_cents: self.ongoing_balance_cents,
            ongoing_usage_cents: self.ongoing_usage_balance_cents,
            created_at: self.created_at,
            expires_at: self.expiration_at,
            terminated_at: self.terminated_at,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct TransactionBody {
    lago_id: Uuid,
    lago_wallet_id: Uuid,
    lago_invoice_id: Option<String>,
    status: TransactionStatus,
    transaction_status: TransactionKind,
    transaction_type: Direction,
    amount: String,
    credit_amount: String,
    #[serde(default)]
    metadata: Vec<Pair>,
    created_at: DateTime<Utc>,
    settled_at: Option<DateTime<Utc>>,
    failed_at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct Pair {
    key: String,
    value: Option<String>,
}

impl TransactionBody {
    pub(super) fn read(self) -> Result<WalletTransaction, LagoError> {
        let ours = self.metadata.iter().find(|pair| pair.key == TOP_UP_KEY);
        Ok(WalletTransaction {
            id: self.lago_id,
            wallet: WalletId(self.lago_wallet_id),
            status: self.status,
            kind: self.transaction_status,
            direction: self.transaction_type,
            amount: number("amount", &self.amount)?,
            credits: number("credit_amount", &self.credit_amount)?,
            invoice: self.lago_invoice_id,
            top_up: ours.and_then(|pair| pair.value.as_ref()?.parse().ok()),
            created_at: self.created_at,
            settled_at: self.settled_at,
            failed_at: self.failed_at,
        })
    }
}

fn number(name: &str, text: &str) -> Result<Decimal, LagoError> {
    text.parse().map_err(|error| LagoError::Unexpected(format!("{name} of a wallet: {error}")))
}
