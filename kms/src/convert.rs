//! Between the vocabulary of our rooms and the messages on the wire.

use alloy::primitives::{Address, B256};
use jobs::leaf::Leaf;
use jobs::merkle::Inclusion;
use retrieval::{Attestation, Retrieval, Signature};
use serde::{Deserialize, Serialize};

use crate::error::ClientError;
use crate::proto;

/// Which keys a key manager holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// SHA-256(SHA-256(evaluation key) | SHA-256(public key) | SHA-256(CRS)).
    pub key_id: B256,
    pub evaluation_key: KeyFile,
    pub public_key: KeyFile,
    pub crs: KeyFile,
    /// Name of the parameter set.
    pub parameters: String,
    /// Address of the key that signs sealed results.
    pub signer: Address,
}

/// A manifest as the key manager gives it out: whose key it is can be checked without believing who passed it on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedManifest {
    pub manifest: Manifest,
    /// The signer's, over [`retrieval::NetworkKeyClaim`].
    pub signature: Signature,
}

/// Bytes that the key manager serves.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyFile {
    pub sha256: B256,
    /// Bytes.
    pub size: u64,
}

/// Everything that the key manager wants to see before it decrypts.
#[derive(Clone, Debug)]
pub struct Decryption {
    /// The encrypted result, CBOR.
    pub result: Vec<u8>,
    pub leaf: Leaf,
    pub inclusion: Inclusion,
    pub attestation: Attestation,
    /// The worker's 65 bytes over the attestation.
    pub attestation_signature: Vec<u8>,
    /// What the owner signed; its public key hash is that of `client_public_key`.
    pub retrieval: Retrieval,
    /// The owner's (or a grantee's) 65 bytes over the retrieval.
    pub retrieval_signature: Vec<u8>,
    /// PEM of the key to seal to.
    pub client_public_key: String,
}

impl From<Decryption> for proto::DecryptRequest {
    fn from(asked: Decryption) -> Self {
        let attestation = asked.attestation;
        Self {
            job_id: asked.retrieval.job_id.to_string(),
            result: asked.result,
            leaf: Some((&asked.leaf).into()),
            proof: asked.inclusion.proof.iter().map(|sibling| sibling.to_vec()).collect(),
            entries: asked.inclusion.entries.iter().map(Into::into).collect(),
            root: asked.inclusion.root.to_vec(),
            attestation: Some(proto::Attestation {
                job_id: attestation.job_id.to_string(),
                tenant: attestation.tenant.to_string(),
                submitter: attestation.submitter.to_vec(),
                inputs_hash: attestation.inputs_hash.to_vec(),
                program_hash: attestation.program_hash.to_vec(),
                key_id: attestation.key_id.to_vec(),
                result_hash: attestation.result_hash.to_vec(),
                signature: asked.attestation_signature,
            }),
            retrieval: Some(proto::Retrieval {
                nonce: asked.retrieval.nonce.to_vec(),
                client_public_key: asked.client_public_key,
                deadline: asked.retrieval.deadline.unwrap_or_default(),
                signature: asked.retrieval_signature,
            }),
        }
    }
}

impl From<&Leaf> for proto::Leaf {
    fn from(leaf: &Leaf) -> Self {
        Self {
            index: leaf.index.get(),
            job_id: leaf.job_id.to_vec(),
            submitter: leaf.submitter.to_vec(),
            result_hash: leaf.result_hash.to_vec(),
            status: u8::from(leaf.status).into(),
            content_hash: leaf.content_hash.to_vec(),
            handle: leaf.handle.to_vec(),
        }
    }
}

impl From<&jobs::merkle::Entry> for proto::Entry {
    fn from(entry: &jobs::merkle::Entry) -> Self {
        Self { word: entry.word, mask: entry.mask.to_be_bytes_vec() }
    }
}

impl TryFrom<proto::Manifest> for SignedManifest {
    type Error = ClientError;

    fn try_from(manifest: proto::Manifest) -> Result<Self, ClientError> {
        let file = |sha256: &[u8], size| Ok::<_, ClientError>(KeyFile { sha256: word(sha256)?, size });
        let signature = Signature::from_bytes(&manifest.signature).map_err(|_| malformed())?;
        let manifest = Manifest {
            key_id: word(&manifest.key_id)?,
            evaluation_key: file(&manifest.evaluation_key_sha256, manifest.evaluation_key_size)?,
            public_key: file(&manifest.public_key_sha256, manifest.public_key_size)?,
            crs: file(&manifest.crs_sha256, manifest.crs_size)?,
            parameters: manifest.parameters,
            signer: Address::try_from(manifest.signer.as_slice()).map_err(|_| malformed())?,
        };
        Ok(Self { manifest, signature })
    }
}

impl From<&SignedManifest> for proto::Manifest {
    fn from(signed: &SignedManifest) -> Self {
        let manifest = &signed.manifest;
        Self {
            key_id: manifest.key_id.to_vec(),
            evaluation_key_sha256: manifest.evaluation_key.sha256.to_vec(),
            public_key_sha256: manifest.public_key.sha256.to_vec(),
            crs_sha256: manifest.crs.sha256.to_vec(),
            evaluation_key_size: manifest.evaluation_key.size,
            public_key_size: manifest.public_key.size,
            crs_size: manifest.crs.size,
            parameters: manifest.parameters.clone(),
            signer: manifest.signer.to_vec(),
            signature: signed.signature.to_bytes().to_vec(),
        }
    }
}

fn word(bytes: &[u8]) -> Result<B256, ClientError> {
    B256::try_from(bytes).map_err(|_| malformed())
}

fn malformed() -> ClientError {
    ClientError::Unusable("its manifest is malformed".to_owned())
}
