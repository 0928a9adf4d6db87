//! `zama-jobs migrate`: brings the database's schema up to date, as its owner, and gives the application's role its rights.

use anyhow::{Context, Result, ensure};
use serde_json::json;
use settings::{Keeper, Settings};
use store::{PgPool, roles};

use super::{Role, parts, process};
use crate::output;

/// # Errors
/// The database is away, or holds other migrations than ours; or, in production, a process that serves keeps a secret
/// that is set here.
pub fn run(settings: &Settings, as_json: bool) -> Result<()> {
    settings.check_secrets(Keeper::Migrations)?;
    process::run(settings, Role::Tool, |_stop| async {
        let (owner, application) = (parts::owner_pool(settings)?, parts::pool(settings)?);
        Box::pin(apply(&owner, &application)).await?;
        match as_json {
            true => output::document(&json!({ "up_to_date": true })),
            false => output::line("the schema is up to date"),
        }
    })
}

/// The same with one pool as the schema's owner and one as the application's role, which may be one role.
///
/// # Errors
/// As [`run`]; or the two are connected to two databases.
pub(crate) async fn apply(owner: &PgPool, application: &PgPool) -> Result<()> {
    let owning = roles::session(owner).await.context("Failed to connect as database.migration_url says")?;
    // Before anything is changed: a password that is wrong here is wrong for every process.
    let serving = roles::session(application).await.context("Failed to connect as database.url says")?;
    ensure!(
        owning.shares_database_with(&serving),
        "database.migration_url and database.url lead to two databases; set both, or the former to \"\" for one role"
    );
    Box::pin(store::migrate(owner)).await.context("Failed to migrate")?;
    if owning.role == serving.role {
        return Ok(());
    }
    roles::grant(owner, &serving.role)
        .await
        .with_context(|| format!("Failed to give role {} its rights", serving.role))?;
    if roles::owns_the_ledger(application).await? {
        let role = serving.role;
        tracing::warn!(
            database.role = role,
            "role {role} of database.url is a superuser or a member of the schema's owner: it can rewrite the usage ledger"
        );
    }
    Ok(())
}
