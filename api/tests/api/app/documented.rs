//! Whatever a test is refused with must stand in the OpenAPI document, at its operation.

use std::sync::LazyLock;

use axum::http::Method;
use serde_json::Value;

use crate::answer::Answer;

static DOCUMENT: LazyLock<Value> = LazyLock::new(|| serde_json::to_value(api::openapi()).unwrap());

/// Looks the answer up, if it is a problem of an operation that there is.
#[track_caller]
pub fn check(method: &Method, path: &str, answer: &Answer) {
    if answer.headers.get("content-type").is_none_or(|value| value != "application/problem+json") {
        return;
    }
    let Some(operation) = operation(method, path) else { return };
    let Ok(problem) = serde_json::from_slice::<Value>(&answer.body) else { return };
    let code = problem["code"].as_str().expect("a code");
    let response = &operation["responses"][answer.status.as_str()];
    let examples = &response["content"]["application/problem+json"]["examples"];
    assert!(examples.get(code).is_some(), "{method} {path} answers {code}, which its documentation does not list");
}

fn operation(method: &Method, path: &str) -> Option<&'static Value> {
    let method = method.as_str().to_lowercase();
    let paths = DOCUMENT["paths"].as_object().unwrap();
    let fitting = paths.iter().filter(|(template, _)| fits(template, path));
    // As the router does: a path of its own before one with braces.
    let (_, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(&method)
}

fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
    let same = |(part, given): (&&str, &&str)| part == given || (part.starts_with('{') && !given.is_empty());
    template.len() == path.len() && template.iter().zip(&path).all(same)
}
