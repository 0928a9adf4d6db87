//! A nonce that no block has used: the dearest of its transactions must be at the node, at a price that gets it through.

use anyhow::Result;
use chain::{ChainError, Fees, Sender};
use chrono::Utc;
use store::transactions::{self, Need, Purpose, Tracked, TransactionState, Written};
use tokio::time::Instant;

use super::super::sending::{self, Offer};
use super::super::{ConfirmBatches, mortality};
use super::trouble::Trouble;
use super::{Outlook, Tending, is_anchor, was_in_a_block};

/// Seconds after which a node gets a transaction again that may have been dropped.
const AGAIN_SECONDS: i64 = 15;

/// What to do with the dearest transaction of a nonce.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Wait,
    Offer,
    /// No node has taken it: what is dearer helps only where another one outbids it.
    OfferOrRaise(Fees),
    Raise(Fees),
    /// It should be raised and the cap forbids it.
    AtCap,
}

/// Whether a nonce's transactions are where they should be.
enum Reach {
    AtTheNode,
    Outbid(Trouble),
    Refused(Trouble),
}

impl ConfirmBatches {
    pub(super) async fn push(
        &self,
        sender: &Sender,
        variants: &[Tracked],
        outlook: &Outlook,
        tending: &mut Tending,
    ) -> Result<Option<Trouble>> {
        if variants.iter().any(is_anchor) {
            // Its block is gone, or the node is behind: the anchors are compared elsewhere.
            return Ok(None);
        }
        for variant in variants {
            if was_in_a_block(variant) {
                tracing::warn!(batch.id = %variant.batch, chain.nonce = variant.transaction.nonce, "its block is gone");
                transactions::return_to_pool(&self.pool, variant.transaction.tx_hash).await?;
            } else if variant.overtaken_block.is_some() {
                transactions::forget_overtaken(&self.pool, variant.transaction.tx_hash).await?;
            }
        }
        let Some(dearest) = variants.iter().find(|variant| variant.state != TransactionState::Abandoned) else {
            return Ok(None);
        };
        match self.step(dearest, outlook, tending) {
            Step::Wait => Ok(None),
            Step::Offer => Ok(match self.offer_again(sender, variants).await? {
                Reach::AtTheNode => None,
                Reach::Outbid(trouble) | Reach::Refused(trouble) => Some(trouble),
            }),
            Step::OfferOrRaise(fees) => match self.offer_again(sender, variants).await? {
                Reach::AtTheNode => Ok(None),
                Reach::Refused(trouble) => Ok(Some(trouble)),
                Reach::Outbid(_) => self.raise(sender, variants, fees, (outlook, tending)).await,
            },
            Step::Raise(fees) => self.raise(sender, variants, fees, (outlook, tending)).await,
            Step::AtCap => {
                self.offer_again(sender, variants).await?;
                Ok(Some(Trouble::AtCap { cap: self.batching.fees.cap, base_fee: outlook.market.base_fee }))
            }
        }
    }

    fn step(&self, dearest: &Tracked, outlook: &Outlook, tending: &Tending) -> Step {
        let policy = &self.batching.fees;
        let offered = offered(dearest);
        let too_cheap = outlook.market.base_fee > offered.max_fee_per_gas;
        let is_first = dearest.transaction.nonce == outlook.next;
        let stuck = is_first && tending.line.is_stuck(policy.patience, outlook.head, Instant::now());
        if !too_cheap && !stuck {
            return if is_fresh(dearest) { Step::Wait } else { Step::Offer };
        }
        match policy.raised(offered, outlook.market) {
            None => Step::AtCap,
            Some(fees) if too_cheap || dearest.sent_at.is_some() => Step::Raise(fees),
            Some(fees) => Step::OfferOrRaise(fees),
        }
    }

    /// Signs what is dearest again with these fees, and sends it. What can do nothing any more, because its batch is
    /// confirmed by another transaction, is not raised: a filler gets its nonce. Tells what hinders it: no other batch
    /// waits for that, and the next raise comes no sooner.
    async fn raise(
        &self,
        sender: &Sender,
        variants: &[Tracked],
        fees: Fees,
        (outlook, tending): (&Outlook, &mut Tending),
    ) -> Result<Option<Trouble>> {
        let Some(last) = variants.iter().find(|variant| variant.state != TransactionState::Abandoned) else {
            return Ok(None);
        };
        let nonce = last.transaction.nonce;
        match sender.require_means_again(&last.transaction.raw, fees).await {
            Err(error @ ChainError::CannotPay { .. }) => {
                self.offer_again(sender, variants).await?;
                return Ok(Some(Trouble::CannotPay { nonce, why: error.to_string() }));
            }
            means => means?,
        }
        let (signed, purpose) = match (last.purpose, last.need) {
            (Purpose::Batch, Need::Settled) => (sender.sign_filler(nonce, fees).await?, Purpose::Filler),
            (purpose, _) => (sender.sign_again(&last.transaction.raw, fees).await?, purpose),
        };
        let raised = sending::transaction(&signed);
        if transactions::write_ahead(&self.pool, last.batch, purpose, &raised).await? == Written::NonceTaken {
            self.offer_again(sender, variants).await?;
            return Ok(None);
        }
        // Whatever the node says to it.
        tending.line.moved(outlook.head, Instant::now());
        metrics::counter!("zama_fee_raises_total").increment(1);
        tracing::info!(
            batch.id = %last.batch, chain.nonce = nonce, chain.tx = %signed.hash,
            chain.max_fee_wei = signed.fees.max_fee_per_gas as u64, ?purpose, "fees raised"
        );
        mortality::after(mortality::Step::Raised);
        Ok(Trouble::of(nonce, &self.offer(sender, &raised).await?))
    }

    /// Offers the dearest that the node takes, unless it has had it lately.
    async fn offer_again(&self, sender: &Sender, variants: &[Tracked]) -> Result<Reach> {
        let mut refused = None;
        for variant in variants.iter().filter(|variant| variant.state != TransactionState::Abandoned) {
            if is_fresh(variant) {
                break;
            }
            let offer = self.offer(sender, &variant.transaction).await?;
            let trouble = Trouble::of(variant.transaction.nonce, &offer);
            match (offer, trouble) {
                (Offer::Refused(_), trouble) => refused = refused.or(trouble),
                (Offer::Outbid(_), Some(trouble)) if refused.is_none() => return Ok(Reach::Outbid(trouble)),
                _ => break,
            }
        }
        Ok(refused.map_or(Reach::AtTheNode, Reach::Refused))
    }
}

/// Whether a node took it lately, and has not lost it with a block.
fn is_fresh(variant: &Tracked) -> bool {
    let sent = variant.sent_at.filter(|_| !was_in_a_block(variant));
    sent.is_some_and(|at| (Utc::now() - at).num_seconds() < AGAIN_SECONDS)
}

fn offered(transaction: &Tracked) -> Fees {
    Fees {
        max_fee_per_gas: transaction.transaction.max_fee_per_gas,
        max_priority_fee_per_gas: transaction.transaction.max_priority_fee_per_gas,
    }
}
