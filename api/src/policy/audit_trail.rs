//! What is done and tried through the API stands in its tenant's audit log: written by the transaction that does it, else
//! right after, before the answer leaves. A new operation that changes something is there without doing anything for it.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chrono::{SubsecRound as _, Utc};
use jobs::audit::{AuditEntry, Outcome};
use jobs::{ErrorCode, TenantId, UserId};
use serde_json::{Value, json};
use store::audit::{Draft, Note, append};
use store::oauth::clients::Client;

use super::gate::Gate;
use super::operations;
use super::problem::Problem;
use super::request_id::RequestId;
use crate::ApiState;
use crate::token::{COMMAND_LINE, Credential, Principal};

/// The operation that decrypts: every attempt counts, and nothing leaves before it is written down.
const DECRYPTION: &str = "retrieve_fhe_result";

/// Refusals that an auditor wants to see, of whatever operation.
const OF_INTEREST: [ErrorCode; 7] = [
    ErrorCode::InsufficientScope,
    ErrorCode::AddressNotAllowed,
    ErrorCode::RequestSignatureInvalid,
    ErrorCode::NonceReplayed,
    ErrorCode::SignatureInvalid,
    ErrorCode::SubmitterTaken,
    ErrorCode::LastAdmin,
];

/// In whose name something is done, and by what proof.
#[derive(Clone, Debug)]
pub struct Actor {
    pub tenant: TenantId,
    pub user: UserId,
    /// As [`AuditEntry::credential`].
    pub credential: String,
}

impl From<&Principal> for Actor {
    fn from(principal: &Principal) -> Self {
        let credential = match &principal.credential {
            Credential::AccessToken => "access_token".to_owned(),
            Credential::External(_) => "external_token".to_owned(),
            Credential::ApiKey { id, .. } => format!("api_key:{id}"),
        };
        Self { tenant: principal.tenant.clone(), user: principal.user.clone(), credential }
    }
}

impl Actor {
    /// Whoever was just given a token: its user, through its client.
    pub async fn of_token(state: &ApiState, token: &str) -> Option<Self> {
        let (verified, id) = state.tokens.identify(token).await.ok()?;
        Some(Self::of_client(&verified.principal, id.client.as_deref().unwrap_or(COMMAND_LINE)))
    }

    /// The user of a client that somebody claims to be.
    #[must_use]
    pub fn claimed(client: &Client) -> Self {
        let (tenant, user) = (client.holder.tenant.clone(), client.holder.user.clone());
        Self { tenant, user, credential: by_client(&client.id) }
    }

    /// A user, through a client that proved itself.
    #[must_use]
    pub fn of_client(principal: &Principal, client: &str) -> Self {
        Self { credential: by_client(client), ..Self::from(principal) }
    }
}

/// How a client is named as a credential.
#[must_use]
pub fn by_client(id: &str) -> String {
    format!("client:{id}")
}

/// What a token of another issuer makes of its user, in whatever request it comes.
const FOLLOWED: &str = "follow_issuer";

/// The entry of a user that a token of another issuer makes, or gives another role.
#[must_use]
pub fn followed(gate: &Gate, parts: &Parts, detail: Value) -> Draft {
    let entry = AuditEntry {
        credential: "external_token".to_owned(),
        request_id: parts.extensions.get::<RequestId>().map(ToString::to_string),
        address: gate.client(parts),
        ..AuditEntry::of_operator(FOLLOWED, String::new(), detail)
    };
    Draft::shared(entry, Arc::default())
}

/// What is found out about a request that may change something; a request extension.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Found>);

#[derive(Debug)]
struct Found {
    action: &'static str,
    target: String,
    request_id: Option<String>,
    address: Option<IpAddr>,
    actor: OnceLock<Actor>,
    detail: OnceLock<Value>,
    /// Why somebody was not let in, in the words of the RFCs, which are no codes.
    refused: OnceLock<&'static str>,
    /// The tenant whose thing it was about, if that is not the actor's.
    owner: OnceLock<TenantId>,
    /// A transaction has taken the entry.
    written: Arc<AtomicBool>,
}

impl Trail {
    fn of(state: &ApiState, request: &Request, action: &'static str) -> Self {
        Self(Arc::new(Found {
            action,
            target: request.uri().path().to_owned(),
            request_id: request.extensions().get::<RequestId>().map(ToString::to_string),
            address: state.gate.client_of(request),
            actor: OnceLock::new(),
            detail: OnceLock::new(),
            refused: OnceLock::new(),
            owner: OnceLock::new(),
            written: Arc::default(),
        }))
    }

    /// Notes who asks. A request has one caller: a second note would be of the same.
    pub fn is_of(&self, actor: impl Into<Actor>) {
        let _ = self.0.actor.set(actor.into());
    }

    /// Notes what is worth knowing beside who and where, for the entry that no transaction writes; told once.
    pub fn tell(&self, detail: Value) {
        let _ = self.0.detail.set(detail);
    }

    /// Notes that somebody was not let in as `actor`, which is known by a name that anybody may have used: so often and no
    /// more that nobody fills a tenant's log from outside.
    pub fn refuses(&self, gate: &Gate, actor: Actor, error: &'static str) {
        if gate.notes_refusal(&actor.tenant) && self.0.actor.set(actor).is_ok() {
            let _ = self.0.refused.set(error);
        }
    }

    /// The entry of what is about to be done by whom the transaction finds.
    #[must_use]
    pub fn draft(&self, credential: String, detail: Value) -> Draft {
        Draft::shared(AuditEntry { detail, ..self.entry(None, credential, Ok(())) }, self.0.written.clone())
    }

    /// The same of what is refused, and has consequences.
    #[must_use]
    pub fn draft_of_refusal(&self, credential: String, detail: Value) -> Draft {
        let entry = self.entry(None, credential, Ok(()));
        Draft::shared(AuditEntry { detail, outcome: Outcome::Refused, ..entry }, self.0.written.clone())
    }

    /// Notes that it is about a thing of another tenant, whose log has it too.
    pub fn concerns(&self, owner: &TenantId) {
        let _ = self.0.owner.set(owner.clone());
    }

    /// The entry of what is about to be done to what the path names, for the transaction that does it.
    #[must_use]
    pub fn note(&self, principal: &Principal, detail: Value) -> Note {
        self.note_at(principal, self.0.target.clone(), detail)
    }

    /// The same of something that gets its path by it.
    #[must_use]
    pub fn note_at(&self, principal: &Principal, target: String, detail: Value) -> Note {
        let actor = Actor::from(principal);
        let entry = AuditEntry { target, detail, ..self.entry(Some(actor.user), actor.credential, Ok(())) };
        Note::shared(actor.tenant, entry, self.0.written.clone())
    }

    fn entry(&self, user: Option<UserId>, credential: String, outcome: Result<(), ErrorCode>) -> AuditEntry {
        let found = &self.0;
        AuditEntry {
            at: Utc::now().trunc_subsecs(6),
            action: found.action.to_owned(),
            outcome: if outcome.is_ok() { Outcome::Done } else { Outcome::Refused },
            code: outcome.err(),
            user,
            credential,
            target: found.target.clone(),
            request_id: found.request_id.clone(),
            address: found.address,
            detail: found.detail.get().cloned().unwrap_or_else(|| json!({})),
        }
    }

    /// Somebody who was not let in.
    fn refusal(&self) -> Option<Note> {
        let (actor, error) = (self.0.actor.get()?, self.0.refused.get()?);
        let entry = self.entry(Some(actor.user.clone()), actor.credential.clone(), Ok(()));
        let detail = json!({ "error": error });
        Some(Note::new(actor.tenant.clone(), AuditEntry { outcome: Outcome::Refused, detail, ..entry }))
    }

    /// What no transaction has written of an answer and is to be written yet.
    fn left(&self, answer: &Response) -> Vec<Note> {
        let Some(actor) = self.0.actor.get() else { return Vec::new() };
        let outcome = match answer.extensions().get::<Problem>().map(Problem::code) {
            Some(code) if self.0.action == DECRYPTION || OF_INTEREST.contains(&code) => Err(code),
            None if answer.status().is_success() && !self.0.written.load(Ordering::Relaxed) => Ok(()),
            _ => return Vec::new(),
        };
        let entry = self.entry(Some(actor.user.clone()), actor.credential.clone(), outcome);
        let mut notes = Vec::new();
        if let Some(owner) = self.0.owner.get().filter(|owner| **owner != actor.tenant) {
            // Who it was is its own tenant's matter; that it held a grant stands on chain.
            let anonymous = AuditEntry { user: None, credential: "grant".to_owned(), address: None, ..entry.clone() };
            notes.push(Note::new(owner.clone(), anonymous));
        }
        notes.push(Note::new(actor.tenant.clone(), entry));
        notes
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Trail {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::internal)
    }
}

/// Around every request: what it did, and no transaction has written, is written before it is answered.
pub async fn follow(State(state): State<Arc<ApiState>>, mut request: Request, next: Next) -> Response {
    let Some(action) = action(&request) else { return next.run(request).await };
    let trail = Trail::of(&state, &request, action);
    request.extensions_mut().insert(trail.clone());
    let response = next.run(request).await;
    if let Some(note) = trail.refusal() {
        // Not waited for: how long the answer takes would tell whoever guesses that the name is one.
        tokio::spawn(write_later(state, note));
        return response;
    }
    for note in trail.left(&response) {
        let Err(error) = append(&state.pool, &note).await else { continue };
        tracing::error!(tenant.id = %note.tenant, audit.action = action, error = ?error, "an audit entry was not written");
        if action == DECRYPTION {
            // The identical request gets the identical answer, once it can be written down.
            return Problem::from(error).into_response();
        }
    }
    response
}

async fn write_later(state: Arc<ApiState>, note: Note) {
    if let Err(error) = append(&state.pool, &note).await {
        tracing::error!(tenant.id = %note.tenant, audit.action = note.entry.action, error = ?error, "an audit entry was not written");
    }
}

/// The operation, if it may change something.
fn action(request: &Request) -> Option<&'static str> {
    if request.method().is_safe() {
        return None;
    }
    operations::of(request).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operation_that_decrypts_is_there() {
        assert!(operations::exists(DECRYPTION));
    }
}
