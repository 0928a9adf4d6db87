//! Over a real socket: what only a connection can show.

use crate::app::{MAX_BODY_BYTES, TestApp, User, job};

fn head(user: &User, more: &str) -> String {
    let token = &user.token;
    format!(
        "POST /v1/jobs HTTP/1.1\r\nHost: zama\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\n{more}\r\n"
    )
}

fn chunk(data: &str) -> String {
    format!("{:x}\r\n{data}\r\n", data.len())
}

#[tokio::test]
async fn chunks_make_a_body_up_to_the_limit() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let body = job(6).to_string();
    let (first, second) = body.split_at(40);
    let head = head(&ada, "Transfer-Encoding: chunked\r\n");
    let good = format!("{head}{}{}0\r\n\r\n", chunk(first), chunk(second));
    assert!(server.exchange(&good).await.starts_with("HTTP/1.1 202 "));

    let padding = chunk(&" ".repeat(MAX_BODY_BYTES));
    let large = format!("{head}{}{padding}0\r\n\r\n", chunk(&body));
    let answer = server.exchange(large).await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("PAYLOAD_TOO_LARGE"), "{answer}");
    let broken = format!("{head}{}zz\r\n", chunk(first));
    let answer = server.exchange(broken).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("INVALID_REQUEST"), "{answer}");
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_before_it_sends() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let server = app.listen().await;
    let asking = head(&ada, "Content-Length: 2097152\r\nExpect: 100-continue\r\n");
    let answer = server.exchange(asking).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    assert!(!answer.contains("100 Continue"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_does_no_harm() {
    let app = TestApp::without_database();
    let server = app.listen().await;
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let answer = server.exchange(garbage).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let alive = server.exchange(b"GET /livez HTTP/1.1\r\nHost: zama\r\nConnection: close\r\n\r\n").await;
    assert!(alive.starts_with("HTTP/1.1 200 "), "{alive}");
}
