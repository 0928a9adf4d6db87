//! Prepaid credits: top-ups to the billing system, each once, and what it tells of accounts.
//!
//! Lago takes the same top-up twice. So a try is written down before it is sent, nobody tries again for longer than Lago takes
//! for a request, and before anything but a first try Lago is asked whether it has the top-up.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use billing::{
    CurrentUsage, Decimal, ExternalId, LagoError, NewWallet, TransactionStatus, WalletId, WalletStatus,
    WalletTransaction,
};
use jobs::credits::{Counted, Told};
use jobs::usage::{Metric, Quantity};
use store::credits::accounts::{self as credit_accounts, Account, Ages, Owed};
use store::credits::top_ups::{self, Kind, Made, Outcome, Pauses, State, TopUp};
use uuid::Uuid;

use super::{BillingDelivery, Standing};

/// Code of the wallet that top-ups go to.
const WALLET: &str = "prepaid";
/// What invoices and Lago's pages call it.
const NAME: &str = "Prepaid credits";
/// Top-ups, and accounts, in one turn.
const AT_ONCE: i64 = 100;
/// After which a turn begins nothing more: its activity has two minutes.
const TURN: Duration = Duration::from_secs(45);
/// Within which a try that was noted must be sent: long before anybody may note another one.
const FRESH: Duration = Duration::from_secs(30);
/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 300;

/// How often something is tried or asked.
#[derive(Clone, Copy, Debug)]
pub struct CreditPace {
    pub pauses: Pauses,
    pub ages: Ages,
}

impl Default for CreditPace {
    fn default() -> Self {
        // A call of ours lasts 10 s at most, a request in Lago a minute.
        Self { pauses: Pauses { tried: 120.0, looked_at: 60.0 }, ages: Ages { required: 20.0, others: 300.0 } }
    }
}

impl BillingDelivery {
    /// Sends top-ups, looks whether those that were sent are paid, and asks for the accounts of tenants with credits. Tells
    /// how many top-ups moved on. One that cannot be settled does not hold back the others.
    ///
    /// # Errors
    /// The database is away, or what stopped the first of those that did not move on; the next turn tries again.
    pub async fn settle_credits(&self, pace: CreditPace) -> Result<u32> {
        let begun = Instant::now();
        let (mut moved, mut failed) = (0, None);
        let mut tenants = BTreeSet::new();
        for top_up in top_ups::due(&self.pool, pace.pauses, AT_ONCE).await? {
            if begun.elapsed() > TURN {
                break;
            }
            match Box::pin(self.settle_top_up(&top_up, pace.pauses)).await {
                Ok(false) => {}
                Ok(true) => {
                    moved += 1;
                    tenants.insert(top_up.tenant);
                }
                Err(error) => {
                    let (tenant, id) = (&top_up.tenant, top_up.id);
                    tracing::warn!(tenant.id = tenant, top_up.id = %id, error = format!("{error:#}"), "a top-up waits");
                    failed.get_or_insert_with(|| error.context(format!("top-up {id}")));
                }
            }
        }
        // Those whose credits have changed are not made to wait for their turn.
        tenants.extend(credit_accounts::due(&self.pool, pace.ages, AT_ONCE).await?);
        for tenant in tenants {
            if begun.elapsed() > TURN {
                break;
            }
            if let Err(error) = Box::pin(self.ask_for_account(&tenant)).await {
                tracing::warn!(tenant.id = tenant, error = format!("{error:#}"), "the account was not told");
                failed.get_or_insert_with(|| error.context(format!("account of {tenant}")));
            }
        }
        failed.map_or(Ok(moved), Err)
    }

    /// Whether it moved on.
    async fn settle_top_up(&self, top_up: &TopUp, pauses: Pauses) -> Result<bool> {
        match (top_up.state, top_up.wallet_id) {
            (State::Requested, _) => self.send(top_up, pauses).await,
            (State::Sent, Some(wallet)) => {
                let made = self.made_of(top_up, wallet).await?;
                let made = made.with_context(|| format!("the wallet {wallet} does not hold it any more"))?;
                let is_over = made.outcome != Outcome::Pending;
                Ok(self.note_made(top_up, &made).await? && is_over)
            }
            _ => Ok(false),
        }
    }

    async fn send(&self, top_up: &TopUp, pauses: Pauses) -> Result<bool> {
        let account = ExternalId::parse(&top_up.tenant)?;
        if self.ensure_account(&top_up.tenant, &account).await? == Standing::Ended {
            return self.refuse(top_up, "the tenant's subscription was terminated").await;
        }
        let wallet = match top_up.wallet_id {
            Some(wallet) => wallet,
            None => match self.wallet(&account, &top_up.currency).await {
                Ok(wallet) => wallet,
                Err(LagoError::Rejected { body, .. }) => return self.refuse(top_up, &body).await,
                Err(error) => return Err(error.into()),
            },
        };
        let noted = Instant::now();
        let Some(this) = top_ups::begin_try(&self.pool, top_up.id, wallet, pauses).await? else { return Ok(false) };
        if this.number > 1
            && let Some(made) = self.made_of(top_up, this.wallet).await?
        {
            return self.note_made(top_up, &made).await;
        }
        // Whoever was stopped here for long may not be the only one who tries.
        ensure!(noted.elapsed() < FRESH, "the try was noted too long ago to be sent");
        match self.lago.top_up(WalletId(this.wallet), &wish(top_up)).await {
            Ok(transactions) => {
                let made = only(top_up, transactions).context("Lago made nothing of it")?;
                self.note_made(top_up, &made).await
            }
            Err(LagoError::Rejected { body, .. }) => self.refuse(top_up, &body).await,
            Err(error) => Err(error.into()),
        }
    }

    /// The wallet for top-ups, made when there is none.
    async fn wallet(&self, account: &ExternalId, currency: &str) -> Result<Uuid, LagoError> {
        let new = NewWallet {
            customer: account.clone(),
            code: ExternalId::parse(WALLET)?,
            name: NAME.to_owned(),
            currency: currency.to_owned(),
            // A credit is one of the currency's main unit.
            rate: 1_u64.into(),
        };
        Ok(self.lago.create_wallet(&new).await?.id.0)
    }

    async fn made_of(&self, top_up: &TopUp, wallet: Uuid) -> Result<Option<Made>> {
        let transactions = self.lago.transactions_of_top_up(WalletId(wallet), top_up.id).await?;
        Ok(only(top_up, transactions))
    }

    async fn note_made(&self, top_up: &TopUp, made: &Made) -> Result<bool> {
        let is_new = top_ups::note(&self.pool, top_up.id, made).await?;
        if is_new && made.outcome != Outcome::Pending {
            let (cents, currency) = (top_up.amount_cents, top_up.currency.as_str());
            tracing::info!(tenant.id = top_up.tenant, top_up.id = %top_up.id, cents, currency, "a top-up is settled");
            metrics::counter!("zama_credit_top_ups_total").increment(1);
        }
        Ok(is_new)
    }

    async fn refuse(&self, top_up: &TopUp, reason: &str) -> Result<bool> {
        let reason: String = reason.chars().take(LONGEST_REASON).collect();
        tracing::error!(tenant.id = top_up.tenant, top_up.id = %top_up.id, reason, "a top-up was refused");
        metrics::counter!("zama_credit_refusals_total").increment(1);
        Ok(top_ups::refuse(&self.pool, top_up.id, &reason).await?)
    }

    /// Asks what a tenant has, and has used in the open period, and keeps the answer.
    ///
    /// # Errors
    /// Database or billing system away: what was told before stays.
    pub async fn ask_for_account(&self, tenant: &str) -> Result<()> {
        let account = ExternalId::parse(tenant)?;
        if self.ensure_account(tenant, &account).await? == Standing::Ended {
            return Ok(());
        }
        // Before anything is asked: what is delivered from now on may be in the answer, and counts as if it were not.
        let asking = credit_accounts::asking(&self.pool, tenant).await?;
        let subscription = self.lago.subscription(&account).await?.context("there is no subscription")?;
        let usage = self.lago.current_usage(&account).await?;
        let owed = self.owed(tenant, &account, &usage).await?;
        // Last: what an invoice draws meanwhile is counted twice for a moment, and never not at all.
        let wallets = self.lago.wallets(&account).await?;
        let counts =
            wallets.iter().filter(|wallet| wallet.status == WalletStatus::Active && wallet.currency == usage.currency);
        let told = Told {
            balance_cents: counts.map(|wallet| wallet.balance_cents).fold(0, i64::saturating_add),
            usage_cents: usage.total_amount_cents,
            units: units(&usage),
            owed_cents: owed.map_or(0, |owed| owed.cents),
            as_of: asking.as_of,
            plan: subscription.plan,
            currency: usage.currency,
        };
        let told = Account { told, period_from: usage.from, owed, rows_from: asking.rows_from };
        credit_accounts::keep(&self.pool, tenant, &told).await?;
        Ok(())
    }

    /// What was used in a period that is over, until its invoice has drawn it: meanwhile it is in no current usage.
    async fn owed(&self, tenant: &str, account: &ExternalId, usage: &CurrentUsage) -> Result<Option<Owed>> {
        let Some(before) = credit_accounts::find(&self.pool, tenant).await? else { return Ok(None) };
        let owed = if before.period_from < usage.from {
            let since = before.owed.map_or(0, |owed| owed.cents);
            Some(Owed { cents: before.told.usage_cents.saturating_add(since), from: before.period_from })
        } else {
            before.owed
        };
        let Some(owed) = owed.filter(|owed| owed.cents > 0) else { return Ok(None) };
        let end = owed.from + chrono::Duration::seconds(1);
        let is_invoiced = !self.lago.invoices_of(account, owed.from, end).await?.is_empty();
        Ok(Some(owed).filter(|_| !is_invoiced))
    }
}

/// A top-up as Lago takes it.
fn wish(top_up: &TopUp) -> billing::TopUp {
    // Two decimals, as all currencies of the price list have.
    let credits = Decimal::scaled(top_up.amount_cents.unsigned_abs(), 2);
    let (paid, granted) = match top_up.kind {
        Kind::Paid => (credits, Decimal::zero()),
        Kind::Granted => (Decimal::zero(), credits),
    };
    billing::TopUp { id: top_up.id, paid, granted, name: Some(NAME.to_owned()) }
}

/// What was made of a top-up: one transaction. Of more, which nobody of ours has sent, the first one counts.
fn only(top_up: &TopUp, mut transactions: Vec<WalletTransaction>) -> Option<Made> {
    transactions.sort_by_key(|transaction| transaction.created_at);
    if transactions.len() > 1 {
        metrics::counter!("zama_credit_duplicates_total").increment(1);
        tracing::error!(top_up.id = %top_up.id, count = transactions.len(), "Lago holds a top-up more than once");
    }
    let first = transactions.into_iter().next()?;
    let outcome = match first.status {
        TransactionStatus::Pending => Outcome::Pending,
        TransactionStatus::Settled => Outcome::Settled,
        TransactionStatus::Failed => Outcome::Failed("it was not paid".to_owned()),
    };
    Some(Made { transaction: first.id, invoice: first.invoice, outcome })
}

/// What Lago has counted, as the ledger counts; metrics that are not ours are not.
fn units(usage: &CurrentUsage) -> Counted {
    let counted = usage.lines.iter().filter_map(|line| {
        let metric = line.metric.parse::<Metric>().ok()?;
        let units = line.units.to_string().parse::<Quantity>().ok()?;
        Some((metric, metric.counted(&units)?))
    });
    counted.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn top_up(kind: Kind) -> TopUp {
        TopUp {
            id: Uuid::nil(),
            tenant: "acme".to_owned(),
            amount_cents: 5_005,
            currency: "EUR".to_owned(),
            kind,
            requested_by: None,
            state: State::Requested,
            created_at: chrono::DateTime::UNIX_EPOCH,
            sent_at: None,
            settled_at: None,
            wallet_id: None,
            transaction_id: None,
            invoice_id: None,
            refusal: None,
        }
    }

    #[test]
    fn cents_become_credits_without_a_rest() {
        let paid = wish(&top_up(Kind::Paid));
        assert_eq!((paid.paid.to_string().as_str(), paid.granted.is_zero()), ("50.05", true));
        let granted = wish(&top_up(Kind::Granted));
        assert_eq!((granted.paid.is_zero(), granted.granted.to_string().as_str()), (true, "50.05"));
    }

    #[test]
    fn nobody_may_try_again_while_a_try_can_still_be_under_way() {
        let patience = Duration::from_secs_f64(CreditPace::default().pauses.tried);
        // FRESH to be sent, 10 s to be answered, a minute in Lago.
        assert!(patience > FRESH + Duration::from_secs(10) + Duration::from_secs(60));
    }
}
