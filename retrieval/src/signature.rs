//! secp256k1 signatures over digests, in the one form that is accepted: 65 bytes, low s.

use std::fmt;

use alloy::primitives::{Address, B256};
use alloy::signers::SignerSync;
use alloy::signers::local::PrivateKeySigner;
use thiserror::Error;

/// r, s and v (0, 1, 27 or 28).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature(alloy::primitives::Signature);

/// Bytes that are no signature, or one that nobody made over this digest.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum InvalidSignature {
    #[error("a signature has 65 bytes: r, s and v")]
    Length,
    #[error("the last byte of a signature is 0, 1, 27 or 28")]
    RecoveryId,
    /// The other half of the values names the same signature again.
    #[error("the signature's s is not in the lower half")]
    HighS,
    #[error("no key made this signature")]
    Unrecoverable,
}

impl Signature {
    /// Reads the 65 bytes.
    ///
    /// # Errors
    /// Another length, another v, or a high s.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSignature> {
        let bytes: &[u8; 65] = bytes.try_into().map_err(|_| InvalidSignature::Length)?;
        let odd = match bytes[64] {
            0 | 27 => false,
            1 | 28 => true,
            _ => return Err(InvalidSignature::RecoveryId),
        };
        let signature = alloy::primitives::Signature::from_bytes_and_parity(&bytes[..64], odd);
        if signature.normalize_s().is_some() {
            return Err(InvalidSignature::HighS);
        }
        Ok(Self(signature))
    }

    /// The 65 bytes, v as 27 or 28.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 65] {
        self.0.as_bytes()
    }

    /// Whose key made it.
    ///
    /// # Errors
    /// r or s is no scalar, or there is no such point.
    pub fn signer(self, digest: B256) -> Result<Address, InvalidSignature> {
        self.0.recover_address_from_prehash(&digest).map_err(|_| InvalidSignature::Unrecoverable)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", alloy::primitives::hex::encode_prefixed(self.to_bytes()))
    }
}

/// A key that signs digests. Its `Debug` shows the address alone.
#[derive(Clone)]
pub struct Signer(PrivateKeySigner);

impl Signer {
    /// A new random key.
    #[must_use]
    pub fn random() -> Self {
        Self(PrivateKeySigner::random())
    }

    /// The key with these 32 bytes; `None` when they are no scalar of the curve.
    #[must_use]
    pub fn from_bytes(secret: &B256) -> Option<Self> {
        PrivateKeySigner::from_bytes(secret).ok().map(Self)
    }

    /// The key in a text of 32 bytes 0x-hex.
    #[must_use]
    pub fn from_hex(secret: &str) -> Option<Self> {
        secret.parse().ok().map(Self)
    }

    /// The secret's 32 bytes, for whoever keeps it.
    #[must_use]
    pub fn to_bytes(&self) -> B256 {
        self.0.to_bytes()
    }

    #[must_use]
    pub fn address(&self) -> Address {
        self.0.address()
    }

    /// Signs a digest; deterministic (RFC 6979), low s.
    ///
    /// # Errors
    /// The digest cannot be signed with this key, which is as likely as guessing the key.
    pub fn sign(&self, digest: B256) -> Result<Signature, InvalidSignature> {
        let signature = self.0.sign_hash_sync(&digest).map_err(|_| InvalidSignature::Unrecoverable)?;
        Ok(Signature(signature.normalized_s()))
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.address())
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::{U256, uint};

    use super::*;

    const ORDER: U256 = uint!(0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141_U256);

    #[test]
    fn who_signed_is_found_under_both_forms_of_v() {
        let (signer, digest) = (Signer::random(), B256::repeat_byte(7));
        let mut bytes = signer.sign(digest).unwrap().to_bytes();
        assert!(bytes[64] == 27 || bytes[64] == 28);
        assert_eq!(Signature::from_bytes(&bytes).unwrap().signer(digest).unwrap(), signer.address());
        bytes[64] -= 27;
        assert_eq!(Signature::from_bytes(&bytes).unwrap().signer(digest).unwrap(), signer.address());
        bytes[64] ^= 1;
        assert_ne!(Signature::from_bytes(&bytes).unwrap().signer(digest), Ok(signer.address()));
    }

    #[test]
    fn the_twin_with_a_high_s_is_refused() {
        let mut bytes = Signer::random().sign(B256::repeat_byte(7)).unwrap().to_bytes();
        let s = U256::from_be_slice(&bytes[32..64]);
        bytes[32..64].copy_from_slice(&(ORDER - s).to_be_bytes::<32>());
        bytes[64] = 27 + 28 - bytes[64];
        assert_eq!(Signature::from_bytes(&bytes), Err(InvalidSignature::HighS));
    }

    #[test]
    fn other_lengths_other_v_and_no_scalars_are_refused() {
        let bytes = Signer::random().sign(B256::repeat_byte(7)).unwrap().to_bytes();
        assert_eq!(Signature::from_bytes(&bytes[..64]), Err(InvalidSignature::Length));
        assert_eq!(Signature::from_bytes(&[bytes.as_slice(), &[0]].concat()), Err(InvalidSignature::Length));
        for v in [2, 26, 29, 35, 36, 255] {
            let mut other = bytes;
            other[64] = v;
            assert_eq!(Signature::from_bytes(&other), Err(InvalidSignature::RecoveryId));
        }
        let zero = Signature::from_bytes(&[0; 65]).unwrap();
        assert_eq!(zero.signer(B256::ZERO), Err(InvalidSignature::Unrecoverable));
    }
}
