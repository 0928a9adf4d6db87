//! The place in a list from which a client reads on. Opaque to clients, and bound to the list that it was made for.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jobs::JobId;
use sha2::{Digest as _, Sha256};
use store::jobs::{JobFilter, Reader};
use uuid::Uuid;

const VERSION: u8 = 1;
const BINDING: usize = 8;
const LENGTH: usize = 1 + 16 + BINDING;

/// What a list is: who reads it, and which jobs it holds. Two lists with the same binding may share cursors.
pub struct Binding([u8; BINDING]);

impl Binding {
    pub fn of(reader: &Reader<'_>, filter: &JobFilter) -> Self {
        let JobFilter { status, job_type, created_after, created_before, submitter, before: _ } = filter;
        let of = (reader.tenant, reader.user, status, job_type, created_after, created_before, submitter);
        let digest = Sha256::digest(format!("{of:?}"));
        Self(std::array::from_fn(|at| digest[at]))
    }

    /// The cursor of what follows `last`.
    pub fn cursor(&self, last: JobId) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(last.0.as_bytes());
        bytes.extend_from_slice(&self.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The last job that the client has.
    ///
    /// # Errors
    /// What is wrong with the cursor.
    pub fn read(&self, cursor: &str) -> Result<JobId, String> {
        let bytes: [u8; LENGTH] = URL_SAFE_NO_PAD
            .decode(cursor)
            .ok()
            .and_then(|bytes| bytes.try_into().ok())
            .filter(|bytes: &[u8; LENGTH]| bytes[0] == VERSION)
            .ok_or("is not a cursor of this API")?;
        let (id, binding) = bytes[1..].split_at(16);
        if binding != self.0 {
            return Err("belongs to a list with other filters".to_owned());
        }
        Uuid::from_slice(id).map(JobId).map_err(|_| "is not a cursor of this API".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_belongs_to_its_list() {
        let (acme, other) = ("acme".parse().unwrap(), "other".parse().unwrap());
        let mine = Reader { tenant: &acme, user: None };
        let list = Binding::of(&mine, &JobFilter::default());
        let last = JobId::generate();
        assert_eq!(list.read(&list.cursor(last)), Ok(last));

        let filtered = JobFilter { status: Some(jobs::JobStatus::Failed), ..JobFilter::default() };
        assert!(Binding::of(&mine, &filtered).read(&list.cursor(last)).is_err());
        let theirs = Binding::of(&Reader { tenant: &other, user: None }, &JobFilter::default());
        assert!(theirs.read(&list.cursor(last)).is_err());
        for garbage in ["", "x", "AAAA", &list.cursor(last)[1..], &URL_SAFE_NO_PAD.encode([2; LENGTH])] {
            assert!(list.read(garbage).is_err(), "{garbage}");
        }
    }
}
