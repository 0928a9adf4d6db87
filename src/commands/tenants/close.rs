//! `zama-jobs tenants close`: the end of a tenant. Nothing of it is deleted: ledger and receipts are kept.

use anyhow::{Context, Result, bail};
use clap::Args;
use jobs::TenantId;
use serde_json::json;
use settings::Settings;
use store::accounts;
use store::audit::Note;

use super::super::confirmation::is_agreed;
use super::super::parts;
use super::Format;
use crate::output;

/// What `close` takes.
#[derive(Args)]
pub struct CloseArgs {
    /// The tenant.
    tenant: TenantId,
    /// Close it without asking.
    #[arg(long, short)]
    yes: bool,
}

/// # Errors
/// There is no such tenant, nobody said yes, or the database is away.
pub(super) async fn run(settings: &Settings, args: &CloseArgs, format: Format) -> Result<()> {
    let tenant = &args.tenant;
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    if !args.yes {
        output::notice(format_args!(
            "{tenant} and its sandbox are closed to everybody, for good; jobs that go on are ended and billed, and then \
             its subscription is terminated"
        ));
        if !is_agreed("close it?", "nothing was changed")? {
            bail!("{tenant} was not closed");
        }
    }
    let note = Note::by_operator(tenant, "tenants close", format!("/v1/tenants/{tenant}"), json!({}));
    let closed =
        accounts::close(&pool, tenant, &note).await?.with_context(|| format!("there is no tenant {tenant}"))?;
    let document = json!({ "tenant": tenant, "closed_at": closed });
    format.answer(&document, || format!("{tenant} is closed since {}\n", output::moment(closed)))
}
