//! Transactions that somebody stopped waiting for.

use std::pin::pin;

use futures::poll;
use sqlx::{PgConnection, Row};

use crate::database::TestDatabase;

/// Of the transaction that the connection is in, or of this statement's own.
async fn transaction(connection: &mut PgConnection) -> String {
    sqlx::query("SELECT pg_current_xact_id()::text").fetch_one(connection).await.unwrap().get(0)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_stops_waiting_leaves_no_transaction_open() {
    let database = TestDatabase::create().await;
    let pool = sqlx::postgres::PgPoolOptions::new().max_connections(1).connect_lazy_with(database.options());
    // As many as it takes to be given up in each moment of it, on faster and slower machines.
    for looks in (0..1_500).step_by(3) {
        {
            let mut beginning = pin!(store::begin(&pool));
            for _ in 0..looks {
                if poll!(beginning.as_mut()).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let mut connection = pool.acquire().await.unwrap();
        let (one, another) = (transaction(&mut connection).await, transaction(&mut connection).await);
        assert_ne!(one, another, "given up after {looks} looks");
    }
    pool.close().await;
}
