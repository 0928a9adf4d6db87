//! A month of one tenant after the other: one whose books cannot be read stops nobody else's, and an outage ends the asking.

use anyhow::anyhow;
use store::tenants::Tenant;

use super::outage::Outage;
use super::{Month, Reconciler, TenantReport};

/// On its way through the tenants.
pub(crate) struct Pass<'a> {
    reconciler: &'a Reconciler,
    month: Month,
    outage: Outage,
}

impl Reconciler {
    /// Before its first tenant.
    pub(crate) fn pass(&self, month: Month) -> Pass<'_> {
        Pass { reconciler: self, month, outage: Outage::default() }
    }
}

impl Pass<'_> {
    /// What there is to tell of the next tenant.
    pub(crate) async fn read(&mut self, tenant: &Tenant) -> Option<TenantReport> {
        let read = if self.outage.goes_on() {
            Err(anyhow!("not asked: those of the tenants before are out of reach"))
        } else {
            let read = Box::pin(self.reconciler.tenant(tenant, self.month)).await;
            match &read {
                Ok(report) if report.has_account => self.outage.ends(),
                Ok(_) => {}
                Err(error) => self.outage.met(error),
            }
            read
        };
        let report = read.unwrap_or_else(|error| TenantReport::unread(tenant, self.month, &error));
        report.is_of_use().then_some(report)
    }
}
