//! The place in a list from which a client reads on. Opaque to clients, and bound to the list that it was made for.

use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::{DateTime, Datelike as _, Utc};
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

/// A time in a place. Whoever makes a cursor up may have put any in it; a database does not take them all, and no list
/// holds one from before 1970.
#[must_use]
pub fn time_of(micros: [u8; 8]) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_micros(i64::from_be_bytes(micros)).filter(|at| (1970..=9999).contains(&at.year()))
}

/// A text in a place; no list holds one with control characters.
#[must_use]
pub fn text_of(bytes: &[u8]) -> Option<String> {
    str::from_utf8(bytes).ok().filter(|text| !text.contains(char::is_control)).map(str::to_owned)
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
    fn what_no_database_takes_is_no_place() {
        let year = |year: i64| (year - 1970) * 31_556_952_000_000;
        for micros in [i64::MIN, i64::MAX, year(-200_000), year(-4713), year(10_001), year(200_000), -1] {
            assert_eq!(time_of(micros.to_be_bytes()), None, "{micros}");
        }
        let now = Utc::now().timestamp_micros();
        assert_eq!(time_of(now.to_be_bytes()).map(|at| at.timestamp_micros()), Some(now));
        assert_eq!(text_of("acme:api_calls:é".as_bytes()).as_deref(), Some("acme:api_calls:é"));
        for bytes in [&b"a\0b"[..], b"\n", b"\xff"] {
            assert_eq!(text_of(bytes), None, "{bytes:?}");
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
