//! User decryption: the rules in their order, then the plaintext, sealed before it leaves.

use std::path::Path;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use alloy::primitives::{Address, B256};
use anyhow::Result;
use retrieval::{Sealed, SealedClaim};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::audit::{Audit, Decision, Outcome};
use crate::door::Place;
use crate::keys::KeySet;
use crate::nonces::{Known, NonceUse, Nonces, SealedAnswer};
use crate::proto;
use crate::refusal::Refusal;
use crate::rules::request::Asked;
use crate::rules::statement::{self, Trust};
use crate::rules::witness::Witness;

/// A job id's length; what is longer is none and need not stand in a log whole.
const JOB_ID_LENGTH: usize = 36;

/// Everything that decides whether a plaintext leaves.
pub(crate) struct Decryptor {
    keys: Arc<KeySet>,
    trust: Trust,
    witness: Witness,
    nonces: Arc<Nonces>,
    audit: Arc<Audit>,
}

impl Decryptor {
    /// Opens what is written while serving, in the key manager's folder.
    pub(crate) fn open(data: &Path, keys: Arc<KeySet>, trust: Trust, witness: Witness) -> Result<Self> {
        Ok(Self {
            keys,
            trust,
            witness,
            nonces: Arc::new(Nonces::open(&data.join("nonces.redb"))?),
            audit: Arc::new(Audit::open(&data.join("audit.log"))?),
        })
    }

    /// Decides about one request, and writes the decision down before it answers. On a task of its own: a caller that
    /// goes away takes neither the decision nor its line along.
    pub(crate) async fn decrypt(
        self: Arc<Self>,
        message: proto::DecryptRequest,
        place: Place,
    ) -> Result<SealedAnswer, Refusal> {
        let decided = tokio::spawn(async move {
            let _place = place;
            self.decide_and_note(message).await
        });
        decided.await.map_err(failed)?
    }

    /// Whether the chain lets `account` read the result of the leaf with this hash.
    pub(crate) async fn has_access(&self, leaf_hash: B256, account: Address) -> Result<bool, Refusal> {
        self.witness.has_access(leaf_hash, account).await
    }

    async fn decide_and_note(&self, message: proto::DecryptRequest) -> Result<SealedAnswer, Refusal> {
        let now = unix_now();
        let mut decision = Decision {
            time: now,
            job_id: message.job_id.chars().take(JOB_ID_LENGTH).collect(),
            signer: None,
            nonce: None,
            public_key_hash: None,
            outcome: Outcome::Refused,
            code: None,
            reason: None,
        };
        let answer = self.decide(message, now, &mut decision).await;
        if let Err(refusal) = &answer {
            decision.code = Some(refusal.code().as_str());
            decision.reason = Some(refusal.to_string());
        }
        let audit = self.audit.clone();
        blocking(move || audit.note(&decision).inspect_err(|error| tracing::error!("{error:#}")).ok())
            .await?
            .ok_or(Refusal::Failed)?;
        answer
    }

    async fn decide(
        &self,
        message: proto::DecryptRequest,
        now: u64,
        decision: &mut Decision,
    ) -> Result<SealedAnswer, Refusal> {
        let (trust, key_id) = (self.trust.clone(), self.keys.manifest().key_id);
        // Up to 64 MiB are hashed.
        let checked = blocking(move || {
            let asked = Asked::try_from(message)?;
            let signer = statement::check(&asked, &trust, key_id, now);
            Ok::<_, Refusal>((asked, signer))
        });
        let (asked, signer) = checked.await??;
        decision.nonce = Some(asked.retrieval.nonce);
        decision.public_key_hash = Some(asked.retrieval.public_key_hash);
        let signer = signer?;
        decision.signer = Some(signer);
        self.witness.check(&asked, signer).await?;

        let (keys, nonces, trust) = (self.keys.clone(), self.nonces.clone(), self.trust.clone());
        let (answer, outcome) = blocking(move || {
            let nonce_use = nonce_use(&asked, &trust, signer);
            match nonces.look_up(&nonce_use, now).map_err(failed)? {
                Known::Answered(earlier) => return Ok((earlier, Outcome::Repeated)),
                Known::Replayed => return Err(Refusal::NonceReplayed),
                Known::Fresh => {}
            }
            let answer = seal(&asked, &keys, &trust)?;
            // One write holds nonce and answer; of requests at once, the first one's answer is everybody's.
            let recorded = nonces.record(&nonce_use, answer, now).map_err(failed)?;
            recorded.map(|answer| (answer, Outcome::Sealed)).ok_or(Refusal::NonceReplayed)
        })
        .await??;
        decision.outcome = outcome;
        Ok(answer)
    }
}

/// The fingerprint covers what the owner signed and what is decrypted.
fn nonce_use(asked: &Asked, trust: &Trust, signer: Address) -> NonceUse {
    let fingerprint = Sha256::new()
        .chain_update(asked.retrieval.digest(trust.domain))
        .chain_update(asked.leaf.hash())
        .chain_update(asked.attestation.digest(trust.domain))
        .finalize();
    NonceUse {
        signer,
        job_id: asked.retrieval.job_id,
        nonce: asked.retrieval.nonce,
        fingerprint: B256::from_slice(&fingerprint),
    }
}

/// Decrypts the result and seals it to the recipient. Every rule has been checked.
fn seal(asked: &Asked, keys: &KeySet, trust: &Trust) -> Result<SealedAnswer, Refusal> {
    let clear = fhe::decrypt::decrypt(&asked.result, &keys.secret_key).map_err(failed)?;
    let plaintext = Zeroizing::new(clear.to_json());
    let job_id = asked.retrieval.job_id;
    let Sealed { enc, ciphertext } = retrieval::seal(plaintext.as_bytes(), &asked.recipient, job_id).map_err(failed)?;
    let claim = SealedClaim {
        job_id,
        result_hash: asked.leaf.result_hash,
        public_key_hash: asked.retrieval.public_key_hash,
        nonce: asked.retrieval.nonce,
        enc: &enc,
        ciphertext: &ciphertext,
    };
    let signature = keys.signer.sign(claim.digest(trust.domain)).map_err(failed)?.to_bytes().to_vec();
    Ok(SealedAnswer { enc, ciphertext, signature })
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

fn failed(error: impl std::fmt::Display) -> Refusal {
    tracing::error!("the key manager failed: {error}");
    Refusal::Failed
}

fn unix_now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
