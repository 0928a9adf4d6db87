//! PostgreSQL: one file a concern, every query checked against the migrations when it is compiled.
//!
//! Rules that hold in the whole room: a change of state names the state that it leaves, and stands in one transaction
//! with its event, its usage rows and its reservation; whatever a client may see is read by (tenant, id).

pub mod accounts;
pub mod admission;
pub mod api_keys;
pub mod audit;
pub mod batches;
mod begin;
pub mod blobs;
pub mod cancel;
pub mod client_keys;
pub mod compute;
pub mod credits;
pub mod departure;
mod error;
mod events;
pub mod fhe;
pub mod identities;
pub mod jobs;
pub mod limits;
pub mod lost;
pub mod notifications;
pub mod oauth;
pub mod overview;
pub mod quotes;
pub mod receipts;
pub mod resync;
pub mod retrievals;
pub mod roles;
mod sandboxes;
pub mod sealing;
pub mod starts;
pub mod submitters;
pub mod tenants;
pub mod transactions;
pub mod transition;
pub mod uploads;
pub mod usage;
pub mod users;

use std::str::FromStr;
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};

pub use begin::begin;
pub use error::StoreError;
pub use sqlx::PgPool;

/// How a process uses the database.
#[derive(Clone, Copy, Debug)]
pub struct Connections {
    pub max: u32,
    /// How long to wait for a connection.
    pub acquire_timeout: Duration,
    /// The longest statement; zero is no limit. Whoever asked has gone, but its query would keep its connection.
    pub statement_timeout: Duration,
}

/// A pool that connects when it is first used, so that a process starts while the database is away.
///
/// # Errors
/// A URL that is not a PostgreSQL URL.
pub fn connect(url: &str, policy: &Connections) -> Result<PgPool, StoreError> {
    let timeout = policy.statement_timeout.as_millis().to_string();
    let options =
        PgConnectOptions::from_str(url)?.application_name("zama-jobs").options([("statement_timeout", timeout)]);
    Ok(PgPoolOptions::new()
        .max_connections(policy.max)
        .acquire_timeout(policy.acquire_timeout)
        .connect_lazy_with(options))
}

/// Waits for a first connection, as long as the pool's policy says.
///
/// # Errors
/// [`StoreError::Unreachable`], which names the address and why nobody answered there.
pub async fn reach(pool: &PgPool) -> Result<(), StoreError> {
    let Err(error) = pool.acquire().await else { return Ok(()) };
    let options = pool.connect_options();
    let address = format!("{}:{}", options.get_host(), options.get_port());
    // The pool tries until its time is up, and then only says so.
    let reason = match (error, PgConnection::connect_with(&options).await) {
        (sqlx::Error::PoolTimedOut, Err(reason)) => reason,
        (error, _) => error,
    };
    Err(StoreError::Unreachable { address, reason: ::jobs::causes::with_causes(&reason) })
}

/// The lock of whoever migrates; it ends with its connection.
const LOCK: i64 = 0x7a61_6d61_6d69_6772;
const BETWEEN_TRIES: Duration = Duration::from_millis(200);

/// Brings the schema up to date, as whoever owns it; see `migrations/README.md`.
///
/// # Errors
/// A database that is away, or one whose applied migrations differ from ours.
pub async fn migrate(pool: &PgPool) -> Result<(), StoreError> {
    reach(pool).await?;
    let mut connection = pool.acquire().await?.detach();
    // An index of a large table takes as long as it takes.
    sqlx::query("SET statement_timeout = 0").execute(&mut connection).await?;
    // An index that is built beside writes waits for all who wait for its builder's lock: so nobody waits within the
    // database.
    while !sqlx::query_scalar::<_, bool>("SELECT pg_try_advisory_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut connection)
        .await?
    {
        tokio::time::sleep(BETWEEN_TRIES).await;
    }
    // What a migration left that was killed: whoever repeats it would find an index of that name.
    let broken = "SELECT format('DROP INDEX CONCURRENTLY %I.%I', n.nspname, c.relname)
                    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
                   WHERE NOT i.indisvalid AND n.nspname = current_schema()";
    for drop in sqlx::query_scalar::<_, String>(broken).fetch_all(&mut connection).await? {
        tracing::warn!("an index was left half built: {drop}");
        sqlx::query(sqlx::AssertSqlSafe(drop)).execute(&mut connection).await?;
    }
    Box::pin(sqlx::migrate!("../migrations").set_locking(false).run(&mut connection)).await?;
    connection.close().await?;
    Ok(())
}

/// Whether the database answers.
///
/// # Errors
/// [`StoreError::Unavailable`] when it does not.
pub async fn ping(pool: &PgPool) -> Result<(), StoreError> {
    sqlx::query_scalar!("SELECT 1").fetch_one(pool).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_that_is_away_is_named_with_the_reason() {
        // Bound and dropped: a port on which nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let policy =
            Connections { max: 1, acquire_timeout: Duration::from_millis(200), statement_timeout: Duration::ZERO };
        let pool = connect(&format!("postgres://nobody@127.0.0.1:{port}/none"), &policy).unwrap();
        let error = migrate(&pool).await.unwrap_err();
        assert!(error.is_unavailable());
        let said = error.to_string();
        assert!(said.contains(&format!("at 127.0.0.1:{port}")), "{said}");
        assert_eq!(said.matches("Connection refused").count(), 1, "{said}");
    }
}
