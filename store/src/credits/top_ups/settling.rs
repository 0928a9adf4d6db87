//! Top-ups on their way: whose turn it is to be sent or looked at, and what is noted of either.

use sqlx::PgPool;
use uuid::Uuid;

use super::{Row, State, TopUp};
use crate::StoreError;

/// How long to leave a top-up alone, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// After it was tried: longer than the billing system takes for a request, so that what is not there then never will be.
    pub tried: f64,
    /// After it was looked at whether it is paid, at first: a tenth of its age as of that look, ...
    pub looked_at: f64,
    /// ... and no longer than this, however old it is.
    pub looked_at_late: f64,
}

/// Top-ups that the billing system is not known to have: the oldest of each tenant in turn, so that one with many fills no
/// answer; at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn to_send(pool: &PgPool, pauses: Pauses, limit: i64) -> Result<Vec<TopUp>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, tenant, amount_cents, currency, kind, requested_by, state, created_at, sent_at, settled_at,
                wallet_id, transaction_id, invoice_id, refusal
           FROM (SELECT *, row_number() OVER (PARTITION BY tenant ORDER BY coalesce(tried_at, created_at), id) AS turn
                   FROM credit_top_ups
                  WHERE state = 'requested'
                    AND (tried_at IS NULL OR tried_at < clock_timestamp() - make_interval(secs => $1))) due
          ORDER BY turn, coalesce(tried_at, created_at), id LIMIT $2",
        pauses.tried,
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(TopUp::try_from).collect()
}

/// Top-ups of a wallet that wait for their payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    pub wallet: Uuid,
    pub tenant: String,
    pub top_ups: Vec<TopUp>,
}

/// Wallets with a top-up that is to be looked at, each with all of it that wait for their payment: the one that was left alone
/// for the longest time first, at most `limit`.
///
/// # Errors
/// The database is away.
pub async fn to_look_at(pool: &PgPool, pauses: Pauses, limit: i64) -> Result<Vec<Sent>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT t.id, t.tenant, t.amount_cents, t.currency, t.kind, t.requested_by, t.state, t.created_at, t.sent_at,
                t.settled_at, t.wallet_id, t.transaction_id, t.invoice_id, t.refusal
           FROM (SELECT wallet_id AS wallet, min(coalesce(looked_at, sent_at)) AS oldest FROM credit_top_ups
                  WHERE state = 'sent'
                    AND coalesce(looked_at, sent_at)
                        + greatest(make_interval(secs => $1),
                                   least(make_interval(secs => $2), (coalesce(looked_at, sent_at) - sent_at) / 10))
                        < clock_timestamp()
                  GROUP BY wallet_id ORDER BY oldest, wallet_id LIMIT $3) due
           JOIN credit_top_ups t ON t.wallet_id = due.wallet AND t.state = 'sent'
          ORDER BY due.oldest, due.wallet, t.created_at, t.id",
        pauses.looked_at,
        pauses.looked_at_late,
        limit
    )
    .fetch_all(pool)
    .await?;
    let mut wallets: Vec<Sent> = Vec::new();
    for row in rows {
        let Some(wallet) = row.wallet_id else { continue };
        let top_up = TopUp::try_from(row)?;
        match wallets.last_mut().filter(|last| last.wallet == wallet) {
            Some(last) => last.top_ups.push(top_up),
            None => wallets.push(Sent { wallet, tenant: top_up.tenant.clone(), top_ups: vec![top_up] }),
        }
    }
    Ok(wallets)
}

/// Notes that a wallet is about to be looked at: one that cannot be read is left alone as if it had been, so that it does not
/// stand before the others at each turn.
///
/// # Errors
/// The database is away.
pub async fn begin_look(pool: &PgPool, wallet: Uuid) -> Result<(), StoreError> {
    sqlx::query!(
        "UPDATE credit_top_ups SET looked_at = clock_timestamp() WHERE wallet_id = $1 AND state = 'sent'",
        wallet
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The right to send a top-up once, which nobody else has for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Try {
    /// The wallet that it goes to: that of its first try, for ever.
    pub wallet: Uuid,
    /// 1, 2, 3, …: of any but the first the billing system is asked whether it has the top-up.
    pub number: i32,
    /// The tenant is closed: what the billing system does not have yet is not sent.
    pub is_closed: bool,
}

/// Notes that a top-up is about to be sent. `None`: somebody else tries it, did so a moment ago, or it is sent already.
///
/// # Errors
/// The database is away.
pub async fn begin_try(pool: &PgPool, id: Uuid, wallet: Uuid, pauses: Pauses) -> Result<Option<Try>, StoreError> {
    let tried = sqlx::query_as!(
        Try,
        r#"UPDATE credit_top_ups
              SET tried_at = clock_timestamp(), attempts = attempts + 1, wallet_id = coalesce(wallet_id, $2)
            WHERE id = $1 AND state = 'requested'
              AND (tried_at IS NULL OR tried_at < clock_timestamp() - make_interval(secs => $3))
        RETURNING wallet_id AS "wallet!", attempts AS number,
                  EXISTS (SELECT FROM tenants t
                           WHERE t.id = credit_top_ups.tenant AND t.closed_at IS NOT NULL) AS "is_closed!""#,
        id,
        wallet,
        pauses.tried
    )
    .fetch_optional(pool)
    .await?;
    Ok(tried)
}

/// What the billing system has of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    pub transaction: Uuid,
    pub invoice: Option<String>,
    pub outcome: Outcome,
}

/// What became of it there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Its invoice is to be paid.
    Pending,
    /// The credits count.
    Settled,
    /// They never will, for this reason.
    Failed(String),
}

/// Notes what the billing system has of a top-up that was sent, or is looked at again. `false`: it had ended already.
///
/// # Errors
/// The database is away; it is then asked for again.
pub async fn note(pool: &PgPool, id: Uuid, made: &Made) -> Result<bool, StoreError> {
    let (state, refusal) = match &made.outcome {
        Outcome::Pending => (State::Sent, None),
        Outcome::Settled => (State::Settled, None),
        Outcome::Failed(reason) => (State::Refused, Some(reason.as_str())),
    };
    let noted = sqlx::query!(
        "UPDATE credit_top_ups
            SET state = $2, refusal = $3, transaction_id = coalesce(transaction_id, $4),
                invoice_id = coalesce($5, invoice_id), sent_at = coalesce(sent_at, clock_timestamp()),
                looked_at = clock_timestamp(), settled_at = CASE WHEN $2 = 'settled' THEN clock_timestamp() END
          WHERE id = $1 AND state IN ('requested', 'sent')",
        id,
        state.as_str(),
        refusal,
        made.transaction,
        made.invoice.as_deref()
    )
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that the billing system refused a top-up for good: it made nothing of it.
///
/// # Errors
/// The database is away; it is then sent again, and refused again.
pub async fn refuse(pool: &PgPool, id: Uuid, reason: &str) -> Result<bool, StoreError> {
    let noted = sqlx::query!(
        "UPDATE credit_top_ups SET state = 'refused', refusal = $2 WHERE id = $1 AND state = 'requested'",
        id,
        reason
    )
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}

/// Notes that a top-up which nobody has tried to send yet is never sent, if its tenant was closed meanwhile. Whether one that
/// was tried has arrived is known to the billing system alone.
///
/// # Errors
/// The database is away.
pub async fn refuse_of_closed(pool: &PgPool, id: Uuid, reason: &str) -> Result<bool, StoreError> {
    let noted = sqlx::query!(
        "UPDATE credit_top_ups u SET state = 'refused', refusal = $2 FROM tenants t
          WHERE u.id = $1 AND u.state = 'requested' AND u.tried_at IS NULL
            AND t.id = u.tenant AND (t.closed_at IS NOT NULL OR t.billing_ended_at IS NOT NULL)",
        id,
        reason
    )
    .execute(pool)
    .await?;
    Ok(noted.rows_affected() == 1)
}
