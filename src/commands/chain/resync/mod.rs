//! `zama-jobs chain resync`: holds the database against the chain's events and rebuilds what it lacks.
//!
//! ```text
//! read the chain's events ── compare with the stored batches ── find the leaves of lost ones ── mend, or only tell
//! ```
//! What is put back is recomputed first: a batch only if its leaves lead to the very root that the chain confirmed.

mod compare;
mod indices;
mod mend;
mod receipts;
mod report;
mod search;

use std::path::PathBuf;

use ::chain::{ChainError, Node};
use anyhow::{Result, bail};
use clap::Args;
use settings::Settings;
use store::{PgPool, batches, resync};

use super::exit::ChainExit;
use super::{Format, NamedNode, node, parts, stored_registry};
use compare::compare;
use mend::{Mended, Mender};
use report::Report;

#[derive(Args)]
pub struct ResyncArgs {
    /// Tell what would be done, and change nothing. Workers may go on meanwhile
    #[arg(long)]
    dry_run: bool,
    /// A receipt, or a folder of them: names jobs whose index the database forgot. May be given several times
    #[arg(long, value_name = "PATH")]
    receipts: Vec<PathBuf>,
    /// First block to read; nothing was confirmed before it
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    from_block: u64,
}

/// # Errors
/// Settings or receipts that cannot be used, a node or a database that is away, or a batcher that is at work.
pub(super) async fn run(settings: &Settings, args: &ResyncArgs, format: Format) -> Result<ChainExit> {
    let (NamedNode { node, .. }, on) = (node(settings).await?, stored_registry(settings)?);
    check(settings, &node).await?;
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    // Whoever seals meanwhile would give jobs a second index.
    let mut leadership = match args.dry_run {
        true => None,
        false => Some(lead(&pool, &on).await?),
    };
    let history = node.history(args.from_block, settings.chain.confirmations).await?;
    let read = receipts::read(&args.receipts, settings.chain.chain_id, on.address.into()).await?;
    let stored = resync::batches(&pool, &on).await?;
    let drifts = compare(&history, &stored)?;
    let mender = Mender {
        pool: &pool,
        node: &node,
        on,
        receipts: &read.leaves,
        is_dry_run: args.dry_run,
        may_forget: settings.development.chain_may_forget,
    };
    let Mended { mut rows, differing } = Box::pin(mender.mend_all(drifts, leadership.as_mut())).await?;
    if let Some(leadership) = &mut leadership {
        leadership.check().await?;
    }
    rows.extend(mender.move_sequence(&history, &stored).await?);
    if !args.dry_run {
        mender.finalize(&history).await?;
    }
    if let Some(leadership) = &mut leadership {
        leadership.check().await?;
    }
    let agreeing = history.batches.len() - differing;
    let report = Report { is_dry_run: args.dry_run, to: history.to, agreeing, ignored: read.ignored, rows };
    format.answer(&report.document(), || report.text())?;
    Ok(if report.is_clean() { ChainExit::Done } else { ChainExit::Trouble })
}

/// Refuses to compare with another chain or contract: every batch would seem to be gone.
async fn check(settings: &Settings, node: &Node) -> Result<()> {
    let (actual, expected) = (node.chain_id().await?, settings.chain.chain_id);
    if actual != expected {
        return Err(ChainError::WrongChain { expected, actual }.into());
    }
    let newest = node.newest().await?;
    Ok(node.require_registry(newest).await?)
}

async fn lead(pool: &PgPool, on: &batches::Registry) -> Result<batches::Leadership> {
    let Some(leadership) = batches::lead(pool, on).await? else {
        bail!("a batcher is at work on this registry: stop the workers of queue jobs first, or use --dry-run");
    };
    Ok(leadership)
}
