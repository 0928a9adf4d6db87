//! `/v1/jobs/quote` and `/v1/quotes`

pub mod create;
pub mod get;

use jobs::credits::Counted;
use jobs::quote::{Quote, QuoteCredits, lines};
use jobs::{QuoteId, TenantId};
use serde_json::{Value, json};
use store::StoreError;
use store::credits::{Cover, look};
use store::quotes::StoredQuote;

use super::units_left::prepaid;
use crate::ApiState;
use crate::policy::tenant_rules::Rules;

/// Whether the tenant's credits would pay for the quoted job now, as its admission would ask; `None` where nobody asks.
async fn credits(
    state: &ApiState,
    tenant: &TenantId,
    rules: &Rules,
    stored: &StoredQuote,
) -> Result<Option<QuoteCredits>, StoreError> {
    let Some(prepaid) = prepaid(state, rules).filter(|_| stored.job_id.is_none()) else { return Ok(None) };
    let cover = look(&state.pool, tenant, &Counted::of_job(stored.units), prepaid).await?;
    Ok(Some(match cover {
        Cover::Unknown => QuoteCredits { required: true, sufficient: false, available_cents: None, currency: None },
        Cover::Known { is_sufficient, available_cents, currency } => QuoteCredits {
            required: true,
            sufficient: is_sufficient,
            available_cents: Some(available_cents),
            currency: Some(currency),
        },
    }))
}

/// A quote as its tenant sees it.
fn present(tenant: &TenantId, quote_id: QuoteId, stored: StoredQuote, credits: Option<QuoteCredits>) -> Quote {
    Quote {
        quote_id,
        content_hash: stored.content_hash,
        test_mode: tenant.is_sandbox(),
        created_at: stored.created_at,
        expires_at: stored.expires_at,
        lines: lines(stored.units),
        job_id: stored.job_id,
        credits,
    }
}

fn example() -> Value {
    json!({
        "quote_id": "019cebab-804e-7c41-9b5e-3f2a8d6c1e07",
        "content_hash": format!("0x{}", "2e".repeat(32)),
        "test_mode": false,
        "created_at": "2026-03-14T09:26:53.589Z",
        "expires_at": "2026-03-14T09:41:53.589Z",
        "lines": [
            {"metric": "jobs_submitted", "units": 1},
            {"metric": "jobs_completed", "units": 1},
            {"metric": "compute_units", "units": 2},
            {"metric": "chain_confirmations", "units": 1}
        ],
        "job_id": null,
        "credits": {"required": true, "sufficient": true, "available_cents": 4184, "currency": "EUR"}
    })
}

#[cfg(test)]
mod tests {
    use jobs::usage::Units;

    use super::*;

    #[test]
    fn the_example_is_what_the_code_writes() {
        let shown: Quote = serde_json::from_value(example()).expect("a quote");
        let stored = StoredQuote {
            content_hash: shown.content_hash,
            units: Units::plain(2),
            created_at: shown.created_at,
            expires_at: shown.created_at + chrono::TimeDelta::minutes(jobs::quote::LIFETIME_MINUTES),
            job_id: None,
        };
        let tenant = "acme".parse().expect("a tenant");
        assert_eq!(present(&tenant, shown.quote_id, stored, shown.credits.clone()), shown);
    }
}
