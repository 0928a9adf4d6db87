//! One complaint about one field of a client's document: where (RFC 6901 pointer) and why.

use serde::{Deserialize, Serialize};

/// How many complaints one answer carries at most; a reader mends the first few and asks again.
pub const MAX_FIELD_ERRORS: usize = 20;

/// Longest reference token shown in a pointer, in characters; a client's longer key is cut and marked with `…`.
const MAX_TOKEN: usize = 200;

/// One field that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error, utoipa::ToSchema)]
#[error("{pointer}: {reason}")]
pub struct FieldError {
    /// RFC 6901 JSON pointer into the document that was checked; the empty string is the whole document.
    pub pointer: String,
    /// What is wrong, as a sentence whose subject is the field: "must be an integer".
    pub reason: String,
}

impl FieldError {
    /// A complaint about the field at `pointer`.
    pub fn new(pointer: impl Into<String>, reason: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), reason: reason.into() }
    }

    /// The same complaint, seen from a document that holds the checked one at `prefix` (`/payload/input`).
    pub fn under(self, prefix: &str) -> Self {
        Self { pointer: format!("{prefix}{}", self.pointer), reason: self.reason }
    }
}

/// Moves every complaint under `prefix`; see [`FieldError::under`].
pub fn all_under(errors: Vec<FieldError>, prefix: &str) -> Vec<FieldError> {
    errors.into_iter().map(|error| error.under(prefix)).collect()
}

/// The pointer of member `key` of the object at `parent`, with `~` and `/` escaped.
pub fn member(parent: &str, key: &str) -> String {
    let mut token: String = key.chars().take(MAX_TOKEN).collect();
    if token.len() < key.len() {
        token.push('…');
    }
    format!("{parent}/{}", token.replace('~', "~0").replace('/', "~1"))
}

/// The pointer of element `index` of the array at `parent`.
pub fn element(parent: &str, index: usize) -> String {
    format!("{parent}/{index}")
}

/// Complaints gathered so far, of which the first [`MAX_FIELD_ERRORS`] are kept.
#[derive(Debug, Default)]
pub struct FieldErrors(Vec<FieldError>);

impl FieldErrors {
    /// Adds a complaint about the field at `pointer`.
    pub fn add(&mut self, pointer: impl Into<String>, reason: impl Into<String>) {
        if !self.is_full() {
            self.0.push(FieldError::new(pointer, reason));
        }
    }

    /// Whether nothing was complained about so far.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether further complaints would be dropped, so that a long scan can end.
    pub fn is_full(&self) -> bool {
        self.0.len() >= MAX_FIELD_ERRORS
    }

    /// Adds what was wrong with the part of the document at `prefix`.
    pub fn extend_under(&mut self, found: Vec<FieldError>, prefix: &str) {
        for error in found {
            let FieldError { pointer, reason } = error.under(prefix);
            self.add(pointer, reason);
        }
    }

    /// The value, if nothing was complained about.
    pub fn or<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.0.is_empty() => Ok(value),
            None if self.0.is_empty() => Err(vec![FieldError::new("", "is not valid")]),
            _ => Err(self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_escaped_as_rfc_6901_says() {
        assert_eq!(member("/payload", "a/b~c"), "/payload/a~1b~0c");
        assert_eq!(member("", ""), "/");
        assert_eq!(element("/a/1", 0), "/a/1/0");
    }

    #[test]
    fn an_endless_key_is_cut() {
        let pointer = member("", &"é".repeat(100_000));
        assert_eq!(pointer.chars().count(), 1 + MAX_TOKEN + 1);
    }

    #[test]
    fn a_prefix_goes_before_the_pointer() {
        assert_eq!(FieldError::new("/number", "is required").under("/payload/input").pointer, "/payload/input/number");
        assert_eq!(FieldError::new("", "is required").under("/payload/input").pointer, "/payload/input");
    }

    #[test]
    fn only_the_first_twenty_are_kept() {
        let mut errors = FieldErrors::default();
        (0..50).for_each(|index| errors.add(element("", index), "must be a number"));
        let kept = errors.or(Some(())).unwrap_err();
        assert_eq!(kept.len(), MAX_FIELD_ERRORS);
        assert_eq!(kept[19].pointer, "/19");
    }
}
