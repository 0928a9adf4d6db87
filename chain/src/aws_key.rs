//! A key in AWS KMS (asymmetric, ECC_SECG_P256K1, for signing), through alloy's signer. Credentials and region come from
//! where AWS's own tools look for them; the rights are `kms:GetPublicKey` and `kms:Sign`.

use std::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559};
use alloy::primitives::{Address, Signature};
use alloy::signers::{self, Signer as _};
use alloy_signer_aws::aws_sdk_kms::Client;
use alloy_signer_aws::aws_sdk_kms::error::{ProvideErrorMetadata, SdkError};
use alloy_signer_aws::{AwsSigner, AwsSignerError};
use aws_config::{BehaviorVersion, Region};
use jobs::causes::with_causes;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::ChainError;
use crate::signer::{RemoteSigner, Signing};
use crate::silence::Silence;

/// What KMS says of itself when it may answer later. Other failures of its own have a status of 500 or more.
const PASSING: [&str; 5] = [
    "ThrottlingException",
    "LimitExceededException",
    "DependencyTimeoutException",
    "KeyUnavailableException",
    "KMSInternalException",
];

/// One key of AWS KMS. It is asked for nothing before the first signature.
pub(crate) struct AwsKey {
    /// Id, ARN, or alias.
    key: String,
    address: Address,
    /// Of all that one signature takes, repeats included.
    patience: Duration,
    signer: OnceCell<AwsSigner>,
    silence: Silence,
}

impl AwsKey {
    /// The key that signs for `address`.
    pub(crate) fn new(key: &str, address: Address, patience: Duration) -> Self {
        Self { key: key.to_owned(), address, patience, signer: OnceCell::new(), silence: Silence::default() }
    }

    async fn ask(&self, transaction: &TxEip1559) -> Result<Signature, ChainError> {
        self.silence.is_over()?;
        let asked = timeout(self.patience, Box::pin(self.signature(transaction))).await;
        let answer = asked.unwrap_or_else(|_| {
            let seconds = self.patience.as_secs();
            Err(ChainError::SignerUnavailable(format!("AWS KMS gave no answer within {seconds} s")))
        });
        answer.inspect_err(|error| self.silence.note(error))
    }

    async fn signature(&self, transaction: &TxEip1559) -> Result<Signature, ChainError> {
        let signer = self.signer.get_or_try_init(|| Box::pin(self.connect())).await?;
        signer.sign_hash(&transaction.signature_hash()).await.map_err(|error| match error {
            signers::Error::Other(error) => match error.downcast::<AwsSignerError>() {
                Ok(error) => failure(&error),
                Err(other) => ChainError::SignerRefused(other.to_string()),
            },
            other => ChainError::SignerRefused(with_causes(&other)),
        })
    }

    async fn connect(&self) -> Result<AwsSigner, ChainError> {
        let mut loader = aws_config::defaults(BehaviorVersion::latest());
        if let Some(region) = region(&self.key) {
            loader = loader.region(Region::new(region.to_owned()));
        }
        let config = Box::pin(loader.load()).await;
        Box::pin(self.known_to(Client::new(&config))).await
    }

    /// A key that is another account's would cost a nonce with each transaction.
    async fn known_to(&self, client: Client) -> Result<AwsSigner, ChainError> {
        let connected = Box::pin(AwsSigner::new(client, self.key.clone(), None)).await;
        let signer = connected.map_err(|error| failure(&error))?;
        if signer.address() == self.address {
            return Ok(signer);
        }
        let (key, address) = (&self.key, self.address);
        Err(ChainError::SignerRefused(format!(
            "the key {key} of AWS KMS signs for {}, not {address}",
            signer.address()
        )))
    }
}

impl RemoteSigner for AwsKey {
    fn address(&self) -> Address {
        self.address
    }

    fn sign<'a>(&'a self, transaction: &'a TxEip1559) -> Signing<'a> {
        Box::pin(self.ask(transaction))
    }
}

/// The region that an ARN names: `arn:aws:kms:eu-west-1:111122223333:key/…`.
fn region(key: &str) -> Option<&str> {
    key.strip_prefix("arn:")?.split(':').nth(2).filter(|region| !region.is_empty())
}

fn failure(error: &AwsSignerError) -> ChainError {
    let may_pass = match error {
        AwsSignerError::Sign(error) => may_pass(error),
        AwsSignerError::GetPublicKey(error) => may_pass(error),
        _ => false,
    };
    let told = format!("AWS KMS: {}", with_causes(error));
    if may_pass { ChainError::SignerUnavailable(told) } else { ChainError::SignerRefused(told) }
}

/// No answer, or one that says so.
fn may_pass<E: ProvideErrorMetadata>(error: &SdkError<E>) -> bool {
    let Some(said) = error.as_service_error() else { return true };
    let is_its_own = error.raw_response().is_some_and(|response| response.status().is_server_error());
    is_its_own || said.code().is_some_and(|code| PASSING.contains(&code))
}

#[cfg(test)]
mod tests;
