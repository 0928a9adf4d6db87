//! The place in a list from which a client reads on. Opaque to clients, and bound to the list that it was made for.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

const VERSION: u8 = 2;
const BINDING: usize = 8;

/// Longest cursor that is looked at, in characters.
const MAX_LENGTH: usize = 1024;

/// Where one entry of a list stands among the others.
pub trait Place: Sized {
    fn to_bytes(&self) -> Vec<u8>;
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// What a list is: its name, who reads it, and which entries it holds. Two lists with the same binding may share cursors.
pub struct Binding([u8; BINDING]);

impl Binding {
    /// Binds to a list by all that decides what it holds.
    pub fn of(list: &str, decides: impl Debug) -> Self {
        let digest = Sha256::digest(format!("{list} {decides:?}"));
        Self(std::array::from_fn(|at| digest[at]))
    }

    /// The cursor of what follows `last`.
    pub fn cursor(&self, last: &impl Place) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.0);
        bytes.extend_from_slice(&last.to_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The last entry that the client has.
    ///
    /// # Errors
    /// What is wrong with the cursor.
    pub fn read<P: Place>(&self, cursor: &str) -> Result<P, String> {
        let foreign = || "is not a cursor of this API".to_owned();
        let bytes = Some(cursor).filter(|cursor| cursor.len() <= MAX_LENGTH);
        let bytes = bytes.and_then(|cursor| URL_SAFE_NO_PAD.decode(cursor).ok()).ok_or_else(foreign)?;
        let rest = bytes.strip_prefix(&[VERSION]).ok_or_else(foreign)?;
        let (binding, place) = rest.split_at_checked(BINDING).ok_or_else(foreign)?;
        if binding != self.0 {
            return Err("belongs to a list with other filters".to_owned());
        }
        P::from_bytes(place).ok_or_else(foreign)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq)]
    struct Four([u8; 4]);

    impl Place for Four {
        fn to_bytes(&self) -> Vec<u8> {
            self.0.to_vec()
        }

        fn from_bytes(bytes: &[u8]) -> Option<Self> {
            bytes.try_into().ok().map(Self)
        }
    }

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let list = Binding::of("things", ("acme", Some("blue")));
        let cursor = list.cursor(&Four(*b"last"));
        assert_eq!(list.read(&cursor), Ok(Four(*b"last")));
        for other in
            [("things", ("acme", None)), ("things", ("other", Some("blue"))), ("others", ("acme", Some("blue")))]
        {
            assert!(Binding::of(other.0, other.1).read::<Four>(&cursor).is_err(), "{other:?}");
        }
        let old = URL_SAFE_NO_PAD.encode([1; 13]);
        for garbage in ["", "x", "AAAA", &cursor[1..], &format!("{cursor}AAAA"), &"A".repeat(100_000), &old] {
            assert!(list.read::<Four>(garbage).is_err(), "{garbage}");
        }
    }
}
