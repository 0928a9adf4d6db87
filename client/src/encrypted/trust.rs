//! What a client believes about a result, and what it finds out by itself.

use std::time::Duration;

use alloy::primitives::{Address, B256};
use chain::verify::{Report, Source, verify_receipt};
use chain::{ChainError, Node};
use jobs::JobId;
use jobs::leaf::LeafStatus;
use jobs::receipt::Receipt;
use retrieval::Domain;

use super::{EncryptedError, KnownKeyManagers};
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
    /// Key managers that were met before: another one is refused.
    pub known: Option<KnownKeyManagers>,
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
        Self { chain: Some(ChainTrust { rpc_url: rpc_url.into(), registry }), ..Self::default() }
    }

    /// Believes that this address is the key manager's, and asks no chain.
    #[must_use]
    pub fn key_manager(address: Address) -> Self {
        Self { key_manager: Some(address), ..Self::default() }
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
        self.accept(domain, pinned)
    }

    /// Holds what the chain says against what the user knows.
    fn accept(&self, domain: Domain, pinned: Address) -> Result<Address, EncryptedError> {
        if let Some(expected) = self.key_manager.filter(|expected| *expected != pinned) {
            return Err(EncryptedError::OtherKeyManager { pinned, expected });
        }
        if let Some(known) = &self.known {
            known.check(domain, pinned, self.key_manager.is_some())?;
        }
        Ok(pinned)
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
    /// Reads a job's receipt and checks it. Waits up to `patience` while there is none.
    pub(super) async fn confirmed(
        &self,
        id: JobId,
        trust: &Trust,
        patience: Duration,
    ) -> Result<Confirmed, EncryptedError> {
        Ok(self.verified_receipt(id, trust, patience).await?.1)
    }

    /// The receipt itself, with what it says.
    pub(super) async fn verified_receipt(
        &self,
        id: JobId,
        trust: &Trust,
        patience: Duration,
    ) -> Result<(Receipt, Confirmed), EncryptedError> {
        let path = format!("/v1/jobs/{id}/receipt");
        let receipt = read_json(self.send_until_ready(|| self.get(&path), patience).await?).await?;
        let confirmed = Box::pin(Confirmed::by(&receipt, id, trust)).await?;
        Ok((receipt, confirmed))
    }
}

impl Confirmed {
    /// Checks a receipt, wherever it is from: against the chain if one is trusted, else in itself.
    pub(super) async fn by(receipt: &Receipt, id: JobId, trust: &Trust) -> Result<Self, EncryptedError> {
        let source = match &trust.chain {
            Some(chain) => Source::Rpc { url: chain.rpc_url.clone(), registry: Some(chain.registry) },
            None => Source::Root { root: receipt.root, registry: None },
        };
        let report = Box::pin(verify_receipt(receipt, &source)).await;
        if !report.passed() {
            return Err(EncryptedError::Receipt(Box::new(report)));
        }
        if receipt.leaf.job_id.as_slice() != id.to_word() {
            return Err(EncryptedError::WrongReceipt("is another job's".to_owned()));
        }
        if receipt.leaf.status != LeafStatus::Completed {
            return Err(EncryptedError::WrongReceipt("says that the job failed".to_owned()));
        }
        Ok(Self {
            domain: Domain { chain_id: receipt.chain_id, registry: receipt.registry },
            result_hash: receipt.leaf.result_hash,
            owner: receipt.leaf.submitter,
            key_id: receipt.key_hash,
            report: trust.chain.is_some().then_some(report),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_manager_that_changed_is_accepted_only_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (Address::repeat_byte(1), Address::repeat_byte(2));
        let domain = Domain { chain_id: 1, registry: Address::repeat_byte(3) };
        let trust = Trust {
            known: Some(KnownKeyManagers::at(folder.path().join("known"))),
            ..Trust::chain("http://node", domain.registry)
        };
        assert_eq!(trust.accept(domain, first).unwrap(), first);
        let changed = trust.accept(domain, second).unwrap_err();
        assert!(matches!(changed, EncryptedError::KeyManagerChanged { .. }), "{changed}");
        let named = Trust { key_manager: Some(second), ..trust.clone() };
        let other = named.accept(domain, first).unwrap_err();
        assert!(matches!(other, EncryptedError::OtherKeyManager { .. }), "{other}");
        assert_eq!(named.accept(domain, second).unwrap(), second);
        assert_eq!(trust.accept(domain, second).unwrap(), second, "from now on");
    }
}
