//! The answer of `POST /v1/jobs/{id}/fhe-result`, and what a client checks before it believes it.

use alloy::primitives::{Address, B256};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use jobs::JobId;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use thiserror::Error;
use utoipa::ToSchema;
use zeroize::Zeroizing;

use crate::{Domain, INFO, InvalidKey, OpenError, RecipientKey, SUITE, Sealed, SealedClaim, Signature, aad, open};

/// How the result travels.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The plaintext, sealed to the caller's P-256 key (network key).
    Sealed,
    /// The result as it is, encrypted under the client's own key.
    Ciphertext,
}

/// A byte string, in base64 (RFC 4648, with padding).
#[derive(Clone, Debug, Default, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = Byte)]
pub struct Base64(pub Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64_STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64_STANDARD.decode(text).map(Self).map_err(|_| D::Error::custom("not base64 with padding"))
    }
}

/// An encrypted job's result for its owner.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize, ToSchema)]
pub struct Answer {
    #[schema(value_type = String, format = Uuid)]
    pub job_id: JobId,
    pub mode: Mode,
    /// HPKE's suite; null when nothing is sealed.
    #[schema(example = "DHKEM(P-256,HKDF-SHA256),HKDF-SHA256,AES-256-GCM")]
    pub suite: Option<String>,
    /// HPKE's encapsulated key, an uncompressed point; null when nothing is sealed.
    pub enc: Option<Base64>,
    /// Sealed: HPKE's ciphertext of the result as JSON. Else the result's CBOR.
    pub ciphertext: Base64,
    /// HPKE's info; null when nothing is sealed.
    pub info: Option<Base64>,
    /// HPKE's associated data, the 16 bytes of the job's id; null when nothing is sealed.
    pub aad: Option<Base64>,
    /// SHA-256 of the encrypted result, as the chain confirmed it.
    #[schema(value_type = String)]
    pub result_hash: B256,
    /// The key manager's EIP-712 signature (65 bytes) over `SealedResult`; null when nothing is sealed.
    pub kms_signature: Option<Base64>,
}

impl Answer {
    /// What the key manager sealed and signed.
    #[must_use]
    pub fn sealed(job_id: JobId, result_hash: B256, sealed: Sealed, kms_signature: Vec<u8>) -> Self {
        Self {
            job_id,
            mode: Mode::Sealed,
            suite: Some(SUITE.to_owned()),
            enc: Some(Base64(sealed.enc)),
            ciphertext: Base64(sealed.ciphertext),
            info: Some(Base64(INFO.to_vec())),
            aad: Some(Base64(aad(job_id).to_vec())),
            result_hash,
            kms_signature: Some(Base64(kms_signature)),
        }
    }

    /// A result that only its client can decrypt.
    #[must_use]
    pub fn ciphertext(job_id: JobId, result: Vec<u8>) -> Self {
        Self {
            job_id,
            mode: Mode::Ciphertext,
            suite: None,
            enc: None,
            result_hash: B256::from_slice(&Sha256::digest(&result)),
            ciphertext: Base64(result),
            info: None,
            aad: None,
            kms_signature: None,
        }
    }
}

/// What the client knows from elsewhere.
#[derive(Clone, Copy, Debug)]
pub struct Expectations {
    pub domain: Domain,
    pub job_id: JobId,
    /// The result's hash in the job's verified receipt.
    pub result_hash: B256,
    /// The nonce of the request.
    pub nonce: B256,
    /// The key manager's address as the registry pins it.
    pub key_manager: Address,
}

/// Why an answer is not believed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum OpenAnswerError {
    #[error("the answer is not a sealed result of the suite {SUITE}")]
    NotSealed,
    #[error("the answer speaks of another job")]
    OtherJob,
    #[error("the answer's result hash is not the confirmed one")]
    OtherResult,
    #[error("the answer is not signed by the key manager that the registry pins")]
    NotTheKeyManager,
    #[error(transparent)]
    Key(#[from] InvalidKey),
    #[error(transparent)]
    Open(#[from] OpenError),
}

/// Checks that the pinned key manager made this answer to this very request, then opens it. Returns the result as JSON,
/// which is wiped when it is dropped.
///
/// # Errors
/// Says what does not fit; the plaintext of a wrong answer is never returned.
pub fn verify_and_open(
    answer: &Answer,
    expected: &Expectations,
    key: &RecipientKey,
) -> Result<Zeroizing<Vec<u8>>, OpenAnswerError> {
    let (Mode::Sealed, Some(SUITE), Some(enc), Some(kms_signature)) =
        (answer.mode, answer.suite.as_deref(), &answer.enc, &answer.kms_signature)
    else {
        return Err(OpenAnswerError::NotSealed);
    };
    let own_aad = aad(expected.job_id);
    let says_aad = answer.aad.as_ref().is_some_and(|aad| aad.0 == own_aad);
    if answer.job_id != expected.job_id || !says_aad {
        return Err(OpenAnswerError::OtherJob);
    }
    if answer.info.as_ref().is_none_or(|info| info.0 != INFO) {
        return Err(OpenAnswerError::NotSealed);
    }
    if answer.result_hash != expected.result_hash {
        return Err(OpenAnswerError::OtherResult);
    }
    let claim = SealedClaim {
        job_id: expected.job_id,
        result_hash: expected.result_hash,
        public_key_hash: key.public_key()?.hash(),
        nonce: expected.nonce,
        enc: &enc.0,
        ciphertext: &answer.ciphertext.0,
    };
    let signer = Signature::from_bytes(&kms_signature.0).and_then(|it| it.signer(claim.digest(expected.domain)));
    if signer != Ok(expected.key_manager) {
        return Err(OpenAnswerError::NotTheKeyManager);
    }
    let sealed = Sealed { enc: enc.0.clone(), ciphertext: answer.ciphertext.0.clone() };
    Ok(open(&sealed, key, expected.job_id)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Signer, seal};

    struct Story {
        key: RecipientKey,
        expected: Expectations,
        answer: Answer,
        manager: Signer,
    }

    /// An answer as the key manager gives it, and the client that asked for it.
    fn story() -> Story {
        let (key, manager, job_id) = (RecipientKey::generate(), Signer::random(), JobId::generate());
        let expected = Expectations {
            domain: Domain { chain_id: 31_337, registry: Address::repeat_byte(1) },
            job_id,
            result_hash: B256::repeat_byte(2),
            nonce: B256::repeat_byte(3),
            key_manager: manager.address(),
        };
        let answer = answered(&key, &manager, &expected);
        Story { key, expected, answer, manager }
    }

    fn answered(key: &RecipientKey, manager: &Signer, expected: &Expectations) -> Answer {
        let public = key.public_key().unwrap();
        let sealed = seal(br#"{"mean":5}"#, &public, expected.job_id).unwrap();
        let claim = SealedClaim {
            job_id: expected.job_id,
            result_hash: expected.result_hash,
            public_key_hash: public.hash(),
            nonce: expected.nonce,
            enc: &sealed.enc,
            ciphertext: &sealed.ciphertext,
        };
        let signature = manager.sign(claim.digest(expected.domain)).unwrap();
        Answer::sealed(expected.job_id, expected.result_hash, sealed, signature.to_bytes().to_vec())
    }

    #[test]
    fn the_owner_reads_the_result() {
        let story = story();
        let json = serde_json::to_string(&story.answer).unwrap();
        let answer: Answer = serde_json::from_str(&json).unwrap();
        assert_eq!(verify_and_open(&answer, &story.expected, &story.key).unwrap().as_slice(), br#"{"mean":5}"#);
    }

    #[test]
    fn the_wire_says_what_is_documented() {
        let story = story();
        let json = serde_json::to_value(&story.answer).unwrap();
        assert_eq!(json["mode"], "sealed");
        assert_eq!(json["suite"], SUITE);
        assert_eq!(json["info"], BASE64_STANDARD.encode("zama-jobs/v1/result"));
        assert_eq!(json["aad"], BASE64_STANDARD.encode(story.expected.job_id.0.as_bytes()));
        assert_eq!(json["result_hash"], format!("0x{}", "02".repeat(32)));
        let json = serde_json::to_value(Answer::ciphertext(story.expected.job_id, vec![1])).unwrap();
        assert_eq!((&json["mode"], &json["ciphertext"]), (&"ciphertext".into(), &"AQ==".into()));
        for unknown in ["suite", "enc", "info", "aad", "kms_signature"] {
            assert!(json.as_object().unwrap()[unknown].is_null(), "{unknown}");
        }
    }

    #[test]
    fn an_answer_of_anybody_else_is_not_opened() {
        let story = story();
        let impostor = answered(&story.key, &Signer::random(), &story.expected);
        let refused = verify_and_open(&impostor, &story.expected, &story.key);
        assert_eq!(refused, Err(OpenAnswerError::NotTheKeyManager));
        let mut unsigned = story.answer;
        unsigned.kms_signature = None;
        assert_eq!(verify_and_open(&unsigned, &story.expected, &story.key), Err(OpenAnswerError::NotSealed));
    }

    #[test]
    fn an_answer_to_another_request_is_not_opened() {
        let Story { key, expected, answer, manager } = story();
        let check = |answer: &Answer, expected: &Expectations| verify_and_open(answer, expected, &key);
        let other_job = Expectations { job_id: JobId::generate(), ..expected };
        assert_eq!(check(&answer, &other_job), Err(OpenAnswerError::OtherJob));
        let other_result = Expectations { result_hash: B256::ZERO, ..expected };
        assert_eq!(check(&answer, &other_result), Err(OpenAnswerError::OtherResult));
        let other_nonce = Expectations { nonce: B256::ZERO, ..expected };
        assert_eq!(check(&answer, &other_nonce), Err(OpenAnswerError::NotTheKeyManager));
        let other_chain = Expectations { domain: Domain { chain_id: 1, ..expected.domain }, ..expected };
        assert_eq!(check(&answer, &other_chain), Err(OpenAnswerError::NotTheKeyManager));
        let to_another_key = answered(&RecipientKey::generate(), &manager, &expected);
        assert_eq!(check(&to_another_key, &expected), Err(OpenAnswerError::NotTheKeyManager));
    }

    #[test]
    fn changed_bytes_are_not_opened() {
        let Story { key, expected, answer, .. } = story();
        let mut ciphertext = answer.clone();
        ciphertext.ciphertext.0[0] ^= 1;
        assert_eq!(verify_and_open(&ciphertext, &expected, &key), Err(OpenAnswerError::NotTheKeyManager));
        let mut info = answer.clone();
        info.info = Some(Base64(b"zama-jobs/v2/result".to_vec()));
        assert_eq!(verify_and_open(&info, &expected, &key), Err(OpenAnswerError::NotSealed));
        let mut suite = answer;
        suite.suite = Some("none".to_owned());
        assert_eq!(verify_and_open(&suite, &expected, &key), Err(OpenAnswerError::NotSealed));
    }
}
