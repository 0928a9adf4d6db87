//! What `encrypt` and `submit --fhe` share: which values, under which key, for whom.

use std::path::PathBuf;

use alloy::primitives::{Address, B256};
use clap::Args;
use fhe::clear::ClearValue;
use fhe::inputs::Origin;
use jobs::fhe::program::ValueType;

use super::dev_env::DevEnv;
use super::error::CliError;
use super::globals::Session;
use super::secrets::{known_submitter, own_key};
use super::trust_args::TrustArgs;
use super::values::{from_file, from_text, value_type};
use super::working::Working;
use crate::encrypted::{EncryptedInputs, KeyCache, NetworkKey, OwnKey, Trust};
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
    #[arg(long, value_name = "FILE", conflicts_with = "key_manager")]
    pub client_key: Option<PathBuf>,
    /// Id of the key: believe this network key and no other, or name the client's without its evaluation key at hand
    #[arg(long, value_name = "0xHASH")]
    pub key_id: Option<B256>,
    /// Tenant that the inputs are bound to [default: what `whoami` shows]
    #[arg(long, value_name = "TENANT", conflicts_with = "client_key")]
    pub tenant: Option<String>,
    /// Submitter's address that the inputs are bound to [default: of the submitter's key]
    #[arg(long, value_name = "ADDRESS", conflicts_with = "client_key")]
    pub submitter: Option<Address>,
    /// File with the submitter's key, 0x-hex [default: ZAMA_SUBMITTER_KEY, the variable or of .zama/dev.env]
    #[arg(long, value_name = "FILE")]
    pub submitter_key: Option<PathBuf>,
    /// Folder where network keys are kept [default: ~/.cache/zama-jobs/keys]
    #[arg(long, value_name = "DIR", env = "ZAMA_KEY_CACHE")]
    pub key_cache: Option<PathBuf>,
    #[command(flatten)]
    pub trust: TrustArgs,
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
        let belief = Belief::of(self.key_id, &self.trust)?;
        let key = network_key(&client, self.key_cache.clone(), belief).await?;
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
            ("--key-manager", self.trust.key_manager.is_some()),
            ("--tenant", self.tenant.is_some()),
            ("--submitter", self.submitter.is_some()),
            ("--submitter-key", self.submitter_key.is_some()),
        ];
        flags.into_iter().find(|(_, given)| *given).map(|(flag, _)| flag)
    }

    /// Whom the inputs are bound to: what the flags say, else the caller, whose jobs alone they serve. Who reads the result
    /// is decided here: the submitter is never what the API says, but where it says another one, no job would take them.
    async fn origin(&self, session: &Session, client: &Client) -> Result<Origin, CliError> {
        let submitter = match self.submitter {
            Some(address) => address,
            None => known_submitter(session, self.submitter_key.as_deref())?
                .ok_or_else(|| {
                    CliError::usage(
                        "inputs are bound to the submitter, who alone reads the result: give --submitter ADDRESS, \
                         --submitter-key FILE or set ZAMA_SUBMITTER_KEY",
                    )
                })?
                .address(),
        };
        let tenant = match &self.tenant {
            Some(tenant) => tenant.clone(),
            None => {
                let me = client.me().await?;
                if let Some(registered) = me.submitter.filter(|registered| *registered != submitter) {
                    return Err(CliError::usage(format!(
                        "your jobs belong to {registered} (zama-jobs whoami), and the inputs would be bound to \
                         {submitter}: give the key of yours, or encrypt for another one with --tenant and --submitter"
                    )));
                }
                me.tenant
            }
        };
        Ok(Origin { tenant, submitter: submitter.into_array() })
    }
}

/// Why the network's key is believed.
pub(super) enum Belief {
    /// Its id was learnt elsewhere.
    Id(B256),
    /// The key manager signed it.
    KeyManager(Trust),
}

impl Belief {
    /// An id needs nobody's word.
    pub fn of(key_id: Option<B256>, trust: &TrustArgs) -> Result<Self, CliError> {
        match key_id {
            Some(id) => Ok(Self::Id(id)),
            None => trust.require(DevEnv::find).map(Self::KeyManager),
        }
    }
}

/// The network's key, from the cache or with a bar of its bytes.
pub(super) async fn network_key(
    client: &Client,
    cache: Option<PathBuf>,
    belief: Belief,
) -> Result<NetworkKey, CliError> {
    let cache = cache.map(KeyCache::at).or_else(KeyCache::of_user);
    let described = client.network_key_described().await?;
    let key = match belief {
        Belief::Id(id) => described.expect(id)?,
        Belief::KeyManager(trust) => Box::pin(described.verify(&trust)).await?,
    };
    let info = key.info();
    let working = Working::transfer("fetching the network key", info.public_key.size + info.crs.size);
    Ok(client.network_key_of(key, cache.as_ref(), &working.on_bytes()).await?)
}
