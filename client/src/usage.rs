//! What the tenant has used, as the ledger holds it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jobs::JobId;
use jobs::usage::Quantity;
use jobs::wire::JobUsageState;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Which rows to read.
#[derive(Clone, Debug, Default, Serialize)]
pub struct UsageFilter {
    pub job_id: Option<JobId>,
    /// Only what was used at this time or later: at most 366 days before the end. Without it, and without a job, the month in
    /// which that is.
    pub from: Option<DateTime<Utc>>,
    /// Only what was used before this time.
    pub until: Option<DateTime<Utc>>,
    /// Only rows that are billed as of this time or later: with `billed_until` those of an invoice. At most 366 days before the
    /// end, and then there is no other limit.
    pub billed_from: Option<DateTime<Utc>>,
    /// Only rows that are billed as of a time before this one.
    pub billed_until: Option<DateTime<Utc>>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Rows at most, 1 to 1000.
    pub limit: Option<u32>,
}

/// What was metered.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Usage {
    /// Since when rows were counted; `None` where all of a job is told, or what is billed since a time, and from a service that
    /// does not say.
    #[serde(default)]
    pub from: Option<DateTime<Utc>>,
    /// Until when; `None` without an end.
    #[serde(default)]
    pub until: Option<DateTime<Utc>>,
    /// Billed since when; `None` where nothing was asked about billing.
    #[serde(default)]
    pub billed_from: Option<DateTime<Utc>>,
    /// Billed until when; `None` without an end.
    #[serde(default)]
    pub billed_until: Option<DateTime<Utc>>,
    /// Units by metric, over all rows that match, whatever the page holds; `None` behind a cursor.
    pub totals: Option<BTreeMap<String, Quantity>>,
    /// Rows, the newest first.
    pub data: Vec<UsageRow>,
    /// Where to read on; `None` on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// A row of the usage ledger.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UsageRow {
    /// The transaction id under which the row is billed.
    pub id: String,
    /// Null where the row belongs to no job.
    pub job_id: Option<JobId>,
    pub metric: String,
    /// In the metric's own units, exactly.
    pub units: Quantity,
    /// Units of gas that a confirmation cost, where they are known; `None` of every other metric.
    #[serde(default)]
    pub gas: Option<i64>,
    pub occurred_at: DateTime<Utc>,
    /// Time under which the row is billed.
    pub billed_at: Option<DateTime<Utc>>,
    /// When the billing system took the row.
    pub delivered_at: Option<DateTime<Utc>>,
    /// Whether the row was used in a sandbox: it is never billed.
    #[serde(default)]
    pub test_mode: bool,
    /// Why the row corrects another one; `None` of a row of use.
    #[serde(default)]
    pub reason: Option<String>,
    /// Whether it counts; `None` from a service that does not say.
    #[serde(default)]
    pub state: Option<JobUsageState>,
    /// The row that it corrects; `None` of a row of use.
    #[serde(default)]
    pub corrects: Option<String>,
}

impl Client {
    /// Reads the ledger of the tenant, or of the caller's own jobs, as the token allows.
    ///
    /// # Errors
    /// [`ClientError`]. An unknown job has no rows.
    pub async fn usage(&self, filter: &UsageFilter) -> Result<Usage, ClientError> {
        read_json(self.send(|| self.get_with("/v1/usage", filter)).await?).await
    }
}
