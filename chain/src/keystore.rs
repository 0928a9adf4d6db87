//! Private keys in encrypted files: Web3 Secret Storage, version 3, as geth, Foundry and most wallets write it.
//!
//! Password -> scrypt or PBKDF2 -> 32 bytes; the second half authenticates the ciphertext (keccak256), the first half
//! decrypts it (AES-128 in counter mode).

use aes::Aes128;
use aes::cipher::{KeyIvInit, StreamCipher};
use alloy::primitives::{B256, keccak256};
use ctr::Ctr128BE;
use serde::Deserialize;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::ChainError;

/// Bytes of the derived key that are used.
const DERIVED: usize = 32;
/// A file may ask for any amount of memory: scrypt takes 128 · N · r bytes. In bytes.
const MOST_MEMORY: u64 = 1 << 30;

#[derive(Deserialize)]
struct File {
    version: u32,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParameters,
    #[serde(with = "hex")]
    ciphertext: Vec<u8>,
    #[serde(flatten)]
    derivation: Derivation,
    mac: B256,
}

#[derive(Deserialize)]
struct CipherParameters {
    #[serde(with = "hex")]
    iv: [u8; 16],
}

#[derive(Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Derivation {
    Scrypt {
        n: u64,
        r: u32,
        p: u32,
        dklen: usize,
        #[serde(with = "hex")]
        salt: Vec<u8>,
    },
    Pbkdf2 {
        c: u32,
        prf: String,
        dklen: usize,
        #[serde(with = "hex")]
        salt: Vec<u8>,
    },
}

/// The private key in `file`. Takes a second or so: that is what protects a weak password.
///
/// # Errors
/// Not a file of version 3, parameters that are not supported, or another password. No error repeats a secret.
pub(crate) fn decrypt(file: &str, password: &str) -> Result<Zeroizing<[u8; 32]>, ChainError> {
    let refused = |why: String| ChainError::Configuration(format!("the keystore file {why}"));
    let File { version, crypto } =
        serde_json::from_str(file).map_err(|error| refused(format!("is not one: {error}")))?;
    if version != 3 || crypto.cipher != "aes-128-ctr" {
        return Err(refused(format!(
            "has version {version} and cipher {:?}; 3 and aes-128-ctr are known",
            crypto.cipher
        )));
    }
    let derived = derive(&crypto.derivation, password).map_err(refused)?;
    let (cipher_key, mac_key) = derived.split_at(DERIVED / 2);
    if keccak256([mac_key, &crypto.ciphertext].concat()) != crypto.mac {
        return Err(refused("wants another password".to_owned()));
    }
    let mut key = Zeroizing::new(
        <[u8; 32]>::try_from(crypto.ciphertext.as_slice())
            .map_err(|_| refused("holds no key of 32 bytes".to_owned()))?,
    );
    let cipher = Ctr128BE::<Aes128>::new_from_slices(cipher_key, &crypto.cipherparams.iv);
    cipher.map_err(|error| refused(error.to_string()))?.apply_keystream(key.as_mut_slice());
    Ok(key)
}

fn derive(derivation: &Derivation, password: &str) -> Result<Zeroizing<[u8; DERIVED]>, String> {
    let mut derived = Zeroizing::new([0; DERIVED]);
    match derivation {
        Derivation::Scrypt { dklen, .. } | Derivation::Pbkdf2 { dklen, .. } if *dklen != DERIVED => {
            return Err(format!("wants a derived key of {dklen} bytes; {DERIVED} are known"));
        }
        Derivation::Scrypt { n, r, p, salt, .. } => {
            let memory = n.saturating_mul(u64::from(*r)).saturating_mul(128);
            if !n.is_power_of_two() || memory > MOST_MEMORY {
                return Err(format!("wants scrypt with N = {n} and r = {r}, which takes {memory} bytes"));
            }
            let log_n = u8::try_from(n.ilog2()).map_err(|error| error.to_string())?;
            let parameters = scrypt::Params::new(log_n, *r, *p).map_err(|error| error.to_string())?;
            scrypt::scrypt(password.as_bytes(), salt, &parameters, derived.as_mut_slice())
                .map_err(|error| error.to_string())?;
        }
        Derivation::Pbkdf2 { c, prf, salt, .. } => {
            if prf != "hmac-sha256" || *c == 0 {
                return Err(format!("wants PBKDF2 with {prf} and {c} rounds; hmac-sha256 and one or more are known"));
            }
            pbkdf2::pbkdf2_hmac::<Sha256>(password.as_bytes(), salt, *c, derived.as_mut_slice());
        }
    }
    Ok(derived)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The test vectors of the Web3 Secret Storage definition; their password is `testpassword`.
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46","kdf":"pbkdf2",
        "kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256",
        "salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SCRYPT: &str = r#"{"crypto":{"cipher":"aes-128-ctr","cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c","kdf":"scrypt",
        "kdfparams":{"dklen":32,"n":262144,"r":1,"p":8,
        "salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;

    #[test]
    fn the_definitions_vectors_open() {
        for file in [PBKDF2, SCRYPT, &SCRYPT.replace("\"crypto\"", "\"Crypto\"")] {
            assert_eq!(hex::encode(decrypt(file, "testpassword").unwrap()), SECRET);
        }
    }

    #[test]
    fn what_does_not_open_says_why_and_no_secret() {
        let told = |file: &str, password| decrypt(file, password).unwrap_err().to_string();
        assert_eq!(told(SCRYPT, "hunter2"), "the keystore file wants another password");
        assert!(told(&SCRYPT.replace("\"d172", "\"d173"), "testpassword").contains("another password"), "tampered");
        assert!(told(&SCRYPT.replace("262144", "1073741824"), "testpassword").contains("bytes"), "too much memory");
        assert!(told(&PBKDF2.replace("\"version\":3", "\"version\":1"), "testpassword").contains("version 1"));
        assert!(told(&PBKDF2.replace("hmac-sha256", "hmac-md5"), "testpassword").contains("hmac-md5"));
        assert!(told("{}", "testpassword").contains("is not one"));
    }
}
