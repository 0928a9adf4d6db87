//! What the API asks of the key manager. The process that builds the server brings the connection: this room stays free
//! of it.

use alloy::primitives::{Address, B256};
use bytes::Bytes;
use futures::future::BoxFuture;
use jobs::ErrorCode;
use jobs::leaf::Leaf;
use jobs::merkle::Inclusion;
use retrieval::{Answer, Attestation, Retrieval};
use thiserror::Error;

/// Which network keys there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkKey {
    /// SHA-256(SHA-256(evaluation key) | SHA-256(public key) | SHA-256(CRS)).
    pub key_id: B256,
    /// Name of the parameter set.
    pub parameters: String,
    pub evaluation_key: KeyFile,
    pub public_key: KeyFile,
    pub crs: KeyFile,
    /// Address of the key that signs sealed results, as the registry pins it.
    pub signer: Address,
    /// That key's signature over [`retrieval::NetworkKeyClaim`].
    pub signature: [u8; 65],
}

/// Bytes that belong to the network key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyFile {
    pub sha256: B256,
    /// Length in bytes.
    pub size: u64,
}

/// Everything that the key manager wants to see before it decrypts.
#[derive(Clone, Debug)]
pub struct Decryption {
    /// The encrypted result, CBOR.
    pub result: Bytes,
    pub leaf: Leaf,
    pub inclusion: Inclusion,
    pub attestation: Attestation,
    /// The worker's signature over the attestation.
    pub attestation_signature: [u8; 65],
    /// What the owner signed; its public key hash is that of `client_public_key`.
    pub retrieval: Retrieval,
    /// The owner's or a grantee's signature over the retrieval.
    pub retrieval_signature: [u8; 65],
    /// PEM of the key to seal to.
    pub client_public_key: String,
}

/// Why the key manager gives nothing.
#[derive(Clone, Debug, Error)]
pub enum KeyManagerError {
    /// Its rules forbid it; the client may know why.
    #[error("refused: {detail} ({code})")]
    Refused { code: ErrorCode, detail: String },
    /// It is away, or does not work with us.
    #[error("unavailable: {0}")]
    Unavailable(String),
    /// It is there, but cannot tell what the chain says; the client may know why.
    #[error("the chain cannot be read: {0}")]
    Chain(String),
}

/// The key manager as the API sees it. Bytes come checked against the hash that the manifest names.
pub trait KeyManager: Send + Sync {
    fn manifest(&self) -> BoxFuture<'_, Result<NetworkKey, KeyManagerError>>;
    fn public_key(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>>;
    fn crs(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>>;
    /// Whether the submitter in the leaf of this hash has granted the account access, as the key manager reads the chain.
    fn has_access(&self, leaf_hash: B256, account: Address) -> BoxFuture<'_, Result<bool, KeyManagerError>>;
    fn decrypt(&self, asked: Decryption) -> BoxFuture<'_, Result<Answer, KeyManagerError>>;
}
