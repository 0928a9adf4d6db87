//! API keys as text: `zj_live_<id>_<secret><checksum>`, or `zj_test_…`.
//!
//! The prefix lets scanners of source code know a key when they see one, the id finds its row without the secret, and the
//! checksum finds a typo without asking anybody. Pattern: `zj_(live|test)_[0-9A-Za-z]{16}_[0-9A-Za-z]{49}`.

use std::fmt;
use std::str::FromStr;

use rand::distr::{Alphanumeric, SampleString as _};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// What every key begins with, and no access token.
pub const PREFIX: &str = "zj_";

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// 95 random bits: no two keys share an id.
const ID: usize = 16;

/// 256 random bits: 43 characters of 62.
const SECRET: usize = 43;

/// 32 bits: one mistyped key in four thousand million is not found at once.
const CHECKSUM: usize = 6;

/// What a key acts on.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum KeyMode {
    /// The tenant itself.
    Live,
    /// The tenant's sandbox: free, marked, never billed.
    Test,
}

impl KeyMode {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Test => "test",
        }
    }
}

impl FromStr for KeyMode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = [Self::Live, Self::Test].into_iter().find(|mode| mode.as_str() == text);
        known.ok_or_else(|| format!("{text} is neither live nor test"))
    }
}

/// A key's public name: it stands in the key, in lists and in logs.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ApiKeyId(String);

impl ApiKeyId {
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for ApiKeyId {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        let valid = text.len() == ID && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if valid { Ok(Self(text.to_owned())) } else { Err(InvalidApiKey::Form) }
    }
}

/// A text that is no API key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum InvalidApiKey {
    #[error("an API key looks like zj_live_…: prefix, 16 characters, and 49 more")]
    Form,
    /// It has the form: somebody mistyped it.
    #[error("the API key is mistyped: its checksum does not match")]
    Checksum,
}

/// A whole key, secret included. Its `Debug` shows mode and id alone.
#[derive(Clone, Eq, PartialEq)]
pub struct ApiKey {
    mode: KeyMode,
    id: ApiKeyId,
    text: String,
}

impl ApiKey {
    /// A new random key.
    #[must_use]
    pub fn generate(mode: KeyMode) -> Self {
        // ThreadRng: a cryptographic generator that the system seeds.
        let mut random = rand::rng();
        let id = ApiKeyId(Alphanumeric.sample_string(&mut random, ID));
        let secret = Alphanumeric.sample_string(&mut random, SECRET);
        let unchecked = format!("{PREFIX}{}_{id}_{secret}", mode.as_str());
        let text = format!("{unchecked}{}", checksum(&unchecked));
        Self { mode, id, text }
    }

    #[must_use]
    pub fn mode(&self) -> KeyMode {
        self.mode
    }

    #[must_use]
    pub fn id(&self) -> &ApiKeyId {
        &self.id
    }

    /// The key as its owner sends it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What is stored of the key: SHA-256 of the whole text.
    ///
    /// A slow, salted hash makes guessing dear, which passwords need because they can be guessed. Nobody guesses 256
    /// random bits, and a fast hash lets every request be checked; without the secret, the hash is of no use.
    #[must_use]
    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({} {})", self.mode.as_str(), self.id)
    }
}

impl FromStr for ApiKey {
    type Err = InvalidApiKey;

    fn from_str(text: &str) -> Result<Self, InvalidApiKey> {
        let form = || InvalidApiKey::Form;
        let (mode, rest) = text.strip_prefix(PREFIX).and_then(|rest| rest.split_once('_')).ok_or_else(form)?;
        let mode = mode.parse().map_err(|_| form())?;
        let (id, secret) = rest.split_once('_').ok_or_else(form)?;
        let id = id.parse()?;
        if secret.len() != SECRET + CHECKSUM || !secret.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(form());
        }
        let (unchecked, stated) = text.split_at(text.len() - CHECKSUM);
        if checksum(unchecked) != stated {
            return Err(InvalidApiKey::Checksum);
        }
        Ok(Self { mode, id, text: text.to_owned() })
    }
}

/// The first 32 bits of SHA-256 in base 62.
fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text);
    let mut rest = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let mut digits = [b'0'; CHECKSUM];
    for digit in digits.iter_mut().rev() {
        *digit = ALPHABET[(rest % 62) as usize];
        rest /= 62;
    }
    digits.iter().copied().map(char::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_back_as_what_it_was() {
        for mode in [KeyMode::Live, KeyMode::Test] {
            let key = ApiKey::generate(mode);
            assert_eq!(key.as_str().parse(), Ok(key.clone()));
            assert_eq!(key.as_str().len(), "zj_live_".len() + 16 + 1 + 43 + 6);
            assert!(key.as_str().starts_with(&format!("zj_{}_{}_", mode.as_str(), key.id())));
            assert_ne!(ApiKey::generate(mode).hash(), key.hash());
            assert!(!format!("{key:?}").contains(&key.as_str()[25..]), "{key:?}");
        }
    }

    /// Computed apart from this code: `printf zj_live_0123456789abcdef_AA…A | sha256sum`, 32 bits, base 62.
    #[test]
    fn a_known_key_is_read() {
        let text = format!("zj_live_0123456789abcdef_{}3aDgCl", "A".repeat(43));
        let key: ApiKey = text.parse().unwrap();
        assert_eq!((key.mode(), key.id().as_str()), (KeyMode::Live, "0123456789abcdef"));
    }

    #[test]
    fn every_typo_is_found() {
        let key = ApiKey::generate(KeyMode::Live);
        let text = key.as_str();
        for at in "zj_live_".len()..text.len() {
            let mut typo = text.to_owned();
            let other = if &text[at..=at] == "x" { "y" } else { "x" };
            typo.replace_range(at..=at, other);
            let found = typo.parse::<ApiKey>();
            // The line between id and secret is a matter of form.
            let expected = if text.as_bytes()[at] == b'_' { InvalidApiKey::Form } else { InvalidApiKey::Checksum };
            assert_eq!(found, Err(expected), "{typo}");
        }
        let swapped = text.replace("zj_live_", "zj_test_");
        assert_eq!(swapped.parse::<ApiKey>(), Err(InvalidApiKey::Checksum), "a live key makes no test key");
    }

    #[test]
    fn what_is_no_key_is_told_so() {
        let text = ApiKey::generate(KeyMode::Test).as_str().to_owned();
        let umlaut = format!("{}ä", &text[..text.len() - 2]);
        for wrong in ["", "zj_", "zj_live_", "zj_live__", "eyJ.a.b", &text[..text.len() - 1], &text[3..], &umlaut] {
            assert_eq!(wrong.parse::<ApiKey>(), Err(InvalidApiKey::Form), "{wrong}");
        }
        for wrong in [format!("{text}x"), format!(" {text}"), text.replace("test", "prod"), "zj_test_".repeat(9_999)] {
            assert_eq!(wrong.parse::<ApiKey>(), Err(InvalidApiKey::Form), "{wrong}");
        }
    }
}
