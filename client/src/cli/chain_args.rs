//! Which chain a command asks: flags, then the environment, then `.zama/dev.env`.

use alloy::primitives::Address;
use clap::Args;

use super::dev_env::DevEnv;
use super::error::CliError;
use super::globals::given;

/// The chain to ask.
#[derive(Args, Clone, Debug, Default)]
pub struct ChainArgs {
    /// EVM node to ask [default: ZAMA_RPC of .zama/dev.env]
    #[arg(long, env = "ZAMA_RPC", hide_env_values = true, value_name = "URL")]
    pub rpc: Option<String>,
    /// Registry that must have confirmed the job; without it the receipt's own address is believed
    #[arg(long, env = "ZAMA_REGISTRY", value_name = "ADDRESS")]
    pub registry: Option<String>,
}

/// An EVM node, and the registry if it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct KnownChain {
    pub url: String,
    pub registry: Option<Address>,
}

impl ChainArgs {
    /// The chain, if any is known. Another node than the file's has another registry.
    pub(super) fn resolve(
        &self,
        dev: impl FnOnce() -> Result<Option<DevEnv>, CliError>,
    ) -> Result<Option<KnownChain>, CliError> {
        let registry = self.registry()?;
        if let Some(url) = given(self.rpc.as_deref()) {
            return known(url, registry).map(Some);
        }
        let dev = dev()?.unwrap_or_default();
        let Some(url) = dev.get("ZAMA_RPC") else { return Ok(None) };
        let registry = match registry {
            Some(registry) => Some(registry),
            None => dev.get("ZAMA_REGISTRY").map(address).transpose()?,
        };
        known(url, registry).map(Some)
    }

    /// The registry that was named for this call.
    pub(super) fn registry(&self) -> Result<Option<Address>, CliError> {
        given(self.registry.as_deref()).map(address).transpose()
    }
}

fn known(url: &str, registry: Option<Address>) -> Result<KnownChain, CliError> {
    chain::check_rpc_url(url).map_err(|error| CliError::usage(error.to_string()))?;
    Ok(KnownChain { url: url.to_owned(), registry })
}

fn address(text: &str) -> Result<Address, CliError> {
    text.parse().map_err(|_| CliError::usage(format!("{text:?} is not the address of a registry")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dev() -> Result<Option<DevEnv>, CliError> {
        let file = format!("ZAMA_RPC=http://dev\nZAMA_REGISTRY={}\n", Address::repeat_byte(2));
        Ok(DevEnv::parse(&file).ok())
    }

    #[test]
    fn flags_go_before_the_file() {
        let known = |url: &str, registry| Some(KnownChain { url: url.to_owned(), registry });
        let flags = ChainArgs::default();
        assert_eq!(flags.resolve(dev).unwrap(), known("http://dev", Some(Address::repeat_byte(2))));
        let flags = ChainArgs { rpc: Some("http://mine".to_owned()), registry: None };
        assert_eq!(flags.resolve(dev).unwrap(), known("http://mine", None), "another chain has another registry");
        assert_eq!(ChainArgs::default().resolve(|| Ok(None)).unwrap(), None);
        let bad = ChainArgs { registry: Some("0x12".to_owned()), rpc: None };
        assert!(matches!(bad.resolve(dev), Err(CliError::Usage(_))));
        let bad = ChainArgs { registry: None, rpc: Some("localhost:8545".to_owned()) };
        let Err(CliError::Usage(text)) = bad.resolve(dev) else { panic!("no URL was taken") };
        assert!(text.contains("localhost:8545") && text.contains("http://"), "{text}");
    }
}
