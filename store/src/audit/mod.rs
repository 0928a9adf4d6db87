//! The audit log: entries are noted by the transactions that they tell of, and chained a moment later, so that nobody's
//! request waits for another one's. Nothing that is chained is ever changed or removed.

mod chain;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobs::TenantId;
use jobs::audit::AuditEntry;
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;

pub use chain::{catch_up, chain_all};
pub use read::{Filter, Place, Stored, head, page};

/// An entry that is to be written with what it tells of.
#[derive(Clone, Debug)]
pub struct Note {
    /// In whose log.
    pub tenant: TenantId,
    pub entry: AuditEntry,
    written: Arc<AtomicBool>,
}

impl Note {
    #[must_use]
    pub fn new(tenant: TenantId, entry: AuditEntry) -> Self {
        Self::shared(tenant, entry, Arc::default())
    }

    /// A note that tells `written` once a transaction holds it.
    #[must_use]
    pub fn shared(tenant: TenantId, entry: AuditEntry, written: Arc<AtomicBool>) -> Self {
        Self { tenant, entry, written }
    }

    /// What an operator's command does to a tenant.
    #[must_use]
    pub fn by_operator(tenant: &TenantId, action: &str, target: String, detail: Value) -> Self {
        Self::new(tenant.clone(), AuditEntry::of_operator(action, target, detail))
    }

    /// The text that stands in the database until the entry is chained; the transaction that takes it writes it.
    pub(crate) fn take(&self) -> Result<String, StoreError> {
        self.written.store(true, Ordering::Relaxed);
        serde_json::to_string(&self.entry).map_err(|error| StoreError::corrupt("audit entry", error))
    }

    /// Writes the entry in the transaction of what it tells of.
    pub(crate) async fn write(&self, tx: &mut PgConnection) -> Result<(), StoreError> {
        let text = self.take()?;
        sqlx::query!(
            "INSERT INTO audit_notes (tenant, at, entry) VALUES ($1, $2, $3)",
            self.tenant.as_str(),
            self.entry.at,
            text
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

/// Writes an entry by itself, of what no transaction of ours did.
///
/// # Errors
/// The database is away.
pub async fn append(pool: &PgPool, note: &Note) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    note.write(&mut connection).await
}
