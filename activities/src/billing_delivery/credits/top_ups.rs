//! Top-ups to the billing system, each once, and whether they are paid.
//!
//! Lago takes the same top-up twice. So a try is written down before it is sent, nobody tries again for longer than Lago takes
//! for a request, and before anything but a first try Lago is asked whether it has the top-up.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use billing::{Decimal, ExternalId, LagoError, NewWallet, TransactionStatus, WalletId, WalletTransaction};
use store::credits::top_ups::{self, Kind, Made, Outcome, Pauses, Sent, TopUp};
use uuid::Uuid;

use super::Progress;
use crate::billing_delivery::{BillingDelivery, Standing};

/// Code of the wallet that top-ups go to.
const WALLET: &str = "prepaid";
/// What invoices and Lago's pages call it.
const NAME: &str = "Prepaid credits";
/// Within which a try that was noted must be sent: long before anybody may note another one.
const FRESH: Duration = Duration::from_secs(30);
/// Status of what Lago read and refuses for what it says ...
const UNPROCESSABLE: u16 = 422;
/// ... unless it says so of what is not there: an emptied Lago, or another one.
const NOT_THERE: [&str; 2] = ["customer_not_found", "wallet_not_found"];
/// Why a top-up that was asked for before its tenant was closed was not sent.
const CLOSED: &str = "the tenant was closed";
/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 300;

impl BillingDelivery {
    /// Whether it moved on.
    pub(super) async fn send(&self, top_up: &TopUp, pauses: Pauses) -> Result<bool> {
        let account = ExternalId::parse(&top_up.tenant)?;
        if top_ups::refuse_of_closed(&self.pool, top_up.id, CLOSED).await? {
            tell_unsent(top_up);
            return Ok(true);
        }
        let standing = self.ensure_account(&top_up.tenant, &account).await?;
        let wallet = match top_up.wallet_id {
            Some(wallet) => wallet,
            // Somebody else tried it, or the tenant was closed, a moment ago: the next turn knows.
            None if standing == Standing::Ended => return Ok(false),
            None => match self.wallet(&account, &top_up.currency).await {
                Ok(wallet) => wallet,
                Err(error) => return self.refuse(top_up, &for_good(error)?).await,
            },
        };
        let noted = Instant::now();
        let Some(this) = top_ups::begin_try(&self.pool, top_up.id, wallet, pauses).await? else { return Ok(false) };
        if this.number > 1 {
            let made = self.lago.transactions_of_top_up(WalletId(this.wallet), top_up.id).await?;
            if let Some(made) = only(top_up, made) {
                return self.note_made(top_up, &made).await;
            }
        }
        if this.is_closed {
            tell_unsent(top_up);
            return Ok(top_ups::refuse(&self.pool, top_up.id, CLOSED).await?);
        }
        // Whoever was stopped here for long may not be the only one who tries.
        ensure!(noted.elapsed() < FRESH, "the try was noted too long ago to be sent");
        match self.lago.top_up(WalletId(this.wallet), &wish(top_up)).await {
            Ok(transactions) => {
                let made = only(top_up, transactions).context("Lago made nothing of it")?;
                self.note_made(top_up, &made).await
            }
            Err(error) => self.refuse(top_up, &for_good(error)?).await,
        }
    }

    /// Looks what became of the top-ups of a wallet that were sent: one reading of its transactions for all of them.
    pub(super) async fn look_at(&self, sent: &Sent, progress: &mut Progress) {
        let all = match self.transactions(sent.wallet).await {
            Ok(all) => all,
            Err(error) => {
                let (tenant, wallet) = (&sent.tenant, sent.wallet);
                tracing::warn!(tenant.id = tenant, wallet.id = %wallet, error = format!("{error:#}"), "top-ups wait");
                progress.failed.get_or_insert_with(|| error.context(format!("wallet {wallet}")));
                return;
            }
        };
        for top_up in &sent.top_ups {
            let own = all.iter().filter(|transaction| transaction.top_up == Some(top_up.id)).cloned().collect();
            let noted = match only(top_up, own) {
                Some(made) => {
                    let is_over = made.outcome != Outcome::Pending;
                    self.note_made(top_up, &made).await.map(|is_new| is_new && is_over)
                }
                None => Err(anyhow!("the wallet {} does not hold it any more", sent.wallet)),
            };
            progress.top_up(top_up, noted);
        }
    }

    async fn transactions(&self, wallet: Uuid) -> Result<Vec<WalletTransaction>> {
        top_ups::begin_look(&self.pool, wallet).await?;
        Ok(self.lago.wallet_transactions(WalletId(wallet)).await?)
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
}

/// Lago's words, where it refuses a wish as such. Whatever else stops one, a right that the key has not, an address where there
/// is no such wallet, somebody can mend: it is tried again.
fn for_good(error: LagoError) -> Result<String, LagoError> {
    match error {
        LagoError::Rejected { status: UNPROCESSABLE, body } if !NOT_THERE.iter().any(|code| body.contains(*code)) => {
            Ok(body)
        }
        error => Err(error),
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

fn tell_unsent(top_up: &TopUp) {
    tracing::info!(tenant.id = top_up.tenant, top_up.id = %top_up.id, "a closed tenant's top-up is not sent");
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

#[cfg(test)]
mod tests {
    use store::credits::top_ups::State;

    use super::*;
    use crate::billing_delivery::CreditPace;

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
    fn a_top_up_ends_by_the_refusal_of_the_wish_itself_alone() {
        let refused = |status, body: &str| for_good(LagoError::Rejected { status, body: body.to_owned() });
        let terminated = r#"{"error_details":{"wallet_id":["wallet_is_terminated"]}}"#;
        assert_eq!(refused(422, terminated).unwrap(), terminated);
        for (status, body) in [
            (400, "BadRequest"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (422, r#"{"error_details":{"customer":["customer_not_found"]}}"#),
            (422, r#"{"error_details":{"wallet_id":["wallet_not_found"]}}"#),
        ] {
            assert!(refused(status, body).is_err(), "{status}: {body}");
        }
        assert!(for_good(LagoError::Unauthorized).is_err());
    }

    #[test]
    fn nobody_may_try_again_while_a_try_can_still_be_under_way() {
        let patience = Duration::from_secs_f64(CreditPace::default().pauses.tried);
        // FRESH to be sent, 10 s to be answered, a minute in Lago.
        assert!(patience > FRESH + Duration::from_secs(10) + Duration::from_secs(60));
    }
}
