//! How the API's process looks at the parts: its own, and those that only this binary can reach.

use std::sync::Arc;
use std::time::Duration;

use ::api::health::{Encrypted, Health, PartName, Probe, Sight, database_probe, engine_probes};
use ::billing::LagoClient;
use ::chain::{ChainClient, ChainConfig, ChainError};
use ::temporal::{Presence, Target};
use anyhow::Result;
use settings::Settings;
use store::PgPool;

use super::{key_manager, parts};

const EVERY: Duration = Duration::from_secs(5);
/// Billing may be anybody's server, and may be away for long without harm.
const BILLING_EVERY: Duration = Duration::from_secs(15);

/// Everything that this installation has.
pub(super) fn health(settings: &Settings, pool: &PgPool, target: Target) -> Result<Health> {
    let key_manager = key_manager::of_api(settings)?;
    let encrypted = if key_manager.is_some() { Encrypted::Served } else { Encrypted::Off };
    let mut probes = vec![database_probe(pool)];
    probes.extend(engine_probes(pool, Presence::of(target), encrypted));
    let chain = parts::chain(settings)?;
    probes.push(Probe::new(PartName::Chain, EVERY, move || look_at_chain(chain.clone())));
    if let Some(lago) = parts::lago(settings)? {
        let lago = Arc::new(lago);
        probes.push(Probe::new(PartName::Billing, BILLING_EVERY, move || look_at_billing(lago.clone())));
    }
    if let Some(client) = key_manager {
        probes.push(Probe::new(PartName::KeyManager, EVERY, move || look_at_key_manager(client.clone())));
    }
    Ok(Health::new(probes))
}

/// Addresses and keys of nodes are often one URL, so that no error is repeated.
async fn look_at_chain(config: ChainConfig) -> Sight {
    match ChainClient::connect(config).await {
        Ok(client) => match client.is_paused().await {
            Ok(false) => Sight::Ok,
            Ok(true) => Sight::unavailable("The registry is paused: jobs wait to be confirmed."),
            Err(_) => Sight::unavailable("The EVM node does not answer."),
        },
        Err(ChainError::WrongChain { .. }) => Sight::unavailable("The EVM node serves another chain."),
        Err(ChainError::NotARegistry(_)) => Sight::unavailable("There is no registry where it should be."),
        Err(_) => Sight::unavailable("The EVM node does not answer."),
    }
}

async fn look_at_billing(lago: Arc<LagoClient>) -> Sight {
    match lago.health().await {
        Ok(()) => Sight::Ok,
        Err(error) => {
            tracing::debug!(%error, "Lago does not answer");
            Sight::unavailable("The billing system does not answer.")
        }
    }
}

async fn look_at_key_manager(client: kms::Client) -> Sight {
    match client.health().await {
        Ok(()) => Sight::Ok,
        Err(error) => {
            tracing::debug!(%error, "the key manager does not answer");
            Sight::unavailable("The key manager does not answer.")
        }
    }
}
