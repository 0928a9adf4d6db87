//! What may be said of a wallet.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::Decimal;
use crate::standin::answer::Refusal;
use crate::standin::prepaid::{LOWEST_PRIORITY, Pair, Wallet};
use crate::standin::routes::unknown_to;
use crate::standin::routes::wallet_transactions::{Added, metadata_errors};

/// What Lago can do with a wallet, and the stand-in cannot.
const UNSUPPORTED: [&str; 6] = [
    "recurring_transaction_rules",
    "paid_top_up_min_amount_cents",
    "paid_top_up_max_amount_cents",
    "payment_method",
    "invoice_custom_section",
    "applies_to",
];

#[derive(Deserialize)]
pub(super) struct Input {
    pub external_customer_id: Option<String>,
    code: Option<String>,
    pub name: Option<String>,
    pub priority: Option<i64>,
    /// Text, or a number.
    rate_amount: Option<Value>,
    pub currency: Option<String>,
    paid_credits: Option<Value>,
    granted_credits: Option<Value>,
    pub expiration_at: Option<String>,
    pub invoice_requires_successful_payment: Option<bool>,
    transaction_name: Option<String>,
    transaction_metadata: Option<Value>,
    pub metadata: Option<Map<String, Value>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Input {
    pub(super) fn refuse_the_unsupported(&self) -> Result<(), Refusal> {
        unknown_to("a wallet", &UNSUPPORTED, &self.rest)
    }

    pub(super) fn rate(&self) -> Result<Decimal, Refusal> {
        let text = match &self.rate_amount {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Number(number)) => number.to_string(),
            _ => String::new(),
        };
        // Rails' own words, which Lago has not replaced.
        let rate: Decimal = text.parse().map_err(|_| Refusal::field("rate_amount", "is not a number"))?;
        let is_positive = !rate.is_negative() && !rate.is_zero();
        if is_positive { Ok(rate) } else { Err(Refusal::field("rate_amount", "value_is_out_of_range")) }
    }

    /// The code that is asked for, or one made of the name.
    pub(super) fn code<'a>(
        &self,
        mut others: impl Iterator<Item = &'a Wallet>,
        now: DateTime<Utc>,
    ) -> Result<String, Refusal> {
        match self.code.as_deref().filter(|code| !code.is_empty()) {
            Some(code) => unique(code, others),
            None => {
                let code = made_of(self.name.as_deref().unwrap_or_default());
                let is_taken = others.any(|other| other.code == code);
                Ok(if is_taken { format!("{code}_{}", now.timestamp()) } else { code })
            }
        }
    }

    /// The credits that it begins with.
    pub(super) fn added(&self, errors: &mut Map<String, Value>) -> Added {
        let metadata = self.transaction_metadata.as_ref();
        metadata_errors(metadata, errors);
        Added {
            paid: Added::credits("paid_credits", self.paid_credits.as_ref(), errors),
            granted: Added::credits("granted_credits", self.granted_credits.as_ref(), errors),
            voided: None,
            name: self.transaction_name.clone().filter(|name| !name.is_empty()),
            metadata: pairs(metadata),
            priority: LOWEST_PRIORITY,
            invoice_requires_successful_payment: self.invoice_requires_successful_payment.unwrap_or(false),
        }
    }
}

pub(in crate::standin::routes) fn pairs(metadata: Option<&Value>) -> Vec<Pair> {
    metadata.and_then(|list| serde_json::from_value(list.clone()).ok()).unwrap_or_default()
}

/// A change; a field that is absent stays.
#[derive(Deserialize)]
pub(super) struct Update {
    code: Option<String>,
    priority: Option<i64>,
    invoice_requires_successful_payment: Option<bool>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Update {
    pub(super) fn refuse_the_unsupported(&self) -> Result<(), Refusal> {
        unknown_to("a wallet", &UNSUPPORTED, &self.rest)
    }

    pub(super) fn applied<'a>(
        &self,
        known: &Wallet,
        others: impl Iterator<Item = &'a Wallet>,
        now: DateTime<Utc>,
    ) -> Result<Wallet, Refusal> {
        let mut wallet = known.clone();
        // These are changed to nothing by a null.
        if let Some(name) = self.rest.get("name") {
            wallet.name = name.as_str().map(str::to_owned);
        }
        if let Some(time) = self.rest.get("expiration_at") {
            let mut errors = Map::new();
            wallet.expiration_at = expiration(time.as_str(), now, &mut errors);
            if !errors.is_empty() {
                return Err(Refusal::Invalid(errors));
            }
        }
        if let Some(metadata) = self.rest.get("metadata") {
            wallet.metadata = metadata.as_object().cloned().unwrap_or_default();
        }
        if let Some(code) = &self.code {
            wallet.code = unique(code, others)?;
        }
        wallet.priority = priority(self.priority)?.unwrap_or(wallet.priority);
        if let Some(required) = self.invoice_requires_successful_payment {
            wallet.invoice_requires_successful_payment = required;
        }
        Ok(wallet)
    }
}

fn unique<'a>(code: &str, mut others: impl Iterator<Item = &'a Wallet>) -> Result<String, Refusal> {
    if others.any(|other| other.code == code) {
        Err(Refusal::field("code", "value_already_exist"))
    } else {
        Ok(code.to_owned())
    }
}

/// Lower case, what is neither letter nor digit as one `_`.
fn made_of(name: &str) -> String {
    let words =
        name.split(|c: char| !c.is_ascii_alphanumeric() && c != '-' && c != '_').filter(|word| !word.is_empty());
    let code = words.collect::<Vec<_>>().join("_").to_ascii_lowercase();
    if code.is_empty() { "default".to_owned() } else { code }
}

pub(in crate::standin::routes) fn priority(priority: Option<i64>) -> Result<Option<u8>, Refusal> {
    let Some(priority) = priority else { return Ok(None) };
    let known = u8::try_from(priority).ok().filter(|priority| (1..=LOWEST_PRIORITY).contains(priority));
    known.map(Some).ok_or_else(|| Refusal::field("priority", "value_is_invalid"))
}

/// A time that is to come.
pub(super) fn expiration(
    text: Option<&str>,
    now: DateTime<Utc>,
    errors: &mut Map<String, Value>,
) -> Option<DateTime<Utc>> {
    let text = text.filter(|text| !text.is_empty())?;
    let time = DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()).filter(|time| *time > now);
    if time.is_none() {
        errors.insert("expiration_at".to_owned(), json!(["invalid_date"]));
    }
    time
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_made_of_the_name() {
        for (name, code) in
            [("Prepaid credits", "prepaid_credits"), ("  Zama / 2026 ", "zama_2026"), ("", "default"), ("é", "default")]
        {
            assert_eq!(made_of(name), code);
        }
    }

    #[test]
    fn a_priority_is_one_to_fifty() {
        assert_eq!(priority(Some(1)).unwrap(), Some(1));
        assert_eq!(priority(None).unwrap(), None);
        assert!(priority(Some(0)).is_err() && priority(Some(51)).is_err() && priority(Some(-1)).is_err());
    }
}
