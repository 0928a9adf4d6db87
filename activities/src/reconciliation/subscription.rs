//! Whether a tenant's month is billed to its end. Its plan's own fee has no row that could be missed.

use anyhow::Result;
use store::tenants::Tenant;
use store::usage::periods::Span;

use super::Reconciler;
use crate::billing_delivery::{Unsubscribed, unsubscribed};

impl Reconciler {
    /// Why no subscription bills the whole span of a tenant that was there by then.
    pub(super) async fn unsubscribed(&self, tenant: &Tenant, span: Span) -> Result<Option<Unsubscribed>> {
        if tenant.created_at >= span.until {
            return Ok(None);
        }
        let found = unsubscribed(self.pool(), &self.lago, tenant.id.as_str()).await?;
        Ok(found.filter(|why| why.concerns(span.until)))
    }
}
