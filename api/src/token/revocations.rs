//! Whether what was revoked is about a token.

use chrono::{DateTime, TimeDelta, Utc};
use store::oauth::revocations::{role_subject, user_subject};

use super::claims::TokenId;
use super::verifier::LEEWAY_SECONDS;
use super::{Principal, Role};

/// How far the clock of whoever signed a token may be ahead of the database's. A user who is made again within this time
/// needs a token from after it.
const CLOCKS: TimeDelta = TimeDelta::seconds(LEEWAY_SECONDS.cast_signed());

/// Whether a token counts no more. `revoked_at` knows since when a subject is revoked.
pub(super) fn is_revoked(
    (id, principal): (&TokenId, &Principal),
    revoked_at: impl Fn(&str) -> Option<DateTime<Utc>>,
) -> bool {
    let Principal { tenant, user, role, .. } = principal;
    let lowered = below(*role).iter().map(|lower| role_subject(tenant, user, *lower));
    let is_before = |subject: String| revoked_at(&subject).is_some_and(|since| id.issued_at <= since + CLOCKS);
    [user_subject(tenant, user)].into_iter().chain(lowered).any(is_before)
        || id.subjects().any(|subject| revoked_at(&subject).is_some())
}

/// The roles that whoever has this one may have been lowered to.
fn below(role: Role) -> &'static [Role] {
    match role {
        Role::Developer => &[],
        Role::TeamLead => &[Role::Developer],
        Role::Admin => &[Role::Developer, Role::TeamLead],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::{Credential, Role};

    fn token(issued: i64) -> (TokenId, Principal) {
        let at = |seconds| DateTime::from_timestamp(1_700_000_000 + seconds, 0).unwrap();
        let id = TokenId {
            jti: "j".to_owned(),
            client: Some("c".to_owned()),
            session: None,
            issued_at: at(issued),
            expires_at: at(issued + 900),
        };
        let (tenant, user) = ("acme".parse().unwrap(), "ada".parse().unwrap());
        let (role, scopes) = (Role::Developer, Role::Developer.scopes());
        (id, Principal { tenant, user, role, scopes, credential: Credential::AccessToken })
    }

    fn refused(issued: i64, revoked: &str) -> bool {
        let (id, principal) = token(issued);
        let at = DateTime::from_timestamp(1_700_000_000, 0);
        is_revoked((&id, &principal), |subject| at.filter(|_| subject == revoked))
    }

    #[test]
    fn a_token_falls_with_itself_its_client_and_its_user() {
        assert!(["j", "c", "user:acme/ada"].iter().all(|subject| refused(-60, subject)));
        assert!(["k", "user:acme/bob", "user:globex/ada", "ada", ""].iter().all(|subject| !refused(-60, subject)));
    }

    #[test]
    fn a_lowered_role_refuses_the_tokens_that_say_more() {
        let at = DateTime::from_timestamp(1_700_000_000, 0);
        let refused = |role: Role, issued: i64, lowered_to: Role| {
            let (id, principal) = token(issued);
            let subject = format!("role:acme/ada/{lowered_to}");
            is_revoked((&id, &Principal { role, ..principal }), |asked| at.filter(|_| asked == subject))
        };
        use Role::{Admin, Developer, TeamLead};
        assert!(refused(Admin, -60, Developer) && refused(Admin, -60, TeamLead) && refused(TeamLead, -60, Developer));
        assert!(!refused(Developer, -60, Developer) && !refused(TeamLead, -60, TeamLead), "what it is still");
        assert!(!refused(Developer, -60, TeamLead), "less than that");
        assert!(!refused(Admin, 31, Developer), "who is raised again has tokens again");
    }

    #[test]
    fn who_is_made_again_has_tokens_again() {
        assert!(refused(0, "user:acme/ada") && refused(30, "user:acme/ada"), "a clock that is ahead saves nobody");
        assert!(!refused(31, "user:acme/ada"));
        assert!(refused(31, "j"), "a token that was revoked stays so");
    }
}
