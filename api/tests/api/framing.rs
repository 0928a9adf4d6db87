//! Where one request ends and the next begins: what a proxy in front might read otherwise smuggles nothing in
//! (RFC 9112 sections 6.1, 6.3 and 11.2).

use crate::app::{TestApp, User};

/// A request that somebody would like to hide behind another.
const HIDDEN: &str = "GET /livez HTTP/1.1\r\nhost: zama\r\n\r\n";

fn post(user: &User, framing: &str, body: &str) -> String {
    format!(
        "POST /v1/jobs HTTP/1.1\r\nhost: zama\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         {framing}\r\n\r\n{body}",
        user.token
    )
}

#[tokio::test]
async fn a_request_with_two_lengths_ends_its_connection() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let hidden = format!("0\r\n\r\n{HIDDEN}");
    let lengths = [format!("content-length: {}", hidden.len()), "content-length: 5".to_owned()];
    for length in lengths {
        for framing in [
            format!("{length}\r\ntransfer-encoding: chunked"),
            format!("transfer-encoding: chunked\r\n{length}"),
            format!("Transfer-Encoding: Chunked\r\nconnection: keep-alive\r\n{length}"),
        ] {
            // The server closes the connection: else this would wait for ever.
            let answer = server.exchange(&post(&ada, &framing, &hidden)).await;
            assert!(answer.starts_with("HTTP/1.1 400 "), "{framing}: {answer}");
            assert_eq!(
                answer.matches("HTTP/1.1 ").count(),
                1,
                "{framing}: the hidden request is not answered: {answer}"
            );
            assert!(!answer.contains("alive\""), "{framing}: {answer}");
        }
    }
}

#[tokio::test]
async fn a_length_that_can_be_read_in_two_ways_is_refused() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    for framing in [
        "content-length: 4\r\ncontent-length: 40",
        "content-length: 4, 40",
        "content-length: +4",
        "content-length: 0x4",
        "content-length: -1",
        "content-length: 99999999999999999999",
        "transfer-encoding: identity",
        "transfer-encoding: chunked, gzip",
        "transfer-encoding: xchunked",
        "transfer-encoding : chunked",
    ] {
        let answer = server.exchange(&post(&ada, framing, &format!("null{HIDDEN}"))).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{framing}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{framing}: {answer}");
    }
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
}

/// RFC 9112 sections 3.2 and 6.1, where hyper is more lenient.
#[tokio::test]
async fn a_head_that_names_no_host_or_an_unknown_coding_is_refused_and_its_connection_closed() {
    let app = TestApp::new().await;
    let server = app.listen().await;
    for head in [
        "GET /livez HTTP/1.1",
        "GET /livez HTTP/1.1\r\nhost: zama\r\nhost: zama",
        "GET /livez HTTP/1.1\r\nhost: zama\r\nhost: other",
        "POST /livez HTTP/1.1\r\nhost: zama\r\ntransfer-encoding: gzip, chunked",
        "POST /livez HTTP/1.1\r\nhost: zama\r\ntransfer-encoding: gzip\r\ntransfer-encoding: chunked",
    ] {
        // The server closes the connection: else this would wait for ever.
        let answer = server.exchange(format!("{head}\r\n\r\n0\r\n\r\n{HIDDEN}")).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{head}: {answer}");
        assert!(answer.contains("application/problem+json") && answer.contains("INVALID_REQUEST"), "{head}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{head}: {answer}");
    }
    let old = server.exchange("GET /livez HTTP/1.0\r\n\r\n").await;
    assert!(old.starts_with("HTTP/1.0 200 "), "HTTP/1.0 names none: {old}");
}
