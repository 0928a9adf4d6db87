//! What the tenant has used, as the ledger holds it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use jobs::JobId;
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Usage of a tenant or of one job.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Usage {
    /// Units by metric.
    #[serde(default)]
    pub totals: BTreeMap<String, i64>,
    /// Rows of the ledger, newest first.
    #[serde(default)]
    pub data: Vec<UsageRow>,
}

/// One row of the ledger.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct UsageRow {
    /// The billing system's transaction id.
    pub id: String,
    pub job_id: Option<JobId>,
    pub metric: String,
    pub units: i64,
    pub occurred_at: DateTime<Utc>,
    /// When the billing system took the row; null until then.
    #[serde(default)]
    pub delivered_at: Option<DateTime<Utc>>,
}
