//! GET /v1/blobs

use std::sync::Arc;

use alloy::primitives::B256;
use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::blobs::{BlobPlace, ListedBlob};
use store::uploads::Kind;
use utoipa::{IntoParams, ToSchema};

use super::url;
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place, time_of};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

/// Blobs on a page.
const MAX_BLOBS: i64 = 100;

errors!(Errors: Token, InvalidRequest);

/// The tenant's blobs.
#[derive(Serialize, ToSchema)]
pub struct Blobs {
    /// How many the tenant has, on all pages, and their bytes.
    pub stored: Amount,
    /// How many it may have.
    pub quota: Amount,
    /// Blobs, the newest first.
    pub data: Vec<BlobEntry>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
}

/// A number of things, and their length in bytes.
#[derive(Serialize, ToSchema)]
#[schema(as = StorageAmount)]
pub struct Amount {
    pub count: u64,
    pub bytes: u64,
}

/// A blob among others.
#[derive(Serialize, ToSchema)]
pub struct BlobEntry {
    /// SHA-256 of the bytes.
    #[schema(value_type = String, example = "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")]
    pub sha256: B256,
    /// Length in bytes.
    pub size: u64,
    pub url: String,
    pub created_at: DateTime<Utc>,
    /// A job that has not ended needs it: it cannot be deleted yet.
    pub in_use: bool,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// `next_cursor` of the page before.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many blobs.
    #[param(minimum = 1, maximum = 100, default = 100)]
    limit: Option<i64>,
}

/// List blobs
///
/// What the tenant has uploaded and what was fetched for its jobs, and how much of its quota that is.
#[utoipa::path(
    get, path = "/v1/blobs", operation_id = "list_blobs", tag = "fhe", params(Query),
    security(("bearer" = ["jobs:read"])),
    responses(
        (status = 200, description = "A page of blobs.", body = Blobs,
         example = json!({
             "stored": {"count": 1, "bytes": 3}, "quota": {"count": 1000, "bytes": 10_737_418_240_u64},
             "data": [{
                 "sha256": "0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", "size": 3,
                 "url": "https://api.example.com/v1/blobs/0xba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
                 "created_at": "2026-03-14T09:26:53.589Z", "in_use": false
             }],
             "next_cursor": null, "has_more": false
         })),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<Blobs>, Problem> {
    principal.require(Scope::JobsRead)?;
    let tenant = &principal.tenant;
    let binding = Binding::of("blobs", tenant);
    let after = query.take("cursor", |text| binding.read(text));
    let limit = query.take_integer("limit", 1..=MAX_BLOBS, MAX_BLOBS);
    query.close()?;

    // One more than asked for tells whether there is a next page.
    let mut blobs = store::blobs::list(&state.pool, tenant, after.as_ref(), limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = blobs.len() > wanted;
    blobs.truncate(wanted);
    let next_cursor = blobs.last().filter(|_| has_more).map(|last| binding.cursor(&place(last)));
    let stored = store::blobs::stored(&state.pool, tenant).await?;
    let quota = state.storage.quota(Kind::Blob);
    Ok(Json(Blobs {
        stored: Amount { count: stored.count, bytes: stored.bytes },
        quota: Amount { count: quota.count, bytes: quota.bytes },
        data: blobs.into_iter().map(|listed| entry(&state, &listed)).collect(),
        next_cursor,
        has_more,
    }))
}

fn entry(state: &ApiState, listed: &ListedBlob) -> BlobEntry {
    let ListedBlob { blob, in_use } = *listed;
    let sha256 = B256::from(blob.sha256);
    BlobEntry { sha256, size: blob.size, url: url(state, sha256), created_at: blob.created_at, in_use }
}

fn place(listed: &ListedBlob) -> BlobPlace {
    BlobPlace { created_at: listed.blob.created_at, sha256: listed.blob.sha256 }
}

/// The time in microseconds, as exact as the database knows it, then the hash.
impl Place for BlobPlace {
    fn to_bytes(&self) -> Vec<u8> {
        [&self.created_at.timestamp_micros().to_be_bytes()[..], &self.sha256].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (micros, sha256) = bytes.split_first_chunk()?;
        Some(Self { created_at: time_of(*micros)?, sha256: sha256.try_into().ok()? })
    }
}
