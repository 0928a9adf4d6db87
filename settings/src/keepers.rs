//! Secrets that one role keeps: in production no other process may have them, so that stealing one steals nothing of
//! another's.

use anyhow::{Result, bail};

use crate::{Deployment, Settings};

/// Who starts, as far as secrets of its own matter.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Keeper {
    /// Keeps `kms.storage_secret`.
    KeyManager,
    /// Keeps `worker.attestation_key`.
    FheWorker,
    /// Keeps `database.migration_url`: no process that serves.
    Migrations,
    /// Keeps none: the API, and workers of other queues.
    Nobody,
}

impl Settings {
    /// Checks that a process in production has no other role's secret.
    ///
    /// # Errors
    /// Names each secret that is set and another role's.
    pub fn check_secrets(&self, role: Keeper) -> Result<()> {
        if self.environment != Deployment::Production {
            return Ok(());
        }
        let kept = [
            ("kms.storage_secret", &self.kms.storage_secret, Keeper::KeyManager),
            ("worker.attestation_key", &self.worker.attestation_key, Keeper::FheWorker),
            ("database.migration_url", &self.database.migration_url, Keeper::Migrations),
        ];
        let foreign: Vec<&str> =
            kept.into_iter().filter(|(_, value, keeper)| !value.is_empty() && *keeper != role).map(|it| it.0).collect();
        if !foreign.is_empty() {
            bail!("production refuses secrets of another role in this process; set to \"\": {}", foreign.join(", "));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_secret_is_its_keeper_s_alone() {
        let loaded = |environment: &str| {
            let variables = [
                ("ENVIRONMENT", environment),
                ("AUTH__REQUEST_KEY_SECRET", ""),
                ("AUTH__KEYS_SECRET", ""),
                ("DATABASE__URL", "postgres://db/zama"),
                ("DATABASE__MIGRATION_URL", "postgres://owner@db/zama"),
                ("TEMPORAL__CODEC_KEYS", ""),
                ("CHAIN__CONFIRMER_KEY", ""),
                ("CHAIN__DEPLOYER_KEY", ""),
                ("BILLING__LAGO_KEY", ""),
                ("BLOBS__URL", "s3://bucket"),
                ("KMS__URL", ""),
                ("KMS__API_CREDENTIAL", ""),
                ("KMS__WORKER_CREDENTIAL", ""),
                ("KMS__WORKER_ADDRESSES", ""),
                ("KMS__STORAGE_SECRET", "0123456789abcdef0123456789abcdef"),
                ("WORKER__ATTESTATION_KEY", "0x1111111111111111111111111111111111111111111111111111111111111111"),
            ];
            let variables = variables.map(|(key, value)| (format!("ZAMA__{key}"), value.to_owned()));
            Settings::load_with(None, variables).expect("sound settings")
        };
        let production = loaded("production");
        for (role, foreign) in [
            (Keeper::KeyManager, "worker.attestation_key, database.migration_url"),
            (Keeper::FheWorker, "kms.storage_secret, database.migration_url"),
            (Keeper::Migrations, "kms.storage_secret, worker.attestation_key"),
            (Keeper::Nobody, "kms.storage_secret, worker.attestation_key, database.migration_url"),
        ] {
            let refused = production.check_secrets(role).expect_err("another role's").to_string();
            assert!(refused.ends_with(&format!("set to \"\": {foreign}")), "{refused}");
            let mut own = production.clone();
            if role != Keeper::KeyManager {
                own.kms.storage_secret.clear();
            }
            if role != Keeper::FheWorker {
                own.worker.attestation_key.clear();
            }
            if role != Keeper::Migrations {
                own.database.migration_url.clear();
            }
            own.check_secrets(role).expect("its own");
            loaded("development").check_secrets(role).expect("whatever it is in development");
        }
    }
}
