//! The worker's word: attestations of results, and MACs of checkpoints under a key derived from the same secret. API,
//! database and batcher do not hold it.

use alloy::primitives::{B256, keccak256};
use anyhow::{Context, Result};
use hkdf::Hkdf;
use hmac::{Hmac, KeyInit, Mac};
use jobs::JobId;
use retrieval::{Attestation, Domain, Signer};
use sha2::Sha256;

/// Separates the derived key from every other use of the secret.
const CHECKPOINTS: &[u8] = b"zama-jobs/v1/checkpoint";

/// Signs as one worker for one registry.
pub struct Attester {
    signer: Signer,
    domain: Domain,
    /// Keyed, waiting for its message.
    checkpoints: Hmac<Sha256>,
}

/// What a checkpoint's MAC covers.
#[derive(Clone, Copy, Debug)]
pub struct CheckpointClaim {
    pub job_id: JobId,
    pub program_hash: [u8; 32],
    pub inputs_hash: [u8; 32],
    /// Of the evaluation profile: under another one the same steps give other bytes.
    pub profile_hash: [u8; 32],
    pub step: u32,
    /// SHA-256 of the values.
    pub sha256: [u8; 32],
}

/// A signed attestation.
#[derive(Clone, Copy, Debug)]
pub struct Attested {
    /// keccak256 of the signature, to which the leaf commits.
    pub hash: B256,
    pub signature: [u8; 65],
}

impl Attester {
    /// Signs with this key (32 bytes 0x-hex) under this registry.
    ///
    /// # Errors
    /// A text that is no key.
    pub fn new(key: &str, domain: Domain) -> Result<Self> {
        let signer = Signer::from_hex(key).context("worker.attestation_key is not 32 bytes of 0x-hex")?;
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, signer.to_bytes().as_slice())
            .expand(CHECKPOINTS, &mut key)
            .map_err(|_| anyhow::anyhow!("no key can be derived"))?;
        let checkpoints = Hmac::new_from_slice(&key).map_err(|_| anyhow::anyhow!("no MAC takes the derived key"))?;
        Ok(Self { signer, domain, checkpoints })
    }

    /// The address that key managers pin.
    #[must_use]
    pub fn address(&self) -> alloy::primitives::Address {
        self.signer.address()
    }

    /// Signs where a result came from.
    ///
    /// # Errors
    /// The digest cannot be signed, which is as likely as guessing the key.
    pub fn attest(&self, attestation: &Attestation) -> Result<Attested> {
        let signature = self.signer.sign(attestation.digest(self.domain))?.to_bytes();
        Ok(Attested { hash: keccak256(signature), signature })
    }

    /// The MAC of a checkpoint.
    #[must_use]
    pub fn mac(&self, claim: &CheckpointClaim) -> [u8; 32] {
        self.keyed(claim).finalize().into_bytes().into()
    }

    /// Whether we made this MAC for this checkpoint.
    #[must_use]
    pub fn made(&self, claim: &CheckpointClaim, mac: &[u8; 32]) -> bool {
        self.keyed(claim).verify_slice(mac).is_ok()
    }

    fn keyed(&self, claim: &CheckpointClaim) -> Hmac<Sha256> {
        // Every part has a fixed length, so that no two claims are one text.
        self.checkpoints
            .clone()
            .chain_update(claim.job_id.0.as_bytes())
            .chain_update(claim.program_hash)
            .chain_update(claim.inputs_hash)
            .chain_update(claim.profile_hash)
            .chain_update(claim.step.to_be_bytes())
            .chain_update(claim.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attester(byte: u8) -> Attester {
        let domain = Domain { chain_id: 31_337, registry: [1; 20].into() };
        Attester::new(&B256::repeat_byte(byte).to_string(), domain).unwrap()
    }

    #[test]
    fn an_attestation_is_recovered_to_the_worker_s_address() {
        let attester = attester(7);
        let attestation = Attestation {
            job_id: JobId::generate(),
            tenant: "acme".parse().unwrap(),
            submitter: [2; 20].into(),
            inputs_hash: B256::repeat_byte(3),
            program_hash: B256::repeat_byte(4),
            key_id: B256::repeat_byte(5),
            result_hash: B256::repeat_byte(6),
        };
        let attested = attester.attest(&attestation).unwrap();
        let signature = retrieval::Signature::from_bytes(&attested.signature).unwrap();
        assert_eq!(signature.signer(attestation.digest(attester.domain)), Ok(attester.address()));
    }

    #[test]
    fn a_mac_holds_for_one_checkpoint_of_one_worker_alone() {
        let claim = CheckpointClaim {
            job_id: JobId::generate(),
            program_hash: [1; 32],
            inputs_hash: [2; 32],
            profile_hash: [5; 32],
            step: 3,
            sha256: [4; 32],
        };
        let mac = attester(7).mac(&claim);
        assert!(attester(7).made(&claim, &mac));
        assert!(!attester(8).made(&claim, &mac), "another worker's key");
        let others = [
            CheckpointClaim { job_id: JobId::generate(), ..claim },
            CheckpointClaim { program_hash: [9; 32], ..claim },
            CheckpointClaim { inputs_hash: [9; 32], ..claim },
            CheckpointClaim { profile_hash: [9; 32], ..claim },
            CheckpointClaim { step: 4, ..claim },
            CheckpointClaim { sha256: [9; 32], ..claim },
        ];
        for other in &others {
            assert!(!attester(7).made(other, &mac), "{other:?}");
        }
    }
}
