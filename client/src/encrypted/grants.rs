//! Letting somebody else read a result: its submitter grants that on chain, pays for the gas, and can take it back.

use std::time::Duration;

use alloy::primitives::{Address, B256, hex};
use chain::{AccessChange, Account, ConfirmedLeaf, Mined};
use jobs::JobId;
use jobs::merkle::Inclusion;

use super::{ChainTrust, EncryptedError, Submitter, Trust};
use crate::transport::Client;

/// Time-out of one question to the EVM node.
const RPC_TIMEOUT: Duration = Duration::from_secs(20);

/// Whose access to which result is to change.
#[derive(Clone, Debug)]
pub struct AccessRequest<'a> {
    pub job_id: JobId,
    /// Signs for retrievals of the result from then on, and no more after a revocation.
    pub grantee: Address,
    pub change: AccessChange,
    /// The job's own: sends the transaction, and pays for it.
    pub submitter: &'a Submitter,
    /// Through which node; the receipt is verified there first.
    pub chain: &'a ChainTrust,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccessChanged {
    pub chain_id: u64,
    pub registry: Address,
    /// What the access hangs on: the hash of the job's leaf.
    pub leaf_hash: B256,
    /// The transaction; `None` when it stood like this already, and nothing was sent.
    pub mined: Option<Mined>,
}

impl Client {
    /// Grants or revokes access to an encrypted job's result, under the network's key: a transaction of the submitter.
    /// A grant counts once its block is as deep as the key manager asks for, a revocation at once.
    ///
    /// # Errors
    /// [`EncryptedError`]: no receipt, one that does not verify, somebody else's job, an account that cannot pay.
    pub async fn change_access(&self, request: AccessRequest<'_>) -> Result<AccessChanged, EncryptedError> {
        let AccessRequest { job_id, grantee, change, submitter, chain } = request;
        let trust = Trust { chain: Some(chain.clone()), ..Trust::default() };
        let (receipt, _) = self.verified_receipt(job_id, &trust, Duration::ZERO).await?;
        let (owner, signer) = (receipt.leaf.submitter, submitter.address());
        if receipt.leaf.handle.is_zero() {
            return Err(EncryptedError::NothingToGrant);
        }
        if owner != signer {
            return Err(EncryptedError::NotTheOwner { owner, signer });
        }
        let key = hex::encode_prefixed(submitter.signer().to_bytes());
        let account = Account::connect(&chain.rpc_url, receipt.chain_id, &key, RPC_TIMEOUT).await?;
        let inclusion = Inclusion { root: receipt.root, entries: receipt.entries, proof: receipt.proof };
        let job = ConfirmedLeaf { registry: receipt.registry, leaf: &receipt.leaf, inclusion: &inclusion };
        let mined = account.change_access(job, grantee, change).await?;
        let (chain_id, registry, leaf_hash) = (receipt.chain_id, receipt.registry, receipt.leaf_hash);
        Ok(AccessChanged { chain_id, registry, leaf_hash, mined })
    }
}
