//! Top-ups: asked for once for each key, tried under a note that comes before the send, and settled.
//!
//! ```text
//! requested ──> sent ──> settled
//!     │           │         ^
//!     ├───────────┼─────────┘  granted credits count at once
//!     └──> refused <┘
//! ```

mod settling;

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use jobs::{IdempotencyKey, TenantId, UserId};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::audit::Note;
use crate::{StoreError, begin};

pub use settling::{
    Made, Outcome, Pauses, Sent, Try, begin_look, begin_try, note, refuse, refuse_of_closed, to_look_at, to_send,
};

/// How credits come about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The billing system invoices them; they count once they are paid.
    Paid,
    /// The operator gives them; they count at once.
    Granted,
}

/// Where a top-up is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The billing system is not known to have it.
    Requested,
    /// It has it, and waits for the payment.
    Sent,
    /// The credits count.
    Settled,
    /// They never will.
    Refused,
}

macro_rules! names {
    ($type:ident, $what:literal { $($variant:ident $name:literal),* }) => {
        impl $type {
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),* }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl FromStr for $type {
            type Err = StoreError;

            fn from_str(text: &str) -> Result<Self, StoreError> {
                match text {
                    $($name => Ok(Self::$variant),)*
                    _ => Err(StoreError::corrupt($what, text)),
                }
            }
        }
    };
}

names!(Kind, "kind of a top-up" { Paid "paid", Granted "granted" });
names!(State, "state of a top-up" { Requested "requested", Sent "sent", Settled "settled", Refused "refused" });

/// A wish for credits.
pub struct NewTopUp<'a> {
    pub id: Uuid,
    pub tenant: &'a TenantId,
    pub key: &'a IdempotencyKey,
    /// More than nothing, in minor units.
    pub amount_cents: i64,
    /// ISO 4217 code.
    pub currency: &'a str,
    pub kind: Kind,
    /// `None`: an operator.
    pub requested_by: Option<&'a UserId>,
    /// How many of the tenant's may be open together with it; `None`: however many there are.
    pub most_open: Option<i64>,
}

/// A top-up as it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    pub id: Uuid,
    pub tenant: String,
    pub amount_cents: i64,
    pub currency: String,
    pub kind: Kind,
    /// `None`: an operator.
    pub requested_by: Option<String>,
    pub state: State,
    pub created_at: DateTime<Utc>,
    /// When the billing system is known to have it.
    pub sent_at: Option<DateTime<Utc>>,
    pub settled_at: Option<DateTime<Utc>>,
    /// The billing system's wallet, once it was tried, ...
    pub wallet_id: Option<Uuid>,
    /// ... its transaction ...
    pub transaction_id: Option<Uuid>,
    /// ... and the invoice that asks for the payment.
    pub invoice_id: Option<String>,
    pub refusal: Option<String>,
}

struct Row {
    id: Uuid,
    tenant: String,
    amount_cents: i64,
    currency: String,
    kind: String,
    requested_by: Option<String>,
    state: String,
    created_at: DateTime<Utc>,
    sent_at: Option<DateTime<Utc>>,
    settled_at: Option<DateTime<Utc>>,
    wallet_id: Option<Uuid>,
    transaction_id: Option<Uuid>,
    invoice_id: Option<String>,
    refusal: Option<String>,
}

impl TryFrom<Row> for TopUp {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            tenant: row.tenant,
            amount_cents: row.amount_cents,
            currency: row.currency,
            kind: row.kind.parse()?,
            requested_by: row.requested_by,
            state: row.state.parse()?,
            created_at: row.created_at,
            sent_at: row.sent_at,
            settled_at: row.settled_at,
            wallet_id: row.wallet_id,
            transaction_id: row.transaction_id,
            invoice_id: row.invoice_id,
            refusal: row.refusal,
        })
    }
}

/// What became of a wish.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Requested {
    /// It is noted now.
    New(TopUp),
    /// The same was asked for under this key before.
    Known(TopUp),
    /// Something else was.
    KeyReused { first_use: DateTime<Utc> },
    /// The tenant has as many that are open as it may have.
    TooMany,
    /// The tenant is closed: it could never spend them.
    Closed { since: DateTime<Utc> },
}

/// Notes a wish for credits, once for each key of a tenant, whoever asks at once.
///
/// # Errors
/// The database is away, or there is no such tenant.
pub async fn request(pool: &PgPool, new: &NewTopUp<'_>, audit: &Note) -> Result<Requested, StoreError> {
    let mut tx = begin(pool).await?;
    // A tenant's one after the other, so that a limit is one.
    sqlx::query_scalar!(
        r#"SELECT 1 AS "locked!" FROM pg_advisory_xact_lock(hashtextextended($1, 0))"#,
        format!("top-ups/{}", new.tenant)
    )
    .fetch_one(&mut *tx)
    .await?;
    // Whoever closes the tenant waits for what is noted here, or has closed it before.
    let closed = sqlx::query_scalar!("SELECT closed_at FROM tenants WHERE id = $1 FOR SHARE", new.tenant.as_str())
        .fetch_optional(&mut *tx)
        .await?;
    let inserted = sqlx::query_as!(
        Row,
        "INSERT INTO credit_top_ups (id, tenant, idempotency_key, amount_cents, currency, kind, requested_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (tenant, idempotency_key) DO NOTHING
         RETURNING id, tenant, amount_cents, currency, kind, requested_by, state, created_at, sent_at, settled_at,
                   wallet_id, transaction_id, invoice_id, refusal",
        new.id,
        new.tenant.as_str(),
        new.key.as_str(),
        new.amount_cents,
        new.currency,
        new.kind.as_str(),
        new.requested_by.map(UserId::as_str)
    )
    .fetch_optional(&mut *tx)
    .await?;
    if let Some(row) = inserted {
        if let Some(since) = closed.flatten() {
            tx.rollback().await?;
            return Ok(Requested::Closed { since });
        }
        if let Some(most) = new.most_open
            && count_open(&mut tx, new.tenant).await? > most
        {
            tx.rollback().await?;
            return Ok(Requested::TooMany);
        }
        audit.write(&mut tx).await?;
        tx.commit().await?;
        return Ok(Requested::New(row.try_into()?));
    }
    // Its own statement: whoever was faster has committed by now, and is seen.
    let known = sqlx::query_as!(
        Row,
        "SELECT id, tenant, amount_cents, currency, kind, requested_by, state, created_at, sent_at, settled_at,
                wallet_id, transaction_id, invoice_id, refusal
           FROM credit_top_ups WHERE tenant = $1 AND idempotency_key = $2",
        new.tenant.as_str(),
        new.key.as_str()
    )
    .fetch_one(&mut *tx)
    .await?;
    let known = TopUp::try_from(known)?;
    let is_same =
        (known.amount_cents, known.currency.as_str(), known.kind) == (new.amount_cents, new.currency, new.kind);
    Ok(if is_same { Requested::Known(known) } else { Requested::KeyReused { first_use: known.created_at } })
}

/// Those that have not ended.
async fn count_open(tx: &mut PgConnection, tenant: &TenantId) -> Result<i64, StoreError> {
    let count = sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM credit_top_ups WHERE tenant = $1 AND state IN ('requested', 'sent')"#,
        tenant.as_str()
    )
    .fetch_one(tx)
    .await?;
    Ok(count)
}

/// A top-up of a tenant's.
///
/// # Errors
/// The database is away.
pub async fn find(pool: &PgPool, tenant: &TenantId, id: Uuid) -> Result<Option<TopUp>, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, tenant, amount_cents, currency, kind, requested_by, state, created_at, sent_at, settled_at,
                wallet_id, transaction_id, invoice_id, refusal
           FROM credit_top_ups WHERE tenant = $1 AND id = $2",
        tenant.as_str(),
        id
    )
    .fetch_optional(pool)
    .await?;
    row.map(TopUp::try_from).transpose()
}

/// Where a top-up stands in [`list`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    pub created_at: DateTime<Utc>,
    pub id: Uuid,
}

/// A tenant's top-ups, the newest first, at most `limit`, or those that follow `after`.
///
/// # Errors
/// The database is away.
pub async fn list(
    pool: &PgPool,
    tenant: &TenantId,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<TopUp>, StoreError> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, tenant, amount_cents, currency, kind, requested_by, state, created_at, sent_at, settled_at,
                wallet_id, transaction_id, invoice_id, refusal
           FROM credit_top_ups
          WHERE tenant = $1 AND ($2::timestamptz IS NULL OR created_at < $2 OR created_at = $2 AND id > $3)
          ORDER BY created_at DESC, id LIMIT $4",
        tenant.as_str(),
        after.map(|place| place.created_at),
        after.map(|place| place.id),
        limit
    )
    .fetch_all(pool)
    .await?;
    rows.into_iter().map(TopUp::try_from).collect()
}

/// Credits of a tenant that do not count yet, in minor units.
///
/// # Errors
/// The database is away.
pub async fn pending_cents(pool: &PgPool, tenant: &TenantId) -> Result<i64, StoreError> {
    let sum = sqlx::query_scalar!(
        r#"SELECT coalesce(sum(amount_cents), 0)::bigint AS "sum!" FROM credit_top_ups
            WHERE tenant = $1 AND state IN ('requested', 'sent')"#,
        tenant.as_str()
    )
    .fetch_one(pool)
    .await?;
    Ok(sum)
}
