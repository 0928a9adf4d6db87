//! Admission against prepaid credits, in the admission's own transaction.

use jobs::TenantId;
use jobs::credits::{Counted, Verdict};
use sqlx::{PgConnection, PgExecutor};

use super::{Cover, Prepaid, Unpaid, accounts};
use crate::StoreError;

/// Whether admissions of a tenant that do not see each other may go on side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Together,
    /// One after the other, and after those that are under way.
    Alone,
}

/// Why a tenant's credits do not pay for a job, if they do not. What is far from their end is admitted side by side; near it
/// one admission waits until the others have committed, so that together they take no more than there is.
///
/// # Errors
/// The database is away.
pub(crate) async fn ask(
    tx: &mut PgConnection,
    tenant: &TenantId,
    job: &Counted,
    prepaid: Prepaid<'_>,
) -> Result<Option<Unpaid>, StoreError> {
    sqlx::query("SAVEPOINT together").execute(&mut *tx).await?;
    for turn in [Turn::Together, Turn::Alone] {
        lock(tx, tenant, turn).await?;
        let Some(purse) = accounts::purse(&mut *tx, tenant).await? else { return Ok(Some(Unpaid::Unknown)) };
        match purse.pays(job, prepaid.prices) {
            Verdict::Ample => return Ok(None),
            Verdict::Enough if turn == Turn::Alone => return Ok(None),
            // Two that wait for each other's end would wait for ever: what is held together is let go first.
            Verdict::Enough => sqlx::query("ROLLBACK TO SAVEPOINT together").execute(&mut *tx).await?,
            Verdict::Exhausted { available_cents, wanted_cents } => {
                return Ok(Some(Unpaid::Exhausted { available_cents, wanted_cents }));
            }
        };
    }
    Err(StoreError::corrupt("verdict about credits", "neither enough nor exhausted"))
}

/// Whether a tenant's credits would pay for a job now, by the same reading and the same rule; nothing is taken, and nobody
/// waits.
///
/// # Errors
/// The database is away.
pub async fn look(
    executor: impl PgExecutor<'_>,
    tenant: &TenantId,
    job: &Counted,
    prepaid: Prepaid<'_>,
) -> Result<Cover, StoreError> {
    let Some(purse) = accounts::purse(executor, tenant).await? else { return Ok(Cover::Unknown) };
    let is_sufficient = !matches!(purse.pays(job, prepaid.prices), Verdict::Exhausted { .. });
    let available_cents = purse.left(prepaid.prices).available_cents;
    Ok(Cover::Known { is_sufficient, available_cents, currency: purse.told.currency })
}

/// Held until the transaction ends, or goes back to its savepoint. Whoever waits to be alone goes before those that come after
/// it.
async fn lock(tx: &mut PgConnection, tenant: &TenantId, turn: Turn) -> Result<(), StoreError> {
    sqlx::query_scalar!(
        r#"SELECT CASE WHEN $2 THEN (SELECT 1 FROM pg_advisory_xact_lock(hashtextextended($1, 0)))
                       ELSE (SELECT 1 FROM pg_advisory_xact_lock_shared(hashtextextended($1, 0))) END AS "locked!""#,
        format!("credits/{tenant}"),
        turn == Turn::Alone
    )
    .fetch_one(tx)
    .await?;
    Ok(())
}
