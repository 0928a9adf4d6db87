//! Production refuses every value that `config.default.toml` marks as DEVELOPMENT ONLY.

use anyhow::{Result, bail};

use crate::key_manager::{check_callers, safe_origin};
use crate::{Blobs, Chain, DEFAULTS, Deployment, Settings, SigningAccount};

/// Shortest secret from which keys are derived, in characters.
const MIN_SECRET: usize = 32;

const MARK: &str = "DEVELOPMENT ONLY";

/// How every public secret begins that is a text of ours.
const PUBLIC_NAME: &str = "zama-development-";

/// Names all development secrets that are still in force, so that one start tells everything there is to fix.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    if settings.environment != Deployment::Production {
        return Ok(());
    }
    let public: Vec<&str> =
        secrets(settings).iter().filter(|(_, value)| is_development_value(value)).map(|(key, _)| *key).collect();
    if settings.development.compute_pause_ms != 0 {
        bail!("production refuses development.compute_pause_ms; set it to 0");
    }
    if !settings.development.kms_seed_dir.is_empty() {
        bail!("production refuses development.kms_seed_dir; every key manager makes its own keys");
    }
    if !settings.development.fetch_hosts.is_empty() {
        bail!("production refuses development.fetch_hosts; encrypted_data_url names public hosts alone");
    }
    if settings.development.chain_may_forget {
        bail!("production refuses development.chain_may_forget; set it to false");
    }
    if !public.is_empty() {
        bail!("production refuses development values; set: {}", public.join(", "));
    }
    // Other roles than the API leave it out.
    if (1..MIN_SECRET).contains(&settings.auth.keys_secret.len()) {
        bail!("production wants {MIN_SECRET} characters or more in auth.keys_secret");
    }
    check_chain(&settings.chain)?;
    check_callers(&settings.kms)?;
    check_blobs(&settings.blobs)
}

/// The values that are DEVELOPMENT ONLY by default, by key.
fn secrets(settings: &Settings) -> [(&'static str, &str); 13] {
    [
        ("auth.request_key_secret", &settings.auth.request_key_secret),
        ("database.url", &settings.database.url),
        ("database.migration_url", &settings.database.migration_url),
        ("temporal.codec_keys", &settings.temporal.codec_keys),
        ("chain.confirmer_key", &settings.chain.confirmer_key),
        ("chain.deployer_key", &settings.chain.deployer_key),
        ("billing.lago_key", &settings.billing.lago_key),
        ("worker.attestation_key", &settings.worker.attestation_key),
        ("auth.keys_secret", &settings.auth.keys_secret),
        ("kms.storage_secret", &settings.kms.storage_secret),
        ("kms.api_credential", &settings.kms.api_credential),
        ("kms.worker_credential", &settings.kms.worker_credential),
        ("kms.worker_addresses", &settings.kms.worker_addresses),
    ]
}

/// Whoever is on the way could answer in a node's or a signing server's name.
fn check_chain(chain: &Chain) -> Result<()> {
    for SigningAccount { name, signer_url, .. } in [chain.confirmer(), chain.deployer()] {
        if !signer_url.is_empty() && safe_origin(signer_url).is_none() {
            bail!("production wants https in chain.{name}_signer_url, except on this machine");
        }
    }
    if chain.rpc_urls().any(|url| safe_origin(url).is_none()) {
        bail!("production wants https in all of chain.rpc_url that are not on this machine");
    }
    Ok(())
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

/// Whether a value holds a public secret: another case, another id or another host do not make it a secret again. Those of
/// docker-compose.yml are named as what they are.
fn is_development_value(value: &str) -> bool {
    let value = value.to_lowercase();
    value.contains(PUBLIC_NAME) || public_secrets().any(|secret| value.contains(&secret))
}

/// The secret part of each marked default: a URL's password, a key without its id and its 0x.
fn public_secrets() -> impl Iterator<Item = String> {
    DEFAULTS.lines().filter(|line| line.contains(MARK)).filter_map(|line| {
        let value = line.split('"').nth(1)?.to_lowercase();
        if value.contains("://") {
            let password = value.split_once('@')?.0.rsplit_once(':')?.1;
            return Some(format!(":{password}@"));
        }
        let key = value.rsplit(':').next()?;
        Some(key.strip_prefix("0x").unwrap_or(key).to_owned())
    })
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
    fn a_public_secret_in_another_dress_is_public() {
        for public in [
            "postgres://zama:zama@10.0.0.1:5432/jobs",
            "0xAC0974BEC39A17E36BA4A6B4D238FF944BACB478CBED5EFCAE784D7BF4F2FF80",
            "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
            "mine:000102,other:7a616d612d6a6f62732d646576656c6f706d656e742d636f6465632d6b657931",
            "postgres://zama_app:zama_app@10.0.0.1:5432/jobs",
            "postgres://zama:zama-development-postgres@postgres:5432/zama",
        ] {
            assert!(is_development_value(public), "{public}");
        }
        for own in ["postgres://zama:3f9c@10.0.0.1:5432/zama", "mine:000102", ""] {
            assert!(!is_development_value(own), "{own}");
        }
    }

    #[test]
    fn every_marked_value_is_checked() {
        let defaults = Settings::load_with(None, std::iter::empty()).unwrap();
        let checked: Vec<_> = secrets(&defaults).into_iter().map(|(key, _)| key.to_owned()).collect();
        let mut section = "";
        for line in DEFAULTS.lines() {
            if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
                section = name;
            }
            if !line.starts_with('#') && line.contains(MARK) {
                let key = format!("{section}.{}", line.split_whitespace().next().unwrap());
                assert!(checked.contains(&key), "{key} is not in secrets()");
            }
        }
        assert!(secrets(&defaults).iter().all(|(_, value)| is_development_value(value)));
    }
}
