//! From a message to a request whose form is right. Nothing here says that it is true.

use alloy::primitives::{Address, B256, U256};
use jobs::JobId;
use jobs::leaf::{Index, Leaf, LeafStatus};
use jobs::merkle::{self, Entry, Inclusion};
use retrieval::{Attestation, PublicKey, Retrieval, Signature};

use crate::proto::{self, MAX_RESULT};
use crate::refusal::Refusal;

/// A batch of 2^16 jobs; the registry's own limit is a block's gas, far below.
const MAX_PROOF: usize = 16;
const MAX_ENTRIES: usize = 1 << MAX_PROOF;

/// A well-formed request.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) result: Vec<u8>,
    pub(crate) leaf: Leaf,
    pub(crate) inclusion: Inclusion,
    pub(crate) attestation: Attestation,
    pub(crate) attestation_signature: Signature,
    pub(crate) retrieval: Retrieval,
    pub(crate) retrieval_signature: Signature,
    pub(crate) recipient: PublicKey,
}

impl TryFrom<proto::DecryptRequest> for Asked {
    type Error = Refusal;

    fn try_from(message: proto::DecryptRequest) -> Result<Self, Refusal> {
        if message.result.len() > MAX_RESULT {
            return Err(Refusal::TooLarge);
        }
        if message.proof.len() > MAX_PROOF || message.entries.len() > MAX_ENTRIES {
            return Err(Refusal::Malformed("the proof or the entries are longer than any batch's"));
        }
        let job_id = job_id(&message.job_id)?;
        let retrieval = message.retrieval.ok_or(Refusal::Malformed("there is no retrieval"))?;
        let recipient = PublicKey::from_pem(&retrieval.client_public_key)?;
        let (attestation, attestation_signature) =
            attestation(message.attestation.ok_or(Refusal::Attestation("there is no attestation"))?)?;
        let inclusion = Inclusion {
            root: word(&message.root)?,
            entries: message.entries.iter().map(entry).collect::<Result<_, _>>()?,
            proof: message.proof.iter().map(|sibling| word(sibling)).collect::<Result<_, _>>()?,
        };
        if !merkle::are_canonical(&inclusion.entries) {
            return Err(Refusal::NotIncluded);
        }
        Ok(Self {
            result: message.result,
            leaf: leaf(message.leaf.ok_or(Refusal::Malformed("there is no leaf"))?)?,
            inclusion,
            attestation,
            attestation_signature,
            retrieval: Retrieval {
                job_id,
                nonce: word(&retrieval.nonce)?,
                public_key_hash: recipient.hash(),
                deadline: (retrieval.deadline != 0).then_some(retrieval.deadline),
            },
            retrieval_signature: Signature::from_bytes(&retrieval.signature)?,
            recipient,
        })
    }
}

fn attestation(message: proto::Attestation) -> Result<(Attestation, Signature), Refusal> {
    let attestation = Attestation {
        job_id: job_id(&message.job_id)?,
        tenant: message.tenant.parse().map_err(|_| Refusal::Malformed("the attestation's tenant is none"))?,
        submitter: address(&message.submitter)?,
        inputs_hash: word(&message.inputs_hash)?,
        program_hash: word(&message.program_hash)?,
        key_id: word(&message.key_id)?,
        result_hash: word(&message.result_hash)?,
    };
    let signature = Signature::from_bytes(&message.signature);
    Ok((attestation, signature.map_err(|_| Refusal::Attestation("its signature is malformed"))?))
}

fn leaf(message: proto::Leaf) -> Result<Leaf, Refusal> {
    let status = u8::try_from(message.status).ok().and_then(|number| LeafStatus::try_from(number).ok());
    Ok(Leaf {
        index: Index::new(message.index),
        job_id: word(&message.job_id)?,
        submitter: address(&message.submitter)?,
        result_hash: word(&message.result_hash)?,
        status: status.ok_or(Refusal::Malformed("the leaf's status is none"))?,
        content_hash: word(&message.content_hash)?,
        handle: word(&message.handle)?,
    })
}

fn entry(message: &proto::Entry) -> Result<Entry, Refusal> {
    Ok(Entry { word: message.word, mask: U256::from_be_bytes(word(&message.mask)?.0) })
}

fn job_id(text: &str) -> Result<JobId, Refusal> {
    text.parse().map_err(|_| Refusal::Malformed("the job's id is not lower case and hyphenated"))
}

pub(crate) fn word(bytes: &[u8]) -> Result<B256, Refusal> {
    B256::try_from(bytes).map_err(|_| Refusal::Malformed("a hash, root, nonce or mask has not 32 bytes"))
}

pub(crate) fn address(bytes: &[u8]) -> Result<Address, Refusal> {
    Address::try_from(bytes).map_err(|_| Refusal::Malformed("an address has not 20 bytes"))
}
