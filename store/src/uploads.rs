//! What a user uploaded, be it a blob or a key: its row is written once, when the bytes are whole.

use jobs::{TenantId, UserId};

use crate::StoreError;

/// Bytes that were stored just now.
#[derive(Clone, Copy, Debug)]
pub struct NewUpload<'a> {
    pub tenant: &'a TenantId,
    pub user: &'a UserId,
    pub sha256: [u8; 32],
    /// Length in bytes.
    pub size: u64,
}

/// What became of a row that may have been there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    New,
    Known,
    /// The token's user is not registered.
    UnknownUser,
}

/// Writes the row of an upload into a table whose columns are tenant, hash, size and author; one that is there stays.
macro_rules! note {
    ($pool:expr, $upload:expr, $table:tt) => {{
        let upload: $crate::uploads::NewUpload<'_> = $upload;
        let row = sqlx::query!(
            r#"WITH author AS (SELECT tenant, id FROM users WHERE tenant = $1 AND id = $2),
                    fresh AS (
                        INSERT INTO "#
                + $table
                + r#"
                        SELECT tenant, $3, $4, id FROM author
                        ON CONFLICT DO NOTHING RETURNING 1
                    )
               SELECT EXISTS (SELECT FROM author) AS "known_user!", EXISTS (SELECT FROM fresh) AS "new!""#,
            upload.tenant.as_str(),
            upload.user.as_str(),
            &upload.sha256[..],
            $crate::uploads::length(upload.size)
        )
        .fetch_one($pool)
        .await?;
        Ok($crate::uploads::noted(row.known_user, row.new))
    }};
}

pub(crate) use note;

pub(crate) fn noted(known_user: bool, new: bool) -> Noted {
    match (known_user, new) {
        (false, _) => Noted::UnknownUser,
        (true, true) => Noted::New,
        (true, false) => Noted::Known,
    }
}

pub(crate) fn length(size: u64) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

pub(crate) fn size_of(column: i64) -> Result<u64, StoreError> {
    u64::try_from(column).map_err(|_| StoreError::corrupt("size", column))
}
