//! `/v1/me/submitter`: an address becomes the caller's when its key has signed for it.

pub mod challenge;
pub mod register;
mod request;
