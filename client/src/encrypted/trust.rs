//! What a client believes about a result, and what it finds out by itself.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use chain::verify::{Report, Source, verify_receipt};
use chain::{ChainError, Node};
use jobs::JobId;
use jobs::leaf::LeafStatus;
use jobs::receipt::Receipt;
use retrieval::Domain;

use super::EncryptedError;
use crate::transport::{Client, read_json};

/// Time-out of one question to the EVM node.
const RPC_TIMEOUT: Duration = Duration::from_secs(20);

/// Whom a client believes. The API is not among them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// An EVM node: receipts are verified through it, and the registry says who the key manager is.
    pub chain: Option<ChainTrust>,
    /// The key manager's address, learnt elsewhere. With a node it must be the one that the registry pins, too.
    pub key_manager: Option<Address>,
}

/// A node that the client believes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainTrust {
    pub rpc_url: String,
    /// The registry. Anyone can deploy another one, with another key manager in it.
    pub registry: Address,
}

impl Trust {
    /// Believes an EVM node, and of what it serves this registry.
    #[must_use]
    pub fn chain(rpc_url: impl Into<String>, registry: Address) -> Self {
        Self { chain: Some(ChainTrust { rpc_url: rpc_url.into(), registry }), key_manager: None }
    }

    /// Believes that this address is the key manager's, and asks no chain.
    #[must_use]
    pub fn key_manager(address: Address) -> Self {
        Self { chain: None, key_manager: Some(address) }
    }

    /// Who must have signed what was signed for this domain. An address that was learnt elsewhere signs for its own
    /// domain alone, whichever that is.
    pub(super) async fn key_manager_of(&self, domain: Domain) -> Result<Address, EncryptedError> {
        let Some(chain) = &self.chain else { return self.key_manager.ok_or(EncryptedError::NoTrust) };
        let registry = chain.registry;
        if domain.registry != registry {
            return Err(EncryptedError::OtherRegistry { stated: domain.registry, expected: registry });
        }
        let node = Node::new(&chain.rpc_url, registry, RPC_TIMEOUT)?;
        let actual = node.chain_id().await?;
        if actual != domain.chain_id {
            return Err(ChainError::WrongChain { expected: domain.chain_id, actual }.into());
        }
        let pinned = node.key_manager(node.newest().await?).await?.ok_or(EncryptedError::NoKeyManager { registry })?;
        match self.key_manager {
            Some(expected) if expected != pinned => Err(EncryptedError::OtherKeyManager { pinned, expected }),
            _ => Ok(pinned),
        }
    }
}

/// What a job's receipt says.
pub(super) struct Confirmed {
    pub domain: Domain,
    pub result_hash: B256,
    pub owner: Address,
    /// The key that inputs and result are under.
    pub key_id: Option<B256>,
    /// The receipt's checks against the chain, all passed; `None` where no chain was asked.
    pub report: Option<Report>,
}

impl Client {
    /// Reads a job's receipt and checks it: against the chain if one is trusted, else in itself. Waits up to `patience`
    /// while there is none.
    pub(super) async fn confirmed(
        &self,
        id: JobId,
        trust: &Trust,
        patience: Duration,
    ) -> Result<Confirmed, EncryptedError> {
        let (receipt, report) = self.verified_receipt(id, trust, patience).await?;
        Ok(Confirmed {
            domain: Domain { chain_id: receipt.chain_id, registry: receipt.registry },
            result_hash: receipt.leaf.result_hash,
            owner: receipt.leaf.submitter,
            key_id: receipt.key_hash,
            report: trust.chain.is_some().then_some(report),
        })
    }

    /// The receipt itself, with its checks.
    pub(super) async fn verified_receipt(
        &self,
        id: JobId,
        trust: &Trust,
        patience: Duration,
    ) -> Result<(Receipt, Report), EncryptedError> {
        let path = format!("/v1/jobs/{id}/receipt");
        let receipt: Receipt = read_json(self.send_until_ready(|| self.get(&path), patience).await?).await?;
        let source = match &trust.chain {
            Some(chain) => Source::Rpc { url: chain.rpc_url.clone(), registry: Some(chain.registry) },
            None => Source::Root { root: receipt.root, registry: None },
        };
        let report = Box::pin(verify_receipt(&receipt, &source)).await;
        if !report.passed() {
            return Err(EncryptedError::Receipt(Box::new(report)));
        }
        if receipt.leaf.job_id.as_slice() != id.to_word() {
            return Err(EncryptedError::WrongReceipt("is another job's".to_owned()));
        }
        if receipt.leaf.status != LeafStatus::Completed {
            return Err(EncryptedError::WrongReceipt("says that the job failed".to_owned()));
        }
        Ok((receipt, report))
    }
}
