//! The errors of an operation in the OpenAPI document, from the one table of codes.

use std::collections::BTreeMap;

use jobs::error_code::ErrorCode;
use serde_json::json;
use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use super::problem::MEDIA_TYPE;

/// What any operation may answer.
const ANYWHERE: [ErrorCode; 4] =
    [ErrorCode::InternalError, ErrorCode::DataDamaged, ErrorCode::ServiceUnavailable, ErrorCode::RequestTimeout];

/// What an operation that needs a token may answer, and at its end what one that needs a scope may.
const PROTECTED: [ErrorCode; 8] = [
    ErrorCode::InvalidToken,
    ErrorCode::TokenExpired,
    ErrorCode::IdentityNotMapped,
    ErrorCode::AddressNotAllowed,
    ErrorCode::RequestSignatureInvalid,
    ErrorCode::NonceReplayed,
    ErrorCode::RateLimitExceeded,
    ErrorCode::InsufficientScope,
];

/// Whether an operation needs a token.
#[derive(Clone, Copy)]
pub enum Access {
    Public,
    /// A valid token, whatever it allows.
    AnyToken,
    /// A token with a scope.
    Token,
}

/// One response a status, with an example a code. `endings`: what a job may have ended with.
pub fn responses(access: Access, codes: &[ErrorCode], endings: &[ErrorCode]) -> BTreeMap<String, RefOr<Response>> {
    let protected = match access {
        Access::Public => &[][..],
        Access::AnyToken => &PROTECTED[..PROTECTED.len() - 1],
        Access::Token => &PROTECTED[..],
    };
    let mut by_status: BTreeMap<u16, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes.iter().chain(endings).chain(protected).chain(&ANYWHERE) {
        let same_status = by_status.entry(code.status()).or_default();
        if !same_status.contains(code) {
            same_status.push(*code);
        }
    }
    by_status.into_iter().map(|(status, codes)| (status.to_string(), RefOr::T(response(&codes)))).collect()
}

fn response(codes: &[ErrorCode]) -> Response {
    let lines: Vec<String> = codes.iter().map(|code| format!("`{code}`: {}.", code.title())).collect();
    let examples = codes.iter().map(|code| {
        let example = ExampleBuilder::new().summary(code.title()).value(Some(example(*code))).build();
        (code.to_string(), RefOr::T(example))
    });
    let content =
        ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).examples_from_iter(examples).build();
    ResponseBuilder::new().description(lines.join("\n\n")).content(MEDIA_TYPE, content).build()
}

fn example(code: ErrorCode) -> serde_json::Value {
    json!({
        "type": format!("https://api.example.com/docs/errors/{code}"),
        "title": code.title(),
        "status": code.status(),
        "detail": format!("{}.", code.title()),
        "instance": "/v1/jobs",
        "code": code.as_str(),
        "request_id": "5f0c7a52-9d0e-4b61-8a43-0c1f6d2e9b7a",
        "timestamp": "2026-03-14T09:26:53.589Z",
        "errors": []
    })
}

/// `errors!(SubmitErrors: Token, InvalidRequest, …)` names the errors of an operation for `utoipa::path`;
/// `errors!(ResultErrors: Token, JobNotFound, …; ENDINGS)` also those that a job may have ended with.
#[macro_export]
#[doc(hidden)]
macro_rules! errors {
    ($visibility:vis $name:ident: $access:ident $(, $code:ident)* $(; $endings:ident)?) => {
        $visibility struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses()
            -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
                let codes = &[$(jobs::ErrorCode::$code),*];
                let endings: &[&[jobs::ErrorCode]] = &[$(jobs::error_code::$endings)?];
                let endings: Vec<_> = endings.concat().into_iter().map(jobs::ErrorCode::of_result).collect();
                let access = $crate::policy::error_responses::Access::$access;
                $crate::policy::error_responses::responses(access, codes, &endings)
            }
        }
    };
}
