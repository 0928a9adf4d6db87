//! Whom a command believes: the chain through a node of one's own, a key manager by its address.

use std::path::PathBuf;

use alloy::primitives::Address;
use clap::Args;

use super::chain_args::{ChainArgs, KnownChain};
use super::dev_env::DevEnv;
use super::error::CliError;
use crate::encrypted::{ChainTrust, KnownKeyManagers, Trust};

/// Who vouches for keys and results; the API does not.
#[derive(Args, Clone, Debug, Default)]
pub struct TrustArgs {
    #[command(flatten)]
    pub chain: ChainArgs,
    /// Address of the key manager; without an EVM node it is believed, with one it must be the pinned one
    #[arg(long, value_name = "ADDRESS")]
    pub key_manager: Option<Address>,
    /// File of the key managers that were met before: a registry that pins another one is refused, until --key-manager
    /// names it [default: ~/.config/zama-jobs/known-key-managers]
    #[arg(long, value_name = "FILE", env = "ZAMA_KNOWN_KEY_MANAGERS")]
    pub known_key_managers: Option<PathBuf>,
}

impl TrustArgs {
    /// What flags, environment and file say. A node alone vouches for nothing: it serves any registry.
    pub(super) fn resolve(&self, dev: impl FnOnce() -> Result<Option<DevEnv>, CliError>) -> Result<Trust, CliError> {
        let chain = self.chain.resolve(dev)?.map(believed).transpose()?;
        let known = self.known_key_managers.clone().map(KnownKeyManagers::at).or_else(KnownKeyManagers::of_user);
        Ok(Trust { chain, key_manager: self.key_manager, known })
    }

    /// As [`TrustArgs::resolve`], where somebody must be believed.
    pub(super) fn require(&self, dev: impl FnOnce() -> Result<Option<DevEnv>, CliError>) -> Result<Trust, CliError> {
        match self.resolve(dev)? {
            Trust { chain: None, key_manager: None, .. } => Err(CliError::usage(
                "nobody says who the key manager is: give --rpc URL or set ZAMA_RPC, or give --key-manager ADDRESS",
            )),
            trust => Ok(trust),
        }
    }
}

/// A node with the registry that is believed on it.
pub(super) fn believed(chain: KnownChain) -> Result<ChainTrust, CliError> {
    let registry = chain.registry.ok_or_else(|| {
        CliError::usage(format!(
            "{} does not say which registry is ours: give --registry ADDRESS or set ZAMA_REGISTRY",
            chain.url
        ))
    })?;
    Ok(ChainTrust { rpc_url: chain.url, registry })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev(text: &str) -> impl FnOnce() -> Result<Option<DevEnv>, CliError> {
        let dev = DevEnv::parse(text).ok();
        move || Ok(dev)
    }

    #[test]
    fn somebody_must_be_believed_and_a_node_alone_is_nobody() {
        let nobody = TrustArgs::default().require(dev("")).unwrap_err();
        assert!(matches!(&nobody, CliError::Usage(text) if text.contains("--key-manager")), "{nobody}");
        let any_registry = TrustArgs::default().require(dev("ZAMA_RPC=http://dev\n")).unwrap_err();
        assert!(matches!(&any_registry, CliError::Usage(text) if text.contains("--registry")), "{any_registry}");

        let address = Address::repeat_byte(2);
        let whole = format!("ZAMA_RPC=http://dev\nZAMA_REGISTRY={address}\n");
        let known = Some(KnownKeyManagers::at("known"));
        let args = TrustArgs { known_key_managers: Some("known".into()), ..TrustArgs::default() };
        let chain = Trust { known: known.clone(), ..Trust::chain("http://dev", address) };
        assert_eq!(args.require(dev(&whole)).unwrap(), chain);
        let pinned = TrustArgs { key_manager: Some(address), ..args };
        assert_eq!(pinned.require(dev("")).unwrap(), Trust { known, ..Trust::key_manager(address) });
    }
}
