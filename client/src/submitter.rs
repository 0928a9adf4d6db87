//! Registering the address that the caller's jobs belong to, by a signature of its key.

use alloy::primitives::{Address, B256, hex};
use chrono::{DateTime, Utc};
use jobs::ErrorCode;
use reqwest::Method;
use retrieval::{Domain, InvalidSignature, Registration};
use serde::Deserialize;
use serde_json::{Value, json};
use thiserror::Error;

use crate::encrypted::Submitter;
use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Why an address was not registered.
#[derive(Debug, Error)]
pub enum RegisterError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Signing(#[from] InvalidSignature),
    /// What is to be signed is for another installation, where somebody else could use the signature.
    #[error("the API asks for a signature for the registry {asked}, not for {expected}: nothing was signed")]
    OtherRegistry { asked: Address, expected: Address },
    /// The API's names are not those of tenants and users.
    #[error("the API asks to sign what is no registration: {0}")]
    Challenge(String),
}

#[derive(Deserialize)]
struct Challenge {
    nonce: B256,
    expires_at: DateTime<Utc>,
    typed_data: Value,
}

impl Client {
    /// Makes the submitter's address the caller's: asks for a challenge, signs it, and sends the proof. What is signed is
    /// put together here, of the caller's own names and address; with `registry`, for no other registry than that.
    ///
    /// # Errors
    /// [`RegisterError`], with SUBMITTER_TAKEN where the address is another user's.
    pub async fn register_submitter(
        &self,
        submitter: &Submitter,
        registry: Option<Address>,
    ) -> Result<Address, RegisterError> {
        let (me, address) = (self.me().await?, submitter.address());
        let asked = json!({ "submitter": address });
        let challenge = self.send(|| self.request(Method::POST, "/v1/me/submitter/challenge").json(&asked)).await?;
        let challenge: Challenge = read_json(challenge).await?;
        let domain = domain(&challenge.typed_data)?;
        if let Some(expected) = registry.filter(|expected| *expected != domain.registry) {
            return Err(RegisterError::OtherRegistry { asked: domain.registry, expected });
        }
        let registration = Registration {
            tenant: me.tenant.parse().map_err(|_| RegisterError::Challenge(me.tenant.clone()))?,
            user: me.user.parse().map_err(|_| RegisterError::Challenge(me.user.clone()))?,
            submitter: address,
            nonce: challenge.nonce,
            expires_at: u64::try_from(challenge.expires_at.timestamp()).unwrap_or_default(),
        };
        let signature = submitter.signer().sign(registration.digest(domain))?;
        let proof = json!({ "nonce": challenge.nonce, "signature": hex::encode_prefixed(signature.to_bytes()) });
        match self.send(|| self.request(Method::PUT, "/v1/me/submitter").json(&proof)).await {
            Ok(_) => Ok(address),
            // Perhaps an earlier attempt of ours, whose answer was lost.
            Err(error) if is_replayed(&error) && self.me().await?.submitter == Some(address) => Ok(address),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_replayed(error: &ClientError) -> bool {
    matches!(error, ClientError::Problem(problem) if problem.code == ErrorCode::NonceReplayed)
}

fn domain(typed_data: &Value) -> Result<Domain, RegisterError> {
    let domain = &typed_data["domain"];
    let registry = domain["verifyingContract"].as_str().and_then(|text| text.parse().ok());
    domain["chainId"]
        .as_u64()
        .zip(registry)
        .map(|(chain_id, registry)| Domain { chain_id, registry })
        .ok_or_else(|| RegisterError::Challenge("its domain cannot be read".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_is_read_from_the_document() {
        let expected = Domain { chain_id: 31_337, registry: Address::repeat_byte(7) };
        let document = json!({ "domain": { "chainId": 31_337, "verifyingContract": Address::repeat_byte(7) } });
        assert_eq!(domain(&document).unwrap(), expected);
        for wrong in [json!({}), json!({ "domain": { "chainId": "1", "verifyingContract": "0x" } })] {
            assert!(matches!(domain(&wrong), Err(RegisterError::Challenge(_))), "{wrong}");
        }
    }
}
