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
    for (days, accepted) in [(1, true), (29, true), (31, false)] {
        let mut body = plain(number(json!(6)));
        body["deadline"] = json!((now + chrono::Duration::days(days)).to_rfc3339());
        let submission = read(&body, now, ORIGIN);
        assert_eq!(submission.is_ok(), accepted, "{days} days");
        assert!(submission.is_ok_and(|submission| !submission.is_late(now)) == accepted, "{days} days");
    }
    let mut body = plain(number(json!(6)));
    body["deadline"] = json!(now.to_rfc3339());
    assert!(read(&body, now, ORIGIN).expect("the body is sound").is_late(now));
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

/// A P-256 key in PEM.
const PEM: &str = "-----BEGIN PUBLIC KEY-----\n\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEhsnreoIcuvy3ici12jmxcU9S6m2V\n\
    KdyU0+V5vMVpQyHhOxoMUBH5hwk3+jT16fdUY/9knZIZvdIwC+16fm1wlg==\n\
    -----END PUBLIC KEY-----";

fn encrypted() -> Value {
    json!({
        "type": "fhe_compute",
        "payload": {
            "algorithm": "encrypted_statistical_analysis",
            "encrypted_data_url": format!("{ORIGIN}/v1/blobs/{}", "ab".repeat(32)),
            "client_public_key": PEM,
            "parameters": {"fhe_scheme": "tfhe", "security_level": 128}
        },
        "priority": "normal",
        "useFHE": true
    })
}

#[test]
fn the_printed_example_of_an_encrypted_job_is_accepted() {
    let submission = read(&encrypted(), Utc::now(), ORIGIN).expect("is accepted");
    assert_eq!(
        (submission.job_type(), submission.algorithm()),
        (JobType::FheCompute, "encrypted_statistical_analysis")
    );
    assert_eq!(submission.timeout_seconds(), 900);
    let Work::Encrypted { data, .. } = &submission.work else { panic!("it is encrypted") };
    assert_eq!(*data, EncryptedDataUrl::Blob([0xab; 32]));
}

#[test]
fn an_encrypted_job_reserves_units_of_both_kinds() {
    let mut body = encrypted();
    body["payload"]["parameters"] = json!({"value_type": "u8", "count": 2, "statistics": ["sum"]});
    let mut submission = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    let unknown = submission.maximum_units();
    assert_eq!(unknown, Units { compute: 1 + 65_536, fhe: 1 }, "inputs of unknown size are as large as they may be");
    if let Work::Encrypted { data_bytes, .. } = &mut submission.work {
        *data_bytes = Some(2_049);
    }
    assert_eq!(submission.maximum_units(), Units { compute: 4, fhe: 1 });
}

#[test]
fn what_a_job_costs_at_least_is_all_that_is_known_of_it() {
    let mut body = encrypted();
    body["payload"]["algorithm"] = json!("encrypted_maximum");
    body["payload"]["parameters"] = json!({});
    let submission = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    let (least, most) = (submission.minimum_units(), submission.maximum_units());
    assert_eq!(least, Units { compute: 1, fhe: 1 }, "of one small number, wherever it is");
    assert!(most.compute > 65_536 && most.fhe > 10, "{most:?}");
    body["payload"]["parameters"] = json!({"value_type": "u16", "count": 40});
    let submission = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    assert_eq!(submission.minimum_units().fhe, submission.maximum_units().fhe, "type and number are known");
    let submission = read(&plain(number(json!(104_729))), Utc::now(), ORIGIN).expect("is accepted");
    assert_eq!((submission.minimum_units(), submission.maximum_units()), (Units::plain(2), Units::plain(2)));
}

#[test]
fn a_quote_is_for_the_body_without_its_id() {
    let id = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";
    let mut body = plain(number(json!(6)));
    let quoted = read_to_quote(&body, Utc::now(), ORIGIN).expect("can be quoted");
    assert_eq!(quoted.quote, None);
    body["quote_id"] = json!(id);
    let submission = read(&body, Utc::now(), ORIGIN).expect("is accepted");
    let quote = submission.quote.expect("it names one");
    assert_eq!((quote.id.to_string().as_str(), quote.content_hash), (id, quoted.content_hash));
    assert_eq!(submission.content_hash, canonical::content_hash(&body), "the job's is of the body as it was sent");
    assert_ne!(submission.content_hash, quoted.content_hash);
    let refused = read_to_quote(&body, Utc::now(), ORIGIN).expect_err("a quote is not quoted");
    assert_eq!((refused.code, refused.errors[0].pointer.as_str()), (ErrorCode::JobValidationFailed, "/quote_id"));
    for wrong in [json!("nonsense"), json!(7), json!(id.to_uppercase())] {
        body["quote_id"] = wrong;
        assert_eq!(pointers(&body), ["/quote_id"]);
    }
    body["quote_id"] = Value::Null;
    assert_eq!(read(&body, Utc::now(), ORIGIN).expect("is accepted").quote, None);
}

#[test]
fn complaints_about_encrypted_jobs_stand_where_the_field_is() {
    let mut body = encrypted();
    body["payload"]["parameters"]["security_level"] = json!(96);
    body["payload"]["input"] = json!({"values": [1]});
    body["payload"]["client_public_key"] = json!("none");
    let expected = ["/payload/client_public_key", "/payload/input", "/payload/parameters/security_level"];
    assert_eq!(pointers(&body), expected);
    let mut body = encrypted();
    body["payload"]["encrypted_data_url"] = json!("http://files.example.com/data");
    assert_eq!(pointers(&body), ["/payload/encrypted_data_url"]);
    body["useFHE"] = json!(false);
    assert_eq!(pointers(&body), ["/payload/encrypted_data_url", "/useFHE"]);
}

#[test]
fn each_type_has_its_own_algorithms() {
    for (kind, algorithm) in
        [("compute", "encrypted_maximum"), ("fhe_compute", "prime_factorization"), ("fhe_compute", "encrypted_median")]
    {
        let body = json!({"type": kind, "payload": {"algorithm": algorithm}});
        let refusal = read(&body, Utc::now(), ORIGIN).expect_err("is refused");
        assert_eq!(refusal.code, ErrorCode::UnknownAlgorithm, "{kind} {algorithm}");
        assert_eq!(pointers(&body), ["/payload/algorithm"]);
    }
}
