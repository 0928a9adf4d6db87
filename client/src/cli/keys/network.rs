//! `keys network`: the key that jobs are encrypted under unless they say otherwise.

use std::path::PathBuf;

use alloy::primitives::B256;
use clap::Args;
use serde_json::json;

use super::super::encryption::{Belief, network_key};
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::paint::tame;
use super::super::table::pairs;
use super::super::trust_args::TrustArgs;
use crate::encrypted::{KeyCache, KeyPart, NetworkKeyInfo};

/// What `keys network` takes.
#[derive(Args, Debug)]
pub struct NetworkArgs {
    /// Believe the key of this id and no other, whoever signed it
    #[arg(long, value_name = "0xHASH")]
    key_id: Option<B256>,
    /// Folder where its parts are kept, each under its hash [default: ~/.cache/zama-jobs/keys]
    #[arg(long, value_name = "DIR", env = "ZAMA_KEY_CACHE")]
    key_cache: Option<PathBuf>,
    #[command(flatten)]
    trust: TrustArgs,
}

pub(super) async fn network(session: &Session, args: &NetworkArgs) -> Result<Exit, CliError> {
    let belief = Belief::of(args.key_id, &args.trust)?;
    let vouched = match &belief {
        Belief::Id(_) => "it is the key that you named",
        Belief::KeyManager(_) => "the key manager signed it",
    };
    let key = network_key(&session.client()?, args.key_cache.clone(), belief).await?;
    let cache = args.key_cache.clone().map(KeyCache::at).or_else(KeyCache::of_user);
    let folder = cache.map(|cache| cache.folder().to_owned());
    let info = key.info();
    let mut document = json!(info);
    document["cache"] = json!(folder);
    session.output.result(&document, |_| {
        let mut text = shown(info);
        text.extend(folder.as_ref().map(|folder| ("Kept in", folder.display().to_string())));
        pairs(&text)
    })?;
    session.output.notice(&format!("{vouched}; every hash is checked, and the key's id follows from them"));
    Ok(Exit::Success)
}

fn shown(info: &NetworkKeyInfo) -> Vec<(&'static str, String)> {
    let part = |part: &KeyPart| format!("{} bytes, sha-256 {}", part.size, part.sha256);
    vec![
        ("Key", info.key_id.to_string()),
        ("Parameters", tame(&info.parameters)),
        ("Public key", part(&info.public_key)),
        ("Reference string", part(&info.crs)),
        ("Key manager", format!("{} (as the API has it; the registry's word counts)", info.signer)),
    ]
}
