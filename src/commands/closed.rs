//! What a closed tenant is refused: nobody acts in it any more, and what ends is not changed before its last invoice.

use anyhow::{Result, bail};
use chrono::{DateTime, Utc};
use jobs::TenantId;
use store::PgPool;

use crate::output;

/// # Errors
/// The tenant is closed, or the database is away.
pub(super) async fn refuse(pool: &PgPool, tenant: &TenantId) -> Result<()> {
    if let Some(since) = store::accounts::closed_since(pool, tenant).await? {
        bail!(told(tenant, since));
    }
    Ok(())
}

/// Why it is refused.
pub(super) fn told(tenant: &TenantId, since: DateTime<Utc>) -> String {
    format!("{tenant} is closed since {}: nothing is changed in it or added to it any more", output::moment(since))
}
