//! What production wants of the key manager and of those who call it.

use anyhow::{Result, bail};

use crate::{Deployment, Kms, Settings};

/// Nothing slows a guess at the secret down, so it must be too long to guess.
const SHORTEST_SECRET: usize = 32;
/// One node could lie.
const SMALLEST_QUORUM: usize = 2;

/// Whoever calls the key manager in production does so over mTLS.
pub(crate) fn check_callers(kms: &Kms) -> Result<()> {
    if kms.url.is_empty() {
        return Ok(());
    }
    if !kms.url.starts_with("https://") || !kms.has_certificates() {
        bail!(
            "production wants https in kms.url, and kms.certificate_file, kms.key_file and kms.authority_file (or an empty kms.url)"
        );
    }
    Ok(())
}

impl Kms {
    /// Whether all three files for mTLS are named.
    #[must_use]
    pub fn has_certificates(&self) -> bool {
        [&self.certificate_file, &self.key_file, &self.authority_file].iter().all(|file| !file.is_empty())
    }

    /// The endpoints in `rpc_urls`.
    pub fn rpc_urls(&self) -> impl Iterator<Item = &str> {
        listed(&self.rpc_urls)
    }

    /// The addresses in `worker_addresses`.
    pub fn worker_addresses(&self) -> impl Iterator<Item = &str> {
        listed(&self.worker_addresses)
    }
}

fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty())
}

impl Settings {
    /// Checks what only the key manager's own process must fulfil in production.
    ///
    /// # Errors
    /// Names everything that is missing.
    pub fn check_key_manager(&self) -> Result<()> {
        let kms = &self.kms;
        let mut wanted = Vec::new();
        if kms.rpc_quorum == 0 || kms.rpc_urls().count() < kms.rpc_quorum {
            bail!("kms.rpc_quorum must be 1 or more, and kms.rpc_urls must list as many endpoints");
        }
        if self.environment != Deployment::Production {
            return Ok(());
        }
        let mut urls: Vec<&str> = kms.rpc_urls().collect();
        urls.sort_unstable();
        urls.dedup();
        if kms.rpc_quorum < SMALLEST_QUORUM || urls.len() < kms.rpc_quorum {
            wanted.push("kms.rpc_quorum of 2 or more, of different kms.rpc_urls");
        }
        if !kms.has_certificates() {
            wanted.push("kms.certificate_file, kms.key_file and kms.authority_file");
        }
        if kms.storage_secret.len() < SHORTEST_SECRET {
            wanted.push("kms.storage_secret of 32 characters or more");
        }
        if kms.registry_code_hash.is_empty() {
            wanted.push("kms.registry_code_hash");
        }
        if kms.worker_addresses().next().is_none() {
            wanted.push("kms.worker_addresses");
        }
        if wanted.is_empty() { Ok(()) } else { bail!("production wants for the key manager: {}", wanted.join("; ")) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(changes: &[(&str, &str)]) -> Result<Settings> {
        let variables = changes.iter().map(|(key, value)| (format!("ZAMA__{key}"), (*value).to_owned()));
        Settings::load_with(None, variables)
    }

    const PRODUCTION: [(&str, &str); 12] = [
        ("ENVIRONMENT", "production"),
        ("DATABASE__URL", "postgres://db/zama"),
        ("TEMPORAL__CODEC_KEYS", ""),
        ("CHAIN__CONFIRMER_KEY", ""),
        ("CHAIN__DEPLOYER_KEY", ""),
        ("BILLING__LAGO_KEY", ""),
        ("BLOBS__URL", "s3://bucket"),
        ("WORKER__ATTESTATION_KEY", ""),
        ("KMS__STORAGE_SECRET", "0123456789abcdef0123456789abcdef"),
        ("KMS__API_CREDENTIAL", "one"),
        ("KMS__WORKER_CREDENTIAL", "two"),
        ("KMS__WORKER_ADDRESSES", "0x1111111111111111111111111111111111111111"),
    ];

    const TLS: [(&str, &str); 4] = [
        ("KMS__URL", "https://kms:8083"),
        ("KMS__CERTIFICATE_FILE", "c"),
        ("KMS__KEY_FILE", "k"),
        ("KMS__AUTHORITY_FILE", "a"),
    ];

    #[test]
    fn production_calls_the_key_manager_over_mtls_or_not_at_all() {
        let refused = settings(&PRODUCTION).expect_err("http is refused").to_string();
        assert!(refused.contains("kms.certificate_file"), "{refused}");
        settings(&[PRODUCTION.as_slice(), &[("KMS__URL", "")]].concat()).expect("no key manager is fine");
        settings(&[PRODUCTION.as_slice(), &TLS].concat()).expect("mTLS is fine");
    }

    #[test]
    fn each_shared_credential_of_development_is_refused_by_name() {
        for (key, value) in [("API", "zama-development-kms-api"), ("WORKER", "zama-development-kms-worker")] {
            let shared = format!("KMS__{key}_CREDENTIAL");
            let refused = settings(&[PRODUCTION.as_slice(), &TLS, &[(shared.as_str(), value)]].concat());
            let refused = refused.expect_err("everybody knows it").to_string();
            assert!(refused.ends_with(&format!("set: kms.{}_credential", key.to_lowercase())), "{refused}");
        }
    }

    #[test]
    fn a_key_manager_in_production_wants_two_nodes_and_a_pinned_code() {
        let refused = settings(&[PRODUCTION.as_slice(), &TLS].concat()).expect("valid").check_key_manager();
        let refused = refused.expect_err("one node is not enough").to_string();
        for key in ["kms.rpc_quorum", "kms.registry_code_hash"] {
            assert!(refused.contains(key), "{key} is not named in: {refused}");
        }
        let complete = [("KMS__RPC_URLS", "http://a, http://b"), ("KMS__RPC_QUORUM", "2")];
        let hash = [("KMS__REGISTRY_CODE_HASH", "0x22")];
        let all = [PRODUCTION.as_slice(), &TLS, &complete, &hash].concat();
        settings(&all).expect("valid").check_key_manager().expect("nothing is missing");
        let twice = [("KMS__RPC_URLS", "http://a,http://a"), ("KMS__RPC_QUORUM", "2")];
        let all = [PRODUCTION.as_slice(), &TLS, &twice, &hash].concat();
        settings(&all).expect("valid").check_key_manager().expect_err("the same node twice");
    }

    #[test]
    fn a_quorum_beyond_the_list_is_refused_everywhere() {
        settings(&[]).expect("valid").check_key_manager().expect("the defaults serve a developer");
        settings(&[("KMS__RPC_QUORUM", "2")]).expect("valid").check_key_manager().expect_err("one of two");
        settings(&[("KMS__RPC_QUORUM", "0")]).expect("valid").check_key_manager().expect_err("none");
    }
}
