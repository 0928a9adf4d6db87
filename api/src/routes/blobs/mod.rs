//! `/v1/blobs`

pub mod create;
pub mod delete;
pub mod get;

use utoipa::ToSchema;

/// Bytes as they are.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[allow(dead_code)]
pub struct Octets(Vec<u8>);
