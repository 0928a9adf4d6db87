//! Notices of the billing system (Lago's webhooks): whether it was really the billing system that sent one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
use serde::Deserialize;
use tokio::sync::Mutex;

use crate::billing_system::{BillingSystem, BillingUnavailable};

/// A key that does not fit is asked for again, and not sooner than this.
const ASK_AGAIN: Duration = Duration::from_secs(60);

/// The door for notices.
pub struct Notices {
    pub(crate) billing: Arc<dyn BillingSystem>,
    key: Mutex<Option<Known>>,
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

#[derive(Deserialize)]
struct Claims {
    /// The notice, word for word.
    data: String,
}

impl Notices {
    #[must_use]
    pub fn of(billing: Arc<dyn BillingSystem>) -> Self {
        Self { billing, key: Mutex::default() }
    }

    /// Whether `signature` (a JWT, RS256) is the billing system's over these very bytes.
    pub(crate) async fn check(&self, signature: &str, body: &[u8]) -> Result<Signature, BillingUnavailable> {
        let known = self.known(None).await?;
        if is_over(&known.key, signature, body) {
            return Ok(Signature::Genuine);
        }
        // It may have another key since; whoever forges notices makes us ask seldom.
        let newer = self.known(Some(known.asked)).await?;
        Ok(if is_over(&newer.key, signature, body) { Signature::Genuine } else { Signature::Forged })
    }

    /// The key; another one than that of `but` where it is time to ask for it.
    async fn known(&self, but: Option<Instant>) -> Result<Known, BillingUnavailable> {
        let mut known = self.key.lock().await;
        if let Some(known) =
            known.as_ref().filter(|known| but != Some(known.asked) || known.asked.elapsed() < ASK_AGAIN)
        {
            return Ok(known.clone());
        }
        let pem = self.billing.notice_key().await?;
        let key = DecodingKey::from_rsa_pem(pem.as_bytes()).map_err(|error| BillingUnavailable(error.to_string()))?;
        Ok(known.insert(Known { key, asked: Instant::now() }).clone())
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
