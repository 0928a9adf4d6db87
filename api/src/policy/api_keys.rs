//! API keys as credentials: checked by their hash, for what their user may do now.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use jobs::api_key::{ApiKey, InvalidApiKey, KeyMode};
use jobs::{ErrorCode, Role};
use store::PgPool;
use store::api_keys::{State, known, used};

use super::authentication::invalid_token;
use super::problem::Problem;
use crate::token::{Credential, Principal, Verified};

/// What a test key may be given at most: administration is the tenant's own.
pub const TEST_KEY_ROLE: Role = Role::TeamLead;

/// Keys in force that one user may have.
pub const MAX_API_KEYS: i64 = 50;

/// Who shows this key. The database is asked with each request, so that a key that is revoked, a user who is deleted and
/// a role that is lowered count from the next request on, on every node.
///
/// # Errors
/// INVALID_TOKEN, alike of a key that there never was and of one that is revoked; TOKEN_EXPIRED; SERVICE_UNAVAILABLE.
pub async fn verify(pool: &PgPool, text: &str) -> Result<Verified, Problem> {
    let key: ApiKey = text.parse().map_err(refusal)?;
    let found = known(pool, key.id()).await?;
    // A hash is compared even where there is no key, and in a time that tells nothing of it.
    let hash = found.as_ref().map_or([0; 32], |known| known.hash);
    let known = match (verify_slices_are_equal(&hash, &key.hash()), found) {
        (Ok(()), Some(known)) => known,
        _ => return Err(invalid()),
    };
    match known.state {
        State::InForce => {}
        State::Revoked => return Err(invalid()),
        State::Expired => {
            let at = known.expires_at.format("%Y-%m-%dT%H:%M:%SZ");
            return Err(invalid_token(ErrorCode::TokenExpired, &format!("The API key expired at {at}.")));
        }
    }
    if known.use_is_due
        && let Err(error) = used(pool, key.id()).await
    {
        tracing::warn!(api_key.id = %key.id(), error = ?error, "the use of an API key could not be noted");
    }
    let mut scopes = known.scopes.common(&known.role.scopes());
    let mut tenant = known.tenant;
    if known.mode == KeyMode::Test {
        scopes = scopes.common(&TEST_KEY_ROLE.scopes());
        tenant = tenant.sandbox();
    }
    let credential = Credential::ApiKey { id: key.id().clone(), mode: known.mode };
    let principal = Principal { tenant, user: known.user, role: known.role, scopes, credential };
    Ok(Verified { principal, expires_at: known.expires_at })
}

fn invalid() -> Problem {
    invalid_token(ErrorCode::InvalidToken, "The API key is not valid.")
}

/// The checksum is no secret, and whoever mistyped a key is helped.
fn refusal(error: InvalidApiKey) -> Problem {
    match error {
        InvalidApiKey::Form => invalid(),
        InvalidApiKey::Checksum => {
            let detail = "The API key is mistyped: a character is missing or changed, so that its checksum is wrong.";
            invalid_token(ErrorCode::InvalidToken, detail)
        }
    }
}
