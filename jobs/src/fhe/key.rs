//! Under which key the inputs of an encrypted job are encrypted.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::digest;

/// Who holds the key that the inputs are encrypted under.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyMode {
    /// The key manager: the result is decrypted and sealed for its owner.
    #[default]
    Network,
    /// The client: the result is returned as a ciphertext.
    Client,
}

impl KeyMode {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Network => "network",
            Self::Client => "client",
        }
    }
}

impl fmt::Display for KeyMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for KeyMode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "network" => Ok(Self::Network),
            "client" => Ok(Self::Client),
            _ => Err("is not one of network, client".to_owned()),
        }
    }
}

/// Whether jobs may use an evaluation key that a client uploaded.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyStatus {
    /// Uploaded, being checked.
    Pending,
    Ready,
    /// Not a sound key; never used.
    Refused,
}

impl KeyStatus {
    /// The name on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Refused => "refused",
        }
    }
}

impl fmt::Display for KeyStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for KeyStatus {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = [Self::Pending, Self::Ready, Self::Refused].into_iter().find(|status| status.as_str() == name);
        found.ok_or_else(|| "is not one of pending, ready, refused".to_owned())
    }
}

/// SHA-256 that names a key: of the evaluation key (client), or of the hashes of evaluation key, public key and common
/// reference string (network). On the wire 0x-hex.
#[derive(Clone, Copy, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId(pub [u8; 32]);

impl KeyId {
    /// SHA-256 of the SHA-256 of each of the network's public parts, as they were serialised when they were made.
    pub fn network(evaluation_key: &[u8], public_key: &[u8], crs: &[u8]) -> Self {
        Self::of_digests([evaluation_key, public_key, crs].map(|part| Sha256::digest(part).into()))
    }

    /// As [`KeyId::network`], where only the SHA-256 of evaluation key, public key and reference string are at hand.
    pub fn of_digests(parts: [[u8; 32]; 3]) -> Self {
        Self(parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into())
    }

    /// SHA-256 of a client's evaluation key.
    pub fn client(evaluation_key: &[u8]) -> Self {
        Self(Sha256::digest(evaluation_key).into())
    }
}

/// A text that is no key's id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("must be 0x and 64 hexadecimal digits")]
pub struct InvalidKeyId;

impl FromStr for KeyId {
    type Err = InvalidKeyId;

    fn from_str(text: &str) -> Result<Self, InvalidKeyId> {
        text.strip_prefix("0x").and_then(digest::from_hex).map(Self).ok_or(InvalidKeyId)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

impl TryFrom<String> for KeyId {
    type Error = InvalidKeyId;

    fn try_from(text: String) -> Result<Self, InvalidKeyId> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// `payload.key`: the key that the client says it used.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct KeyChoice {
    pub mode: KeyMode,
    /// Always there in client mode; in network mode the current key is meant when it is absent.
    pub key_id: Option<KeyId>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_modes_read_back() {
        let id = KeyId([0xab; 32]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert_eq!(serde_json::from_value::<KeyId>(serde_json::to_value(id).unwrap()).unwrap(), id);
        for wrong in ["", "0x", &"ab".repeat(32), &format!("0x{}", "g".repeat(64)), &format!("0x{}", "a".repeat(63))] {
            assert_eq!(wrong.parse::<KeyId>(), Err(InvalidKeyId), "{wrong}");
        }
        for mode in [KeyMode::Network, KeyMode::Client] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.as_str());
        }
        for status in [KeyStatus::Pending, KeyStatus::Ready, KeyStatus::Refused] {
            assert_eq!(status.to_string().parse(), Ok(status));
            assert_eq!(serde_json::to_value(status).unwrap(), status.as_str());
        }
        assert!("lost".parse::<KeyStatus>().is_err());
    }
}
