//! What the document says of each operation: what it is, an example of what goes in and comes out, and every error that its
//! form alone makes possible. Tests that meet an error which is not documented fail, see `app::documented`.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::{Operation, operations};
use super::table::{Lock, row_of};

const PROBLEM: &str = "application/problem+json";

/// Bytes need no example.
const BINARY: &str = "application/octet-stream";

/// The codes that an operation may be refused with.
fn codes(operation: &Operation) -> BTreeSet<&str> {
    let responses = operation.document["responses"].as_object().unwrap().values();
    let examples = responses.filter_map(|response| response["content"][PROBLEM]["examples"].as_object());
    examples.flat_map(|examples| examples.keys().map(String::as_str)).collect()
}

fn parameters<'a>(operation: &'a Operation, place: &str) -> Vec<&'a Value> {
    let all = operation.document["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    all.iter().filter(|parameter| parameter["in"] == place).collect()
}

fn has_example(content: &Value) -> bool {
    !content["example"].is_null() || content["examples"].as_object().is_some_and(|examples| !examples.is_empty())
}

#[test]
fn each_says_what_it_is() {
    let mut names = BTreeSet::new();
    for operation in operations() {
        let document = &operation.document;
        assert!(names.insert(document["operationId"].as_str().unwrap().to_owned()), "{operation}: an id of its own");
        let summary = document["summary"].as_str().unwrap_or_default();
        assert!(!summary.is_empty() && !summary.ends_with('.') && summary.len() < 60, "{operation}: {summary:?}");
        assert_eq!(document["tags"].as_array().map(Vec::len), Some(1), "{operation}");
        for (status, response) in document["responses"].as_object().unwrap() {
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{operation} {status}");
        }
        for parameter in ["path", "query", "header"].into_iter().flat_map(|place| parameters(&operation, place)) {
            let told = parameter["description"].as_str().is_some_and(|text| !text.is_empty());
            assert!(told, "{operation}: {}", parameter["name"]);
        }
    }
}

#[test]
fn each_has_examples_of_what_goes_in_and_what_comes_out() {
    for operation in operations() {
        let bodies = operation.document["requestBody"]["content"].as_object();
        for (media_type, content) in bodies.into_iter().flatten() {
            assert!(media_type == BINARY || has_example(content), "{operation}: its {media_type} body");
        }
        for parameter in parameters(&operation, "path") {
            assert!(has_example(parameter), "{operation}: {}", parameter["name"]);
        }
        let responses = operation.document["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{operation}: an answer that is no refusal");
        for (status, response) in responses {
            for (media_type, content) in response["content"].as_object().into_iter().flatten() {
                assert!(media_type == BINARY || has_example(content), "{operation}: {status} {media_type}");
            }
        }
    }
}

#[test]
fn each_lists_the_errors_that_its_form_makes_possible() {
    for operation in operations() {
        let mut expected = vec!["INTERNAL_ERROR", "SERVICE_UNAVAILABLE", "REQUEST_TIMEOUT"];
        let codes = codes(&operation);
        let lock = row_of(&operation.method, &operation.path).lock;
        if let Lock::Credential(scope) = lock {
            expected.extend(["INVALID_TOKEN", "TOKEN_EXPIRED", "RATE_LIMIT_EXCEEDED", "ADDRESS_NOT_ALLOWED"]);
            expected.extend(["REQUEST_SIGNATURE_INVALID", "NONCE_REPLAYED"]);
            expected.extend((!scope.is_empty()).then_some("INSUFFICIENT_SCOPE"));
        }
        if operation.document["requestBody"].is_object() {
            expected.extend(["PAYLOAD_TOO_LARGE", "BODY_TIMEOUT"]);
            if lock != Lock::Own {
                expected.extend(["INVALID_CONTENT_TYPE", "INVALID_REQUEST"]);
            }
        }
        if !parameters(&operation, "query").is_empty() && lock != Lock::Open {
            expected.push("INVALID_REQUEST");
        }
        for code in expected {
            assert!(codes.contains(code), "{operation} does not document {code}");
        }
        if operation.path.contains('{') && !operation.path.contains("{part}") {
            let told = ["NOT_FOUND", "JOB_NOT_FOUND", "QUOTE_NOT_FOUND"].iter().any(|code| codes.contains(code));
            assert!(told || operation.method == "put", "{operation}: what it names may not be there");
        }
    }
}

/// Refusals are problem documents, but for the issuer's, which are those of its RFCs.
#[test]
fn each_refuses_in_the_form_that_its_clients_read() {
    for operation in operations() {
        let by_rfc = operation.path.starts_with("/v1/oauth/");
        for (status, response) in operation.document["responses"].as_object().unwrap() {
            if status.as_str() < "400" {
                continue;
            }
            let media_type = match by_rfc && ["400", "401"].contains(&status.as_str()) {
                true if operation.path.ends_with("/decision") => "text/html",
                true => "application/json",
                false => PROBLEM,
            };
            assert!(response["content"][media_type].is_object(), "{operation} {status}");
        }
    }
}
