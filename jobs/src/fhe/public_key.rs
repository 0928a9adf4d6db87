//! `client_public_key`: the P-256 key that a result is sealed to, as PEM of its SPKI (RFC 5480).

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const END: &str = "-----END PUBLIC KEY-----";

/// DER of every SPKI of an uncompressed point on P-256, before the point's coordinates.
const PREFIX: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce,
    0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// Length of the DER, in bytes.
const DER: usize = PREFIX.len() + 64;

/// A key of the right form. Whether its point is on the curve is seen by who seals to it.
#[derive(Clone, Eq, PartialEq)]
pub struct ClientPublicKey([u8; DER]);

/// Longest PEM text that is read, in bytes.
const MAX_PEM: usize = 1024;

/// A text or bytes that are no such key; a sentence whose subject is the field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidPublicKey {
    #[error("must be a P-256 public key in PEM (BEGIN PUBLIC KEY)")]
    NotPem,
    #[error("must be a P-256 public key: SubjectPublicKeyInfo with an uncompressed point")]
    NotP256,
}

impl ClientPublicKey {
    /// Reads a SubjectPublicKeyInfo in DER.
    ///
    /// # Errors
    /// Another curve or encoding than the usual one of 91 bytes: one key has one hash.
    pub fn from_der(der: &[u8]) -> Result<Self, InvalidPublicKey> {
        let der: [u8; DER] = der.try_into().map_err(|_| InvalidPublicKey::NotP256)?;
        if der.starts_with(&PREFIX) { Ok(Self(der)) } else { Err(InvalidPublicKey::NotP256) }
    }

    /// The SPKI in DER, which `publicKeyHash` is of.
    pub fn der(&self) -> &[u8] {
        &self.0
    }

    /// The key as PEM, 64 characters a line.
    pub fn to_pem(&self) -> String {
        let text = STANDARD.encode(self.0);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        format!("{BEGIN}\n{}\n{END}\n", lines.join("\n"))
    }
}

impl FromStr for ClientPublicKey {
    type Err = InvalidPublicKey;

    /// Line breaks may stand anywhere in the body.
    fn from_str(pem: &str) -> Result<Self, InvalidPublicKey> {
        if pem.len() > MAX_PEM {
            return Err(InvalidPublicKey::NotPem);
        }
        let inner = pem.trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
        let inner = inner.ok_or(InvalidPublicKey::NotPem)?;
        let text: String = inner.chars().filter(|c| !c.is_ascii_whitespace()).collect();
        Self::from_der(&STANDARD.decode(text).map_err(|_| InvalidPublicKey::NotPem)?)
    }
}

impl fmt::Debug for ClientPublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ClientPublicKey({})", hex::encode(&self.0[PREFIX.len()..]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `openssl ecparam -name prime256v1 -genkey | openssl ec -pubout`.
    const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
        MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhsnreoIcuvy3ici12jmxcU9S6m2V\n\
        KdyU0+V5vMVpQyHhOxoMUBH5hwk3+jT16fdUY/9knZIZvdIwC+16fm1wlg==\n\
        -----END PUBLIC KEY-----\n";

    #[test]
    fn pem_is_read_and_written() {
        let key: ClientPublicKey = PEM.parse().unwrap();
        assert_eq!(key.to_pem(), PEM);
        assert_eq!(PEM.trim().replace('\n', "\r\n").parse(), Ok(key.clone()));
        assert_eq!(PEM.replace('\n', "").parse(), Ok(key.clone()), "one line");
        assert_eq!(ClientPublicKey::from_der(key.der()), Ok(key.clone()));
        assert!(key.der().starts_with(&PREFIX) && key.der().len() == 91);
    }

    #[test]
    fn other_keys_and_garbage_are_refused() {
        let body = PEM.lines().nth(1).unwrap();
        for wrong in [
            "",
            BEGIN,
            "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----",
            &PEM.replace("PUBLIC", "PRIVATE"),
            &PEM.replace(body, ""),
            &PEM.replace("MFkwEwYH", "MFkwEwYI"),
            &PEM.replace("DQgAE", "DQgAF"),
            &PEM.replace("MFkw", "MF w"),
            &format!("{PEM}{PEM}"),
            &format!("x{PEM}"),
        ] {
            assert!(wrong.parse::<ClientPublicKey>().is_err(), "{wrong}");
        }
    }
}
