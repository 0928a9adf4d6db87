//! What the parts must know of each other: as settings for our own processes, as `.zama/dev.env` for people.

use std::path::PathBuf;

use super::parts::CHAIN_ID;
use super::ports::Ports;
use super::postgres;

/// Blocks after which the key manager believes a batch: as many as complete a job. anvil finalizes 64 blocks late.
const KMS_CONFIRMATIONS: u64 = 2;

/// Addresses and names that provisioning found out or the options said.
#[derive(Clone, Debug)]
pub struct Wiring {
    pub ports: Ports,
    pub lago_url: String,
    pub lago_key: String,
    /// The key that signs access tokens; the API and `zama-jobs token` share it.
    pub signing_key_file: PathBuf,
    /// Folder of the blob store.
    pub blobs: PathBuf,
    /// Folder in which the FHE worker keeps the network's keys.
    pub fhe_keys: PathBuf,
    /// The key manager's own folder.
    pub kms_dir: PathBuf,
    /// Address of the key manager's signing key, once it has one; the registry pins it.
    pub kms_signer: Option<String>,
    /// Address of the registry, once it is deployed.
    pub registry: Option<String>,
    /// A token for the development tenant, once there is one.
    pub token: Option<String>,
    /// An API key for the development tenant, once there is one.
    pub api_key: Option<String>,
    /// Private key of the development tenant's submitter; everybody can derive it.
    pub submitter_key: Option<String>,
}

impl Wiring {
    fn has_standin(&self) -> bool {
        self.lago_url == format!("http://{}", self.ports.lago())
    }

    /// What answers under `lago_url`: nobody shall take the stand-in for Lago.
    pub fn billing_name(&self) -> &'static str {
        if self.has_standin() { billing::standin::NAME } else { "Lago" }
    }

    /// As our own processes connect.
    pub fn database_url(&self) -> String {
        postgres::url(&postgres::APPLICATION, self.ports.postgres())
    }

    /// As migrations connect, and tests that do what no process can.
    pub fn owner_url(&self) -> String {
        postgres::url(&postgres::OWNER, self.ports.postgres())
    }

    pub fn rpc_url(&self) -> String {
        format!("http://{}", self.ports.anvil())
    }

    pub fn api_url(&self) -> String {
        format!("http://{}", self.ports.api())
    }

    pub fn kms_url(&self) -> String {
        format!("http://{}", self.ports.kms())
    }

    pub fn temporal_ui(&self) -> String {
        format!("http://{}", self.ports.temporal_ui())
    }

    /// Environment variables that override `config.default.toml` in our own processes.
    pub fn settings(&self) -> Vec<(String, String)> {
        let mut settings = vec![
            ("ZAMA__API__LISTEN", self.ports.api().to_string()),
            ("ZAMA__DEVELOPMENT__CHAIN_MAY_FORGET", "true".to_owned()),
            ("ZAMA__API__PUBLIC_URL", self.api_url()),
            ("ZAMA__AUTH__SIGNING_KEY_FILE", self.signing_key_file.display().to_string()),
            ("ZAMA__DATABASE__URL", self.database_url()),
            ("ZAMA__DATABASE__MIGRATION_URL", self.owner_url()),
            ("ZAMA__BLOBS__URL", format!("file://{}", self.blobs.display())),
            ("ZAMA__TEMPORAL__ADDRESS", self.ports.temporal().to_string()),
            ("ZAMA__TEMPORAL__UI_URL", self.temporal_ui()),
            ("ZAMA__TEMPORAL__CODEC_LISTEN", self.ports.codec().to_string()),
            ("ZAMA__WORKER__METRICS_LISTEN", self.ports.worker().to_string()),
            ("ZAMA__FHE__KEY_FOLDER", self.fhe_keys.display().to_string()),
            ("ZAMA__CHAIN__RPC_URL", self.rpc_url()),
            ("ZAMA__CHAIN__CHAIN_ID", CHAIN_ID.to_string()),
            ("ZAMA__KMS__URL", self.kms_url()),
            ("ZAMA__KMS__LISTEN", self.ports.kms().to_string()),
            ("ZAMA__KMS__DATA_DIR", self.kms_dir.display().to_string()),
            ("ZAMA__KMS__RPC_URLS", self.rpc_url()),
            ("ZAMA__KMS__CONFIRMATIONS", KMS_CONFIRMATIONS.to_string()),
            ("ZAMA__BILLING__LAGO_URL", self.lago_url.clone()),
            ("ZAMA__BILLING__LAGO_KEY", self.lago_key.clone()),
        ];
        // A Lago elsewhere may not reach this machine: who starts it tells it where to report to.
        let webhook = || ("ZAMA__BILLING__WEBHOOK_URL", format!("{}/v1/billing/lago-webhook", self.api_url()));
        settings.extend(self.has_standin().then(webhook));
        settings.extend(self.registry.clone().map(|registry| ("ZAMA__CHAIN__REGISTRY", registry)));
        settings.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
    }

    /// The text of `.zama/dev.env`: `KEY=value` lines that sh can source.
    pub fn env_file(&self) -> String {
        let known = [
            ("ZAMA_API", Some(self.api_url())),
            ("ZAMA_TOKEN", self.token.clone()),
            ("ZAMA_API_KEY", self.api_key.clone()),
            ("ZAMA_DATABASE_URL", Some(self.database_url())),
            ("ZAMA_TEMPORAL", Some(self.ports.temporal().to_string())),
            ("ZAMA_TEMPORAL_UI", Some(self.temporal_ui())),
            ("ZAMA_RPC", Some(self.rpc_url())),
            ("ZAMA_REGISTRY", self.registry.clone()),
            ("ZAMA_KMS", Some(self.ports.kms().to_string())),
            ("ZAMA_LAGO_URL", Some(self.lago_url.clone())),
            ("ZAMA_LAGO_KEY", Some(self.lago_key.clone())),
            ("ZAMA_SUBMITTER_KEY", self.submitter_key.clone()),
        ];
        let known = known.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
        // The settings come last: whoever sources the file runs `zama-jobs worker`, `token` and so on by hand.
        known.chain(self.settings()).map(|(key, value)| format!("{key}={}\n", quoted(&value))).collect()
    }
}

/// A value as sh reads it: bare where that is safe, else in single quotes.
fn quoted(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:@+=,%".contains(c);
    if !value.is_empty() && value.chars().all(plain) {
        return value.to_owned();
    }
    format!("'{}'", value.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wiring(lago_key: &str) -> Wiring {
        Wiring {
            ports: Ports::new(7600),
            lago_url: "http://127.0.0.1:7608".to_owned(),
            lago_key: lago_key.to_owned(),
            signing_key_file: PathBuf::from("/data/token-signing.pem"),
            blobs: PathBuf::from("/data/blobs"),
            fhe_keys: PathBuf::from("/data/fhe-keys"),
            kms_dir: PathBuf::from("/data/kms"),
            kms_signer: None,
            registry: None,
            token: Some("a.b.c".to_owned()),
            api_key: None,
            submitter_key: None,
        }
    }

    #[test]
    fn sh_reads_what_was_written() {
        let nasty = "it's $HOME; `id` \"x\"";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("dev.env");
        std::fs::write(&file, wiring(nasty).env_file()).unwrap();
        let script =
            format!(". {}; printf '%s|%s|%s' \"$ZAMA_API\" \"$ZAMA_TOKEN\" \"$ZAMA_LAGO_KEY\"", file.display());
        let output = std::process::Command::new("sh").args(["-euc", &script]).output().unwrap();
        assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("http://127.0.0.1:7600|a.b.c|{nasty}"));
    }

    /// As the specification of the development stack names them.
    #[test]
    fn the_environment_file_has_every_documented_key_and_only_settings_beside_them() {
        let known = |value: &str| Some(value.to_owned());
        let wiring = Wiring {
            registry: known("0x5FbDB2315678afecb367f032d93F642f64180aa3"),
            api_key: known("zama_key"),
            submitter_key: known("0x01"),
            ..wiring("key")
        };
        let file = wiring.env_file();
        let keys = file.lines().map(|line| line.split_once('=').expect("KEY=value").0);
        let (settings, mut keys): (Vec<_>, Vec<_>) = keys.partition(|key| key.starts_with("ZAMA__"));
        let mut documented = [
            "ZAMA_API",
            "ZAMA_TOKEN",
            "ZAMA_API_KEY",
            "ZAMA_DATABASE_URL",
            "ZAMA_TEMPORAL",
            "ZAMA_TEMPORAL_UI",
            "ZAMA_RPC",
            "ZAMA_REGISTRY",
            "ZAMA_LAGO_URL",
            "ZAMA_LAGO_KEY",
            "ZAMA_KMS",
            "ZAMA_SUBMITTER_KEY",
        ];
        keys.sort_unstable();
        documented.sort_unstable();
        assert_eq!(keys, documented);
        assert_eq!(settings.len(), wiring.settings().len());
    }

    #[test]
    fn every_override_is_a_known_setting() {
        let mut wiring = wiring("key");
        wiring.registry = Some("0x5FbDB2315678afecb367f032d93F642f64180aa3".to_owned());
        for (key, _) in wiring.settings() {
            let path: Vec<String> = key.split("__").skip(1).map(str::to_lowercase).collect();
            let [section, name] = path.as_slice() else { panic!("{key} has no section") };
            let defaults = settings::DEFAULTS.split(&format!("\n[{section}]\n")).nth(1).expect("the section exists");
            let section_text = defaults.split("\n[").next().unwrap();
            assert!(section_text.lines().any(|line| line.starts_with(&format!("{name} = "))), "{key} is not a setting");
        }
    }
}
