//! What can go wrong in the store: the database is away, or there is a bug.

use std::time::Duration;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum StoreError {
    /// Nothing was done, or what was done will be found by its keys; try again.
    #[error("the database is unavailable")]
    Unavailable(#[source] sqlx::Error),
    /// As the last one, for who asked for nothing but a connection.
    #[error("the database at {address} is unavailable: {reason}")]
    Unreachable { address: String, reason: String },
    /// It answers nothing at all: whether it did what it was asked is not known.
    #[error("the database has been silent for {} s", .0.as_secs())]
    Silent(Duration),
    #[error("the schema could not be migrated")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// A stored value that our own code could not have written.
    #[error("a stored {what} is corrupt: {value}")]
    Corrupt { what: &'static str, value: String },
    #[error("the database refused a statement")]
    Database(#[source] sqlx::Error),
}

impl StoreError {
    #[must_use]
    pub fn is_unavailable(&self) -> bool {
        matches!(self, Self::Unavailable(_) | Self::Unreachable { .. } | Self::Silent(_))
    }

    pub(crate) fn corrupt(what: &'static str, value: impl ToString) -> Self {
        Self::Corrupt { what, value: value.to_string() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if is_transient(&error) { Self::Unavailable(error) } else { Self::Database(error) }
    }
}

/// Connection loss, and the SQLSTATE classes of PostgreSQL that go away by themselves (Appendix A of its manual):
/// 08 connection, 40 rollback, 53 resources, 57P operator intervention; and 57014, a statement that took too long.
fn is_transient(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolTimedOut
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => true,
        sqlx::Error::Database(database) => database
            .code()
            .is_some_and(|code| ["08", "40", "53", "57P", "57014"].iter().any(|class| code.starts_with(class))),
        _ => false,
    }
}
