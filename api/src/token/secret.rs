//! Secrets that the issuer gives away: shown once, kept as a hash. They are random, so that a plain hash keeps them.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::random_range;
use sha2::{Digest as _, Sha256};

/// Letters that cannot be taken for each other and make no words (RFC 8628 section 6.1).
const CONSONANTS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// Letters and digits that cannot be taken for each other.
const SIGNS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";

/// Kinds of secrets; each begins with its own letters, so that one that leaked is known for what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretKind {
    ClientSecret,
    RefreshToken,
    DeviceCode,
}

impl SecretKind {
    /// What it begins with.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ClientSecret => "zjs_",
            Self::RefreshToken => "zjr_",
            Self::DeviceCode => "zjd_",
        }
    }
}

/// A new secret of 256 bits.
#[must_use]
pub fn new_secret(kind: SecretKind) -> String {
    format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()))
}

/// A new name of a client.
#[must_use]
pub fn new_client_id() -> String {
    format!("zjc_{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 16]>()))
}

/// What a person types to say which device it means: 34 bits, `BCDF-GHJK`.
#[must_use]
pub fn new_user_code() -> String {
    grouped(CONSONANTS, 8)
}

/// What a person types to say who it is: 80 bits, `ABCD-EFGH-2345-6789`.
#[must_use]
pub fn new_login_code() -> String {
    grouped(SIGNS, 16)
}

fn grouped(alphabet: &[u8], length: usize) -> String {
    let letters: Vec<u8> = (0..length).map(|_| alphabet[random_range(0..alphabet.len())]).collect();
    letters.chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join("-")
}

/// A code as it was given out, however it was typed: case, spaces and hyphens do not count.
#[must_use]
pub fn as_given_out(typed: &str) -> String {
    let letters: Vec<char> =
        typed.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_uppercase()).collect();
    letters.chunks(4).map(|chunk| chunk.iter().collect::<String>()).collect::<Vec<_>>().join("-")
}

/// What is stored of a secret.
#[must_use]
pub fn hash(secret: &str) -> [u8; 32] {
    Sha256::digest(secret).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_read_however_they_are_typed() {
        for code in [new_user_code(), new_login_code()] {
            assert_eq!(as_given_out(&code), code);
            assert_eq!(as_given_out(&code.to_lowercase().replace('-', " ")), code);
            assert_eq!(as_given_out(&format!(" {} ", code.replace('-', ""))), code);
        }
        assert_eq!(as_given_out("é-\u{0}"), "");
    }

    #[test]
    fn secrets_differ_and_say_what_they_are() {
        let secret = new_secret(SecretKind::RefreshToken);
        assert!(secret.starts_with("zjr_") && secret.len() == 4 + 43, "{secret}");
        assert_ne!(secret, new_secret(SecretKind::RefreshToken));
        assert_ne!(hash(&secret), hash(&new_secret(SecretKind::RefreshToken)));
    }
}
