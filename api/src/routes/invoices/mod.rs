//! A tenant's invoices, as the billing system has them, and what stands behind their lines.

pub mod behind;
pub mod get;
pub mod list;
mod presentation;

use std::sync::Arc;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use jobs::{ErrorCode, TenantId};

use crate::ApiState;
use crate::billing_system::{BillingSystem, BillingUnavailable, Invoice};
use crate::policy::problem::Problem;
use crate::policy::unseen::Look;

/// The billing system, if there is one.
fn billing(state: &ApiState) -> Result<&Arc<dyn BillingSystem>, Problem> {
    let missing = || Problem::new(ErrorCode::ServiceUnavailable, "There is no billing system.");
    state.notices.as_ref().map(|notices| &notices.billing).ok_or_else(missing)
}

fn unavailable(error: BillingUnavailable) -> Problem {
    tracing::warn!(%error, "invoices cannot be read");
    Problem::new(ErrorCode::ServiceUnavailable, "The billing system does not answer.")
}

/// An invoice of the tenant's; anybody else's is not found.
async fn own(state: &ApiState, tenant: &TenantId, id: &str) -> Result<Invoice, Problem> {
    let missing = || Problem::new(ErrorCode::NotFound, "The tenant has no such invoice.");
    // The billing system's ids are UUIDs: nothing else is asked for.
    let id = id.parse::<uuid::Uuid>().map_err(|_| missing())?.to_string();
    let billing = billing(state)?;
    let look = Look::begin(state.unseen);
    let found = billing.invoice(tenant, &id).await.map_err(unavailable)?;
    // It was asked for the tenant's own: this is the second lock.
    let own = found.filter(|invoice| invoice.customer.as_deref() == Some(tenant.as_str()));
    look.seen(own).await.ok_or_else(missing)
}

/// The texts of a path; one that is no text names nothing.
fn texts<T>(path: Result<Path<T>, PathRejection>) -> Result<T, Problem> {
    path.map(|Path(texts)| texts).map_err(|_| Problem::new(ErrorCode::NotFound, "The tenant has no such invoice."))
}
