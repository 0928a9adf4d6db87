//! Shapes: what an answer must look like, where its values differ from run to run.

use chrono::{DateTime, NaiveDate};
use serde_json::Value;
use uuid::Uuid;

use crate::Decimal;

/// Where and how a value differs from its shape; nothing where it does not.
pub(super) fn differences(shape: &Value, found: &Value) -> Vec<String> {
    let mut differing = Vec::new();
    compare(shape, found, "", &mut differing);
    differing
}

fn compare(shape: &Value, found: &Value, at: &str, differing: &mut Vec<String>) {
    match shape {
        Value::String(text) => {
            let is_so = match text.strip_prefix('=') {
                Some(exact) => found == exact,
                None => text.split('|').any(|kind| is_of(kind, found)),
            };
            if !is_so {
                differ(at, text.trim_start_matches('='), found, differing);
            }
        }
        Value::Array(items) => list(items, found, at, differing),
        Value::Object(members) => match members.get("$is") {
            Some(exact) if same(exact, found) => {}
            Some(exact) => differ(at, &exact.to_string(), found, differing),
            None if members.keys().any(|name| name.starts_with('$')) => among(members, found, at, differing),
            None => {
                let Some(object) = found.as_object() else { return differ(at, "an object", found, differing) };
                for (name, shape) in members {
                    match object.get(name) {
                        Some(value) => compare(shape, value, &format!("{at}/{name}"), differing),
                        None => differing.push(format!("{at}/{name}: missing")),
                    }
                }
            }
        },
        exact if same(exact, found) => {}
        exact => differ(at, &exact.to_string(), found, differing),
    }
}

/// One shape for all items, or one for each.
fn list(shapes: &[Value], found: &Value, at: &str, differing: &mut Vec<String>) {
    let Some(items) = found.as_array() else { return differ(at, "a list", found, differing) };
    match shapes {
        [_] if items.is_empty() => differ(at, "a list that is not empty", found, differing),
        [shape] => {
            for (index, item) in items.iter().enumerate() {
                compare(shape, item, &format!("{at}/{index}"), differing);
            }
        }
        shapes if shapes.len() != items.len() => {
            differ(at, &format!("a list of {}", shapes.len()), found, differing);
        }
        shapes => {
            for (index, (shape, item)) in shapes.iter().zip(items).enumerate() {
                compare(shape, item, &format!("{at}/{index}"), differing);
            }
        }
    }
}

/// `$all`, `$some` and `$first` of a list.
fn among(members: &serde_json::Map<String, Value>, found: &Value, at: &str, differing: &mut Vec<String>) {
    let Some(items) = found.as_array().filter(|items| !items.is_empty()) else {
        return differ(at, "a list that is not empty", found, differing);
    };
    if let Some(shape) = members.get("$all") {
        for (index, item) in items.iter().enumerate() {
            compare(shape, item, &format!("{at}/{index}"), differing);
        }
    }
    if let (Some(shape), Some(first)) = (members.get("$first"), items.first()) {
        compare(shape, first, &format!("{at}/0"), differing);
    }
    if let Some(shape) = members.get("$some") {
        let nearest = items.iter().map(|item| differences(shape, item)).min_by_key(Vec::len).unwrap_or_default();
        let at = place(at);
        differing.extend(nearest.into_iter().map(|what| format!("{at}: no item fits, the nearest at {what}")));
    }
}

fn differ(at: &str, expected: &str, found: &Value, differing: &mut Vec<String>) {
    const SHOWN: usize = 120;
    let mut text = found.to_string();
    if let Some((end, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(end);
        text.push('…');
    }
    differing.push(format!("{}: expected {expected}, found {text}", place(at)));
}

fn place(at: &str) -> &str {
    if at.is_empty() { "/" } else { at }
}

/// Equal, numbers by value however they are written.
fn same(exact: &Value, found: &Value) -> bool {
    match (exact, found) {
        (Value::Number(left), Value::Number(right)) => {
            let number = |number: &serde_json::Number| number.to_string().parse::<Decimal>();
            left == right || number(left).ok().zip(number(right).ok()).is_some_and(|(left, right)| left == right)
        }
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(left, right)| same(left, right))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(name, value)| right.get(name).is_some_and(|found| same(value, found)))
        }
        _ => exact == found,
    }
}

fn is_of(kind: &str, found: &Value) -> bool {
    let text = found.as_str();
    match kind {
        "any" => true,
        "null" => found.is_null(),
        "boolean" => found.is_boolean(),
        "integer" => found.is_i64() || found.is_u64(),
        "number" => found.is_number(),
        "array" => found.is_array(),
        "object" => found.is_object(),
        "string" => found.is_string(),
        "text" => text.is_some_and(|text| !text.is_empty()),
        "uuid" => text.is_some_and(|text| text.parse::<Uuid>().is_ok()),
        "decimal" => text.is_some_and(|text| text.parse::<Decimal>().is_ok()),
        "date" => text.is_some_and(|text| text.parse::<NaiveDate>().is_ok()),
        "datetime" => text.is_some_and(|text| DateTime::parse_from_rfc3339(text).is_ok()),
        "url" => text.is_some_and(|text| reqwest::Url::parse(text).is_ok()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_fits_fits_whatever_it_has_besides() {
        for (shape, found) in [
            (json!("uuid|null"), json!(null)),
            (json!("datetime"), json!("2026-11-22T00:00:00Z")),
            (json!("decimal"), json!("-0.5")),
            (json!("=x"), json!("x")),
            (json!({ "a": "integer" }), json!({ "a": 1, "b": 2 })),
            (json!(["integer"]), json!([1, 2])),
            (json!([]), json!([])),
            (json!({ "$some": { "a": 2 }, "$all": { "a": "integer" } }), json!([{ "a": 1 }, { "a": 2 }])),
            (json!({ "$is": { "rate": 20.0 } }), json!({ "rate": 20 })),
        ] {
            assert_eq!(differences(&shape, &found), Vec::<String>::new(), "{shape} {found}");
        }
    }

    #[test]
    fn what_differs_is_told_with_its_place() {
        for (shape, found, told) in [
            (json!("integer"), json!("1"), "/: expected integer, found \"1\""),
            (json!({ "a": { "b": "text" } }), json!({ "a": { "b": "" } }), "/a/b: expected text, found \"\""),
            (json!({ "a": "any" }), json!({}), "/a: missing"),
            (json!(["integer"]), json!([1, null]), "/1: expected integer, found null"),
            (json!(["integer"]), json!([]), "/: expected a list that is not empty, found []"),
            (json!([]), json!([1]), "/: expected a list of 0, found [1]"),
            (json!(["any", "any"]), json!([1]), "/: expected a list of 2, found [1]"),
            (json!({ "$is": {} }), json!({ "a": 1 }), "/: expected {}, found {\"a\":1}"),
            (
                json!({ "$some": { "a": 2 } }),
                json!([{ "a": 1 }]),
                "/: no item fits, the nearest at /a: expected 2, found 1",
            ),
            (json!("no such type"), json!(1), "/: expected no such type, found 1"),
            (json!("datetime"), json!("2026-11-22"), "/: expected datetime, found \"2026-11-22\""),
        ] {
            assert_eq!(differences(&shape, &found), [told]);
        }
    }
}
