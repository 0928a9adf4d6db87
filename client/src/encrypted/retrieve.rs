//! The way back of a result under the network's key: sign, ask, check who answered, open.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use alloy::primitives::B256;
use jobs::receipt::Receipt;
use jobs::{ErrorCode, JobId};
use reqwest::Method;
use retrieval::{Answer, Expectations, RecipientKey, Retrieval, verify_and_open};
use serde_json::{Value, json};

use super::trust::Confirmed;
use super::{EncryptedError, Opened, Submitter, Trust};
use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Longest time of one answer: the key manager reads the chain before it gives any.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a signed request holds, beyond the time for which it is repeated. Whoever gets hold of a signature without
/// an end may use it for ever, as long as its nonce was not.
const VALIDITY: Duration = Duration::from_secs(10 * 60);

/// How to fetch a result.
#[derive(Clone, Debug)]
pub struct Retrieve {
    trust: Trust,
    recipient: Option<RecipientKey>,
    patience: Duration,
    validity: Duration,
    receipt: Option<Box<Receipt>>,
}

impl Retrieve {
    /// Checks as `trust` says, and seals to a key that is made for this request alone.
    #[must_use]
    pub fn new(trust: Trust) -> Self {
        Self { trust, recipient: None, patience: Duration::ZERO, validity: VALIDITY, receipt: None }
    }

    /// Seals to this key.
    #[must_use]
    pub fn sealed_to(mut self, recipient: RecipientKey) -> Self {
        self.recipient = Some(recipient);
        self
    }

    /// Believes this receipt, once it is verified, instead of asking the API for one: a grantee of another tenant has it
    /// from the owner.
    #[must_use]
    pub fn with_receipt(mut self, receipt: Receipt) -> Self {
        self.receipt = Some(Box::new(receipt));
        self
    }

    /// Signs a request that holds this long, and as long as [`Retrieve::patient`] repeats it [default: 10 minutes]. The
    /// key manager's clock decides.
    #[must_use]
    pub fn valid_for(mut self, validity: Duration) -> Self {
        self.validity = validity;
        self
    }

    /// Waits this long while the result is not ready, at the pace that the API asks for.
    #[must_use]
    pub fn patient(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

impl Client {
    /// Fetches a job's result in the clear. The receipt is verified first; then the submitter, or whoever it granted
    /// access to on chain, signs a request with a new nonce; then the answer must be the pinned key manager's, to this request, about the confirmed result.
    ///
    /// # Errors
    /// [`EncryptedError`]. Nothing that failed a check is returned.
    pub async fn retrieve(
        &self,
        id: JobId,
        submitter: &Submitter,
        options: Retrieve,
    ) -> Result<Opened, EncryptedError> {
        let Retrieve { trust, recipient, patience, validity, receipt } = options;
        let confirmed = match receipt {
            Some(receipt) => Box::pin(Confirmed::by(&receipt, id, &trust)).await?,
            None => self.confirmed(id, &trust, patience).await?,
        };
        let key_manager = trust.key_manager_of(confirmed.domain).await?;
        let recipient = recipient.unwrap_or_else(RecipientKey::generate);
        let nonce = B256::from(rand::random::<[u8; 32]>());
        let retrieval = Retrieval {
            job_id: id,
            nonce,
            public_key_hash: recipient.public_key()?.hash(),
            deadline: Some(unix_after(patience.saturating_add(validity))),
        };
        let body = request(retrieval, submitter, &recipient, &confirmed)?;
        let answer = self.fhe_result(id, &body, patience).await.map_err(|error| blame(error, submitter, &confirmed))?;
        let expected = Expectations {
            domain: confirmed.domain,
            job_id: id,
            result_hash: confirmed.result_hash,
            nonce,
            key_manager,
        };
        let plaintext = verify_and_open(&answer, &expected, &recipient)?;
        let json = str::from_utf8(&plaintext).map_err(|error| EncryptedError::Plaintext(error.to_string()))?;
        Opened::new(id, json.to_owned(), confirmed, Some(key_manager))
    }

    /// `POST /v1/jobs/{id}/fhe-result`: the answer as it comes, unchecked.
    async fn fhe_result(&self, id: JobId, body: &Value, patience: Duration) -> Result<Answer, ClientError> {
        let path = format!("/v1/jobs/{id}/fhe-result");
        let request = || self.request(Method::POST, &path).timeout(ANSWER_TIMEOUT).json(body);
        // A repetition is the identical request, which the key manager answers again.
        read_json(self.send_until_ready(request, patience).await?).await
    }
}

fn request(
    retrieval: Retrieval,
    submitter: &Submitter,
    recipient: &RecipientKey,
    confirmed: &Confirmed,
) -> Result<Value, EncryptedError> {
    let signature = submitter.signer().sign(retrieval.digest(confirmed.domain))?;
    let signature = alloy::primitives::hex::encode_prefixed(signature.to_bytes());
    Ok(json!({
        "clientSignature": signature, "retrievalNonce": retrieval.nonce, "deadline": retrieval.deadline,
        "client_public_key": recipient.public_key()?.to_pem(),
    }))
}

/// Unix seconds after this time from now; never 0, which would mean no end.
fn unix_after(time: Duration) -> u64 {
    /// What JSON carries exactly.
    const LATEST: u64 = (1 << 53) - 1;
    let end = SystemTime::now().checked_add(time).and_then(|end| end.duration_since(UNIX_EPOCH).ok());
    end.map_or(LATEST, |end| end.as_secs().min(LATEST))
}

/// Tells a wrong key from a refusal that the owner gets.
fn blame(error: ClientError, submitter: &Submitter, confirmed: &Confirmed) -> EncryptedError {
    let (owner, signer) = (confirmed.owner, submitter.address());
    match &error {
        ClientError::Problem(problem)
            if matches!(problem.code, ErrorCode::SignatureInvalid | ErrorCode::AccessRevoked) && owner != signer =>
        {
            EncryptedError::OtherSubmitter { source: error, owner, signer }
        }
        _ => error.into(),
    }
}
