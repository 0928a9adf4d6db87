//! The audit log: entries are noted by the transactions that they tell of, and chained a moment later, so that nobody's
//! request waits for another one's. Nothing that is chained is ever changed or removed.

mod chain;
mod read;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jobs::audit::AuditEntry;
use jobs::{TenantId, UserId};
use serde_json::Value;
use sqlx::{PgConnection, PgPool};

use crate::StoreError;

pub use chain::{catch_up, chain_all};
pub use read::{Filter, Place, Stored, head, page};

/// Path of the usage ledger, as entries about its rows name it.
pub const USAGE: &str = "/v1/usage";
/// Rows of the usage ledger that one entry names at most.
pub const NAMED_ROWS: usize = 100;

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
        text_of(&self.entry)
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

/// An entry about somebody whom only the transaction finds that writes it.
#[derive(Clone, Debug)]
pub struct Draft {
    entry: AuditEntry,
    written: Arc<AtomicBool>,
}

impl Draft {
    /// A draft that tells `written` once a transaction holds it.
    #[must_use]
    pub fn shared(entry: AuditEntry, written: Arc<AtomicBool>) -> Self {
        Self { entry, written }
    }

    /// What an operator's command does to whom it finds.
    #[must_use]
    pub fn by_operator(action: &str, detail: Value) -> Self {
        Self::shared(AuditEntry::of_operator(action, String::new(), detail), Arc::default())
    }

    /// What an operator's command does to something that belongs to all tenants.
    #[must_use]
    pub fn by_operator_to(action: &str, target: &str, detail: Value) -> Self {
        Self::shared(AuditEntry::of_operator(action, target.to_owned(), detail), Arc::default())
    }

    /// The entry as one of what was done to a user.
    pub(crate) fn to(&self, tenant: &TenantId, user: &UserId) -> Note {
        let entry = AuditEntry { target: format!("/v1/users/{user}"), ..self.entry.clone() };
        Note::shared(tenant.clone(), entry, self.written.clone())
    }

    /// The entry as one of what a user did.
    pub(crate) fn by(&self, tenant: &TenantId, user: &UserId) -> Note {
        let entry = AuditEntry { user: Some(user.clone()), ..self.entry.clone() };
        Note::shared(tenant.clone(), entry, self.written.clone())
    }

    /// The entry as one of what a user's own credential did to it.
    pub(crate) fn by_itself(&self, tenant: &TenantId, user: &UserId) -> Note {
        let Note { tenant, entry, written } = self.to(tenant, user);
        Note::shared(tenant, AuditEntry { user: Some(user.clone()), ..entry }, written)
    }

    /// The entry as one of what was done to a tenant's rows of the usage ledger, with what the transaction tells of them.
    pub(crate) fn of_usage(&self, tenant: &str, found: &[(&str, &str)]) -> Result<Note, StoreError> {
        let tenant: TenantId = tenant.parse().map_err(|_| StoreError::corrupt("tenant", tenant))?;
        let mut entry = AuditEntry { target: USAGE.to_owned(), ..self.entry.clone() };
        if let Some(detail) = entry.detail.as_object_mut() {
            detail.extend(found.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))));
        }
        Ok(Note::shared(tenant, entry, self.written.clone()))
    }

    /// Writes the entry into the log of every tenant that is open: of what concerns them all.
    pub(crate) async fn write_everywhere(&self, tx: &mut PgConnection) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO audit_notes (tenant, at, entry)
             SELECT id, $1, $2 FROM tenants WHERE sandbox_of IS NULL AND closed_at IS NULL ORDER BY id",
            self.entry.at,
            text_of(&self.entry)?
        )
        .execute(tx)
        .await?;
        Ok(())
    }
}

fn text_of(entry: &AuditEntry) -> Result<String, StoreError> {
    serde_json::to_string(entry).map_err(|error| StoreError::corrupt("audit entry", error))
}

/// Writes an entry by itself, of what no transaction of ours did.
///
/// # Errors
/// The database is away.
pub async fn append(pool: &PgPool, note: &Note) -> Result<(), StoreError> {
    let mut connection = pool.acquire().await?;
    note.write(&mut connection).await
}
