//! Notices of the billing system (Lago's webhooks): whether it was really the billing system that sent one.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::billing_system::{BillingSystem, BillingUnavailable};

/// A key that does not fit is asked for again, and not sooner than this.
const ASK_AGAIN: Duration = Duration::from_secs(60);
/// A billing system that told no key is not asked again sooner than this, however many notices come: anybody can send some.
/// Shorter than Lago's pause before its last try.
const LEFT_ALONE: Duration = Duration::from_secs(5);

/// The door for notices.
pub struct Notices {
    pub(crate) billing: Arc<dyn BillingSystem>,
    known: RwLock<Option<Known>>,
    /// Held by the one who asks; when the billing system was asked last and told nothing.
    asking: Mutex<Option<Instant>>,
    ask_again: Duration,
    left_alone: Duration,
}

#[derive(Clone)]
struct Known {
    key: DecodingKey,
    asked: Instant,
}

/// What a signature says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signature {
    Genuine,
    Forged,
}

/// The key is not known, and the billing system is not asked for it before this time is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUnknown {
    pub(crate) again: Duration,
}

#[derive(Deserialize)]
struct Claims {
    /// The notice, word for word.
    data: String,
}

impl Notices {
    #[must_use]
    pub fn of(billing: Arc<dyn BillingSystem>) -> Self {
        let (known, asking) = (RwLock::default(), Mutex::default());
        Self { billing, known, asking, ask_again: ASK_AGAIN, left_alone: LEFT_ALONE }
    }

    /// Whether notices can be checked at all. To be asked before a body is read, so that nobody waits for a key with one.
    pub(crate) async fn are_ready(&self) -> Result<(), KeyUnknown> {
        self.key_but(None).await.map(drop)
    }

    /// Whether `signature` (a JWT, RS256) is the billing system's over these very bytes.
    pub(crate) async fn check(&self, signature: &str, body: &[u8]) -> Result<Signature, KeyUnknown> {
        let known = self.key_but(None).await?;
        if is_over(&known.key, signature, body) {
            return Ok(Signature::Genuine);
        }
        // It may have another key since; whoever forges notices makes us ask seldom.
        let newer = self.key_but(Some(known.asked)).await?;
        Ok(if is_over(&newer.key, signature, body) { Signature::Genuine } else { Signature::Forged })
    }

    /// The key; another one than that of `but` where it is time to ask for it. Who has a key that fits waits for nobody.
    async fn key_but(&self, but: Option<Instant>) -> Result<Known, KeyUnknown> {
        if let Some(known) = self.known(but) {
            return Ok(known);
        }
        let mut failed = match but {
            None => self.asking.lock().await,
            // It has its body with it, and waits for nobody.
            Some(_) => self.asking.try_lock().map_err(|_| KeyUnknown { again: self.left_alone })?,
        };
        // Whoever asked meanwhile may have heard it.
        if let Some(known) = self.known(but) {
            return Ok(known);
        }
        let left = failed.map_or(Duration::ZERO, |at| self.left_alone.saturating_sub(at.elapsed()));
        if !left.is_zero() {
            return Err(KeyUnknown { again: left });
        }
        // Noted before: a client that goes away while we ask for it has had us ask.
        *failed = Some(Instant::now());
        match self.ask().await {
            Ok(known) => {
                *failed = None;
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known.clone());
                Ok(known)
            }
            Err(error) => {
                // From its end: it may have taken longer than it is left alone.
                *failed = Some(Instant::now());
                tracing::warn!(%error, "notices of the billing system cannot be checked");
                Err(KeyUnknown { again: self.left_alone })
            }
        }
    }

    fn known(&self, but: Option<Instant>) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().filter(|known| but != Some(known.asked) || known.asked.elapsed() < self.ask_again).cloned()
    }

    async fn ask(&self) -> Result<Known, BillingUnavailable> {
        let pem = self.billing.notice_key().await?;
        let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| BillingUnavailable(error.to_string()))?;
        Ok(Known { key, asked: Instant::now() })
    }
}

fn is_over(key: &DecodingKey, signature: &str, body: &[u8]) -> bool {
    let mut validation = Validation::new(Algorithm::RS256);
    // It carries no times: a notice that comes again is known by its own key.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_aud = false;
    decode::<Claims>(signature, key, &validation).is_ok_and(|token| token.claims.data.as_bytes() == body)
}

#[cfg(test)]
mod tests;
