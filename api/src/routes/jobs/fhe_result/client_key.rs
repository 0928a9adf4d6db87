//! A result under the client's own key: nobody here can read it, so the API itself checks who asks.

use alloy::primitives::{Address, B256};
use blobs::{BlobHash, MAX_RESULT_BYTES, SystemKey};
use jobs::ErrorCode;
use retrieval::{Answer, Domain};
use store::retrievals::{NonceUse, SignedRequest, use_nonce};

use super::{Asked, check_deadline, signature, signature_invalid};
use crate::ApiState;
use crate::policy::download;
use crate::policy::problem::Problem;

/// Seconds for which the identical request is answered again.
const REPEAT_SECONDS: f64 = 600.0;

pub(super) async fn answer(state: &ApiState, asked: &Asked) -> Result<Answer, Problem> {
    if asked.wish.client_public_key.is_some() {
        let detail = "The result is under the client's own key and sealed to nobody: leave client_public_key away and \
                      open it with that key (zama-jobs decrypt --client-key FILE).";
        return Err(Problem::new(ErrorCode::InvalidRequest, detail));
    }
    let request = check_signature(state.domain, asked)?;
    check_deadline(&asked.wish)?;
    // Read first: a nonce is not spent on an answer that cannot be given.
    let key = SystemKey::result(asked.job_id, BlobHash(asked.result_hash));
    let result = state.blobs.get_system_verified(&key, BlobHash(asked.result_hash), MAX_RESULT_BYTES).await;
    let result = result.map_err(|error| download::unreadable("result", asked.job_id, error))?;
    match use_nonce(&state.pool, &request, REPEAT_SECONDS).await? {
        NonceUse::First | NonceUse::Again => Ok(Answer::ciphertext(asked.job_id, result.to_vec())),
        NonceUse::Replayed => Err(Problem::new(ErrorCode::NonceReplayed, "The retrieval nonce was used before.")),
    }
}

/// Nothing is sealed, so the public key's hash is signed as zero.
fn check_signature(domain: Domain, asked: &Asked) -> Result<SignedRequest, Problem> {
    let digest = asked.retrieval(B256::ZERO).digest(domain);
    let signer = signature(&asked.wish)?.signer(digest).map_err(|_| not_the_submitter())?;
    if signer != asked.job.submitter {
        let submitter = Address::from(asked.job.submitter);
        return Err(signature_invalid(&format!(
            "Over this request the signature is that of {signer}, and only the submitter {submitter} may read the result. \
             Who signed another job, nonce, deadline, chain or registry, or a public key's hash other than zero, looks like a \
             stranger."
        )));
    }
    Ok(SignedRequest { job: asked.job_id, signer: signer.into(), nonce: asked.wish.nonce.0, digest: digest.0 })
}

fn not_the_submitter() -> Problem {
    signature_invalid("The signature is not the submitter's over this request.")
}
