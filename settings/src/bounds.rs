//! Numbers without which nothing works: zero of them is refused before anything starts.

use anyhow::{Result, ensure};

use crate::{Settings, limits, oidc};

/// Names every setting that is zero and must not be.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    let counts = [
        ("api.max_body_bytes", settings.api.max_body_bytes == 0),
        ("api.request_timeout_seconds", settings.api.request_timeout_seconds == 0),
        ("api.head_timeout_seconds", settings.api.head_timeout_seconds == 0),
        ("api.max_connections", settings.api.max_connections == 0),
        ("database.max_connections", settings.database.max_connections == 0),
        ("database.acquire_timeout_seconds", settings.database.acquire_timeout_seconds == 0),
        ("uploads.max_blobs", settings.uploads.max_blobs == 0),
        ("uploads.max_blob_bytes", settings.uploads.max_blob_bytes == 0),
        ("uploads.max_keys", settings.uploads.max_keys == 0),
        ("uploads.max_key_bytes", settings.uploads.max_key_bytes == 0),
        ("dispatcher.concurrency", settings.dispatcher.concurrency == 0),
        ("dispatcher.sweep_seconds", settings.dispatcher.sweep_seconds == 0),
        ("worker.max_compute", settings.worker.max_compute == 0),
        ("worker.max_activities", settings.worker.max_activities == 0),
        ("worker.max_workflow_tasks", settings.worker.max_workflow_tasks == 0),
        ("fhe.children", settings.fhe.children == 0),
        ("chain.batch_max_jobs", settings.chain.batch_max_jobs == 0),
        ("chain.confirmations", settings.chain.confirmations == 0),
        ("chain.fee_cap_gwei", settings.chain.fee_cap_gwei == 0),
        ("chain.tip_cap_gwei", settings.chain.tip_cap_gwei == 0),
        ("chain.fee_patience_seconds", settings.chain.fee_patience_seconds == 0),
        ("oidc.timeout_seconds", settings.oidc.timeout_seconds == 0),
        ("oidc.stale_hours", settings.oidc.stale_hours == 0),
        ("metering.reporter_seconds", settings.metering.reporter_seconds == 0),
        ("metering.flush_seconds", settings.metering.flush_seconds == 0),
        ("metering.hours_seconds", settings.metering.hours_seconds == 0),
        ("metering.reconcile_seconds", settings.metering.reconcile_seconds == 0),
    ];
    let zero: Vec<&str> = counts.iter().filter(|(_, is_zero)| *is_zero).map(|(key, _)| *key).collect();
    ensure!(zero.is_empty(), "must be 1 or more: {}", zero.join(", "));
    let auth = &settings.auth;
    let has_rate = auth.token_requests_per_minute > 0;
    ensure!(
        !has_rate || auth.token_requests_burst > 0,
        "must be 1 or more where token requests have a limit: auth.token_requests_burst"
    );
    oidc::check(settings)?;
    limits::check(&settings.limits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_must_not_be_zero_is_named() {
        let zeros =
            ["ZAMA__DATABASE__MAX_CONNECTIONS", "ZAMA__FHE__CHILDREN"].map(|key| (key.to_owned(), "0".to_owned()));
        let refused = Settings::load_with(None, zeros).expect_err("zeros are refused").to_string();
        assert_eq!(refused, "must be 1 or more: database.max_connections, fhe.children");
    }

    #[test]
    fn a_rate_lets_one_through_at_least() {
        let burst = ("ZAMA__AUTH__TOKEN_REQUESTS_BURST".to_owned(), "0".to_owned());
        let refused =
            Settings::load_with(None, [burst.clone()]).expect_err("nobody would ever get a token").to_string();
        assert!(refused.contains("auth.token_requests_burst"), "{refused}");
        let unlimited = ("ZAMA__AUTH__TOKEN_REQUESTS_PER_MINUTE".to_owned(), "0".to_owned());
        assert!(Settings::load_with(None, [burst, unlimited]).is_ok());
    }
}
