//! Production refuses every value that `config.default.toml` marks as DEVELOPMENT ONLY.

use anyhow::{Result, bail};

use crate::{DEFAULTS, Deployment, Settings};

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
    crate::key_manager::check_callers(&settings.kms)
}

fn is_development_value(value: &str) -> bool {
    DEFAULTS.lines().filter(|line| line.contains(MARK)).any(|line| line.contains(&format!("\"{value}\"")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_marked_line_is_checked() {
        let marked = DEFAULTS.lines().filter(|line| !line.starts_with('#') && line.contains(MARK)).count();
        assert_eq!(marked, 9, "a new DEVELOPMENT ONLY value must be added to check()");
    }
}
