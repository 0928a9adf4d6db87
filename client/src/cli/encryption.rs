//! What `encrypt` and `submit --fhe` share: which values, under which key, for whom.

use std::path::PathBuf;

use alloy::primitives::{Address, B256};
use clap::Args;
use fhe::clear::ClearValue;
use fhe::inputs::Origin;
use jobs::fhe::program::ValueType;

use super::error::CliError;
use super::globals::Session;
use super::secrets::{known_submitter, own_key};
use super::values::{from_file, from_text, value_type};
use super::working::Working;
use crate::encrypted::{EncryptedError, EncryptedInputs, KeyCache, NetworkKey, OwnKey};
use crate::transport::Client;

/// Under which key values are encrypted, and for whom.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Encryption")]
pub struct EncryptionArgs {
    /// Type of the values: u8, u16, u32, u64 or bool
    #[arg(long = "type", value_name = "TYPE", value_parser = value_type)]
    pub kind: Option<ValueType>,
    /// A JSON array of values, instead of --values; - for stdin
    #[arg(long = "in", value_name = "FILE", conflicts_with = "values")]
    pub values_in: Option<String>,
    /// Encrypt under a client's own key instead of the network's
    #[arg(long, value_name = "FILE")]
    pub client_key: Option<PathBuf>,
    /// Id of the key: refuse any other network key, or name the client's without its evaluation key at hand
    #[arg(long, value_name = "0xHASH")]
    pub key_id: Option<B256>,
    /// Tenant that the inputs are bound to [default: what `whoami` shows]
    #[arg(long, value_name = "TENANT", conflicts_with = "client_key")]
    pub tenant: Option<String>,
    /// Submitter's address that the inputs are bound to [default: of --submitter-key, else what `whoami` shows]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "client_key")]
    pub submitter: Option<Address>,
    /// File with the submitter's key, 0x-hex: the inputs are bound to its address
    #[arg(long, value_name = "FILE")]
    pub submitter_key: Option<PathBuf>,
    /// Folder where network keys are kept [default: ~/.cache/zama-jobs/keys]
    #[arg(long, value_name = "DIR", env = "ZAMA_KEY_CACHE")]
    pub key_cache: Option<PathBuf>,
}

impl EncryptionArgs {
    /// The values of `--values` or `--in`.
    pub fn values(&self, list: Option<&str>) -> Result<Vec<ClearValue>, CliError> {
        match (list, &self.values_in) {
            (Some(text), _) => {
                from_text(text, self.kind).map_err(|fault| CliError::usage(format!("--values: {fault}")))
            }
            (None, Some(file)) => from_file(file, self.kind),
            (None, None) => Err(CliError::usage("give the values: --values 1,2,3 or --in FILE, and --type")),
        }
    }

    /// Encrypts, showing what goes on.
    pub async fn encrypt(&self, session: &Session, values: Vec<ClearValue>) -> Result<EncryptedInputs, CliError> {
        if let Some(file) = &self.client_key {
            let key = own_key(file, self.key_id)?;
            let _working = Working::start("encrypting");
            return Ok(key.encrypt(values).await?);
        }
        let client = session.client()?;
        let origin = self.origin(session, &client).await?;
        let key = network_key(&client, self.key_cache.clone(), self.key_id).await?;
        let _working = Working::start("encrypting, and proving that these are your values");
        Ok(key.encrypt(values, origin).await?)
    }

    /// The client's own key, if one is named.
    pub fn own_key(&self) -> Result<Option<OwnKey>, CliError> {
        self.client_key.as_deref().map(|file| own_key(file, self.key_id)).transpose()
    }

    /// The first flag that is given, for a command that takes none of them.
    pub fn first_given(&self) -> Option<&'static str> {
        let flags = [
            ("--type", self.kind.is_some()),
            ("--in", self.values_in.is_some()),
            ("--client-key", self.client_key.is_some()),
            ("--key-id", self.key_id.is_some()),
            ("--tenant", self.tenant.is_some()),
            ("--submitter", self.submitter.is_some()),
            ("--submitter-key", self.submitter_key.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    /// Whom the inputs are bound to: what the flags say, else what the API says of the caller, whose jobs alone they serve.
    async fn origin(&self, session: &Session, client: &Client) -> Result<Origin, CliError> {
        let submitter = match (self.submitter, &self.submitter_key) {
            (Some(address), _) => Some(address),
            (None, Some(file)) => known_submitter(session, Some(file))?.map(|submitter| submitter.address()),
            (None, None) => None,
        };
        if let (Some(tenant), Some(submitter)) = (&self.tenant, submitter) {
            return Ok(Origin { tenant: tenant.clone(), submitter: submitter.into_array() });
        }
        let me = client.me().await?;
        let submitter = submitter.or(me.submitter).ok_or_else(|| {
            CliError::usage(
                "inputs are bound to the submitter, and the token's user is not registered: give --submitter",
            )
        })?;
        Ok(Origin { tenant: self.tenant.clone().unwrap_or(me.tenant), submitter: submitter.into_array() })
    }
}

/// The network's key, from the cache or with a bar of its bytes.
pub(super) async fn network_key(
    client: &Client,
    cache: Option<PathBuf>,
    pinned: Option<B256>,
) -> Result<NetworkKey, CliError> {
    let cache = cache.map(KeyCache::at).or_else(KeyCache::of_user);
    let info = client.keys().await?.network.ok_or(EncryptedError::NoNetworkKey)?;
    let working = Working::transfer("fetching the network key", info.public_key.size + info.crs.size);
    let key = client.network_key_of(info, cache.as_ref(), &working.on_bytes()).await?;
    Ok(match pinned {
        Some(pinned) => key.expect(pinned)?,
        None => key,
    })
}
