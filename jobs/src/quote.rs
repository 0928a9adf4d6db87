//! A quote: what a job will cost at most, promised for a while to a tenant and for a body. Whoever submits that body under
//! it pays no more, in any metric.

use alloy::primitives::B256;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::usage::{Metric, Units};
use crate::{JobId, QuoteId};

/// For how long a quote can be used.
pub const LIFETIME_MINUTES: i64 = 15;

/// A quote as clients see it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct Quote {
    /// What the submission names as its `quote_id`.
    #[schema(value_type = uuid::Uuid)]
    pub quote_id: QuoteId,
    /// SHA-256 of the RFC 8785 form of the quoted body. What is submitted under the quote is that body and `quote_id`.
    #[schema(value_type = String)]
    pub content_hash: B256,
    /// Made with test credentials: so are the jobs that may use it, and nothing of them is billed.
    pub test_mode: bool,
    pub created_at: DateTime<Utc>,
    /// From then on it cannot be used any more.
    pub expires_at: DateTime<Utc>,
    /// The most that the job is billed, a line a metric.
    pub lines: Vec<QuoteLine>,
    /// The job that used the quote; null until then. A quote is used once.
    #[schema(value_type = Option<uuid::Uuid>)]
    pub job_id: Option<JobId>,
    /// Whether the tenant's credits would pay for the job at this moment. Not there where it needs none, and once the quote
    /// was used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub credits: Option<QuoteCredits>,
}

/// How the tenant's prepaid credits stand to a quoted job. Nothing of them is held: others may be faster.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuoteCredits {
    /// Always true: the tenant's jobs must be paid for by credits.
    pub required: bool,
    /// Whether the job would be accepted, as far as credits go.
    pub sufficient: bool,
    /// What is left, in minor units; null until the billing system has told of the account.
    #[schema(example = 4184)]
    pub available_cents: Option<i64>,
    /// ISO 4217 code; null until then.
    #[schema(example = "EUR")]
    pub currency: Option<String>,
}

/// Units of a metric.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct QuoteLine {
    pub metric: Metric,
    pub units: u64,
}

/// Everything that a job is billed at most whose computation costs at most `units`.
#[must_use]
pub fn lines(units: Units) -> Vec<QuoteLine> {
    let line = |metric, units| QuoteLine { metric, units };
    let mut lines =
        vec![line(Metric::JobsSubmitted, 1), line(Metric::JobsCompleted, 1), line(Metric::ComputeUnits, units.compute)];
    if units.fhe > 0 {
        lines.push(line(Metric::FheComputeUnits, units.fhe));
    }
    lines.push(line(Metric::ChainConfirmations, 1));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The metrics by the hour have no job.
    #[test]
    fn the_lines_are_all_that_a_job_is_billed() {
        let metrics = |units| lines(units).iter().map(|line| line.metric).collect::<Vec<_>>();
        let mut of_jobs = Metric::ALL.to_vec();
        of_jobs.retain(|metric| !matches!(metric, Metric::StorageGbHours | Metric::ApiCalls));
        assert_eq!(metrics(Units { compute: 2, fhe: 1 }), of_jobs);
        of_jobs.retain(|metric| *metric != Metric::FheComputeUnits);
        assert_eq!(metrics(Units::plain(2)), of_jobs);
    }

    #[test]
    fn the_wire_form_says_what_is_not_known_yet() {
        let quote = Quote {
            quote_id: QuoteId::generate(),
            content_hash: B256::repeat_byte(0x2e),
            test_mode: false,
            created_at: DateTime::UNIX_EPOCH,
            expires_at: DateTime::UNIX_EPOCH,
            lines: lines(Units::plain(2)),
            job_id: None,
            credits: None,
        };
        let document = serde_json::to_value(&quote).unwrap();
        assert_eq!((&document["job_id"], document.get("credits")), (&serde_json::Value::Null, None));
        assert_eq!(document["lines"][2], serde_json::json!({"metric": "compute_units", "units": 2}));
        assert_eq!(serde_json::from_value::<Quote>(document).unwrap(), quote);
        let unknown = QuoteCredits { required: true, sufficient: false, available_cents: None, currency: None };
        let document = serde_json::to_value(&unknown).unwrap();
        let nothing =
            serde_json::json!({"required": true, "sufficient": false, "available_cents": null, "currency": null});
        assert_eq!(document, nothing);
    }
}
