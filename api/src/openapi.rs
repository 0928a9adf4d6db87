//! The OpenAPI document: written by the handlers' annotations, locked by a test against `openapi.yml`.

use anyhow::Context as _;
use chrono::DateTime;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use crate::policy::operations;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Zama Jobs",
        description = "Submit long-running jobs, follow them, and fetch results whose hashes stand on chain.\n\n\
                       Every error is a problem document (RFC 9457) with one of the codes in `/docs/errors`. \
                       Every answer carries `X-Request-ID`. Times are UTC (RFC 3339); hashes, addresses and keys are \
                       0x-hex; a field is null until it is known, never absent.\n\n\
                       Where the tenant's plan limits requests, every answer to one with a credential carries \
                       `RateLimit-Policy`, `RateLimit` and `X-RateLimit-Limit`, `-Remaining`, `-Reset`; what is beyond a \
                       limit is 429 with `Retry-After`. A tenant may ask that its requests come from its networks, and \
                       that they are signed (`X-Zama-Timestamp`, `X-Zama-Nonce`, `X-Zama-Content-SHA256`, \
                       `X-Zama-Signature`).\n\n\
                       The version is the first part of the path. Where one, or an operation, is about to go, its answers carry \
                       `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and a `Link` to what to do. `/v2` is a preview of one \
                       resource, which may still change.",
        license(name = "BSD-3-Clause-Clear", identifier = "BSD-3-Clause-Clear")
    ),
    servers((url = "/", description = "The server that this document comes from.")),
    components(schemas(jobs::wire::Problem)),
    modifiers(&BearerToken),
    tags(
        (name = "jobs", description = "Submit, follow, cancel and fetch jobs."),
        (name = "fhe", description = "Ciphertexts and the keys that they are under."),
        (name = "identity", description = "Who asks, and what it may."),
        (name = "oauth", description = "Access tokens: our own issuer (OAuth 2.0)."),
        (name = "billing", description = "What was metered."),
        (name = "preview", description = "What comes with the next version. It may still change."),
        (name = "documentation", description = "This document and the pages about errors."),
        (name = "operations", description = "Is it up, and how is it doing."),
    )
)]
struct Base;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .bearer_format("JWT")
            .description(Some(
                "An ES256 access token, or an API key (`zj_live_…`, `zj_test_…`). Scopes: `jobs:submit` submits, and \
                 cancels what one submitted; `jobs:read` reads what one submitted, `jobs:read:team` the jobs of the whole \
                 tenant; `jobs:admin` cancels them, and administers users, their API keys and the tenant.",
            ))
            .build();
        let components = document.components.get_or_insert_with(Default::default);
        components.add_security_scheme("bearer", SecurityScheme::Http(scheme));
        let client = HttpBuilder::new().scheme(HttpAuthScheme::Basic).description(Some(
            "Name and secret of an OAuth client, both encoded as in a form; both may stand in the body instead, or an \
             assertion that the client signed (`private_key_jwt`).",
        ));
        components.add_security_scheme("client", SecurityScheme::Http(client.build()));
    }
}

/// The document without its paths.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The whole document, as `openapi.yml` holds it.
#[must_use]
pub fn openapi() -> utoipa::openapi::OpenApi {
    let mut document = crate::router::documented().into_openapi();
    // Nothing is required, rather than not said.
    operations::for_each(&mut document, |_, _, operation| _ = operation.security.get_or_insert_default());
    document
}

/// The text of `openapi.yml`.
///
/// # Errors
/// A document that cannot be written, which would be a bug.
pub fn openapi_yaml() -> anyhow::Result<String> {
    yaml(&openapi())
}

/// A document as YAML that every reader reads alike.
pub(crate) fn yaml(document: &utoipa::openapi::OpenApi) -> anyhow::Result<String> {
    let text = document.to_yaml().context("Failed to write the document")?;
    Ok(text.lines().map(|line| quoted(line) + "\n").collect())
}

/// Words that YAML 1.1, which many still read, takes for true and false.
const WORDS: [&str; 6] = ["on", "off", "yes", "no", "y", "n"];

/// Puts what many readers of YAML would take for a number, a time or a truth value into quotes.
fn quoted(line: &str) -> String {
    let item = line.trim_start().trim_start_matches("- ");
    let value = item.split_once(": ").map_or(item, |(_, value)| value);
    let is_hex = value.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
    let is_time = value.ends_with('Z') && DateTime::parse_from_rfc3339(value).is_ok();
    match line.strip_suffix(value) {
        Some(start) if is_hex || is_time || WORDS.contains(&value) => format!("{start}'{value}'"),
        _ => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_looks_like_something_else_is_quoted() {
        for (plain, expected) in [
            ("  submitter: 0x70997970c51812dc", "  submitter: '0x70997970c51812dc'"),
            ("    - 0x5e5e", "    - '0x5e5e'"),
            ("    - nonce: 0x9d", "    - nonce: '0x9d'"),
            ("  created_at: 2026-03-14T09:26:53.589Z", "  created_at: '2026-03-14T09:26:53.589Z'"),
            ("        - off", "        - 'off'"),
            ("  signature: '0x5e'", "  signature: '0x5e'"),
            ("  description: 0x-hex; used once", "  description: 0x-hex; used once"),
            ("  url: https://api.example.com/v1/jobs/0x5e", "  url: https://api.example.com/v1/jobs/0x5e"),
            ("  status: 500", "  status: 500"),
            ("paths:", "paths:"),
        ] {
            assert_eq!(quoted(plain), expected);
        }
    }
}
