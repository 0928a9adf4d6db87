//! Who signs an account's transactions: a key of this process, or somebody elsewhere who keeps the key.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use alloy::consensus::{SignableTransaction, TxEip1559};
use alloy::network::TxSignerSync;
use alloy::primitives::{Address, Signature};
use alloy::signers::local::PrivateKeySigner;

use crate::{ChainError, keystore, signing};

/// What a [`RemoteSigner`] answers.
pub type Signing<'a> = Pin<Box<dyn Future<Output = Result<Signature, ChainError>> + Send + 'a>>;

/// A key that this process never sees: a key management service, a hardware module, a signing server.
///
/// It is handed the whole transaction and not a hash, so that it may have rules of its own about what it signs.
pub trait RemoteSigner: Send + Sync {
    /// The account that it signs for.
    fn address(&self) -> Address;

    /// Signs; [`ChainError::SignerUnavailable`] when it cannot be reached, [`ChainError::SignerRefused`] when it will not.
    fn sign<'a>(&'a self, transaction: &'a TxEip1559) -> Signing<'a>;
}

/// Signs for one account. Cheap to clone; never prints a key.
#[derive(Clone)]
pub struct Signer(Kind);

#[derive(Clone)]
enum Kind {
    Local(PrivateKeySigner),
    Remote(Arc<dyn RemoteSigner>),
}

impl Signer {
    /// With this 0x-hex private key.
    ///
    /// # Errors
    /// The key is not one; the error does not repeat it.
    pub fn private_key(private_key: &str) -> Result<Self, ChainError> {
        Ok(Self(Kind::Local(signing::local(private_key)?)))
    }

    /// With the key in an encrypted file (Web3 Secret Storage, version 3); takes a second or so.
    ///
    /// # Errors
    /// The text is no such file, or the password is another.
    pub fn keystore(file: &str, password: &str) -> Result<Self, ChainError> {
        let key = keystore::decrypt(file, password)?;
        let key = PrivateKeySigner::from_slice(key.as_slice())
            .map_err(|_| ChainError::Configuration("the keystore file holds no valid key".to_owned()))?;
        Ok(Self(Kind::Local(key)))
    }

    /// With a key in AWS KMS (id, ARN or alias) that signs for `address`; asks nothing yet. All that one signature takes
    /// ends within the time-out.
    #[cfg(feature = "aws-kms")]
    pub fn aws_key(key: &str, address: Address, timeout: Duration) -> Result<Self, ChainError> {
        Ok(Self::remote(Arc::new(crate::aws_key::AwsKey::new(key, address, timeout))))
    }

    /// # Errors
    /// Always: this program was built without the feature.
    #[cfg(not(feature = "aws-kms"))]
    pub fn aws_key(_key: &str, _address: Address, _timeout: Duration) -> Result<Self, ChainError> {
        let without =
            "this program was built without AWS KMS; build it with `--features aws-kms`, or use a signing server";
        Err(ChainError::Configuration(without.to_owned()))
    }

    /// Through somebody else, who keeps the key.
    pub fn remote(signer: Arc<dyn RemoteSigner>) -> Self {
        Self(Kind::Remote(signer))
    }

    /// The account.
    #[must_use]
    pub fn address(&self) -> Address {
        match &self.0 {
            Kind::Local(key) => key.address(),
            Kind::Remote(signer) => signer.address(),
        }
    }

    /// A signature that is certainly the account's: a service that signs with another key would cost a nonce.
    pub(crate) async fn sign(&self, transaction: &mut TxEip1559) -> Result<Signature, ChainError> {
        let refused = |why: String| ChainError::SignerRefused(format!("cannot sign for {}: {why}", self.address()));
        let signature = match &self.0 {
            Kind::Local(key) => key.sign_transaction_sync(transaction).map_err(|error| refused(error.to_string()))?,
            Kind::Remote(signer) => signer.sign(transaction).await?,
        };
        let signed_by = signature.recover_address_from_prehash(&transaction.signature_hash());
        match signed_by {
            Ok(address) if address == self.address() => Ok(signature.normalized_s()),
            Ok(other) => Err(refused(format!("the signature is {other}'s"))),
            Err(error) => Err(refused(error.to_string())),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use super::*;

    const KEY: &str = "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d";
    const OTHER: &str = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";

    /// Says that it signs for one account and may do it with another's key.
    struct Service {
        of: Address,
        key: PrivateKeySigner,
    }

    impl RemoteSigner for Service {
        fn address(&self) -> Address {
            self.of
        }

        fn sign<'a>(&'a self, transaction: &'a TxEip1559) -> Signing<'a> {
            let mut transaction = transaction.clone();
            Box::pin(async move { Ok(self.key.sign_transaction_sync(&mut transaction).unwrap()) })
        }
    }

    fn service(of: &str, key: &str) -> Signer {
        let of = Signer::private_key(of).unwrap().address();
        Signer::remote(Arc::new(Service { of, key: signing::local(key).unwrap() }))
    }

    #[tokio::test]
    async fn a_remote_signer_is_believed_for_its_own_account_alone() {
        let mut transaction = TxEip1559 { chain_id: 31337, nonce: 7, ..TxEip1559::default() };
        let local = Signer::private_key(KEY).unwrap().sign(&mut transaction).await.unwrap();
        assert_eq!(service(KEY, KEY).sign(&mut transaction).await.unwrap(), local);
        let refused = service(KEY, OTHER).sign(&mut transaction).await.unwrap_err().to_string();
        assert!(refused.contains("cannot sign for"), "{refused}");
    }

    #[cfg(not(feature = "aws-kms"))]
    #[test]
    fn a_program_without_aws_kms_says_so() {
        let refused = Signer::aws_key("alias/confirmer", Address::ZERO, Duration::from_secs(1)).unwrap_err();
        assert!(matches!(&refused, ChainError::Configuration(why) if why.contains("--features aws-kms")), "{refused}");
    }

    #[test]
    fn a_key_is_never_printed() {
        let printed = format!("{:?}", Signer::private_key(KEY).unwrap());
        assert!(printed.contains("0x70997970"), "{printed}");
        assert!(!printed.contains("59c6995e"), "{printed}");
        let bad = B256::ZERO.to_string();
        assert!(!Signer::private_key(&bad).unwrap_err().to_string().contains(&bad));
    }
}
