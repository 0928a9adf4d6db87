//! Bodies of bytes: streamed to the blob store while they come, hashed and counted on the way.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, HttpBody as _};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, HeaderName, header};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use blobs::{BlobHash, BlobRef, MAX_BLOB_BYTES, MAX_EVALUATION_KEY_BYTES, PutError, Staged, Terms};
use bytes::Bytes;
use futures::stream::{self, Stream};
use http_body_util::BodyExt as _;
use jobs::ErrorCode;
use serde_json::json;
use store::uploads::{Kind, NewUpload};
use utoipa::IntoParams;

use super::audit_trail::Trail;
use super::authentication::unregistered;
use super::body::check_content_encoding;
use super::conditional::REPR_DIGEST;
use super::problem::Problem;
use super::storage::{Put, path, put};
use crate::ApiState;
use crate::token::{Principal, Scope};

/// SHA-256 of the body in hex, for clients that would rather not write `Repr-Digest`.
pub const CONTENT_SHA256: HeaderName = HeaderName::from_static("x-content-sha256");

/// The only media type of an upload.
pub const MEDIA_TYPE: &str = "application/octet-stream";

/// Longest time of a whole upload; each part of it must come within the server's usual limit.
pub const TIME: Duration = Duration::from_secs(15 * 60);

/// The headers that an upload may carry.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)]
pub struct UploadHeaders {
    /// `sha-256=:…:`, checked (RFC 9530).
    #[param(rename = "Repr-Digest")]
    repr_digest: Option<String>,
    /// The same in hex.
    #[param(rename = "X-Content-SHA256", pattern = "^(0x)?[0-9a-fA-F]{64}$")]
    content_sha256: Option<String>,
}

/// An upload that is whole, stored and noted.
#[derive(Clone, Copy, Debug)]
pub struct Uploaded {
    pub blob: BlobRef,
    /// The tenant did not have it before.
    pub is_new: bool,
}

/// A body that has not been read yet.
pub struct Upload {
    body: Body,
    promised: Option<BlobHash>,
    /// Longest pause of the client.
    patience: Duration,
}

/// Why a body ended early.
enum Broken {
    Off,
    Stalled,
}

impl FromRequest<Arc<ApiState>> for Upload {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &Arc<ApiState>) -> Result<Self, Problem> {
        let headers = request.headers();
        check_content_type(headers)?;
        check_content_encoding(headers)?;
        let promised = promised(headers)?;
        Ok(Self { body: request.into_body(), promised, patience: state.request_timeout })
    }
}

/// Takes in what a principal uploads: the bytes first, then the row that makes them its tenant's, then their name.
///
/// # Errors
/// As [`Upload::stage`]; STORAGE_QUOTA_EXCEEDED; INSUFFICIENT_SCOPE, and INVALID_TOKEN of a user who is not registered.
pub async fn take_in(
    state: &ApiState,
    (principal, trail): (&Principal, &Trail),
    upload: Result<Upload, Problem>,
    kind: Kind,
) -> Result<Uploaded, Problem> {
    principal.require(Scope::JobsSubmit)?;
    let upload = upload?;
    let (tenant, user) = (&principal.tenant, &principal.user);
    // Before the body: nobody's bytes are not worth reading.
    if store::users::standing(&state.pool, tenant, user).await?.is_none() {
        return Err(unregistered());
    }
    let staged = upload.stage(state, limit(kind)).await?;
    let blob = staged.blob();
    let new = NewUpload { user, sha256: blob.sha256.0, size: blob.size };
    let target = format!("{}/0x{}", path(kind), blob.sha256);
    let note = trail.note_at(principal, target, json!({ "size": blob.size }));
    let put = put(state, (tenant, &note), kind, new, &staged).await?;
    Ok(Uploaded { blob, is_new: put == Put::New })
}

/// Longest upload, in bytes.
fn limit(kind: Kind) -> u64 {
    match kind {
        Kind::Blob => MAX_BLOB_BYTES,
        Kind::ClientKey => MAX_EVALUATION_KEY_BYTES,
    }
}

impl Upload {
    /// Takes the body in; nothing is left of one that is refused.
    ///
    /// # Errors
    /// PAYLOAD_TOO_LARGE beyond `limit` bytes; INVALID_REQUEST when it is empty, breaks off or has another hash than the
    /// headers say; BODY_TIMEOUT; SERVICE_UNAVAILABLE.
    async fn stage(mut self, state: &ApiState, limit: u64) -> Result<Staged, Problem> {
        let announced = self.body.size_hint().lower();
        if announced > limit {
            return Err(too_large(limit));
        }
        if self.body.is_end_stream() {
            return Err(empty());
        }
        let terms = self.promised.map_or(Terms::at_most(limit), |sha256| Terms::at_most(limit).with_sha256(sha256));
        let chunks = Box::pin(chunks(&mut self.body, self.patience));
        let staged = state.blobs.stage_stream(terms, chunks).await.map_err(refusal)?;
        if staged.blob().size == 0 {
            state.blobs.discard(&staged).await?;
            return Err(empty());
        }
        Ok(staged)
    }
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let mut values = headers.get_all(header::CONTENT_TYPE).iter();
    let given = values.next().and_then(|value| value.to_str().ok());
    if given.is_some_and(|text| text.trim().eq_ignore_ascii_case(MEDIA_TYPE)) && values.next().is_none() {
        return Ok(());
    }
    let given: String = given.unwrap_or("missing or not readable").chars().take(100).collect();
    let detail = format!("The content type must be {MEDIA_TYPE}; it is {given}.");
    Err(Problem::new(ErrorCode::InvalidContentType, detail))
}

/// The hash that the headers promise. Digests of other algorithms are ignored, as RFC 9530 has it.
fn promised(headers: &HeaderMap) -> Result<Option<BlobHash>, Problem> {
    let mut promised = None;
    let digests = headers.get_all(REPR_DIGEST).iter().flat_map(|value| match value.to_str() {
        Ok(text) => text.split(',').map(|member| repr_digest(member.trim())).collect(),
        Err(_) => vec![Err("is not readable")],
    });
    let plain = headers.get_all(CONTENT_SHA256).iter().map(|value| {
        value.to_str().ok().and_then(|text| text.parse().ok()).map(Some).ok_or("is not the hex of a SHA-256")
    });
    for hash in digests.chain(plain) {
        let hash = hash.map_err(|reason| {
            Problem::new(ErrorCode::InvalidRequest, format!("A digest among the headers {reason}."))
        })?;
        if hash.is_some() && promised.is_some() && hash != promised {
            return Err(Problem::new(ErrorCode::InvalidRequest, "The digests among the headers differ."));
        }
        promised = promised.or(hash);
    }
    Ok(promised)
}

/// `sha-256=:base64:`, one member of `Repr-Digest`.
fn repr_digest(member: &str) -> Result<Option<BlobHash>, &'static str> {
    let (algorithm, value) = member.split_once('=').ok_or("is not a dictionary of RFC 9530")?;
    if algorithm != "sha-256" {
        return Ok(None);
    }
    let value = value.split(';').next().unwrap_or_default();
    let encoded = value.strip_prefix(':').and_then(|rest| rest.strip_suffix(':')).ok_or("is not a byte sequence")?;
    let bytes = STANDARD.decode(encoded).map_err(|_| "is not base64")?;
    bytes.try_into().map(|bytes| Some(BlobHash(bytes))).map_err(|_| "has not the length of a SHA-256")
}

fn chunks(body: &mut Body, patience: Duration) -> impl Stream<Item = Result<Bytes, Broken>> {
    stream::try_unfold(body, move |body| async move {
        loop {
            let frame = tokio::time::timeout(patience, body.frame()).await.map_err(|_| Broken::Stalled)?;
            let Some(frame) = frame else { return Ok(None) };
            // Trailers carry nothing that is used.
            if let Ok(data) = frame.map_err(|_| Broken::Off)?.into_data() {
                return Ok(Some((data, body)));
            }
        }
    })
}

fn too_large(limit: u64) -> Problem {
    Problem::new(ErrorCode::PayloadTooLarge, format!("The body is larger than {limit} bytes."))
}

fn empty() -> Problem {
    Problem::new(ErrorCode::InvalidRequest, "The body is empty.")
}

fn refusal(error: PutError<Broken>) -> Problem {
    match error {
        PutError::Source(Broken::Off) => Problem::new(ErrorCode::InvalidRequest, "The body ended before its end."),
        PutError::Source(Broken::Stalled) => Problem::new(ErrorCode::BodyTimeout, "The body did not go on."),
        PutError::TooLarge { limit } => too_large(limit),
        PutError::OtherHash { actual } => {
            let detail = format!("The body's SHA-256 is {actual}, not what the headers say.");
            Problem::new(ErrorCode::InvalidRequest, detail)
        }
        PutError::Store(error) => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(headers: &[(HeaderName, &str)]) -> Result<Option<BlobHash>, Problem> {
        promised(&headers.iter().map(|(name, value)| (name.clone(), value.parse().unwrap())).collect())
    }

    #[test]
    fn a_digest_is_read_in_either_header() {
        let hash = BlobHash::of(b"abc");
        let digest = format!("md5=:AAAA:, sha-256=:{}:", STANDARD.encode(hash.0));
        assert_eq!(of(&[]).unwrap(), None);
        assert_eq!(of(&[(REPR_DIGEST, &digest)]).unwrap(), Some(hash));
        assert_eq!(of(&[(CONTENT_SHA256, &format!("0x{hash}")), (REPR_DIGEST, &digest)]).unwrap(), Some(hash));
        assert_eq!(of(&[(REPR_DIGEST, "sha-512=:AAAA:")]).unwrap(), None);
        let other = BlobHash::of(b"abd").to_string();
        for wrong in [
            vec![(REPR_DIGEST, "sha-256")],
            vec![(REPR_DIGEST, "sha-256=AAAA")],
            vec![(REPR_DIGEST, "sha-256=:AAAA:")],
            vec![(REPR_DIGEST, "sha-256=:!:")],
            vec![(CONTENT_SHA256, "abc")],
            vec![(CONTENT_SHA256, other.as_str()), (REPR_DIGEST, digest.as_str())],
        ] {
            assert!(of(&wrong).is_err(), "{wrong:?}");
        }
    }
}
