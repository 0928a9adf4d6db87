//! A customer's prepaid credits: Lago's wallets and their transactions, read and topped up.
//!
//! A credit is worth `rate` of the currency's main unit. Granted credits count at once. Paid ones make an invoice of their
//! own and count once it is paid: without a payment provider when somebody marks it as paid ([`LagoClient::mark_as_paid`]).
//! Lago takes the same top-up twice, so each carries an id of ours by which one with an unknown outcome is found again.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::{Decimal, ExternalId, LagoClient, LagoError};

mod wire;

/// The key in a transaction's metadata that holds our id of the top-up; Lago allows 20 characters.
pub const TOP_UP_KEY: &str = "zama_top_up";

/// Wallets or transactions in one page of a list; Lago gives no more.
const A_PAGE: u32 = 100;

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

impl LagoClient {
    /// The customer's wallets, terminated ones included.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn wallets(&self, customer: &ExternalId) -> Result<Vec<Wallet>, LagoError> {
        let pages = self.pages::<wire::Wallets>(&["wallets"], &[("external_customer_id", customer.as_str())]).await?;
        pages.into_iter().flat_map(|page| page.wallets).map(wire::WalletBody::read).collect()
    }

    /// A wallet by its id.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn wallet(&self, id: WalletId) -> Result<Option<Wallet>, LagoError> {
        let found: Option<wire::OneWallet> = self.find(&["wallets", &id.to_string()]).await?;
        found.map(|answer| answer.wallet.read()).transpose()
    }

    /// The customer's active wallet under this code; made, empty, when there is none. Repeating it makes no second one.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 422 for a customer that there is not, or one with another currency.
    pub async fn create_wallet(&self, new: &NewWallet) -> Result<Wallet, LagoError> {
        let body = json!({ "wallet": {
            "external_customer_id": new.customer, "code": new.code, "name": new.name, "currency": new.currency,
            "rate_amount": new.rate,
        } });
        if let Some(known) = self.active_wallet(&new.customer, &new.code).await? {
            return Ok(known);
        }
        match self.post::<_, wire::OneWallet>(&["wallets"], &body).await {
            Ok(answer) => answer.wallet.read(),
            // Somebody was faster.
            Err(refused @ LagoError::Rejected { status: 422, .. }) => {
                self.active_wallet(&new.customer, &new.code).await?.ok_or(refused)
            }
            Err(error) => Err(error),
        }
    }

    async fn active_wallet(&self, customer: &ExternalId, code: &ExternalId) -> Result<Option<Wallet>, LagoError> {
        let wanted =
            |wallet: &Wallet| wallet.status == WalletStatus::Active && wallet.code.as_deref() == Some(code.as_str());
        Ok(self.wallets(customer).await?.into_iter().find(wanted))
    }

    /// Ends a wallet: what is left in it is lost. Answers it as it is then; `None` when there is none.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn terminate_wallet(&self, id: WalletId) -> Result<Option<Wallet>, LagoError> {
        let ended: Option<wire::OneWallet> = self.delete_and_tell(&["wallets", &id.to_string()]).await?;
        ended.map(|answer| answer.wallet.read()).transpose()
    }

    /// All transactions of a wallet, as Lago orders them (newest first).
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 404 for a wallet that there is not.
    pub async fn wallet_transactions(&self, wallet: WalletId) -> Result<Vec<WalletTransaction>, LagoError> {
        let path = ["wallets", &wallet.to_string(), "wallet_transactions"];
        let pages = self.pages::<wire::Transactions>(&path, &[]).await?;
        pages.into_iter().flat_map(|page| page.wallet_transactions).map(wire::TransactionBody::read).collect()
    }

    /// Adds credits; answers the transactions, at most one paid and one granted. Not to be repeated when the outcome is
    /// unknown: ask with [`Self::transactions_of_top_up`] first, once the call cannot be under way any more.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 422 for a wallet that is not, or is terminated.
    /// [`LagoError::Unavailable`] leaves open whether the credits were added.
    pub async fn top_up(&self, wallet: WalletId, top_up: &TopUp) -> Result<Vec<WalletTransaction>, LagoError> {
        let mut body = json!({
            "wallet_id": wallet, "metadata": [{ "key": TOP_UP_KEY, "value": top_up.id }],
        });
        // Lago refuses a null, and cuts a zero.
        for (name, credits) in [("paid_credits", &top_up.paid), ("granted_credits", &top_up.granted)] {
            if credits.is_negative() {
                return Err(LagoError::Invalid(format!("{name} cannot be below zero")));
            }
            if !credits.is_zero() {
                body[name] = json!(credits);
            }
        }
        if let Some(name) = &top_up.name {
            body["name"] = json!(name);
        }
        let made: wire::Transactions =
            self.post(&["wallet_transactions"], &json!({ "wallet_transaction": body })).await?;
        made.wallet_transactions.into_iter().map(wire::TransactionBody::read).collect()
    }

    /// What a top-up of ours has made of a wallet; empty when it did not arrive.
    ///
    /// # Errors
    /// As [`Self::wallet_transactions`].
    pub async fn transactions_of_top_up(
        &self,
        wallet: WalletId,
        top_up: Uuid,
    ) -> Result<Vec<WalletTransaction>, LagoError> {
        let all = self.wallet_transactions(wallet).await?;
        Ok(all.into_iter().filter(|transaction| transaction.top_up == Some(top_up)).collect())
    }

    /// Marks an invoice as paid, as finance does for what comes by bank transfer: credits that it asked for count then.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 404 for an invoice that there is not, 405 for a draft or a voided one.
    pub async fn mark_as_paid(&self, invoice: &str) -> Result<(), LagoError> {
        let body = json!({ "invoice": { "payment_status": "succeeded" } });
        self.put::<_, IgnoredAny>(&["invoices", invoice], &body).await.map(drop)
    }

    async fn pages<T: DeserializeOwned + wire::Page>(
        &self,
        path: &[&str],
        filter: &[(&str, &str)],
    ) -> Result<Vec<T>, LagoError> {
        let mut pages: Vec<T> = Vec::new();
        let mut page = 1;
        loop {
            let numbers = [("page", page.to_string()), ("per_page", A_PAGE.to_string())];
            let numbers = numbers.iter().map(|(name, value)| (*name, value.as_str()));
            let query: Vec<(&str, &str)> = filter.iter().copied().chain(numbers).collect();
            // A missing parent is an error of the caller's, which an empty list would hide.
            let found: T = self.get_with(path, &query).await?;
            let next = found.next_page();
            pages.push(found);
            match next {
                Some(next) if next > page => page = next,
                _ => return Ok(pages),
            }
        }
    }
}

/// What a customer has paid in advance, and what of it its open period has used by now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Prepaid {
    /// ISO 4217 code of the amounts.
    pub currency: String,
    /// Settled credits of all active wallets in this currency, in minor units.
    pub balance_cents: i64,
    /// What would be invoiced now, taxes included, without the plan's own fee.
    pub used_cents: i64,
}

impl Prepaid {
    /// What is left; below zero when more was used.
    #[must_use]
    pub fn left_cents(&self) -> i64 {
        self.balance_cents.saturating_sub(self.used_cents)
    }
}

impl LagoClient {
    /// What is left of a tenant's prepaid credits, by its wallets and its current usage.
    ///
    /// Not by the wallets' own ongoing balance: a Lago without a licence brings that up to date only when a wallet changes.
    ///
    /// # Errors
    /// Any [`LagoError`]; [`LagoError::Rejected`] with 404 for an unknown tenant, 405 without a subscription.
    pub async fn prepaid(&self, tenant: &ExternalId) -> Result<Prepaid, LagoError> {
        let usage = self.current_usage(tenant).await?;
        let wallets = self.wallets(tenant).await?;
        let own =
            wallets.iter().filter(|wallet| wallet.status == WalletStatus::Active && wallet.currency == usage.currency);
        let balance_cents = own.fold(0i64, |sum, wallet| sum.saturating_add(wallet.balance_cents));
        Ok(Prepaid { currency: usage.currency, balance_cents, used_cents: usage.total_amount_cents })
    }
}
