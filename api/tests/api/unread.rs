//! Bodies that a refusal leaves unread: the client hears the refusal, and the connection is not used again.

use crate::app::{TestApp, User};

/// What neither socket buffers nor the server's first read hold.
const LENGTH: usize = 8 << 20;

fn post(user: &User, path: &str, headers: &str, length: usize) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nhost: zama\r\nauthorization: Bearer {}\r\n{headers}\r\ncontent-length: {length}\r\n\r\n",
        user.token
    )
}

#[tokio::test]
async fn a_refusal_before_the_body_is_heard() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let nobody = User { token: "nobody's".to_owned(), ..ada.clone() };
    let server = app.listen().await;
    let octets = "content-type: application/octet-stream";
    for (user, path, headers, length, code) in [
        (&nobody, "/v1/blobs", octets, LENGTH, "INVALID_TOKEN"),
        (&ada, "/v1/blobs", "content-type: text/plain", LENGTH, "INVALID_CONTENT_TYPE"),
        (
            &ada,
            "/v1/blobs",
            "content-type: application/octet-stream\r\ncontent-encoding: gzip",
            LENGTH,
            "INVALID_CONTENT_TYPE",
        ),
        (&ada, "/v1/fhe/keys", "content-type: text/plain", LENGTH, "INVALID_CONTENT_TYPE"),
        (&ada, "/v1/jobs", "content-type: application/json", LENGTH, "PAYLOAD_TOO_LARGE"),
        (&ada, "/v1/nowhere", octets, LENGTH, "NOT_FOUND"),
    ] {
        let answer = server.send_all(&post(user, path, headers, length), length).await;
        let answer = answer.unwrap_or_else(|error| panic!("{path} {code}: {error}"));
        assert!(answer.contains(&format!("\"code\":\"{code}\"")), "{path} {code}: {answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{path} {code}: {answer}");
    }
    assert_eq!(app.stored_files(), 0);
}

#[tokio::test]
async fn who_waits_to_be_told_to_go_on_is_refused_without_a_body() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let headers = "content-type: application/octet-stream\r\nexpect: 100-continue";
    let answer = server.exchange(&post(&ada, "/v1/blobs", headers, 65 << 20)).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(!answer.contains("100 Continue") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_connection_whose_bodies_are_read_goes_on() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let first = post(&ada, "/v1/jobs", "content-type: application/json", 4);
    let second = "GET /livez HTTP/1.1\r\nhost: zama\r\nconnection: close\r\n\r\n";
    let answer = app.listen().await.exchange(&format!("{first}null{second}")).await;
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 2, "{answer}");
}
