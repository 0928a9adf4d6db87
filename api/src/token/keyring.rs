//! Signing keys over time. A key is published first, signs later, and stays published until the last token that it
//! signed has expired:
//!
//! ```text
//! add            signs_from             the next one's signs_from     + KEPT_FOR
//!  |  published      |  published, signs          |  published            |  gone
//! ```

use std::time::Duration;

use anyhow::Result;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::PgPool;
use store::audit::Draft;
use store::oauth::keys::{self, StoredKey};

use super::authority::REVOKED_FOR;
use super::key::{PublicKey, SigningKey};
use super::sealed::KeysSecret;

/// How long whoever asked for the published keys may keep them.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(300);

/// How long a key is published after it signed last: longer than its last token lives.
const KEPT_FOR: Duration = REVOKED_FOR;

/// The keys that could be opened, in the order in which they sign.
#[derive(Default)]
pub(super) struct Keyring(Vec<Entry>);

struct Entry {
    key: SigningKey,
    signs_from: DateTime<Utc>,
}

impl Keyring {
    /// Opens what is stored. What cannot be opened is not ours, and is told.
    pub(super) fn open(stored: &[StoredKey], secret: &KeysSecret) -> Self {
        let open = |stored: &StoredKey| match secret.open(&stored.kid, &stored.sealed) {
            Ok(key) => Some(Entry { key, signs_from: stored.signs_from }),
            Err(error) => {
                tracing::error!(key.id = stored.kid, error = format!("{error:#}"), "a stored signing key is not used");
                None
            }
        };
        Self(stored.iter().filter_map(open).collect())
    }

    /// The key that signs at a time.
    pub(super) fn signer(&self, now: DateTime<Utc>) -> Option<&SigningKey> {
        let current = self.0.iter().rev().find(|entry| entry.signs_from <= now);
        // Our clock may be behind the database's.
        current.or(self.0.first()).map(|entry| &entry.key)
    }

    /// The keys whose tokens are accepted at a time.
    pub(super) fn published(&self, now: DateTime<Utc>) -> impl Iterator<Item = &PublicKey> {
        let times: Vec<_> = self.0.iter().map(|entry| entry.signs_from).collect();
        let entries = self.0.iter().enumerate();
        entries.filter(move |(at, _)| !is_over(&times, *at, now)).map(|(_, entry)| &entry.key.public)
    }
}

/// Whether a key's last token has expired.
fn is_over(signs_from: &[DateTime<Utc>], at: usize, now: DateTime<Utc>) -> bool {
    let kept = TimeDelta::from_std(KEPT_FOR).unwrap_or(TimeDelta::MAX);
    signs_from.get(at + 1).is_some_and(|next| *next + kept < now)
}

/// A key that was added.
#[derive(Clone, Debug)]
pub struct NewKey {
    pub kid: String,
    /// When it begins to sign.
    pub signs_from: DateTime<Utc>,
}

/// Where a key stands in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// Published, signs later.
    Published,
    Signs,
    /// Its tokens are accepted still.
    Retiring,
    /// Its last token has expired.
    Over,
}

/// A key as it is listed.
#[derive(Clone, Debug)]
pub struct ListedKey {
    pub kid: String,
    pub created_at: DateTime<Utc>,
    pub signs_from: DateTime<Utc>,
    pub state: KeyState,
}

/// What the audit log names as changed where keys are: all tenants' tokens are checked with them.
const AUDITED_AS: &str = "/.well-known/jwks.json";

/// Adds a key that signs after `published_for`, as an operator's command does.
///
/// # Errors
/// The database is away.
pub async fn rotate_keys(pool: &PgPool, secret: &KeysSecret, published_for: Duration) -> Result<NewKey> {
    let key = SigningKey::generate()?;
    let kid = key.public.thumbprint();
    let about = json!({ "kid": kid, "published_for_seconds": published_for.as_secs() });
    let audit = Draft::by_operator_to("token keys rotate", AUDITED_AS, about);
    let signs_from = keys::add(pool, &kid, &secret.seal(&key)?, published_for.as_secs_f64(), &audit).await?;
    Ok(NewKey { kid, signs_from })
}

/// Adds a key that signs at once, unless one does.
pub(super) async fn add_first(pool: &PgPool, secret: &KeysSecret) -> Result<()> {
    let key = SigningKey::generate()?;
    let kid = key.public.thumbprint();
    if keys::add_first(pool, &kid, &secret.seal(&key)?).await? {
        tracing::info!(key.id = kid, "made the first signing key");
    }
    Ok(())
}

/// All keys, in the order in which they sign.
///
/// # Errors
/// The database is away.
pub async fn list_keys(pool: &PgPool) -> Result<Vec<ListedKey>> {
    Ok(listed(keys::list(pool).await?, Utc::now()))
}

fn listed(stored: Vec<StoredKey>, now: DateTime<Utc>) -> Vec<ListedKey> {
    let times: Vec<_> = stored.iter().map(|key| key.signs_from).collect();
    let state = |at: usize| match times.get(at + 1) {
        _ if times[at] > now => KeyState::Published,
        Some(next) if *next <= now => {
            if is_over(&times, at, now) {
                KeyState::Over
            } else {
                KeyState::Retiring
            }
        }
        _ => KeyState::Signs,
    };
    let states: Vec<_> = (0..times.len()).map(state).collect();
    let listed = stored.into_iter().zip(states);
    listed
        .map(|(key, state)| ListedKey { kid: key.kid, created_at: key.created_at, signs_from: key.signs_from, state })
        .collect()
}

/// Removes a key at once, with all tokens that it signed, as an operator's command does; `false` when there is none.
///
/// # Errors
/// The database is away.
pub async fn withdraw_key(pool: &PgPool, kid: &str) -> Result<bool> {
    let audit = Draft::by_operator_to("token keys withdraw", AUDITED_AS, json!({ "kid": kid }));
    Ok(keys::withdraw(pool, kid, &audit).await?)
}

/// Removes the keys whose last token has expired; returns how many.
///
/// # Errors
/// The database is away.
pub async fn retire_keys(pool: &PgPool) -> Result<u64> {
    Ok(keys::retire(pool, KEPT_FOR.as_secs_f64()).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minutes)
    }

    fn ring(signs_from: &[i64]) -> Keyring {
        let entry = |minutes: &i64| Entry { key: SigningKey::generate().unwrap(), signs_from: at(*minutes) };
        Keyring(signs_from.iter().map(entry).collect())
    }

    #[test]
    fn one_signs_while_its_neighbours_are_accepted() {
        let ring = ring(&[0, 100, 200]);
        let kid = |index: usize| ring.0[index].key.public.thumbprint();
        let signer = |minutes| ring.signer(at(minutes)).map(|key| key.public.thumbprint());
        assert_eq!(signer(-1), Some(kid(0)), "rather early than not at all");
        assert_eq!(signer(0), Some(kid(0)));
        assert_eq!(signer(99), Some(kid(0)));
        assert_eq!(signer(100), Some(kid(1)));
        assert_eq!(signer(1_000), Some(kid(2)));
        let published = |minutes| ring.published(at(minutes)).map(PublicKey::thumbprint).collect::<Vec<_>>();
        assert_eq!(published(50), [kid(0), kid(1), kid(2)], "published before they sign");
        assert_eq!(published(115), [kid(0), kid(1), kid(2)], "its last token has just expired");
        assert_eq!(published(130), [kid(1), kid(2)]);
        assert_eq!(published(1_000), [kid(2)], "the last one stays");
    }

    #[test]
    fn a_list_tells_where_each_key_stands() {
        let stored = [0, 100, 200].map(|minutes| StoredKey {
            kid: minutes.to_string(),
            sealed: Vec::new(),
            created_at: at(0),
            signs_from: at(minutes),
        });
        let states =
            |minutes| listed(stored.to_vec(), at(minutes)).into_iter().map(|key| key.state).collect::<Vec<_>>();
        assert_eq!(states(50), [KeyState::Signs, KeyState::Published, KeyState::Published]);
        assert_eq!(states(101), [KeyState::Retiring, KeyState::Signs, KeyState::Published]);
        assert_eq!(states(201), [KeyState::Over, KeyState::Retiring, KeyState::Signs]);
    }
}
