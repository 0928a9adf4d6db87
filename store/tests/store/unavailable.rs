//! What counts as a database that is away.

use store::StoreError;

use crate::database::TestDatabase;

#[tokio::test]
async fn a_statement_that_takes_too_long_may_be_tried_again_and_a_wrong_one_not() {
    let database = TestDatabase::create().await;
    let mut connection = database.pool.acquire().await.unwrap();
    sqlx::query("SET statement_timeout = '20ms'").execute(&mut *connection).await.unwrap();
    let cancelled = sqlx::query("SELECT pg_sleep(60)").execute(&mut *connection).await.unwrap_err();
    assert!(StoreError::from(cancelled).is_unavailable());
    let wrong = sqlx::query("SELECT 1 / 0").execute(&mut *connection).await.unwrap_err();
    assert!(!StoreError::from(wrong).is_unavailable());
}
