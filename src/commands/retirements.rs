//! From settings to what the API says of versions and operations that are about to go.

use std::collections::BTreeMap;

use ::api::{Retirement, Retirements};
use anyhow::{Context, Result, anyhow};
use chrono::{DateTime, Utc};
use settings::Settings;

/// # Errors
/// A name, a time or a link that is none.
pub fn retirements(settings: &Settings) -> Result<Retirements> {
    let mut all = BTreeMap::new();
    for (name, set) in &settings.api.retirements {
        let time = |key: &str, text: &str| -> Result<DateTime<Utc>> {
            text.parse().with_context(|| format!("api.retirements.{name}.{key} is not a time of RFC 3339"))
        };
        let given = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let retirement = Retirement {
            deprecated_at: time("deprecated_at", &set.deprecated_at)?,
            sunset_at: given(&set.sunset_at).map(|text| time("sunset_at", &text)).transpose()?,
            link: given(&set.link),
        };
        all.insert(name.clone(), retirement);
    }
    Retirements::new(all).map_err(|reason| anyhow!("api.retirements: {reason}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: &str, value: &str) -> Result<Retirements> {
        let deprecated = ("ZAMA__API__RETIREMENTS__V1__DEPRECATED_AT", "2027-01-31T00:00:00Z");
        let key = format!("ZAMA__API__RETIREMENTS__{key}");
        let variables = [deprecated, (key.as_str(), value)].map(|(key, value)| (key.to_owned(), value.to_owned()));
        retirements(&Settings::load_with(None, variables)?)
    }

    #[test]
    fn times_and_names_are_read_from_the_environment_too() {
        assert!(retirements(&Settings::load_with(None, []).unwrap()).is_ok(), "nothing is about to go at first");
        assert!(set("V1__SUNSET_AT", "2027-07-31T00:00:00Z").is_ok());
        assert!(set("GET_USAGE__DEPRECATED_AT", "2027-01-31T00:00:00Z").is_ok());
        for (key, value, told) in [
            ("V1__SUNSET_AT", "soon", "api.retirements.v1.sunset_at"),
            ("V1__SUNSET_AT", "2026-07-31T00:00:00Z", "before the deprecation"),
            ("V9__DEPRECATED_AT", "2027-01-31T00:00:00Z", "v9"),
            ("V1__LINK", "nowhere", "no URL"),
            ("V1__SUNSET", "2027-07-31T00:00:00Z", "sunset"),
        ] {
            let refused = format!("{:#}", set(key, value).expect_err(key));
            assert!(refused.contains(told), "{refused}");
        }
    }
}
