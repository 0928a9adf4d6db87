//! `zama-jobs chain confirm-failed`: whether a tenant's failed jobs are put on chain.

use anyhow::Result;
use clap::Args;
use jobs::TenantId;
use serde_json::json;
use settings::Settings;
use store::audit::Note;
use store::tenants::{self, FailedJobs};

use super::exit::{ChainExit, WrongSetUp};
use super::{Format, parts};
use crate::commands::closed;

#[derive(Args)]
pub struct ConfirmFailedArgs {
    /// The tenant.
    tenant: TenantId,
    /// on or off; shows how it is set when not given. Counts for jobs that fail from then on.
    #[arg(value_parser = switch)]
    switch: Option<FailedJobs>,
}

/// # Errors
/// There is no such tenant, it is closed, or the database is away.
pub(super) async fn run(settings: &Settings, args: &ConfirmFailedArgs, format: Format) -> Result<ChainExit> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let tenant = &args.tenant;
    let before = match args.switch {
        Some(switch) => {
            closed::refuse(&pool, tenant).await?;
            let about = json!({ "confirm_failed": switch == FailedJobs::Confirmed });
            let note = Note::by_operator(tenant, "chain confirm-failed", format!("/v1/tenants/{tenant}"), about);
            tenants::set_failed_jobs(&pool, tenant, switch, &note).await?
        }
        None => tenants::failed_jobs(&pool, tenant).await?,
    };
    let before = before.ok_or_else(|| WrongSetUp(format!("there is no tenant {tenant}")))?;
    let now = args.switch.unwrap_or(before);
    let document =
        json!({ "tenant": tenant, "confirm_failed": now == FailedJobs::Confirmed, "changed": now != before });
    format.answer(&document, || format!("failed jobs of {tenant}: {}\n", told(now)))?;
    Ok(ChainExit::Done)
}

fn told(failed: FailedJobs) -> &'static str {
    match failed {
        FailedJobs::Confirmed => "confirmed on chain",
        FailedJobs::LeftOut => "not confirmed",
    }
}

fn switch(text: &str) -> Result<FailedJobs, String> {
    match text {
        "on" => Ok(FailedJobs::Confirmed),
        "off" => Ok(FailedJobs::LeftOut),
        _ => Err("is neither on nor off".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_on_or_off() {
        assert_eq!(switch("on"), Ok(FailedJobs::Confirmed));
        assert_eq!(switch("off"), Ok(FailedJobs::LeftOut));
        assert!(switch("true").is_err());
    }
}
