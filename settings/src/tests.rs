//! The configuration as a whole: its layers, its variables, and what production refuses.

use super::*;

#[test]
fn defaults_are_complete() {
    let settings = Settings::load(None).expect("the defaults alone are a valid configuration");
    assert_eq!(settings.environment, Deployment::Development);
}

#[test]
fn the_issuer_is_the_apis_address_unless_another_is_named() {
    let of = |variables: &[(&str, &str)]| {
        let variables = variables.iter().map(|(key, value)| (format!("ZAMA__{key}"), (*value).to_owned()));
        Settings::load_with(None, variables).expect("sound settings").issuer().to_owned()
    };
    let api = ("API__PUBLIC_URL", "https://api.example.com/");
    assert_eq!(of(&[api]), "https://api.example.com");
    assert_eq!(of(&[api, ("AUTH__ISSUER", "https://id.example.com/")]), "https://id.example.com/");
}

#[test]
fn unknown_keys_are_refused() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("zama.toml");
    std::fs::write(&file, "[api]\nlissen = \"127.0.0.1:1\"\n").expect("the file is written");
    let error = format!("{:#}", Settings::load(Some(&file)).expect_err("a misspelt key is refused"));
    assert!(error.contains("lissen"), "{error}");
}

#[test]
fn variables_are_read_as_their_keys_want_them() {
    let set = |key: &str, value: &str| {
        Settings::load_with(None, [(format!("ZAMA__{key}"), value.to_owned())]).map_err(|error| format!("{error:#}"))
    };
    let of_digits = set("BILLING__LAGO_KEY", "00712").expect("a secret of digits alone");
    assert_eq!(of_digits.billing.lago_key, "00712");
    assert_eq!(set("METERING__REPORTER_SECONDS", "7").expect("a number").metering.reporter_seconds, 7);
    assert!(!set("DEVELOPMENT__CHAIN_MAY_FORGET", "false").expect("a truth value").development.chain_may_forget);
    let refused = set("METERING__REPORTER_SECONDS", "soon").expect_err("no number");
    assert!(refused.contains("reporter_seconds") && refused.contains("soon"), "{refused}");
}

/// Every key of the defaults with the variable that overrides it and the default's text.
fn variables() -> Vec<(String, String)> {
    fn flatten(path: &str, value: toml::Value, variables: &mut Vec<(String, toml::Value)>) {
        match value {
            toml::Value::Table(table) => {
                for (key, value) in table {
                    let path = if path.is_empty() { key } else { format!("{path}__{key}") };
                    flatten(&path, value, variables);
                }
            }
            value => variables.push((path.to_owned(), value)),
        }
    }
    let defaults: toml::Table = DEFAULTS.parse().expect("the defaults are TOML");
    let mut variables = Vec::new();
    flatten("", toml::Value::Table(defaults), &mut variables);
    let text = |value: toml::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    variables.into_iter().map(|(path, value)| (format!("ZAMA__{}", path.to_uppercase()), text(value))).collect()
}

#[test]
fn every_key_is_an_environment_variable() {
    // Whatever type a key has: as a text it differs from every default, and no number or truth value is spelt so.
    const OTHER: &str = "another value";
    let load = |variable: &str, value: &str| {
        let settings = Settings::load_with(None, [(variable.to_owned(), value.to_owned())]);
        settings.map(|settings| format!("{settings:?}")).map_err(|error| format!("{error:#}"))
    };
    let defaults = format!("{:?}", Settings::load_with(None, []).expect("the defaults are valid"));
    let variables = variables();
    assert!(variables.len() > 80, "all of {} keys", variables.len());
    for (variable, text) in variables {
        assert_eq!(load(&variable, &text).as_ref(), Ok(&defaults), "{variable}={text}");
        match load(&variable, OTHER) {
            Ok(settings) => assert!(settings.contains(OTHER), "{variable} is not read: {settings}"),
            Err(refusal) => {
                let key = variable.rsplit("__").next().expect("a key").to_lowercase();
                assert!(refusal.contains(&key), "{variable} is not named: {refusal}");
            }
        }
    }
}

#[test]
fn production_refuses_hosts_that_are_not_public() {
    let variables = [("ENVIRONMENT", "production"), ("DEVELOPMENT__FETCH_HOSTS", "blobs.test=127.0.0.1")];
    let variables = variables.map(|(key, value)| (format!("ZAMA__{key}"), value.to_owned()));
    let error = format!("{:#}", Settings::load_with(None, variables).expect_err("a private host is refused"));
    assert!(error.contains("development.fetch_hosts"), "{error}");
}

#[test]
fn production_refuses_development_secrets() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let file = dir.path().join("zama.toml");
    std::fs::write(&file, "environment = \"production\"\n").expect("the file is written");
    let error = format!("{:#}", Settings::load(Some(&file)).expect_err("development secrets are refused"));
    for key in [
        "database.url",
        "database.migration_url",
        "temporal.codec_keys",
        "chain.confirmer_key",
        "chain.deployer_key",
        "billing.lago_key",
        "kms.storage_secret",
        "kms.api_credential",
        "kms.worker_credential",
        "kms.worker_addresses",
        "auth.keys_secret",
    ] {
        assert!(error.contains(key), "{key} is not named in: {error}");
    }
}
