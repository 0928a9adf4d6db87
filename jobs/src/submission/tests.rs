//! What a submission must and must not be.

use super::*;
use serde_json::json;

const ORIGIN: &str = "https://api.example.com";

fn plain(payload: Value) -> Value {
    json!({"type": "compute", "payload": payload})
}

fn number(value: Value) -> Value {
    json!({"algorithm": "prime_factorization", "input": {"number": value}})
}

fn pointers(body: &Value) -> Vec<String> {
    let mut found: Vec<_> =
        read(body, Utc::now(), ORIGIN).expect_err("is refused").errors.into_iter().map(|error| error.pointer).collect();
    found.sort();
    found
}

#[test]
fn the_printed_example_is_accepted() {
    let body = json!({
        "type": "compute",
        "payload": {
            "algorithm": "prime_factorization", "input": {"number": 104_729}, "parameters": {"timeout": 300}
        },
        "priority": "normal",
        "useFHE": false
    });
    let submission = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    assert_eq!(submission.job_type(), JobType::Compute);
    assert_eq!(submission.priority, Priority::Normal);
    let payload = r#"{"algorithm":"prime_factorization","input":{"number":104729},"parameters":{"timeout":300}}"#;
    assert_eq!(submission.payload, payload);
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let body = json!({
        "type": "computer", "priority": 3, "use_fhe": "no", "deadline": "tomorrow", "extra": 1,
        "payload": {"algorithm": "prime_factorization", "input": {"number": -1, "x": 1}, "more": []}
    });
    let expected = [
        "/deadline",
        "/extra",
        "/payload/input/number",
        "/payload/input/x",
        "/payload/more",
        "/priority",
        "/type",
        "/use_fhe",
    ];
    assert_eq!(pointers(&body), expected);
}

#[test]
fn missing_fields_are_named() {
    assert_eq!(pointers(&json!({})), ["/payload", "/type"]);
    assert_eq!(pointers(&plain(json!({}))), ["/payload/algorithm"]);
    assert_eq!(pointers(&json!([])), [""]);
    assert_eq!(
        read(&plain(json!({})), Utc::now(), ORIGIN).expect_err("is refused").code,
        ErrorCode::JobValidationFailed
    );
}

#[test]
fn a_name_with_its_alias_is_refused() {
    let mut body = plain(number(json!(6)));
    body["use_fhe"] = json!(false);
    body["useFHE"] = json!(false);
    assert_eq!(pointers(&body), ["/useFHE"]);
}

#[test]
fn type_and_flag_agree() {
    let mut body = plain(number(json!(6)));
    body["use_fhe"] = json!(true);
    assert_eq!(pointers(&body), ["/use_fhe"]);
}

#[test]
fn an_unknown_algorithm_has_its_own_code() {
    let refusal =
        read(&plain(json!({"algorithm": "alchemy", "input": {}})), Utc::now(), ORIGIN).expect_err("is refused");
    assert_eq!(refusal.code, ErrorCode::UnknownAlgorithm);
    let refusal = read(&plain(json!({"algorithm": 5, "input": {}})), Utc::now(), ORIGIN).expect_err("is refused");
    assert_eq!(refusal.code, ErrorCode::JobValidationFailed);
}

#[test]
fn deadlines_are_ahead_but_not_too_far() {
    let now = Utc::now();
    for (days, accepted) in [(-1, false), (1, true), (29, true), (31, false)] {
        let mut body = plain(number(json!(6)));
        body["deadline"] = json!((now + chrono::Duration::days(days)).to_rfc3339());
        assert_eq!(read(&body, now, ORIGIN).is_ok(), accepted, "{days} days");
    }
}

#[test]
fn the_content_hash_is_of_the_whole_body() {
    let first = read(&plain(number(json!(6))), Utc::now(), ORIGIN).expect("is accepted");
    let mut body = plain(number(json!(6)));
    body["priority"] = json!("normal");
    let second = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    assert_ne!(first.content_hash, second.content_hash);
    assert_eq!(first.payload, second.payload);
}
