//! What production wants of the key manager and of those who call it.

use std::collections::BTreeSet;

use anyhow::{Result, bail};
use url::{Host, Url};

use crate::{Chain, Deployment, Kms, Settings};

/// Nothing slows a guess at a secret or a credential down, so it must be too long to guess. In characters.
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
    // Each process has its own; the other one may be empty.
    for (key, credential) in [("api", &kms.api_credential), ("worker", &kms.worker_credential)] {
        if !credential.is_empty() && credential.len() < SHORTEST_SECRET {
            bail!("production wants a kms.{key}_credential of {SHORTEST_SECRET} characters or more");
        }
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

impl Chain {
    /// The endpoints in `rpc_url`.
    pub fn rpc_urls(&self) -> impl Iterator<Item = &str> {
        listed(&self.rpc_url)
    }
}

/// Where a node is: host and port, whatever path, key or letter case its address has. `None` for an address that
/// production does not ask: what is neither https nor on this machine can be answered by anybody on the way.
pub(crate) fn safe_origin(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let is_loopback = match url.host()? {
        Host::Domain(name) => name == "localhost",
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    };
    let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback);
    is_safe.then(|| url.origin().ascii_serialization())
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
        let origins: Vec<Option<String>> = kms.rpc_urls().map(safe_origin).collect();
        if origins.iter().any(Option::is_none) {
            wanted.push("https in all kms.rpc_urls that are not on this machine");
        }
        let servers: BTreeSet<String> = origins.into_iter().flatten().collect();
        if kms.rpc_quorum < SMALLEST_QUORUM || servers.len() < kms.rpc_quorum {
            wanted.push("kms.rpc_quorum of 2 or more, of kms.rpc_urls on as many servers");
        }
        if [&kms.api_credential, &kms.worker_credential].iter().any(|it| it.len() < SHORTEST_SECRET) {
            wanted.push("kms.api_credential and kms.worker_credential of 32 characters or more");
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

    const PRODUCTION: [(&str, &str); 15] = [
        ("ENVIRONMENT", "production"),
        ("AUTH__REQUEST_KEY_SECRET", ""),
        ("DATABASE__URL", "postgres://db/zama"),
        ("DATABASE__MIGRATION_URL", ""),
        ("AUTH__KEYS_SECRET", ""),
        ("TEMPORAL__CODEC_KEYS", ""),
        ("CHAIN__CONFIRMER_KEY", ""),
        ("CHAIN__DEPLOYER_KEY", ""),
        ("BILLING__LAGO_KEY", ""),
        ("BLOBS__URL", "s3://bucket"),
        ("WORKER__ATTESTATION_KEY", ""),
        ("KMS__STORAGE_SECRET", "0123456789abcdef0123456789abcdef"),
        ("KMS__API_CREDENTIAL", "one, which is long enough to be safe"),
        ("KMS__WORKER_CREDENTIAL", "two, which is long enough to be safe"),
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
    fn signing_servers_and_nodes_are_asked_over_https_or_on_this_machine() {
        for (key, setting) in [
            ("CHAIN__CONFIRMER_SIGNER_URL", "chain.confirmer_signer_url"),
            ("CHAIN__DEPLOYER_SIGNER_URL", "chain.deployer_signer_url"),
            ("CHAIN__RPC_URL", "chain.rpc_url"),
        ] {
            let with = |url| settings(&[PRODUCTION.as_slice(), &TLS, &[(key, url)]].concat());
            for safe in ["", "https://one.example/key", "http://127.0.0.1:9000"] {
                with(safe).expect(safe);
            }
            let refused = with("http://one.example").expect_err("anybody on the way may answer").to_string();
            assert!(refused.contains(setting), "{refused}");
        }
        let urls = "https://one.example/key, http://two.example/key";
        let refused = settings(&[PRODUCTION.as_slice(), &TLS, &[("CHAIN__RPC_URL", urls)]].concat());
        let refused = refused.expect_err("one of both is enough").to_string();
        assert!(refused.contains("chain.rpc_url") && !refused.contains("/key"), "{refused}");
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
        let complete = [("KMS__RPC_URLS", "https://a, https://b/key"), ("KMS__RPC_QUORUM", "2")];
        let hash = [("KMS__REGISTRY_CODE_HASH", "0x22")];
        let all = [PRODUCTION.as_slice(), &TLS, &complete, &hash].concat();
        settings(&all).expect("valid").check_key_manager().expect("nothing is missing");
        let checked = |urls| {
            let nodes = [("KMS__RPC_URLS", urls), ("KMS__RPC_QUORUM", "2")];
            settings(&[PRODUCTION.as_slice(), &TLS, &nodes, &hash].concat()).expect("valid").check_key_manager()
        };
        for same in ["https://a,https://a", "https://a,https://a/", "https://a/one,https://A:443/two"] {
            let refused = checked(same).expect_err("the same node twice").to_string();
            assert!(refused.contains("on as many servers"), "{same}: {refused}");
        }
        for unsafe_one in ["https://a,http://b", "https://a,b", "https://a,ws://127.0.0.1"] {
            let refused = checked(unsafe_one).expect_err("anybody on the way may answer").to_string();
            assert!(refused.contains("https in all kms.rpc_urls"), "{unsafe_one}: {refused}");
        }
        checked("https://a,http://127.0.0.1:8545").expect("a node of this machine is fine");
    }

    #[test]
    fn the_secret_of_the_signing_keys_is_long_or_not_there() {
        let with = |secret| settings(&[PRODUCTION.as_slice(), &TLS, &[("AUTH__KEYS_SECRET", secret)]].concat());
        with("0123456789abcdef0123456789abcdef").expect("32 characters");
        with("").expect("a role that needs none");
        let refused = with("short").expect_err("guessed").to_string();
        assert!(refused.contains("auth.keys_secret") && !refused.contains("short"), "{refused}");
    }

    #[test]
    fn production_wants_credentials_that_nobody_guesses() {
        let complete =
            [("KMS__RPC_URLS", "https://a,https://b"), ("KMS__RPC_QUORUM", "2"), ("KMS__REGISTRY_CODE_HASH", "0x22")];
        let all = [PRODUCTION.as_slice(), &TLS, &complete].concat();
        for key in ["KMS__API_CREDENTIAL", "KMS__WORKER_CREDENTIAL"] {
            let short = settings(&[all.as_slice(), &[(key, "a")]].concat()).expect_err("one character").to_string();
            assert!(short.contains("of 32 characters or more"), "{short}");
            let absent = settings(&[all.as_slice(), &[(key, "")]].concat()).expect("another process's");
            absent.check_key_manager().expect_err("the key manager knows both");
        }
    }

    /// A depth is somebody's decision about a chain; without one only what is final counts.
    #[test]
    fn without_a_decision_only_finalized_blocks_count() {
        assert_eq!(settings(&[]).expect("valid").kms.confirmations, 0);
    }

    #[test]
    fn a_quorum_beyond_the_list_is_refused_everywhere() {
        settings(&[]).expect("valid").check_key_manager().expect("the defaults serve a developer");
        settings(&[("KMS__RPC_QUORUM", "2")]).expect("valid").check_key_manager().expect_err("one of two");
        settings(&[("KMS__RPC_QUORUM", "0")]).expect("valid").check_key_manager().expect_err("none");
    }
}
