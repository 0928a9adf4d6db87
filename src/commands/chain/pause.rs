//! `zama-jobs chain pause` and `unpause`.

use ::chain::Change;
use anyhow::Result;
use settings::Settings;

use super::Format;
use super::exit::ChainExit;
use super::plan::{self, SendArgs};

/// # Errors
/// The account of `chain.deployer_…` may not pause (or, as no admin, not resume) or cannot pay; the node is away.
pub(super) async fn run(settings: &Settings, args: &SendArgs, change: Change, format: Format) -> Result<ChainExit> {
    Box::pin(plan::answer(settings, change, args, format)).await
}
