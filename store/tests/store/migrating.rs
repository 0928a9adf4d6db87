//! Processes that bring the schema up to date at once.

use futures::future::join_all;

use crate::database::TestDatabase;

/// Files up to this one were released before there was a rule for checks.
const BEFORE_THE_RULE: i64 = 69;

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

/// A check that is validated as it is added has its table read to the end while nobody else may touch it.
#[tokio::test]
async fn no_check_of_a_table_that_is_there_is_validated_by_the_file_that_adds_it() {
    let database = TestDatabase::empty().await;
    let migrations = sqlx::migrate!("../migrations");
    Box::pin(migrations.run_to(BEFORE_THE_RULE, &database.pool)).await.unwrap();
    let (tables, checks) =
        ("SELECT oid::bigint FROM pg_class WHERE relkind = 'r'", "SELECT oid::bigint FROM pg_constraint");
    let validated = "SELECT conname::text FROM pg_constraint
                      WHERE contype = 'c' AND convalidated
                        AND conrelid::bigint = ANY($1) AND NOT (oid::bigint = ANY($2))";
    for migration in migrations.iter().filter(|migration| migration.version > BEFORE_THE_RULE) {
        let tables: Vec<i64> = sqlx::query_scalar(tables).fetch_all(&database.pool).await.unwrap();
        let checks: Vec<i64> = sqlx::query_scalar(checks).fetch_all(&database.pool).await.unwrap();
        Box::pin(migrations.run_to(migration.version, &database.pool)).await.unwrap();
        let validated: Vec<String> =
            sqlx::query_scalar(validated).bind(tables).bind(checks).fetch_all(&database.pool).await.unwrap();
        assert_eq!(validated, [""; 0], "{}: NOT VALID, and validated by another file", migration.version);
    }
    let left = "SELECT conname::text FROM pg_constraint WHERE NOT convalidated";
    let left: Vec<String> = sqlx::query_scalar(left).fetch_all(&database.pool).await.unwrap();
    assert_eq!(left, ["jobs_ceilings_check"], "of 0064; older rows have nulls there");
}
