//! Processes of the API that serve now.

use std::time::Duration;

use sqlx::PgPool;
use uuid::Uuid;

use crate::StoreError;

/// Tells that `node` serves, and answers how many do, itself included: those that told so within `alive`, by the
/// database's clock.
///
/// # Errors
/// The database is away.
pub async fn beat(pool: &PgPool, node: Uuid, alive: Duration) -> Result<u32, StoreError> {
    let others = sqlx::query_scalar!(
        r#"WITH beat AS (
               INSERT INTO api_nodes (id) VALUES ($1) ON CONFLICT (id) DO UPDATE SET seen_at = clock_timestamp()
           ), gone AS (
               DELETE FROM api_nodes WHERE id <> $1 AND seen_at < clock_timestamp() - interval '1 minute'
           )
           SELECT count(*) AS "count!" FROM api_nodes
            WHERE id <> $1 AND seen_at > clock_timestamp() - make_interval(secs => $2)"#,
        node,
        alive.as_secs_f64()
    )
    .fetch_one(pool)
    .await?;
    Ok(u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1))
}

/// Tells that `node` serves no longer: its share is the others' with their next beat.
///
/// # Errors
/// The database is away; the others miss the node within seconds.
pub async fn leave(pool: &PgPool, node: Uuid) -> Result<(), StoreError> {
    sqlx::query!("DELETE FROM api_nodes WHERE id = $1", node).execute(pool).await?;
    Ok(())
}
