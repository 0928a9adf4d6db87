//! What a connection may cost before there is a request: slow heads, large heads, many connections.

use std::time::Duration;

use api::Door;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::app::{Listening, TestApp, until_closed, wide_door};

const LIVEZ: &[u8] = b"GET /livez HTTP/1.1\r\nHost: zama\r\n\r\n";

fn hasty() -> Door {
    Door { head_timeout: Duration::from_millis(200), ..wide_door() }
}

/// Reads one answer whose body ends with `"}`, and leaves the connection open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut answer = String::new();
    while !answer.ends_with('}') {
        let mut some = [0; 1024];
        let read = stream.read(&mut some).await.unwrap();
        assert_ne!(read, 0, "closed after {answer:?}");
        answer.push_str(std::str::from_utf8(&some[..read]).unwrap());
    }
    answer
}

async fn ask(server: &Listening) -> TcpStream {
    let mut stream = server.connect().await;
    stream.write_all(LIVEZ).await.unwrap();
    assert!(answer(&mut stream).await.starts_with("HTTP/1.1 200 "));
    stream
}

#[tokio::test]
async fn a_head_that_does_not_come_ends_its_connection_and_no_other() {
    let app = TestApp::without_database();
    let server = app.listen_behind(hasty()).await;
    for slow in [&b""[..], b"GET /livez HT", b"GET /livez HTTP/1.1\r\nHost: zama\r\nX-Slow: 1"] {
        let mut stream = server.connect().await;
        stream.write_all(slow).await.unwrap();
        let end = until_closed(&mut stream).await;
        assert!(end.is_empty() || end.starts_with("HTTP/1.1 408 "), "{end}");
        ask(&server).await;
    }
}

#[tokio::test]
async fn drops_of_a_head_do_not_prolong_its_time() {
    let app = TestApp::without_database();
    let server = app.listen_behind(hasty()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /livez HTTP/1.1\r\n").await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let dripping = async {
        while writer.write_all(b"X-Drop: 1\r\n").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let mut end = Vec::new();
    tokio::select! {
        () = dripping => {}
        _ = reader.read_to_end(&mut end) => {}
        () = tokio::time::sleep(Duration::from_secs(20)) => panic!("the server waits for ever"),
    }
    assert!(!String::from_utf8_lossy(&end).starts_with("HTTP/1.1 2"));
}

#[tokio::test]
async fn a_connection_that_is_idle_for_long_is_closed() {
    let app = TestApp::without_database();
    let server = app.listen_behind(hasty()).await;
    let mut stream = ask(&server).await;
    assert_eq!(until_closed(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_its_answers_keeps_its_place_for_a_while_only() {
    let app = TestApp::without_database();
    let server = app.listen_behind(Door { max_connections: 1, ..hasty() }).await;
    let mut greedy = server.connect().await;
    // Far more answers than both sides' buffers hold; of the requests, as many as are taken.
    let asked = b"GET /openapi.json HTTP/1.1\r\nHost: zama\r\n\r\n".repeat(1000);
    let asking = tokio::spawn(async move {
        let _ = greedy.write_all(&asked).await;
        // Open, and silent.
        std::future::pending::<()>().await;
        drop(greedy);
    });
    let next = tokio::time::timeout(Duration::from_secs(20), ask(&server)).await;
    assert!(next.is_ok(), "its place is never given free");
    asking.abort();
}

#[tokio::test]
async fn heads_have_a_limit() {
    let app = TestApp::without_database();
    let server = app.listen().await;
    let many = "X-Header: 1\r\n".repeat(101);
    let large = format!("X-Header: {}\r\n", "x".repeat(256 * 1024));
    for more in [many, large] {
        let refused = server.exchange(format!("GET /livez HTTP/1.1\r\nHost: zama\r\n{more}\r\n")).await;
        assert!(refused.starts_with("HTTP/1.1 431 "), "{refused}");
    }
}

#[tokio::test]
async fn more_connections_than_allowed_wait_for_others_to_end() {
    let app = TestApp::without_database();
    let server = app.listen_behind(Door { max_connections: 2, ..wide_door() }).await;
    let (first, _second) = (ask(&server).await, ask(&server).await);
    let mut third = server.connect().await;
    third.write_all(LIVEZ).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), third.readable()).await;
    assert!(early.is_err(), "answered beyond the limit");
    drop(first);
    assert!(answer(&mut third).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_server_that_stops_closes_idle_connections_at_once() {
    let app = TestApp::without_database();
    let mut server = app.listen().await;
    let (mut silent, mut idle) = (server.connect().await, ask(&server).await);
    server.stop.cancel();
    assert_eq!(until_closed(&mut idle).await, "");
    assert_eq!(until_closed(&mut silent).await, "");
    (&mut server.server).await.unwrap().unwrap();
    assert!(TcpStream::connect(server.address).await.is_err(), "the listener is gone");
}
