//! The issuer as a process of the API knows it: which keys sign and count, and what was revoked.
//!
//! Both are read from the database every few seconds, so that a rotation and a revocation reach every process without a
//! restart. A process that has not been able to read them for most of a minute accepts no token any more: a revocation
//! counts within a minute, whatever is away.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, Utc};
use store::PgPool;
use store::oauth::{keys, revocations};
use thiserror::Error;
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::claims::TokenId;
use super::issuer::{Grant, Names, sign};
use super::key::{Jwk, PublicKey, SigningKey, read_public};
use super::keyring::{Keyring, add_first};
use super::revocations::is_revoked;
use super::sealed::KeysSecret;
use super::verifier::{LEEWAY_SECONDS, Rejection, TokenVerifier, key_id};
use super::{Principal, Verified};

/// How long an access token is valid.
pub const ACCESS_TOKEN_LIFETIME: Duration = Duration::from_secs(15 * 60);

/// How long a session or a client is remembered as revoked: until no access token of it can be valid any more.
pub const REVOKED_FOR: Duration = Duration::from_secs(ACCESS_TOKEN_LIFETIME.as_secs() + LEEWAY_SECONDS + 60);

/// Between two looks at the database: a revocation counts everywhere within a minute, a rotation long before it signs.
pub const LOOK_EVERY: Duration = Duration::from_secs(10);
/// For how long what was read last is believed.
const STALE: Duration = Duration::from_secs(45);
/// Between two looks because of a key that is not known, and after a look that failed.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest look.
const PATIENCE: Duration = Duration::from_secs(10);

/// How an installation's tokens are made.
pub struct AuthorityConfig {
    /// `iss` of the tokens.
    pub issuer: String,
    /// `aud` of the tokens.
    pub audience: String,
    pub keys_secret: KeysSecret,
    /// A PEM file with one more key whose tokens are accepted, or its public half.
    pub key_file: Option<PathBuf>,
    /// [`LOOK_EVERY`], unless a test cannot wait.
    pub look_every: Duration,
}

/// One for the whole server.
pub struct Authority {
    pool: PgPool,
    names: Names,
    secret: KeysSecret,
    look_every: Duration,
    fixed: Option<PublicKey>,
    known: RwLock<Arc<Known>>,
    /// What this process revoked after the last look began, and when: by its own time, and by the calendar.
    revoked_here: RwLock<HashMap<String, (Instant, DateTime<Utc>)>>,
    /// Held by whoever looks; when the last look failed.
    looking: Mutex<Option<Instant>>,
}

/// What was read last.
struct Known {
    keyring: Keyring,
    verifier: TokenVerifier,
    /// Since when what is.
    revoked: HashMap<String, DateTime<Utc>>,
    read_at: Option<Instant>,
}

/// A token that was made.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: String,
    pub lifetime: Duration,
}

/// Why there is no token.
#[derive(Debug, Error)]
pub enum NotIssued {
    #[error("the keys cannot be read")]
    Unknown(#[source] anyhow::Error),
    #[error("the token cannot be signed")]
    Failed(#[source] anyhow::Error),
}

impl Authority {
    /// # Errors
    /// The key file cannot be read.
    pub fn new(pool: PgPool, config: AuthorityConfig) -> Result<Self> {
        let fixed = config.key_file.as_deref().map(read_public).transpose()?;
        let names = Names { issuer: config.issuer, audience: config.audience };
        let verifier = TokenVerifier::new(&fixed, &names.issuer, &names.audience);
        let known = Known { keyring: Keyring::default(), verifier, revoked: HashMap::new(), read_at: None };
        Ok(Self {
            pool,
            names,
            secret: config.keys_secret,
            look_every: config.look_every,
            fixed,
            known: RwLock::new(Arc::new(known)),
            revoked_here: RwLock::default(),
            looking: Mutex::default(),
        })
    }

    /// `iss` of the tokens.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.names.issuer
    }

    /// Who the token speaks for, and until when.
    ///
    /// # Errors
    /// [`Rejection`].
    pub async fn verify(&self, token: &str) -> Result<Verified, Rejection> {
        let (verified, id) = self.identify(token).await?;
        // In this order: a look writes what it read before it forgets what was revoked here.
        let here = self.revoked_here.read().unwrap_or_else(PoisonError::into_inner);
        let known = self.known();
        let since = |subject: &str| known.revoked.get(subject).max(here.get(subject).map(|(_, at)| at)).copied();
        if is_revoked((&id, &verified.principal), since) { Err(Rejection::Revoked) } else { Ok(verified) }
    }

    /// The same of a token that may be revoked already, with what it is known by.
    ///
    /// # Errors
    /// [`Rejection`].
    pub async fn identify(&self, token: &str) -> Result<(Verified, TokenId), Rejection> {
        // What cannot be a token needs no database to be refused.
        let kid = key_id(token).ok_or(Rejection::Invalid)?;
        let mut known = self.current(STALE).await.map_err(|_| Rejection::Unknown)?;
        if !known.verifier.knows(&kid)
            && let Ok(newer) = self.current(PAUSE).await
        {
            // Somebody may have made its key a moment ago.
            known = newer;
        }
        known.verifier.identify(token)
    }

    /// Whether a token can be signed: asked before something is used up for it.
    ///
    /// # Errors
    /// As [`Authority::issue`].
    pub async fn is_ready(&self) -> Result<(), NotIssued> {
        let known = self.current(STALE).await.map_err(NotIssued::Unknown)?;
        signer(&known).map(|_| ())
    }

    /// Signs a token.
    ///
    /// # Errors
    /// The keys cannot be read, none of them can be used, or a scope that the role does not bring.
    pub async fn issue(
        &self,
        principal: &Principal,
        client: &str,
        session: Option<uuid::Uuid>,
    ) -> Result<Issued, NotIssued> {
        let known = self.current(STALE).await.map_err(NotIssued::Unknown)?;
        let key = signer(&known)?;
        let lifetime = ACCESS_TOKEN_LIFETIME;
        let grant = Grant { principal, client, session, lifetime };
        let token = sign(key, &self.names, grant).map_err(NotIssued::Failed)?;
        Ok(Issued { token, lifetime })
    }

    /// Revokes a token: here at once, in every other process when it looks next.
    ///
    /// # Errors
    /// The database is away.
    pub async fn revoke(&self, id: &TokenId) -> Result<(), store::StoreError> {
        revocations::revoke(&self.pool, &id.jti, id.expires_at).await?;
        self.is_revoked(&id.jti);
        Ok(())
    }

    /// Notes what the database says already, so that it counts here at once.
    pub fn is_revoked(&self, subject: &str) {
        let mut here = self.revoked_here.write().unwrap_or_else(PoisonError::into_inner);
        here.insert(subject.to_owned(), (Instant::now(), Utc::now()));
    }

    /// The public keys whose tokens are accepted, those that will sign included.
    ///
    /// # Errors
    /// They were never read, and the database is away.
    pub async fn jwks(&self) -> Result<Vec<Jwk>> {
        let known = match self.current(STALE).await {
            Err(error) if self.known().read_at.is_none() => return Err(error),
            _ => self.known(),
        };
        let now = Utc::now();
        Ok(known.keyring.published(now).chain(&self.fixed).map(PublicKey::jwk).collect())
    }

    /// Looks at the database again and again, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(self.look_every)).await.is_some() {
            if let Err(error) = self.look().await {
                tracing::warn!(error = format!("{error:#}"), "keys and revocations cannot be read");
            }
        }
    }

    fn known(&self) -> Arc<Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// What was read no longer ago than that.
    async fn current(&self, age: Duration) -> Result<Arc<Known>> {
        let is_fresh = |known: &Known| known.read_at.is_some_and(|at| at.elapsed() < age);
        let known = self.known();
        if is_fresh(&known) {
            return Ok(known);
        }
        let mut failed = self.looking.lock().await;
        let known = self.known();
        if is_fresh(&known) {
            return Ok(known);
        }
        if failed.is_some_and(|at| at.elapsed() < PAUSE) {
            anyhow::bail!("keys and revocations could not be read a moment ago");
        }
        let read = self.read_in_time().await;
        *failed = read.is_err().then(Instant::now);
        read?;
        Ok(self.known())
    }

    /// Looks now, however little time has passed.
    ///
    /// # Errors
    /// The database is away.
    pub async fn look(&self) -> Result<()> {
        let mut failed = self.looking.lock().await;
        let read = self.read_in_time().await;
        *failed = read.is_err().then(Instant::now);
        read
    }

    async fn read_in_time(&self) -> Result<()> {
        tokio::time::timeout(PATIENCE, Box::pin(self.read())).await.context("the database is silent")?
    }

    async fn read(&self) -> Result<()> {
        // What is revoked while this reads is older than the answer.
        let read_at = Instant::now();
        let mut stored = keys::list(&self.pool).await?;
        let now = Utc::now();
        if !stored.iter().any(|key| key.signs_from <= now) {
            add_first(&self.pool, &self.secret).await?;
            stored = keys::list(&self.pool).await?;
        }
        let revoked =
            revocations::list(&self.pool).await?.into_iter().map(|revoked| (revoked.subject, revoked.at)).collect();
        let keyring = Keyring::open(&stored, &self.secret);
        let verifier = self.verifier(&keyring, now);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        *known = Arc::new(Known { keyring, verifier, revoked, read_at: Some(read_at) });
        drop(known);
        // What was revoked before the look began was in it.
        self.revoked_here.write().unwrap_or_else(PoisonError::into_inner).retain(|_, (at, _)| *at >= read_at);
        Ok(())
    }

    fn verifier(&self, keyring: &Keyring, now: DateTime<Utc>) -> TokenVerifier {
        TokenVerifier::new(keyring.published(now).chain(&self.fixed), &self.names.issuer, &self.names.audience)
    }
}

fn signer(known: &Known) -> Result<&SigningKey, NotIssued> {
    known.keyring.signer(Utc::now()).context("none of the keys can be used").map_err(NotIssued::Failed)
}
