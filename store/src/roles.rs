//! Who may do what in the database: the schema's owner, which migrations alone connect as, and the application's role,
//! which every process connects as and which can neither change nor remove what is append-only.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, PgConnection, PgPool};

use crate::{StoreError, begin, reach};

/// What the application does with any other table than those of [`KEPT`].
const ORDINARY: &str = "SELECT, INSERT, UPDATE, DELETE";

/// Tables with which it may do less, and what it does with each of them: the one list of what is append-only. A migration
/// that makes such a table adds it here.
pub const KEPT: [(&str, &str); 7] = [
    // Where the delivery of a row stands.
    ("usage_ledger", "SELECT, INSERT, UPDATE (billed_at, delivered_at, dead_reason, voided)"),
    ("audit_log", "SELECT, INSERT"),
    ("audit_heads", "SELECT, INSERT, UPDATE (seq, hash)"),
    // A note leaves by being chained.
    ("audit_notes", "SELECT, INSERT, DELETE"),
    // What the billing system made of it, not what was asked for.
    (
        "credit_top_ups",
        "SELECT, INSERT, UPDATE (state, tried_at, attempts, wallet_id, transaction_id, invoice_id, sent_at, looked_at,
                                 settled_at, refusal)",
    ),
    // Written by migrations.
    ("chain_transaction_moves", "SELECT"),
    ("_sqlx_migrations", ""),
];

fn rights(table: &str) -> &'static str {
    KEPT.iter().find(|(kept, _)| *kept == table).map_or(ORDINARY, |(_, rights)| *rights)
}

/// Who is connected, and to what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    pub role: String,
    database: Database,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Database {
    id: i64,
    /// Tells a server from others, behind whatever name or pooler it is reached.
    server_started_at: DateTime<Utc>,
}

impl Session {
    /// Whether both are connected to one database.
    #[must_use]
    pub fn shares_database_with(&self, other: &Self) -> bool {
        self.database == other.database
    }
}

/// Asks the database who we are.
///
/// # Errors
/// It is away, or lets us not in.
pub async fn session(pool: &PgPool) -> Result<Session, StoreError> {
    reach(pool).await?;
    let row = sqlx::query!(
        r#"SELECT current_user::text AS "role!", oid::bigint AS "database!", pg_postmaster_start_time() AS "started!"
             FROM pg_database WHERE datname = current_database()"#
    )
    .fetch_one(pool)
    .await?;
    Ok(Session { role: row.role, database: Database { id: row.database, server_started_at: row.started } })
}

/// Gives the application's role what it needs of everything that the migrations made, and takes the rest away. Called
/// after each migration, so that later tables are covered too; a second call changes nothing.
///
/// # Errors
/// The database is away, there is no such role, or `owner` is not connected as the schema's owner.
pub async fn grant(owner: &PgPool, application: &str) -> Result<(), StoreError> {
    let mut tx = begin(owner).await?;
    // Two that change a table's rights at once would be refused.
    sqlx::query_scalar!(r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended('rights', 0))"#)
        .fetch_one(&mut *tx)
        .await?;
    let names =
        sqlx::query!(r#"SELECT quote_ident($1) AS "role!", quote_ident(current_schema()) AS "schema!""#, application)
            .fetch_one(&mut *tx)
            .await?;
    let (role, schema) = (names.role, names.schema);
    // What somebody else put into the schema is not ours to give.
    let relations = sqlx::query!(
        r#"SELECT c.relname::text AS "name!", quote_ident(c.relname::text) AS "quoted!", c.relkind = 'S' AS "is_sequence!"
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'S') AND pg_has_role(c.relowner, 'USAGE')
            ORDER BY c.relname"#
    )
    .fetch_all(&mut *tx)
    .await?;
    execute(&mut tx, format!("GRANT USAGE ON SCHEMA {schema} TO {role}")).await?;
    execute(&mut tx, format!("GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {schema} TO {role}")).await?;
    for relation in relations {
        let name = format!("{schema}.{}", relation.quoted);
        if relation.is_sequence {
            execute(&mut tx, format!("GRANT USAGE, SELECT, UPDATE ON SEQUENCE {name} TO {role}")).await?;
            continue;
        }
        // With the table's rights those of its columns go, too.
        execute(&mut tx, format!("REVOKE ALL ON TABLE {name} FROM {role}")).await?;
        let rights = rights(&relation.name);
        if !rights.is_empty() {
            execute(&mut tx, format!("GRANT {rights} ON TABLE {name} TO {role}")).await?;
        }
    }
    tx.commit().await?;
    Ok(())
}

/// A statement whose names the database itself has quoted.
async fn execute(connection: &mut PgConnection, statement: String) -> Result<(), StoreError> {
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}

/// Whether who is connected could take the ledger's protection away: it owns the table, may become who does, or is a
/// superuser.
///
/// # Errors
/// The database is away.
pub async fn owns_the_ledger(pool: &PgPool) -> Result<bool, StoreError> {
    let owns = sqlx::query_scalar!(
        r#"SELECT pg_has_role(current_user, c.relowner, 'MEMBER') AS "owns!"
             FROM pg_class c WHERE c.oid = to_regclass('usage_ledger')"#
    )
    .fetch_optional(pool)
    .await?;
    Ok(owns.unwrap_or_default())
}
