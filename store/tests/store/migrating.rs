//! Processes that bring the schema up to date at once.

use futures::future::join_all;

use crate::database::TestDatabase;

/// Some migrations build an index beside writes, which waits for every transaction: for one that waits for the migrations,
/// too.
#[tokio::test]
async fn any_number_of_processes_migrate_at_once() {
    let database = TestDatabase::empty().await;
    for migrated in join_all((0..4).map(|_| store::migrate(&database.pool))).await {
        migrated.unwrap();
    }
    let broken = "SELECT count(*) FROM pg_index WHERE NOT indisvalid";
    assert_eq!(sqlx::query_scalar::<_, i64>(broken).fetch_one(&database.pool).await.unwrap(), 0);
    let rows = "SELECT count(*) FROM usage_ledger";
    assert_eq!(sqlx::query_scalar::<_, i64>(rows).fetch_one(&database.pool).await.unwrap(), 0);
}
