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
    ];
    let public: Vec<&str> =
        in_force.iter().filter(|(_, value)| is_development_value(value)).map(|(key, _)| *key).collect();
    if settings.development.compute_pause_ms != 0 {
        bail!("production refuses development.compute_pause_ms; set it to 0");
    }
    if !public.is_empty() {
        bail!("production refuses development values; set: {}", public.join(", "));
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
    fn every_marked_line_is_checked() {
        let marked = DEFAULTS.lines().filter(|line| !line.starts_with('#') && line.contains(MARK)).count();
        assert_eq!(marked, 5, "a new DEVELOPMENT ONLY value must be added to check()");
    }
}
