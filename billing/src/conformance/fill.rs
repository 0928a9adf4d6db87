//! `{{name}}` in requests and shapes: what an earlier case captured, or what every run has.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

/// Names that every run has; `index` counts within `$repeat`.
const GIVEN: [&str; 5] = ["prefix", "now", "minute_ago", "two_minutes_ago", "index"];

#[cfg(test)]
pub(super) fn is_given(name: &str) -> bool {
    GIVEN.contains(&name)
}

/// Names and their values.
#[derive(Clone, Debug)]
pub(super) struct Names(BTreeMap<String, Value>);

impl Names {
    /// What every run has, under a prefix that no other run has.
    pub(super) fn of_run() -> Self {
        let now = Utc::now();
        let minute_ago = (now - TimeDelta::minutes(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
        let prefix = format!("zc{}", &Uuid::new_v4().simple().to_string()[..10]);
        let two_minutes_ago = (now - TimeDelta::minutes(2)).timestamp();
        let given = [json!(prefix), json!(now.timestamp()), json!(minute_ago), json!(two_minutes_ago)];
        Self(GIVEN.iter().map(|name| (*name).to_owned()).zip(given).collect())
    }

    pub(super) fn prefix(&self) -> String {
        self.text("prefix").unwrap_or_default()
    }

    pub(super) fn insert(&mut self, name: &str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    fn text(&self, name: &str) -> Option<String> {
        self.0.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }

    /// The value with its names replaced; a text that is nothing but a name becomes what the name stands for.
    ///
    /// # Errors
    /// The first name that has no value.
    pub(super) fn fill(&self, value: &Value) -> Result<Value, String> {
        match value {
            Value::String(text) => {
                let alone = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
                match alone.filter(|name| !name.contains("{{")) {
                    Some(name) => self.0.get(name).cloned().ok_or_else(|| name.to_owned()),
                    None => self.fill_text(text).map(Value::String),
                }
            }
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>().map(Value::Array),
            Value::Object(members) => match (members.get("$repeat").and_then(Value::as_u64), members.get("$item")) {
                (Some(times), Some(item)) => {
                    let numbered = (0..times).map(|index| {
                        let mut names = self.clone();
                        names.insert("index", json!(index));
                        names.fill(item)
                    });
                    numbered.collect::<Result<_, _>>().map(Value::Array)
                }
                _ => {
                    let filled = members.iter().map(|(name, value)| Ok((name.clone(), self.fill(value)?)));
                    filled.collect::<Result<_, String>>().map(Value::Object)
                }
            },
            other => Ok(other.clone()),
        }
    }

    /// As [`Self::fill`], of text.
    pub(super) fn fill_text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            let (name, after) = after.split_once("}}").ok_or_else(|| after.to_owned())?;
            filled += before;
            filled += &self.text(name).ok_or_else(|| name.to_owned())?;
            rest = after;
        }
        Ok(filled + rest)
    }
}

/// Every name in a value.
pub(super) fn names(value: &Value) -> BTreeSet<String> {
    match value {
        Value::String(text) => {
            let parts = text.split("{{").skip(1);
            parts.filter_map(|part| part.split_once("}}")).map(|(name, _)| name.to_owned()).collect()
        }
        Value::Array(items) => items.iter().flat_map(names).collect(),
        Value::Object(members) => members.values().flat_map(names).collect(),
        _ => BTreeSet::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_alone_keeps_its_type_and_one_in_text_is_text() {
        let mut run = Names::of_run();
        run.insert("count", json!(3));
        let filled = run.fill(&json!({ "a": "{{count}}", "b": ["x-{{count}}-{{count}}"] })).unwrap();
        assert_eq!(filled, json!({ "a": 3, "b": ["x-3-3"] }));
        let repeated = run.fill(&json!({ "$repeat": 2, "$item": { "id": "n{{index}}" } })).unwrap();
        assert_eq!(repeated, json!([{ "id": "n0" }, { "id": "n1" }]));
        assert_eq!(run.fill(&json!("{{unknown}}")), Err("unknown".to_owned()));
        assert_eq!(run.fill_text("a/{{unknown}}/b"), Err("unknown".to_owned()));
        assert_eq!(names(&json!({ "x": ["{{a}}/{{b}}", 1] })).into_iter().collect::<Vec<_>>(), ["a", "b"]);
    }
}
