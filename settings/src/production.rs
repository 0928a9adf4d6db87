//! Production refuses every value that `config.default.toml` marks as DEVELOPMENT ONLY.

use anyhow::{Result, bail};

use crate::{Blobs, DEFAULTS, Deployment, Settings};

const MARK: &str = "DEVELOPMENT ONLY";

/// Names all development secrets that are still in force, so that one start tells everything there is to fix.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    if settings.environment != Deployment::Production {
        return Ok(());
    }
    let in_force = [
        ("database.url", &settings.database.url),
        ("temporal.codec_keys", &settings.temporal.codec_keys),
        ("chain.confirmer_key", &settings.chain.confirmer_key),
        ("chain.deployer_key", &settings.chain.deployer_key),
        ("billing.lago_key", &settings.billing.lago_key),
        ("worker.attestation_key", &settings.worker.attestation_key),
        ("kms.storage_secret", &settings.kms.storage_secret),
        ("kms.api_credential", &settings.kms.api_credential),
        ("kms.worker_credential", &settings.kms.worker_credential),
        ("kms.worker_addresses", &settings.kms.worker_addresses),
    ];
    let public: Vec<&str> =
        in_force.iter().filter(|(_, value)| is_development_value(value)).map(|(key, _)| *key).collect();
    if settings.development.compute_pause_ms != 0 {
        bail!("production refuses development.compute_pause_ms; set it to 0");
    }
    if !settings.development.kms_seed_dir.is_empty() {
        bail!("production refuses development.kms_seed_dir; every key manager makes its own keys");
    }
    if !public.is_empty() {
        bail!("production refuses development values; set: {}", public.join(", "));
    }
    crate::key_manager::check_callers(&settings.kms)?;
    check_blobs(&settings.blobs)
}

/// A folder that depends on where the process was started would be another one for each role.
fn check_blobs(blobs: &Blobs) -> Result<()> {
    if blobs.url.strip_prefix("file://").is_some_and(|folder| !folder.starts_with('/')) {
        bail!("production refuses a relative blobs.url; set file:///folder or s3://bucket/prefix");
    }
    if blobs.s3_allow_http {
        bail!("production refuses blobs.s3_allow_http; set it to false");
    }
    Ok(())
}

fn is_development_value(value: &str) -> bool {
    DEFAULTS.lines().filter(|line| line.contains(MARK)).any(|line| line.contains(&format!("\"{value}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blobs_lie_in_one_place_for_all_roles() {
        let of = |url: &str, s3_allow_http| Blobs {
            url: url.to_owned(),
            s3_endpoint: String::new(),
            s3_region: String::new(),
            s3_access_key_id: String::new(),
            s3_secret_access_key: String::new(),
            s3_allow_http,
        };
        assert!(check_blobs(&of("file:///srv/blobs", false)).is_ok());
        assert!(check_blobs(&of("s3://bucket", false)).is_ok());
        assert!(check_blobs(&of("file://.zama/blobs", false)).is_err());
        assert!(check_blobs(&of("s3://bucket", true)).is_err());
    }

    #[test]
    fn every_marked_line_is_checked() {
        let marked = DEFAULTS.lines().filter(|line| !line.starts_with('#') && line.contains(MARK)).count();
        assert_eq!(marked, 10, "a new DEVELOPMENT ONLY value must be added to check()");
    }
}
