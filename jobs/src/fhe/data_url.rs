//! `encrypted_data_url`: where the inputs of an encrypted job are.

/// Longest URL, in characters.
const MAX_URL: usize = 2_048;

/// Path of a blob of ours, before its hash.
const BLOBS: &str = "/v1/blobs/";

/// Where inputs are read from. Only syntax is checked here; whether an address is public is the fetcher's matter.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum EncryptedDataUrl {
    /// A blob of the tenant in this installation, by the SHA-256 of its bytes.
    Blob([u8; 32]),
    /// An https URL that is fetched once.
    Remote(String),
}

/// Why a URL is refused; a sentence whose subject is the field.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum InvalidDataUrl {
    #[error("must be at most 2,048 visible ASCII characters")]
    Characters,
    #[error("must be the URL of a blob of this service, or an https URL")]
    Scheme,
    #[error("must end with the SHA-256 of the blob in hexadecimal")]
    Hash,
    #[error("must name a host, and carry neither credentials nor a fragment")]
    Host,
}

impl EncryptedDataUrl {
    /// Reads the URL of a client. `public_origin` is where clients find this service: `https://api.example.com`.
    ///
    /// # Errors
    /// [`InvalidDataUrl`]
    pub fn parse(text: &str, public_origin: &str) -> Result<Self, InvalidDataUrl> {
        check(text)?;
        let own = text.strip_prefix(public_origin.trim_end_matches('/')).unwrap_or(text);
        if let Some(hash) = own.strip_prefix(BLOBS) {
            return blob(hash).map(Self::Blob);
        }
        if text.starts_with("https://") { Ok(Self::Remote(text.to_owned())) } else { Err(InvalidDataUrl::Scheme) }
    }
}

/// What can be said without knowing where this service is.
pub(super) fn check(text: &str) -> Result<(), InvalidDataUrl> {
    if text.is_empty() || text.len() > MAX_URL || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(InvalidDataUrl::Characters);
    }
    if let Some(hash) = text.strip_prefix(BLOBS) {
        return blob(hash).map(|_| ());
    }
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or(InvalidDataUrl::Scheme)?;
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') || authority.contains('@') || text.contains(['#', '\\']) {
        return Err(InvalidDataUrl::Host);
    }
    Ok(())
}

fn blob(hash: &str) -> Result<[u8; 32], InvalidDataUrl> {
    let mut bytes = [0; 32];
    hex::decode_to_slice(hash.strip_prefix("0x").unwrap_or(hash), &mut bytes).map_err(|_| InvalidDataUrl::Hash)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "http://127.0.0.1:8080";

    fn parse(text: &str) -> Result<EncryptedDataUrl, InvalidDataUrl> {
        EncryptedDataUrl::parse(text, ORIGIN)
    }

    #[test]
    fn our_own_blobs_are_known_by_path_and_by_url() {
        let hash = "ab".repeat(32);
        for text in [
            format!("/v1/blobs/{hash}"),
            format!("/v1/blobs/0x{hash}"),
            format!("{ORIGIN}/v1/blobs/{hash}"),
            format!("{ORIGIN}/v1/blobs/0x{}", hash.to_uppercase()),
        ] {
            assert_eq!(parse(&text), Ok(EncryptedDataUrl::Blob([0xab; 32])), "{text}");
        }
        let slash = EncryptedDataUrl::parse(&format!("{ORIGIN}/v1/blobs/{hash}"), &format!("{ORIGIN}/"));
        assert_eq!(slash, Ok(EncryptedDataUrl::Blob([0xab; 32])));
    }

    #[test]
    fn others_must_be_https() {
        let remote = "https://files.example.com:8443/a/b?c=d";
        assert_eq!(parse(remote), Ok(EncryptedDataUrl::Remote(remote.to_owned())));
        let elsewhere = format!("https://other.example.com/v1/blobs/{}", "ab".repeat(32));
        assert_eq!(parse(&elsewhere), Ok(EncryptedDataUrl::Remote(elsewhere.clone())));
        for (text, reason) in [
            ("http://files.example.com/a", InvalidDataUrl::Scheme),
            ("ftp://files.example.com/a", InvalidDataUrl::Scheme),
            ("file:///etc/passwd", InvalidDataUrl::Scheme),
            ("/v1/jobs", InvalidDataUrl::Scheme),
            ("//evil.example.com/", InvalidDataUrl::Scheme),
            ("HTTPS://files.example.com/", InvalidDataUrl::Scheme),
            ("https://", InvalidDataUrl::Host),
            ("https:///path", InvalidDataUrl::Host),
            ("https://:443/path", InvalidDataUrl::Host),
            ("https://user:secret@files.example.com/", InvalidDataUrl::Host),
            ("https://files.example.com/#part", InvalidDataUrl::Host),
            ("https://files.example.com\\@evil.example.com/", InvalidDataUrl::Host),
            ("https://files.example.com/ a", InvalidDataUrl::Characters),
            ("https://files.example.com/\u{e9}", InvalidDataUrl::Characters),
            ("", InvalidDataUrl::Characters),
            ("/v1/blobs/", InvalidDataUrl::Hash),
            ("/v1/blobs/abcd", InvalidDataUrl::Hash),
            ("http://127.0.0.1:8080/v1/blobs/../jobs", InvalidDataUrl::Hash),
            ("http://127.0.0.1:80801/v1/blobs/abcd", InvalidDataUrl::Scheme),
        ] {
            assert_eq!(parse(text), Err(reason), "{text}");
        }
        assert_eq!(parse(&format!("https://a/{}", "a".repeat(MAX_URL))), Err(InvalidDataUrl::Characters));
    }
}
