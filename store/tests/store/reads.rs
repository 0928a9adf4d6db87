//! How much of the ledger is read to answer something.

use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;

use crate::outbox::Outbox;

/// What is answered, and how many rows of the ledger were read for it.
pub async fn rows_read<T>(outbox: &Outbox, asks: impl AsyncFnOnce(&PgPool) -> T) -> (T, i64) {
    // One connection: the transaction counts what is read within it.
    let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(outbox.options());
    sqlx::raw_sql("BEGIN").execute(&pool).await.unwrap();
    let answer = asks(&pool).await;
    let read = "SELECT (seq_tup_read + idx_tup_fetch)::bigint FROM pg_stat_xact_user_tables
                 WHERE relname = 'usage_ledger'";
    let read: i64 = sqlx::query_scalar(read).fetch_one(&pool).await.unwrap();
    sqlx::raw_sql("COMMIT").execute(&pool).await.unwrap();
    (answer, read)
}
