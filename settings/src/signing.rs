//! Where an account's key is.

use crate::Chain;

/// One account's settings: a signing server, a key in AWS KMS, an encrypted file, or the key itself, whichever is set first
/// in this order.
#[derive(Clone, Copy)]
pub struct SigningAccount<'a> {
    /// How its keys begin: `chain.{name}_key`.
    pub name: &'static str,
    /// 0x-hex.
    pub key: &'a str,
    pub keystore: &'a str,
    pub password: &'a str,
    pub password_file: &'a str,
    pub signer_url: &'a str,
    /// Id, ARN or alias.
    pub aws_key: &'a str,
    /// For whom the signing server or AWS KMS signs.
    pub address: &'a str,
}

impl Chain {
    /// The account that confirms batches.
    #[must_use]
    pub fn confirmer(&self) -> SigningAccount<'_> {
        SigningAccount {
            name: "confirmer",
            key: &self.confirmer_key,
            keystore: &self.confirmer_keystore,
            password: &self.confirmer_password,
            password_file: &self.confirmer_password_file,
            signer_url: &self.confirmer_signer_url,
            aws_key: &self.confirmer_aws_key,
            address: &self.confirmer_address,
        }
    }

    /// The account with which operators change the registry.
    #[must_use]
    pub fn deployer(&self) -> SigningAccount<'_> {
        SigningAccount {
            name: "deployer",
            key: &self.deployer_key,
            keystore: &self.deployer_keystore,
            password: &self.deployer_password,
            password_file: &self.deployer_password_file,
            signer_url: &self.deployer_signer_url,
            aws_key: &self.deployer_aws_key,
            address: &self.deployer_address,
        }
    }
}
