//! Keys as clients see them.

use alloy::primitives::{Address, B256, Bytes};
use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use store::client_keys::{self, KeyStatus};
use utoipa::ToSchema;

use crate::ApiState;
use crate::key_manager::{self, KeyManagerError};
use crate::policy::problem::Problem;
use jobs::ErrorCode;

/// The keys that a tenant can encrypt under.
#[derive(Serialize, ToSchema)]
pub struct Keys {
    /// The key manager's; null where there is none, or where it has not been reached yet.
    pub network: Option<NetworkKey>,
    /// The tenant's own evaluation keys, the newest first.
    pub client: Vec<ClientKey>,
}

/// The key that the key manager holds.
#[derive(Serialize, ToSchema)]
pub struct NetworkKey {
    /// SHA-256(SHA-256(evaluation key) | SHA-256(public key) | SHA-256(CRS)).
    #[schema(value_type = String)]
    pub key_id: B256,
    /// Name of the parameter set.
    #[schema(example = "network/v1.8/2M128+pke+compression+rerand")]
    pub parameters: String,
    /// The part that only workers need: with its hash, clients check the key's id.
    pub evaluation_key: KeyDigest,
    pub public_key: KeyPart,
    /// Common reference string of the proofs.
    pub crs: KeyPart,
    /// Address whose signature stands under each sealed result; the registry pins it.
    #[schema(value_type = String)]
    pub signer: Address,
    /// 65 bytes, 0x-hex: the signer's EIP-712 `NetworkKey(bytes32 keyId,string parameters)` under the chain and registry
    /// below. Encrypt under no key that the key manager, as the registry pins it, has not signed.
    #[schema(value_type = String)]
    pub signature: Bytes,
    pub chain_id: u64,
    #[schema(value_type = String)]
    pub registry: Address,
}

/// Bytes of a key.
#[derive(Serialize, ToSchema)]
pub struct KeyPart {
    pub url: String,
    /// Length in bytes.
    pub size: u64,
    #[schema(value_type = String)]
    pub sha256: B256,
}

/// Bytes of a key that are not given out.
#[derive(Serialize, ToSchema)]
pub struct KeyDigest {
    /// Length in bytes.
    pub size: u64,
    #[schema(value_type = String)]
    pub sha256: B256,
}

/// A client's evaluation key.
#[derive(Serialize, ToSchema)]
pub struct ClientKey {
    /// SHA-256 of the compressed evaluation key.
    #[schema(value_type = String)]
    pub key_id: B256,
    #[schema(value_type = KeyState)]
    #[serde(serialize_with = "status_name")]
    pub status: KeyStatus,
    /// Why the key is refused.
    pub detail: Option<String>,
    /// Length in bytes.
    pub size: u64,
    pub created_at: DateTime<Utc>,
    pub links: KeyLinks,
}

/// Whether jobs may use a key.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[allow(dead_code)]
pub enum KeyState {
    /// It is being checked.
    Pending,
    Ready,
    Refused,
}

/// Where the key is found.
#[derive(Serialize, ToSchema)]
pub struct KeyLinks {
    #[serde(rename = "self")]
    pub this: String,
}

fn status_name<S: Serializer>(status: &KeyStatus, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(status.as_str())
}

impl ClientKey {
    pub fn of(state: &ApiState, key: client_keys::ClientKey) -> Self {
        let key_id = B256::from(key.key_id);
        Self {
            key_id,
            status: key.status,
            detail: Some(key.detail).filter(|detail| !detail.is_empty()),
            size: key.size,
            created_at: key.created_at,
            links: KeyLinks { this: format!("{}/v1/fhe/keys/{key_id}", state.public_url) },
        }
    }
}

impl NetworkKey {
    pub fn of(state: &ApiState, key: key_manager::NetworkKey) -> Self {
        let part = |name: &str, file: key_manager::KeyFile| KeyPart {
            url: format!("{}/v1/fhe/keys/network/{name}", state.public_url),
            size: file.size,
            sha256: file.sha256,
        };
        Self {
            key_id: key.key_id,
            evaluation_key: KeyDigest { size: key.evaluation_key.size, sha256: key.evaluation_key.sha256 },
            public_key: part("public-key", key.public_key),
            crs: part("crs", key.crs),
            parameters: key.parameters,
            signer: key.signer,
            signature: Bytes::copy_from_slice(&key.signature),
            chain_id: state.domain.chain_id,
            registry: state.domain.registry,
        }
    }
}

impl From<KeyManagerError> for Problem {
    fn from(error: KeyManagerError) -> Self {
        match error {
            KeyManagerError::Refused { code, detail } => Self::new(code, sentence(&detail)),
            KeyManagerError::Unavailable(reason) => {
                tracing::warn!(reason, "the key manager is unavailable");
                Self::new(ErrorCode::ServiceUnavailable, "The key manager is unavailable.")
            }
            KeyManagerError::Chain(detail) => {
                let detail = format!("The key manager cannot read the chain: {detail}.");
                Self::new(ErrorCode::ServiceUnavailable, detail)
            }
        }
    }
}

/// The key manager's reasons begin small and have no full stop: they are parts of its own sentences.
fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().into_iter().flat_map(char::to_uppercase);
    let stop = if reason.ends_with('.') { "" } else { "." };
    first.chain(letters.clone()).collect::<String>() + stop
}

pub fn client_key_example() -> serde_json::Value {
    let key_id = format!("0x{}", "7c".repeat(32));
    serde_json::json!({
        "key_id": key_id, "status": "pending", "detail": null, "size": 30_408_704,
        "created_at": "2026-03-14T09:26:53.589Z",
        "links": {"self": format!("https://api.example.com/v1/fhe/keys/{key_id}")}
    })
}
