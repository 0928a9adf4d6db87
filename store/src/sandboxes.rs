//! Sandboxes: tenants in which test keys act. Their users are those of the tenant that they belong to.

use jobs::TenantId;
use sqlx::PgConnection;

use crate::StoreError;

/// Makes a tenant's sandbox, on the tenant's plan, if there is none.
pub(crate) async fn ensure(tx: &mut PgConnection, tenant: &TenantId) -> Result<(), StoreError> {
    let sandbox = tenant.sandbox();
    sqlx::query!(
        "INSERT INTO tenants (id, plan, sandbox_of) SELECT $1, plan, id FROM tenants WHERE id = $2
         ON CONFLICT DO NOTHING",
        sandbox.as_str(),
        tenant.as_str()
    )
    .execute(&mut *tx)
    .await?;
    // A tenant of that name from before there were sandboxes is nobody's sandbox.
    let owner = sqlx::query_scalar!("SELECT sandbox_of FROM tenants WHERE id = $1", sandbox.as_str())
        .fetch_optional(tx)
        .await?
        .flatten();
    match owner {
        Some(owner) if owner == tenant.as_str() => Ok(()),
        _ => Err(StoreError::corrupt("sandbox", sandbox)),
    }
}
