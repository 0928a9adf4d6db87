//! What can be checked without the chain: that result, leaf, attestation and retrieval speak of one thing, and who
//! signed the last two.

use alloy::primitives::{Address, B256};
use jobs::leaf::LeafStatus;
use retrieval::Domain;
use sha2::{Digest, Sha256};

use super::request::Asked;
use crate::refusal::Refusal;

/// What the key manager believes without asking.
#[derive(Clone, Debug)]
pub struct Trust {
    /// The registry and chain under which everything is signed.
    pub domain: Domain,
    /// Addresses of the keys that FHE workers attest with.
    pub workers: Vec<Address>,
}

/// Checks everything but the chain. Returns the address that signed the retrieval, whose right is yet to be seen.
pub(crate) fn check(asked: &Asked, trust: &Trust, key_id: B256, now: u64) -> Result<Address, Refusal> {
    let (leaf, attestation, retrieval) = (&asked.leaf, &asked.attestation, &asked.retrieval);
    if Sha256::digest(&asked.result).as_slice() != leaf.result_hash.as_slice() {
        return Err(Refusal::OtherResult);
    }
    if leaf.job_id != retrieval.job_id.to_word() || attestation.job_id != retrieval.job_id {
        return Err(Refusal::OtherJob);
    }
    if leaf.status != LeafStatus::Completed {
        return Err(Refusal::NoResult);
    }
    if retrieval.deadline.is_some_and(|deadline| deadline < now) {
        return Err(Refusal::Expired);
    }
    let signer = asked.retrieval_signature.signer(retrieval.digest(trust.domain))?;

    let attested_by = asked.attestation_signature.signer(attestation.digest(trust.domain));
    if !attested_by.is_ok_and(|worker| trust.workers.contains(&worker)) {
        return Err(Refusal::Attestation("it is not signed by a known worker"));
    }
    if attestation.submitter != leaf.submitter {
        return Err(Refusal::Attestation("it names another submitter than the leaf"));
    }
    if attestation.result_hash != leaf.result_hash {
        return Err(Refusal::Attestation("it names another result than the leaf"));
    }
    if attestation.handle(&asked.attestation_signature) != leaf.handle {
        return Err(Refusal::Attestation("it does not give the leaf's handle"));
    }
    if attestation.key_id != key_id {
        return Err(Refusal::OtherKey);
    }
    Ok(signer)
}

#[cfg(test)]
mod tests {
    use jobs::JobId;
    use jobs::leaf::{Index, Leaf};
    use jobs::merkle::Inclusion;
    use retrieval::{Attestation, RecipientKey, Retrieval, Signer};

    use super::*;

    const NOW: u64 = 1_800_000_000;
    const KEY: B256 = B256::repeat_byte(3);

    struct Story {
        asked: Asked,
        trust: Trust,
        owner: Signer,
        worker: Signer,
    }

    impl Story {
        fn check(&self) -> Result<Address, Refusal> {
            check(&self.asked, &self.trust, KEY, NOW)
        }

        fn attest(&mut self) {
            let asked = &mut self.asked;
            asked.attestation_signature = self.worker.sign(asked.attestation.digest(self.trust.domain)).unwrap();
            asked.leaf.handle = asked.attestation.handle(&asked.attestation_signature);
        }

        fn sign(&mut self) {
            let digest = self.asked.retrieval.digest(self.trust.domain);
            self.asked.retrieval_signature = self.owner.sign(digest).unwrap();
        }
    }

    /// A request without fault.
    fn story() -> Story {
        let (owner, worker, job_id) = (Signer::random(), Signer::random(), JobId::generate());
        let trust = Trust {
            domain: Domain { chain_id: 31_337, registry: Address::repeat_byte(1) },
            workers: vec![Address::ZERO, worker.address()],
        };
        let recipient = RecipientKey::generate().public_key().unwrap();
        let result = b"cbor".to_vec();
        let result_hash = B256::from_slice(&Sha256::digest(&result));
        let attestation = Attestation {
            job_id,
            tenant: "acme".parse().unwrap(),
            submitter: owner.address(),
            inputs_hash: B256::repeat_byte(1),
            program_hash: B256::repeat_byte(2),
            key_id: KEY,
            result_hash,
        };
        let leaf = Leaf {
            index: Index::new(0),
            job_id: job_id.to_word().into(),
            submitter: owner.address(),
            result_hash,
            status: LeafStatus::Completed,
            content_hash: B256::ZERO,
            handle: B256::ZERO,
        };
        let retrieval =
            Retrieval { job_id, nonce: B256::repeat_byte(4), public_key_hash: recipient.hash(), deadline: Some(NOW) };
        let any = owner.sign(B256::ZERO).unwrap();
        let asked = Asked {
            result,
            leaf,
            inclusion: Inclusion { root: B256::ZERO, entries: Vec::new(), proof: Vec::new() },
            attestation,
            attestation_signature: any,
            retrieval,
            retrieval_signature: any,
            recipient,
        };
        let mut story = Story { asked, trust, owner, worker };
        story.attest();
        story.sign();
        story
    }

    #[test]
    fn the_signer_is_found() {
        let story = story();
        assert_eq!(story.check(), Ok(story.owner.address()));
    }

    #[test]
    fn a_deadline_holds_to_its_last_second_and_none_for_ever() {
        let mut story = story();
        story.asked.retrieval.deadline = Some(NOW - 1);
        story.sign();
        assert_eq!(story.check(), Err(Refusal::Expired));
        story.asked.retrieval.deadline = None;
        story.sign();
        assert_eq!(story.check(), Ok(story.owner.address()));
    }

    /// Whoever changes what was signed is another signer, whose right the chain denies.
    #[test]
    fn what_was_signed_cannot_be_changed() {
        let changes: [fn(&mut Story); 3] = [
            |story| story.asked.retrieval.nonce = B256::ZERO,
            |story| story.asked.retrieval.public_key_hash = B256::ZERO,
            |story| story.asked.retrieval.deadline = None,
        ];
        for change in changes {
            let mut story = story();
            change(&mut story);
            assert_ne!(story.check(), Ok(story.owner.address()));
        }
    }

    #[test]
    fn other_bytes_another_job_or_a_failed_one_are_refused() {
        let mut other = story();
        other.asked.result.push(0);
        assert_eq!(other.check(), Err(Refusal::OtherResult));

        let mut other = story();
        other.asked.retrieval.job_id = JobId::generate();
        other.sign();
        assert_eq!(other.check(), Err(Refusal::OtherJob));

        let mut other = story();
        other.asked.leaf.job_id[31] = 1;
        assert_eq!(other.check(), Err(Refusal::OtherJob));

        let mut failed = story();
        failed.asked.leaf.status = LeafStatus::Failed;
        assert_eq!(failed.check(), Err(Refusal::NoResult));
    }

    #[test]
    fn an_attestation_must_be_a_known_worker_s_and_agree_with_the_leaf() {
        let mut forged = story();
        forged.worker = Signer::random();
        forged.attest();
        assert_eq!(forged.check(), Err(Refusal::Attestation("it is not signed by a known worker")));

        let mut of_another_job = story();
        of_another_job.asked.attestation.job_id = JobId::generate();
        of_another_job.attest();
        assert_eq!(of_another_job.check(), Err(Refusal::OtherJob));

        // The thief's leaf points at the victim's result; the attestation still names the victim.
        let mut stolen = story();
        stolen.asked.leaf.submitter = Address::repeat_byte(7);
        let reason = "it names another submitter than the leaf";
        assert_eq!(stolen.check(), Err(Refusal::Attestation(reason)));

        let mut of_another_result = story();
        of_another_result.asked.attestation.result_hash = B256::ZERO;
        of_another_result.attest();
        assert_eq!(of_another_result.check(), Err(Refusal::Attestation("it names another result than the leaf")));

        let mut other_handle = story();
        other_handle.asked.leaf.handle = B256::ZERO;
        assert_eq!(other_handle.check(), Err(Refusal::Attestation("it does not give the leaf's handle")));

        let mut other_key = story();
        other_key.asked.attestation.key_id = B256::ZERO;
        other_key.attest();
        assert_eq!(other_key.check(), Err(Refusal::OtherKey));

        let mut elsewhere = story();
        elsewhere.trust.domain.chain_id = 1;
        elsewhere.sign();
        assert_eq!(elsewhere.check(), Err(Refusal::Attestation("it is not signed by a known worker")));
    }
}
