//! `/v1/blobs`

pub mod create;
pub mod delete;
pub mod get;
pub mod list;

use alloy::primitives::B256;
use utoipa::ToSchema;

use crate::ApiState;

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code)]
pub struct Octets(Vec<u8>);

/// Where clients find a blob.
fn url(state: &ApiState, sha256: B256) -> String {
    format!("{}/v1/blobs/{sha256}", state.public_url)
}
