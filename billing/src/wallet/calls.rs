//! What is asked of Lago about wallets.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::json;
use uuid::Uuid;

use super::{NewWallet, TOP_UP_KEY, TopUp, Wallet, WalletId, WalletStatus, WalletTransaction, wire};
use crate::query::Query;
use crate::{ExternalId, LagoClient, LagoError};

/// Wallets or transactions in one page of a list; Lago gives no more.
const A_PAGE: u32 = 100;

impl LagoClient {
    /// The customer's wallets, terminated ones included.
    ///
    /// # Errors
    /// Any [`LagoError`].
    pub async fn wallets(&self, customer: &ExternalId) -> Result<Vec<Wallet>, LagoError> {
        let external_customer_id = customer.as_str();
        let query = |page| Query::Wallets { external_customer_id, page, per_page: A_PAGE };
        let pages: Vec<wire::Wallets> = self.pages(&["wallets"], query).await?;
        pages.into_iter().flat_map(|page| page.wallets).map(wire::WalletBody::read).collect()
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
        let query = |page| Query::WalletTransactions { page, per_page: A_PAGE };
        let pages: Vec<wire::Transactions> = self.pages(&path, query).await?;
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

    async fn pages<'a, T: DeserializeOwned + wire::Page>(
        &self,
        path: &[&str],
        query: impl Fn(u32) -> Query<'a> + Send + Sync,
    ) -> Result<Vec<T>, LagoError> {
        let mut pages: Vec<T> = Vec::new();
        let mut page = 1;
        loop {
            // A missing parent is an error of the caller's, which an empty list would hide.
            let found: T = self.get_with(path, &query(page)).await?;
            let next = found.next_page();
            pages.push(found);
            match next {
                Some(next) if next > page => page = next,
                _ => return Ok(pages),
            }
        }
    }
}
