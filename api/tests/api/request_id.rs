//! `X-Request-ID`, in and out.

use std::collections::BTreeSet;

use crate::app::{Call, TestApp};

#[tokio::test]
async fn a_good_one_is_echoed_everywhere() {
    let app = TestApp::without_database();
    let long = "r".repeat(128);
    for id in ["a", "5f0c7a52-9d0e-4b61-8a43-0c1f6d2e9b7a", "{\"weird\":'~'}", &long] {
        for path in ["/livez", "/nowhere", "/v1/jobs"] {
            let answer = app.send(Call::get(path).header("x-request-id", id)).await;
            assert_eq!(answer.header("x-request-id"), id, "{path}");
        }
        let problem = app.send(Call::get("/nowhere").header("x-request-id", id)).await.problem("NOT_FOUND");
        assert_eq!(problem["request_id"], id);
    }
}

#[tokio::test]
async fn a_bad_one_and_none_are_replaced() {
    let app = TestApp::without_database();
    let long = "r".repeat(129);
    let mut made = BTreeSet::new();
    for id in [&b""[..], b" ", b"two words", b"tab\t", b"\xff", "ä".as_bytes(), long.as_bytes()] {
        let answer = app.send(Call::get("/livez").header("x-request-id", id)).await;
        let given = answer.header("x-request-id").to_owned();
        assert_ne!(given.as_bytes(), id);
        assert!(uuid::Uuid::parse_str(&given).is_ok(), "{given}");
        made.insert(given);
    }
    made.insert(app.send(Call::get("/livez")).await.header("x-request-id").to_owned());
    assert_eq!(made.len(), 8, "each request has its own");
}
