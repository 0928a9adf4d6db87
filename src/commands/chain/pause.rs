//! `zama-jobs chain pause` and `unpause`.

use ::chain::{Administration, Change};
use anyhow::Result;
use settings::Settings;

use super::exit::ChainExit;
use super::plan::{self, SendArgs};
use super::{Format, admin, registry};

/// # Errors
/// The account of `chain.deployer_key` may not pause (or, as no admin, not resume) or cannot pay; the node is away.
pub(super) async fn run(settings: &Settings, args: &SendArgs, change: Change, format: Format) -> Result<ChainExit> {
    let administration = Administration::connect(admin(settings), registry(settings)?).await?;
    Box::pin(plan::answer(&administration, &[change], args, format)).await
}
