//! The account's transactions on their way: kept at the node, raised when they are stuck, and followed until each nonce
//! is used for good. What is decided here is decided for all of an account's nonces in order, whatever batch they carry.

mod line;
mod pushing;
mod trouble;

use anyhow::Result;
use chain::{Market, Outcome, Sender, Standing, TransactionCount};
use store::transactions::{self, InBlock, Purpose, Tracked, TransactionState, Written};
use tokio::time::Instant;

use super::{ConfirmBatches, Shift, mortality, sending};
use line::Line;
use trouble::Trouble;

/// Nonces looked after in one go.
const NONCES: i64 = 100;

/// What this process knows of its account's transactions beyond what is written down.
#[derive(Default)]
pub(super) struct Tending {
    line: Line,
    /// What keeps transactions from landing.
    trouble: Option<Trouble>,
}

impl Tending {
    /// In words, for operators.
    pub(super) fn told(&self) -> Option<String> {
        self.trouble.as_ref().map(ToString::to_string)
    }

    /// Tells a trouble once, and again when it is another one.
    fn tell(&mut self, trouble: Option<Trouble>) {
        if let Some(trouble) = trouble.as_ref().filter(|now| !self.trouble.as_ref().is_some_and(|was| was.is_as(now))) {
            tracing::warn!(%trouble, "transactions wait");
        }
        let is_at_cap = matches!(trouble, Some(Trouble::AtCap { .. }));
        metrics::gauge!("zama_fee_cap_reached").set(if is_at_cap { 1.0 } else { 0.0 });
        self.trouble = trouble;
    }
}

/// The chain and its market at one look.
#[derive(Clone, Copy, Debug)]
struct Outlook {
    head: u64,
    /// The next nonce that a block can take.
    next: u64,
    market: Market,
}

impl ConfirmBatches {
    /// One look at all transactions that are not settled.
    pub(super) async fn tend(&self, sender: &Sender, shift: &mut Shift, head: u64) -> Result<()> {
        let Shift { tending, pulse, .. } = shift;
        let tracked = transactions::unsettled(&self.pool, &self.account(sender)?, NONCES).await?;
        metrics::gauge!("zama_transactions_unsettled").set(tracked.iter().filter(|t| t.state.is_live()).count() as f64);
        if tracked.is_empty() {
            tending.line = Line::default();
            tending.tell(None);
            return Ok(());
        }
        let next = sender.client().transaction_count(sender.address(), TransactionCount::Latest).await?;
        let outlook = Outlook { head, next, market: sender.market().await? };
        tending.line.stands_at(next, head, Instant::now());
        let mut trouble = None;
        let nonces: Vec<&[Tracked]> =
            tracked.chunk_by(|one, other| one.transaction.nonce == other.transaction.nonce).collect();
        for variants in nonces {
            pulse.notify_one();
            if variants[0].transaction.nonce < next {
                self.settle(sender, variants, head).await?;
            } else {
                let told = self.push(sender, variants, &outlook, tending).await?;
                trouble = trouble.or(told);
            }
        }
        let waits = tracked.iter().find(|t| t.transaction.nonce >= next && t.state.is_live());
        if let Some(first) = waits.filter(|first| first.transaction.nonce > next) {
            let told = self.close_gap(sender, first, &outlook, tending).await?;
            trouble = trouble.or(told);
        }
        tending.tell(trouble);
        Ok(())
    }

    /// A nonce that a block has used: by which of ours, and is it deep enough to be believed?
    async fn settle(&self, sender: &Sender, variants: &[Tracked], head: u64) -> Result<()> {
        let Some((landed, block)) = self.landed(sender, variants).await? else {
            return self.overtaken(sender, variants, head).await;
        };
        let is_deep = self.is_deep(block.number, head)?;
        if !is_deep {
            return Ok(());
        }
        let hash = landed.transaction.tx_hash;
        match (landed.purpose, landed.state) {
            (Purpose::Filler, TransactionState::Mined) => transactions::filler_is_deep(&self.pool, hash).await?,
            (_, TransactionState::Reverted) => {
                transactions::abandon(&self.pool, hash, &format!("refused in block {}", block.number)).await?;
            }
            _ => {}
        }
        for other in variants {
            if other.batch != landed.batch && other.state.is_live() {
                let reason = "another batch has its nonce";
                transactions::abandon(&self.pool, other.transaction.tx_hash, reason).await?;
            }
        }
        Ok(())
    }

    /// The variant that stands in a canonical block, and notes it.
    async fn landed(&self, sender: &Sender, variants: &[Tracked]) -> Result<Option<(Tracked, InBlock)>> {
        // One that is known to be in a block costs one question as long as the block is there.
        for known in variants {
            let Some(block) = known.block else { continue };
            let standing = sender.client().standing(u64::try_from(block.number)?, block.hash.into()).await?;
            if standing == Standing::Canonical {
                return Ok(Some((known.clone(), block)));
            }
        }
        for variant in variants {
            if is_anchor(variant) {
                continue;
            }
            let hash = variant.transaction.tx_hash;
            let Some(landing) = sender.landing(hash.into()).await? else { continue };
            let did_its_work = landing.outcome == Outcome::Confirmed || variant.purpose == Purpose::Filler;
            let state = if did_its_work { TransactionState::Mined } else { TransactionState::Reverted };
            let block = InBlock { number: i64::try_from(landing.block_number)?, hash: landing.block_hash.0 };
            transactions::landed(&self.pool, hash, state, block).await?;
            mortality::after(mortality::Step::Mined);
            tracing::info!(
                batch.id = %variant.batch, chain.tx = %alloy::primitives::B256::from(hash), chain.block = block.number,
                "{}", if did_its_work { "mined" } else { "mined, and it did nothing there" }
            );
            return Ok(Some((Tracked { state, block: Some(block), ..variant.clone() }, block)));
        }
        Ok(None)
    }

    /// None of ours is in a block and the nonce is used: a stranger sends with our key. Ours are given up when the
    /// stranger's is as deep as a confirmation; until then the chain may take it back.
    async fn overtaken(&self, sender: &Sender, variants: &[Tracked], head: u64) -> Result<()> {
        let mut given_up = None;
        for variant in variants {
            if !variant.state.is_live() {
                continue;
            }
            let hash = variant.transaction.tx_hash;
            if variant.block.is_some() {
                transactions::return_to_pool(&self.pool, hash).await?;
            }
            let Some(seen) = variant.overtaken_block else {
                transactions::note_overtaken(&self.pool, hash, i64::try_from(head)?).await?;
                continue;
            };
            if self.is_deep(seen, head)? {
                transactions::abandon(&self.pool, hash, "a stranger's transaction has its nonce").await?;
                mortality::after(mortality::Step::Overtaken);
                given_up = Some(variant);
            }
        }
        if let Some(variant) = given_up {
            metrics::counter!("zama_nonces_stolen_total").increment(1);
            tracing::error!(
                batch.id = %variant.batch, chain.nonce = variant.transaction.nonce, chain.account = %sender.address(),
                "a transaction that is not ours has used our nonce; somebody else holds the confirmer's key"
            );
        }
        Ok(())
    }

    /// Nothing of ours has the account's next nonce, and ours wait behind it: something was dropped. What we once signed
    /// for it is sent again; a stranger's nonce is filled.
    async fn close_gap(
        &self,
        sender: &Sender,
        first: &Tracked,
        outlook: &Outlook,
        tending: &mut Tending,
    ) -> Result<Option<Trouble>> {
        let gap = outlook.next;
        if !tending.line.is_stuck(line::GAP, outlook.head, Instant::now()) {
            return Ok(None);
        }
        let known = transactions::with_nonce(&self.pool, &self.account(sender)?, gap).await?;
        if known.iter().any(is_anchor) {
            return Ok(Some(Trouble::NodeForgot { nonce: gap }));
        }
        metrics::counter!("zama_nonce_gaps_total").increment(1);
        tracing::warn!(
            chain.nonce = gap,
            known = known.len(),
            "transactions wait behind a nonce that nobody has; filling it"
        );
        tending.line.moved(outlook.head, Instant::now());
        if let Some(dearest) = known.first() {
            transactions::return_to_pool(&self.pool, dearest.transaction.tx_hash).await?;
            return Ok(Trouble::of(gap, &self.offer(sender, &dearest.transaction).await?));
        }
        let signed = sender.sign_filler(gap, self.batching.fees.first(outlook.market)).await?;
        let filler = sending::transaction(&signed);
        if transactions::write_ahead(&self.pool, first.batch, Purpose::Filler, &filler).await? == Written::NonceTaken {
            return Ok(None);
        }
        mortality::after(mortality::Step::Filled);
        Ok(Trouble::of(gap, &self.offer(sender, &filler).await?))
    }

    fn is_deep(&self, block: i64, head: u64) -> Result<bool> {
        let depth = i64::try_from(head)?.saturating_sub(block).saturating_add(1);
        Ok(u64::try_from(depth).unwrap_or(0) >= self.batching.chain.confirmations)
    }
}

/// Whether its batch counts as confirmed by it: whether its block is still there is looked at with the anchors.
fn is_anchor(variant: &Tracked) -> bool {
    let is_settled = matches!(variant.state, TransactionState::Confirmed | TransactionState::Finalized);
    is_settled && variant.purpose == Purpose::Batch
}

/// Whether it, or another one of its nonce, stood in a block that is gone when no block has used the nonce.
fn was_in_a_block(variant: &Tracked) -> bool {
    variant.block.is_some() || variant.state == TransactionState::Replaced
}
