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
}
