//! An error in words, with its causes: the outermost text alone seldom says "connection refused".

use std::error::Error;

/// The error's text and those of its causes, each once.
pub fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    text
}

/// How rustls begins what it says of the other side's certificate ...
const CERTIFICATE: &str = "invalid peer certificate: ";
/// ... and of an alert with which the other side ends a handshake.
const ALERT: &str = "received fatal alert: ";

/// Why a TLS connection was refused, by us or by the other side, in words; `None` of any other failure. Another try meets
/// the same. Layers wrap rustls's error so that only its text comes through all of them.
pub fn tls_refusal(error: &dyn Error) -> Option<String> {
    let text = with_causes(error);
    if let Some((_, reason)) = text.split_once(CERTIFICATE) {
        return Some(match reason {
            _ if reason.starts_with("UnknownIssuer") => {
                "its certificate is signed by an authority that is not trusted here".to_owned()
            }
            _ if reason.starts_with("NotValidForName") => "its certificate is for another name".to_owned(),
            _ if reason.starts_with("certificate ") => format!("its {reason}"),
            _ => format!("its certificate is not valid: {reason}"),
        });
    }
    let (_, alert) = text.split_once(ALERT)?;
    Some(format!("it refuses the TLS connection, perhaps for want of a certificate that it trusts: {alert}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Layer {
        text: &'static str,
        source: Option<Box<Layer>>,
    }

    #[test]
    fn each_cause_is_told_once() {
        let layer = |text, source: Option<Layer>| Layer { text, source: source.map(Box::new) };
        let error = layer("no answer", Some(layer("no", Some(layer("refused", None)))));
        assert_eq!(with_causes(&error), "no answer: refused");
        assert_eq!(with_causes(&layer("alone", None)), "alone");
    }

    #[test]
    fn a_tls_refusal_is_told_in_words_and_anything_else_is_none() {
        let wrapped = |text| Layer { text: "transport error", source: Some(Box::new(Layer { text, source: None })) };
        for (text, words) in [
            ("invalid peer certificate: UnknownIssuer", "an authority that is not trusted here"),
            ("invalid peer certificate: NotValidForName", "for another name"),
            (
                "invalid peer certificate: certificate not valid for name \"a\"; certificate is only valid for b",
                "its certificate not valid for name \"a\"",
            ),
            ("invalid peer certificate: BadEncoding", "is not valid: BadEncoding"),
            ("received fatal alert: UnknownCA", "refuses the TLS connection"),
        ] {
            let told = tls_refusal(&wrapped(text)).unwrap_or_default();
            assert!(told.contains(words), "{text}: {told}");
        }
        assert_eq!(tls_refusal(&wrapped("connection refused")), None);
    }
}
