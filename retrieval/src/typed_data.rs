//! What is signed around a result, as EIP-712 typed data.

use alloy::primitives::{Address, B256, Bytes, U256, keccak256};
use alloy::sol_types::{Eip712Domain, SolStruct, eip712_domain};
use jobs::{JobId, TenantId};

use crate::signature::Signature;

/// The structs under the names that their type hashes are made of.
mod typed {
    alloy::sol! {
        struct RetrieveResult {
            string jobId;
            bytes32 retrievalNonce;
            bytes32 publicKeyHash;
            uint256 deadline;
        }

        struct ComputeAttestation {
            string jobId;
            string tenant;
            address submitter;
            bytes32 inputsHash;
            bytes32 programHash;
            bytes32 keyId;
            bytes32 resultHash;
        }

        struct SealedResult {
            string jobId;
            bytes32 resultHash;
            bytes32 publicKeyHash;
            bytes32 retrievalNonce;
            bytes enc;
            bytes ciphertext;
        }

        struct NetworkKey {
            bytes32 keyId;
            string parameters;
        }
    }
}

/// The domain's name and version: the same for every statement and every installation.
pub(crate) const DOMAIN_NAME: &str = "ZamaJobs";
pub(crate) const DOMAIN_VERSION: &str = "1";

/// What every statement is bound to: one registry on one chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    pub chain_id: u64,
    pub registry: Address,
}

impl Domain {
    pub(crate) fn eip712(self) -> Eip712Domain {
        eip712_domain! {
            name: DOMAIN_NAME,
            version: DOMAIN_VERSION,
            chain_id: self.chain_id,
            verifying_contract: self.registry,
        }
    }
}

/// The owner's wish: seal the result of a job to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retrieval {
    pub job_id: JobId,
    /// Random; used once for each signer and job.
    pub nonce: B256,
    /// [`crate::PublicKey::hash`] of the key to seal to; zero for a result under the client's own key.
    pub public_key_hash: B256,
    /// Unix seconds after which the wish holds no longer; `None` is signed as 0.
    pub deadline: Option<u64>,
}

impl Retrieval {
    /// The EIP-712 digest to sign.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        typed::RetrieveResult {
            jobId: self.job_id.to_string(),
            retrievalNonce: self.nonce,
            publicKeyHash: self.public_key_hash,
            deadline: U256::from(self.deadline.unwrap_or_default()),
        }
        .eip712_signing_hash(&domain.eip712())
    }
}

/// The worker's word on where a result came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    pub job_id: JobId,
    pub tenant: TenantId,
    pub submitter: Address,
    /// SHA-256 of the inputs as they were serialised again.
    pub inputs_hash: B256,
    /// SHA-256 of the compiled program.
    pub program_hash: B256,
    /// Id of the key that inputs and result are encrypted under.
    pub key_id: B256,
    /// SHA-256 of the result's bytes.
    pub result_hash: B256,
}

impl Attestation {
    /// The EIP-712 digest to sign.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        typed::ComputeAttestation {
            jobId: self.job_id.to_string(),
            tenant: self.tenant.to_string(),
            submitter: self.submitter,
            inputsHash: self.inputs_hash,
            programHash: self.program_hash,
            keyId: self.key_id,
            resultHash: self.result_hash,
        }
        .eip712_signing_hash(&domain.eip712())
    }

    /// What the leaf must carry as its handle for this attestation, signed so, to speak of it. A receipt holds the
    /// signature, so that whoever has the receipt can check the handle.
    #[must_use]
    pub fn handle(&self, signature: &Signature) -> B256 {
        jobs::leaf::Handle {
            inputs: self.inputs_hash,
            program: self.program_hash,
            key: self.key_id,
            result: self.result_hash,
            attestation: keccak256(signature.to_bytes()),
        }
        .commitment()
    }
}

/// The key manager's word on what it sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SealedClaim<'a> {
    pub job_id: JobId,
    pub result_hash: B256,
    pub public_key_hash: B256,
    /// The nonce of the request that is answered.
    pub nonce: B256,
    pub enc: &'a [u8],
    pub ciphertext: &'a [u8],
}

impl SealedClaim<'_> {
    /// The EIP-712 digest to sign.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        typed::SealedResult {
            jobId: self.job_id.to_string(),
            resultHash: self.result_hash,
            publicKeyHash: self.public_key_hash,
            retrievalNonce: self.nonce,
            enc: Bytes::copy_from_slice(self.enc),
            ciphertext: Bytes::copy_from_slice(self.ciphertext),
        }
        .eip712_signing_hash(&domain.eip712())
    }
}

/// The key manager's word on which key it holds: what clients may encrypt under.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkKeyClaim<'a> {
    pub key_id: B256,
    /// Name of the parameter set.
    pub parameters: &'a str,
}

impl NetworkKeyClaim<'_> {
    /// The EIP-712 digest to sign.
    #[must_use]
    pub fn digest(&self, domain: Domain) -> B256 {
        typed::NetworkKey { keyId: self.key_id, parameters: self.parameters.to_owned() }
            .eip712_signing_hash(&domain.eip712())
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::address;
    use alloy::sol_types::SolValue;

    use super::*;
    use crate::Signer;

    const DOMAIN: Domain = Domain { chain_id: 31_337, registry: address!("5FbDB2315678afecb367f032d93F642f64180aa3") };

    fn job() -> JobId {
        "0193c8d4-7f7e-7abc-8def-0123456789ab".parse().unwrap()
    }

    /// EIP-712 by hand: 0x1901, domain separator, struct hash.
    fn by_hand(type_text: &str, encoded: &[u8]) -> B256 {
        let domain_type = "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)";
        let separator = keccak256(
            (
                keccak256(domain_type),
                keccak256("ZamaJobs"),
                keccak256("1"),
                U256::from(DOMAIN.chain_id),
                DOMAIN.registry,
            )
                .abi_encode(),
        );
        let hash = keccak256([keccak256(type_text).as_slice(), encoded].concat());
        keccak256([b"\x19\x01".as_slice(), separator.as_slice(), hash.as_slice()].concat())
    }

    #[test]
    fn a_retrieval_is_what_the_standard_says() {
        let (nonce, key) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let encoded = (keccak256(job().to_string()), nonce, key, U256::from(7)).abi_encode();
        let retrieval = Retrieval { job_id: job(), nonce, public_key_hash: key, deadline: Some(7) };
        let text = "RetrieveResult(string jobId,bytes32 retrievalNonce,bytes32 publicKeyHash,uint256 deadline)";
        assert_eq!(retrieval.digest(DOMAIN), by_hand(text, &encoded));

        let without = Retrieval { deadline: None, ..retrieval };
        let zero = (keccak256(job().to_string()), nonce, key, U256::ZERO).abi_encode();
        assert_eq!(without.digest(DOMAIN), by_hand(text, &zero));
    }

    #[test]
    fn an_attestation_is_what_the_standard_says_and_makes_the_handle() {
        let word = B256::repeat_byte;
        let attestation = Attestation {
            job_id: job(),
            tenant: "acme".parse().unwrap(),
            submitter: Address::repeat_byte(9),
            inputs_hash: word(1),
            program_hash: word(2),
            key_id: word(3),
            result_hash: word(4),
        };
        let strings = (keccak256(job().to_string()), keccak256("acme"));
        let encoded = (strings.0, strings.1, Address::repeat_byte(9), word(1), word(2), word(3), word(4)).abi_encode();
        let text = "ComputeAttestation(string jobId,string tenant,address submitter,bytes32 inputsHash,\
                    bytes32 programHash,bytes32 keyId,bytes32 resultHash)";
        let digest = attestation.digest(DOMAIN);
        assert_eq!(digest, by_hand(text, &encoded));
        let signature = Signer::random().sign(digest).unwrap();
        let handle = keccak256((word(1), word(2), word(3), word(4), keccak256(signature.to_bytes())).abi_encode());
        assert_eq!(attestation.handle(&signature), handle);
    }

    #[test]
    fn a_sealed_claim_is_what_the_standard_says_and_every_field_counts() {
        let word = B256::repeat_byte;
        let claim = SealedClaim {
            job_id: job(),
            result_hash: word(1),
            public_key_hash: word(2),
            nonce: word(3),
            enc: b"enc",
            ciphertext: b"ciphertext",
        };
        let encoded =
            (keccak256(job().to_string()), word(1), word(2), word(3), keccak256("enc"), keccak256("ciphertext"))
                .abi_encode();
        let text = "SealedResult(string jobId,bytes32 resultHash,bytes32 publicKeyHash,bytes32 retrievalNonce,\
                    bytes enc,bytes ciphertext)";
        assert_eq!(claim.digest(DOMAIN), by_hand(text, &encoded));
        for other in [
            SealedClaim { job_id: JobId::generate(), ..claim },
            SealedClaim { result_hash: word(9), ..claim },
            SealedClaim { public_key_hash: word(9), ..claim },
            SealedClaim { nonce: word(9), ..claim },
            SealedClaim { enc: b"", ..claim },
            SealedClaim { ciphertext: b"", ..claim },
        ] {
            assert_ne!(other.digest(DOMAIN), claim.digest(DOMAIN));
        }
        let elsewhere = Domain { chain_id: 1, ..DOMAIN };
        assert_ne!(claim.digest(elsewhere), claim.digest(DOMAIN));
    }

    #[test]
    fn a_network_key_s_claim_is_what_the_standard_says_and_every_field_counts() {
        let claim = NetworkKeyClaim { key_id: B256::repeat_byte(1), parameters: "network/v1" };
        let encoded = (claim.key_id, keccak256(claim.parameters)).abi_encode();
        let digest = claim.digest(DOMAIN);
        assert_eq!(digest, by_hand("NetworkKey(bytes32 keyId,string parameters)", &encoded));
        assert_ne!(NetworkKeyClaim { key_id: B256::ZERO, ..claim }.digest(DOMAIN), digest);
        assert_ne!(NetworkKeyClaim { parameters: "network/v2", ..claim }.digest(DOMAIN), digest);
        assert_ne!(claim.digest(Domain { chain_id: 1, ..DOMAIN }), digest);
    }
}
