//! The OpenAPI document: written by the handlers' annotations, locked by a test against `openapi.yml`.

use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

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
                       `X-Zama-Signature`).",
        license(name = "BSD-3-Clause-Clear", identifier = "BSD-3-Clause-Clear")
    ),
    components(schemas(jobs::wire::Problem)),
    modifiers(&BearerToken),
    tags(
        (name = "jobs", description = "Submit, follow, cancel and fetch jobs."),
        (name = "fhe", description = "Ciphertexts and the keys that they are under."),
        (name = "identity", description = "Who asks, and what it may."),
        (name = "oauth", description = "Access tokens: our own issuer (OAuth 2.0)."),
        (name = "billing", description = "What was metered."),
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
    crate::router::documented().into_openapi()
}
