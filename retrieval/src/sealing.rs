//! HPKE (RFC 9180), base mode: DHKEM(P-256, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::DhP256HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use jobs::JobId;
use thiserror::Error;
use zeroize::Zeroizing;

use crate::{PublicKey, RecipientKey};

/// The suite's name on the wire.
pub const SUITE: &str = "DHKEM(P-256,HKDF-SHA256),HKDF-SHA256,AES-256-GCM";
/// HPKE's `info`.
pub const INFO: &[u8] = b"zama-jobs/v1/result";

type Suite = DhP256HkdfSha256;

/// What a recipient needs to open, beside its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// The encapsulated key: an uncompressed point, 65 bytes.
    pub enc: Vec<u8>,
    /// As long as the plaintext and a tag of 16 bytes.
    pub ciphertext: Vec<u8>,
}

/// Wrong key, wrong job, or bytes that were changed: HPKE does not tell which.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("the sealed result cannot be opened with this key")]
pub struct OpenError;

/// HPKE's associated data for a job's result: the 16 bytes of its id.
#[must_use]
pub fn aad(job_id: JobId) -> [u8; 16] {
    *job_id.0.as_bytes()
}

/// Seals a job's plaintext to a key.
///
/// # Errors
/// The system has no random numbers to give, or the plaintext is beyond AES-GCM's 64 GiB.
pub fn seal(plaintext: &[u8], recipient: &PublicKey, job_id: JobId) -> Result<Sealed, OpenError> {
    let key = <Suite as Kem>::PublicKey::from_bytes(&recipient.to_sec1()).map_err(|_| OpenError)?;
    let (enc, ciphertext) =
        single_shot_seal::<AesGcm256, HkdfSha256, Suite>(&OpModeS::Base, &key, INFO, plaintext, &aad(job_id))
            .map_err(|_| OpenError)?;
    Ok(Sealed { enc: enc.to_bytes().to_vec(), ciphertext })
}

/// Opens what was sealed for this job to this key; wiped when it is dropped.
///
/// # Errors
/// [`OpenError`], whatever is wrong.
pub fn open(sealed: &Sealed, key: &RecipientKey, job_id: JobId) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    open_as(sealed, key, INFO, &aad(job_id))
}

fn open_as(sealed: &Sealed, key: &RecipientKey, info: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let secret = <Suite as Kem>::PrivateKey::from_bytes(&key.to_scalar()).map_err(|_| OpenError)?;
    let enc = <Suite as Kem>::EncappedKey::from_bytes(&sealed.enc).map_err(|_| OpenError)?;
    single_shot_open::<AesGcm256, HkdfSha256, Suite>(&OpModeR::Base, &secret, &enc, info, &sealed.ciphertext, aad)
        .map(Zeroizing::new)
        .map_err(|_| OpenError)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use hpke::rand_core::{TryCryptoRng, TryRng};
    use hpke::single_shot_seal_with_rng;

    use super::*;

    /// RFC 9180's test vectors (test-vectors.json of cfrg/draft-irtf-cfrg-hpke), mode 0, KEM 16, KDF 1, AEAD 2.
    mod vector {
        pub(super) const INFO: &str = "4f6465206f6e2061204772656369616e2055726e";
        pub(super) const IKM_E: &str = "a90d3417c3da9cb6c6ae19b4b5dd6cc9529a4cc24efb7ae0ace1f31887a8cd6c";
        pub(super) const IKM_R: &str = "a0ce15d49e28bd47a18a97e147582d814b08cbe00109fed5ec27d1b4e9f6f5e3";
        pub(super) const SK_R: &str = "317f915db7bc629c48fe765587897e01e282d3e8445f79f27f65d031a88082b2";
        pub(super) const ENC: &str = "04c06b4f6bebc7bb495cb797ab753f911aff80aefb86fd8b6fcc35525f3ab5f03e\
                                      0b21bd31a86c6048af3cb2d98e0d3bf01da5cc4c39ff5370d331a4f1f7d5a4e0";
        pub(super) const PLAINTEXT: &str = "4265617574792069732074727574682c20747275746820626561757479";
        pub(super) const AAD: &str = "436f756e742d30";
        pub(super) const CIPHERTEXT: &str = "58c61a45059d0c5704560e9d88b564a8b63f1364b8d1fcb3c4c6ddc1d291742465\
                                             e902cd216f8908da49f8f96f";
    }

    fn bytes(hex_text: &str) -> Vec<u8> {
        hex::decode(hex_text).unwrap()
    }

    /// Gives the vector's key material instead of random bytes.
    struct Given(Vec<u8>);

    impl TryRng for Given {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            panic!("the key material is drawn as bytes")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            panic!("the key material is drawn as bytes")
        }

        fn try_fill_bytes(&mut self, destination: &mut [u8]) -> Result<(), Infallible> {
            destination.copy_from_slice(&self.0);
            Ok(())
        }
    }

    impl TryCryptoRng for Given {}

    #[test]
    fn sealing_is_the_standard_s() {
        let (secret, public) = Suite::derive_keypair(&bytes(vector::IKM_R));
        assert_eq!(secret.to_bytes().as_slice(), bytes(vector::SK_R));
        let (enc, ciphertext) = single_shot_seal_with_rng::<AesGcm256, HkdfSha256, Suite>(
            &OpModeS::Base,
            &public,
            &bytes(vector::INFO),
            &bytes(vector::PLAINTEXT),
            &bytes(vector::AAD),
            &mut Given(bytes(vector::IKM_E)),
        )
        .unwrap();
        assert_eq!(enc.to_bytes().as_slice(), bytes(vector::ENC));
        assert_eq!(ciphertext, bytes(vector::CIPHERTEXT));
    }

    #[test]
    fn opening_is_the_standard_s() {
        let key = RecipientKey::from_scalar(&bytes(vector::SK_R)).unwrap();
        let sealed = Sealed { enc: bytes(vector::ENC), ciphertext: bytes(vector::CIPHERTEXT) };
        let plaintext = open_as(&sealed, &key, &bytes(vector::INFO), &bytes(vector::AAD));
        assert_eq!(plaintext, Ok(Zeroizing::new(bytes(vector::PLAINTEXT))));
    }

    #[test]
    fn only_the_right_key_job_and_purpose_open() {
        let (key, job_id) = (RecipientKey::generate(), JobId::generate());
        let sealed = seal(b"{\"sum\":12}", &key.public_key().unwrap(), job_id).unwrap();
        assert_eq!(open(&sealed, &key, job_id).unwrap().as_slice(), b"{\"sum\":12}");
        assert_eq!(open(&sealed, &RecipientKey::generate(), job_id), Err(OpenError));
        assert_eq!(open(&sealed, &key, JobId::generate()), Err(OpenError));
        assert_eq!(open_as(&sealed, &key, b"zama-jobs/v2/result", &aad(job_id)), Err(OpenError));
        let again = seal(b"{\"sum\":12}", &key.public_key().unwrap(), job_id).unwrap();
        assert_ne!(again, sealed, "an encapsulated key is used once");
    }

    #[test]
    fn no_bit_can_be_changed() {
        let (key, job_id) = (RecipientKey::generate(), JobId::generate());
        let sealed = seal(b"12", &key.public_key().unwrap(), job_id).unwrap();
        for bit in 0..sealed.enc.len() * 8 {
            let mut other = sealed.clone();
            other.enc[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&other, &key, job_id), Err(OpenError), "bit {bit} of enc");
        }
        for bit in 0..sealed.ciphertext.len() * 8 {
            let mut other = sealed.clone();
            other.ciphertext[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&other, &key, job_id), Err(OpenError), "bit {bit} of the ciphertext");
        }
        for length in 0..sealed.ciphertext.len() {
            let other = Sealed { ciphertext: sealed.ciphertext[..length].to_vec(), ..sealed.clone() };
            assert_eq!(open(&other, &key, job_id), Err(OpenError));
        }
    }
}
