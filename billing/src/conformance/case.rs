//! The table of cases: `conformance/cases.json`, which is part of the program.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use super::fill;
use crate::LagoError;

const TABLE: &str = include_str!("../../conformance/cases.json");

/// Every case, in the order in which they are run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    #[serde(rename = "about")]
    _about: String,
    cases: Vec<Case>,
}

/// A request and what must be answered.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    /// `group: what`.
    pub name: String,
    /// Cases that must have been run before, beside those whose captures are used.
    #[serde(default)]
    after: Vec<String>,
    pub(super) request: Request,
    pub(super) expect: Expectation,
    /// Name to JSON pointer into the answer.
    #[serde(default)]
    pub(super) capture: BTreeMap<String, String>,
    pub(super) cleanup: Option<Cleanup>,
    /// Asked again until it is so: Lago does it in a job.
    #[serde(default)]
    pub(super) eventually: bool,
    /// What it leaves for ever.
    pub(super) remains: Option<String>,
    /// What to think of where it differs.
    pub(super) note: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    pub method: String,
    /// Below the API's address.
    pub path: Option<String>,
    /// Anywhere else.
    pub url: Option<String>,
    pub body: Option<Value>,
    #[serde(default)]
    pub key: Key,
}

/// The API key that is sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Key {
    #[default]
    Own,
    Wrong,
    None,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expectation {
    pub status: u16,
    /// A shape of JSON.
    pub body: Option<Value>,
    /// The first letters of what is no JSON.
    pub starts_with: Option<String>,
}

/// What removes the thing that a case made.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cleanup {
    pub path: String,
    /// The case makes nothing where all is well.
    #[serde(default)]
    pub may_be_missing: bool,
}

impl Table {
    /// The table as it was recorded.
    ///
    /// # Errors
    /// [`LagoError::Invalid`] when it is damaged, which a test rules out.
    pub fn recorded() -> Result<Self, LagoError> {
        serde_json::from_str(TABLE).map_err(|error| LagoError::Invalid(format!("the table of cases: {error}")))
    }

    /// All cases.
    #[must_use]
    pub fn cases(&self) -> &[Case] {
        &self.cases
    }

    /// The cases whose names begin so, with those that they need, in their order; all of them without a wish.
    ///
    /// # Errors
    /// [`LagoError::Invalid`] for a wish that no case has.
    pub fn selected(&self, only: &[String]) -> Result<Vec<&Case>, LagoError> {
        if let Some(unknown) = only.iter().find(|wish| self.named(wish).next().is_none()) {
            return Err(LagoError::Invalid(format!("no case begins with {unknown:?}: see --list")));
        }
        let mut needed: BTreeSet<&str> =
            only.iter().flat_map(|wish| self.named(wish)).map(|case| case.name.as_str()).collect();
        // Whatever a case needs stands before it, so that one look from the end finds all.
        for case in self.cases.iter().rev() {
            if needed.contains(case.name.as_str()) {
                needed.extend(case.after.iter().map(String::as_str));
                needed.extend(case.used().iter().filter_map(|name| self.source(name)));
            }
        }
        Ok(self.cases.iter().filter(|case| only.is_empty() || needed.contains(case.name.as_str())).collect())
    }

    fn named<'a>(&'a self, wish: &'a str) -> impl Iterator<Item = &'a Case> {
        self.cases.iter().filter(move |case| case.name.starts_with(wish))
    }

    /// The case that captures a name.
    fn source(&self, name: &str) -> Option<&str> {
        self.cases.iter().find(|case| case.capture.contains_key(name)).map(|case| case.name.as_str())
    }
}

impl Case {
    /// The request as it is listed.
    #[must_use]
    pub fn request_line(&self) -> String {
        let Request { method, path, url, .. } = &self.request;
        format!("{method} {}", path.as_ref().or(url.as_ref()).map_or("", String::as_str))
    }

    /// The status that is expected.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.expect.status
    }

    /// Names that it needs a value for.
    fn used(&self) -> BTreeSet<String> {
        let texts =
            [&self.request.path, &self.request.url].into_iter().flatten().map(|text| Value::from(text.as_str()));
        let bodies = [&self.request.body, &self.expect.body].into_iter().flatten().cloned();
        texts.chain(bodies).flat_map(|value| fill::names(&value)).collect()
    }
}

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;
    use crate::query::Query;

    /// Routes that no case needs: the stand-in's own, and pages for people.
    #[test]
    fn every_endpoint_of_the_stand_in_has_a_case() {
        let routes = include_str!("../standin/routes/mod.rs");
        let api = &routes[routes.find("let api = ").unwrap()..routes.find(".fallback(").unwrap()];
        let table = Table::recorded().unwrap();
        for (path, methods) in routed(api) {
            for method in methods {
                let is_covered = table.cases().iter().any(|case| {
                    case.request.method == method.to_uppercase()
                        && case.request.path.as_deref().is_some_and(|asked| fits(asked, &path))
                });
                // The other name of a download.
                assert!(is_covered || path.ends_with("download_pdf"), "no case for {method} {path}");
            }
        }
    }

    /// `.route("/path", get(a).post(b))` as path and methods.
    fn routed(text: &str) -> Vec<(String, Vec<&'static str>)> {
        let routes = text.split(".route(").skip(1).map(|route| {
            let path = route.split('"').nth(1).unwrap().to_owned();
            let methods = ["get", "post", "put", "delete"];
            (path, methods.into_iter().filter(|method| route.contains(&format!("{method}("))).collect())
        });
        routes.collect()
    }

    fn fits(asked: &str, route: &str) -> bool {
        let asked: Vec<&str> = asked.split('?').next().unwrap().split('/').collect();
        let route: Vec<&str> = route.trim_start_matches('/').split('/').collect();
        let same = |(asked, part): (&&str, &&str)| part.starts_with('{') || asked == part;
        asked.len() == route.len() && asked.iter().zip(&route).all(same)
    }

    /// A query of each kind with all that it may ask for, and the route that takes it.
    fn queries() -> [(&'static str, Query<'static>); 7] {
        let id = "acme";
        let (page, per_page) = (1, 100);
        let day = NaiveDate::from_ymd_opt(2026, 11, 22);
        let events = Query::Events {
            external_subscription_id: id,
            timestamp_from: String::new(),
            timestamp_to: String::new(),
            page,
            per_page,
        };
        let invoices =
            Query::Invoices { external_customer_id: id, issuing_date_from: day, issuing_date_to: day, page, per_page };
        [
            ("/customers/{external_id}/current_usage", Query::CurrentUsage { external_subscription_id: id }),
            ("/events", events),
            ("/invoices", invoices),
            ("/subscriptions/{external_id}", Query::Subscription { status: "active" }),
            ("/subscriptions", Query::Subscriptions { page, per_page }),
            ("/wallets", Query::Wallets { external_customer_id: id, page, per_page }),
            ("/wallets/{id}/wallet_transactions", Query::WalletTransactions { page, per_page }),
        ]
    }

    /// The names of the kinds that there are.
    fn kinds_of_query() -> BTreeSet<&'static str> {
        let source = include_str!("../query.rs");
        let (_, source) = source.split_once("enum Query<'a> {").unwrap();
        let (kinds, _) = source.split_once("\n}").unwrap();
        let named = kinds.lines().filter_map(|line| line.strip_prefix("    "));
        let named = named.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
        named.filter_map(|line| line.split(' ').next()).collect()
    }

    /// The keys of the query with which a case asks.
    fn keys(asked: &str) -> Vec<&str> {
        let query = asked.split_once('?').map_or("", |(_, query)| query);
        query.split('&').filter_map(|pair| pair.split('=').next()).collect()
    }

    #[test]
    fn every_key_of_a_query_that_the_client_sends_has_a_case() {
        let (table, queries) = (Table::recorded().unwrap(), queries());
        let shown: Vec<String> = queries.iter().map(|(_, query)| format!("{query:?}")).collect();
        let kinds: BTreeSet<&str> = shown.iter().filter_map(|text| text.split(' ').next()).collect();
        assert_eq!(kinds, kinds_of_query(), "each kind of query is to be looked at here");
        for (route, query) in &queries {
            let sent = serde_json::to_value(query).unwrap();
            for key in sent.as_object().unwrap().keys() {
                let is_asked = table.cases().iter().any(|case| {
                    let asked = case.request.path.as_deref().unwrap_or_default();
                    case.request.method == "GET" && fits(asked, route) && keys(asked).contains(&key.as_str())
                });
                assert!(is_asked, "no case asks {route} with {key}");
            }
        }
    }

    #[test]
    fn a_selection_brings_what_it_needs_and_nothing_else() {
        let table = Table::recorded().unwrap();
        let names = |only: &str| {
            let selected = table.selected(&[only.to_owned()]).unwrap();
            selected.iter().map(|case| case.name.clone()).collect::<Vec<_>>()
        };
        let shown = names("metrics: show");
        assert_eq!(shown, ["metrics: create a sum", "metrics: show", "metrics: show what is not"]);
        let usage = names("current usage: priced");
        for needed in ["plans: create", "customers: create", "events: send one", "events: a batch", "taxes: create"] {
            assert!(usage.iter().any(|name| name == needed), "{needed} is missing: {usage:?}");
        }
        assert!(!usage.iter().any(|name| name.starts_with("wallets")));
        assert!(table.selected(&["nothing".to_owned()]).is_err());
        assert_eq!(table.selected(&[]).unwrap().len(), table.cases().len());
    }

    #[test]
    fn names_are_unique_and_what_is_needed_comes_before() {
        let table = Table::recorded().unwrap();
        let mut before = BTreeSet::new();
        for case in table.cases() {
            assert!(case.after.iter().all(|name| before.contains(name)), "{} needs what comes later", case.name);
            for name in case.used() {
                let is_known =
                    fill::is_given(&name) || table.source(&name).is_some_and(|source| before.contains(source));
                assert!(is_known, "{} uses {name}, which nobody captured", case.name);
            }
            assert!(before.insert(case.name.clone()), "{} is there twice", case.name);
        }
    }
}
