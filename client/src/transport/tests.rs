//! The client against a small server that answers as it is told.

use std::collections::VecDeque;
use std::sync::Mutex;

use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap as Headers, Method as Verb, Uri};
use axum::response::IntoResponse;
use jobs::{ErrorCode, IdempotencyKey, KeyMode};
use serde_json::json;
use tokio::net::TcpListener;

use super::*;
use crate::cancel::Cancelled;
use crate::listing::JobFilter;
use crate::sample;
use crate::usage::UsageFilter;
use crate::wait::{WaitOptions, Waited};

const ID: &str = "019cebab-804e-7c41-9b5e-3f2a8d6c1e07";

/// An answer that the server gives once.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

struct Seen {
    verb: Verb,
    uri: Uri,
    headers: Headers,
    body: Bytes,
}

/// Gives its answers in order, the last one for ever, and keeps what it was asked.
struct Server {
    replies: Mutex<VecDeque<Reply>>,
    seen: Mutex<Vec<Seen>>,
}

impl Server {
    async fn start(replies: Vec<Reply>) -> (Arc<Self>, Client) {
        let server = Arc::new(Self { replies: Mutex::new(replies.into()), seen: Mutex::default() });
        let handle = Arc::clone(&server);
        let answer = move |verb: Verb, uri: Uri, headers: Headers, body: Bytes| {
            let server = Arc::clone(&handle);
            async move { server.answer(Seen { verb, uri, headers, body }) }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let origin = format!("http://{}/", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, Router::new().fallback(answer)).await });
        let fast = RetryPolicy { first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
        (server, Client::new(&origin, "secret").expect("a client").with_retries(fast))
    }

    fn answer(&self, seen: Seen) -> impl IntoResponse + use<> {
        self.seen.lock().expect("no panic").push(seen);
        let mut replies = self.replies.lock().expect("no panic");
        let reply = if replies.len() > 1 { replies.pop_front() } else { None };
        let reply = reply.as_ref().or(replies.front()).expect("an answer");
        let mut headers = Headers::new();
        for (name, value) in &reply.headers {
            headers.insert(*name, value.parse().expect("a header value"));
        }
        (StatusCode::from_u16(reply.status).expect("a status"), headers, reply.body.clone())
    }

    fn asked<T>(&self, about: impl Fn(&Seen) -> T) -> Vec<T> {
        self.seen.lock().expect("no panic").iter().map(about).collect()
    }

    fn header(&self, name: &str) -> Vec<Option<String>> {
        self.asked(|seen| seen.headers.get(name).map(|value| value.to_str().expect("text").to_owned()))
    }
}

fn reply(status: u16, body: &impl Serialize) -> Reply {
    Reply { status, headers: Vec::new(), body: serde_json::to_string(body).expect("JSON") }
}

impl Reply {
    fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }
}

fn problem(code: ErrorCode) -> Reply {
    let body = json!({
        "type": format!("http://127.0.0.1/docs/errors/{code}"), "title": code.title(), "status": code.status(),
        "detail": "detail", "instance": "/v1/jobs", "code": code, "request_id": "request",
        "timestamp": "2026-03-14T09:26:50Z", "errors": []
    });
    reply(code.status(), &body)
}

fn accepted() -> Reply {
    let links = json!({ "self": "/s", "events": "/e", "result": "/r", "receipt": "/c", "cancel": "/x" });
    let body = json!({
        "job_id": ID, "status": "PENDING", "created_at": "2026-03-14T09:26:50Z",
        "estimated_completion": "2026-03-14T09:26:55Z", "links": links
    });
    reply(202, &body)
}

fn id() -> JobId {
    ID.parse().expect("an id")
}

#[tokio::test]
async fn a_submission_is_repeated_under_one_key() {
    let replies = vec![
        problem(ErrorCode::ServiceUnavailable).with("Retry-After", "0"),
        problem(ErrorCode::RateLimitExceeded).with("Retry-After", "1"),
        problem(ErrorCode::RequestInProgress),
        reply(502, &"a proxy"),
        accepted().with("Idempotency-Replayed", "true"),
    ];
    let (server, client) = Server::start(replies).await;
    let start = std::time::Instant::now();
    let submitted = client.submit(&json!({ "type": "compute" }), None, None).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(1), "Retry-After is obeyed");
    assert_eq!((submitted.job_id(), submitted.replayed), (id(), true));
    assert_eq!(server.header("idempotency-key"), vec![Some(submitted.key.to_string()); 5]);
    assert_eq!(server.header("authorization"), vec![Some("Bearer secret".to_owned()); 5]);
    assert_eq!(server.header("prefer"), vec![None; 5]);
    let bodies = server.asked(|seen| seen.body.clone());
    assert!(bodies.iter().all(|body| body.as_ref() == br#"{"type":"compute"}"#));
}

#[tokio::test]
async fn a_given_key_is_kept_and_an_ended_job_is_told() {
    let (server, client) = Server::start(vec![reply(200, &sample::job("COMPLETED"))]).await;
    let key: IdempotencyKey = "mine".parse().unwrap();
    let wait = Some(Duration::from_secs(90));
    let submitted = client.submit(&json!({}), Some(key), wait).await.unwrap();
    assert!(matches!(submitted.answer, crate::Answer::Ended(job) if job.status.is_terminal()));
    assert_eq!(server.header("idempotency-key"), [Some("mine".to_owned())]);
    assert_eq!(server.header("prefer"), [Some("wait=60".to_owned())], "the API holds back 60 s at most");
}

#[tokio::test]
async fn what_would_fail_again_is_not_repeated() {
    for code in [ErrorCode::JobValidationFailed, ErrorCode::IdempotencyKeyReused, ErrorCode::TokenExpired] {
        let (server, client) = Server::start(vec![problem(code)]).await;
        let error = client.submit(&json!({}), None, None).await.unwrap_err();
        assert!(matches!(error, ClientError::Problem(problem) if problem.code == code));
        assert_eq!(server.header("host").len(), 1, "{code}");
    }
    let far = problem(ErrorCode::QuotaExceeded).with("Retry-After", "86400");
    let (server, client) = Server::start(vec![far]).await;
    assert!(client.submit(&json!({}), None, None).await.is_err());
    assert_eq!(server.header("host").len(), 1, "a day is beyond the budget");
}

#[tokio::test]
async fn repetitions_end() {
    let (server, client) = Server::start(vec![problem(ErrorCode::ServiceUnavailable)]).await;
    let policy = RetryPolicy { max_attempts: 3, first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
    let error = client.with_retries(policy).job(id()).await.unwrap_err();
    assert_eq!(error.status(), Some(503));
    assert_eq!(server.header("host").len(), 3);
}

#[tokio::test]
async fn a_broken_connection_is_repeated() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    let connections = tokio::spawn(async move {
        for _ in 0..2 {
            drop(listener.accept().await);
        }
    });
    let policy = RetryPolicy { max_attempts: 3, first_delay: Duration::from_millis(1), ..RetryPolicy::default() };
    let client = Client::new(&origin, "secret").unwrap().with_retries(policy);
    let error = client.submit(&json!({}), None, None).await.unwrap_err();
    assert!(matches!(&error, ClientError::Transport(text) if !text.contains("secret")), "{error}");
    connections.await.unwrap();
}

#[tokio::test]
async fn a_foreign_answer_is_told_as_it_is() {
    let (_server, client) = Server::start(vec![reply(404, &"<html>")]).await;
    let error = client.job(id()).await.unwrap_err();
    assert!(matches!(error, ClientError::Unexpected { status: 404, body } if body.contains("<html>")));
    let (_server, client) = Server::start(vec![reply(200, &json!({ "no": "job" }))]).await;
    assert!(matches!(client.job(id()).await, Err(ClientError::Unexpected { status: 200, .. })));
}

#[tokio::test]
async fn waiting_asks_with_the_etag_and_stops_at_the_end() {
    for end in ["COMPLETED", "FAILED", "CANCELLED"] {
        let replies = vec![
            reply(200, &sample::job("PENDING")).with("ETag", "\"1\""),
            reply(304, &""),
            reply(200, &sample::job("PROCESSING")).with("ETag", "\"2\""),
            reply(200, &sample::job("CONFIRMING")).with("ETag", "\"3\""),
            reply(200, &sample::job(end)).with("ETag", "\"4\""),
        ];
        let (server, client) = Server::start(replies).await;
        let options = WaitOptions { first_pause: Duration::from_millis(1), ..WaitOptions::default() };
        let mut statuses = Vec::new();
        let waited = client.wait(id(), options, |job| statuses.push(job.status.as_str())).await.unwrap();
        assert!(matches!(&waited, Waited::Ended(job) if job.status.as_str() == end));
        assert_eq!(statuses, ["PENDING", "PROCESSING", "CONFIRMING", end]);
        let etags = ["\"1\"", "\"1\"", "\"2\"", "\"3\""].map(|etag| Some(etag.to_owned()));
        let asked = server.header("if-none-match");
        assert_eq!((asked[0].clone(), &asked[1..]), (None, etags.as_slice()));
    }
}

#[tokio::test]
async fn waiting_ends_when_the_time_is_up() {
    let (_server, client) = Server::start(vec![reply(200, &sample::job("PROCESSING"))]).await;
    let max_wait = Some(Duration::from_millis(50));
    let options = WaitOptions { max_wait, first_pause: Duration::from_millis(5), ..WaitOptions::default() };
    let waited = client.wait(id(), options, |_| ()).await.unwrap();
    assert!(matches!(waited, Waited::TimedOut(job) if job.status.as_str() == "PROCESSING"));
}

#[tokio::test]
async fn a_result_is_believed_only_with_its_hash() {
    let hash = "0x2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let hello = |hash: Option<&str>| {
        let reply = Reply { status: 200, headers: Vec::new(), body: "hello".to_owned() };
        hash.into_iter().fold(reply.with("Content-Type", "text/plain"), |reply, hash| reply.with("X-Result-Hash", hash))
    };
    let (_server, client) = Server::start(vec![hello(Some(hash))]).await;
    let result = client.result(id()).await.unwrap();
    assert_eq!((result.bytes.as_slice(), result.hash.to_string().as_str()), (b"hello".as_slice(), hash));

    let other = format!("0x{}", "00".repeat(32));
    for wrong in [Some(other.as_str()), Some("nonsense"), None] {
        let (_server, client) = Server::start(vec![hello(wrong)]).await;
        assert!(matches!(client.result(id()).await, Err(ClientError::ResultHash { .. })), "{wrong:?}");
    }
}

#[tokio::test]
async fn an_upload_promises_its_hash_and_a_download_is_believed_only_with_it() {
    let hash: alloy::primitives::B256 =
        "0x2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824".parse().unwrap();
    let blob = json!({ "sha256": hash, "size": 5, "url": "http://127.0.0.1/v1/blobs/x" });
    let hello = || Reply { status: 200, headers: Vec::new(), body: "hello".to_owned() };
    let replies = vec![problem(ErrorCode::ServiceUnavailable), reply(201, &blob), hello()];
    let (server, client) = Server::start(replies).await;
    let stored = client.upload_blob(&crate::Upload::of_bytes(&b"hello"[..]), &crate::unwatched()).await.unwrap();
    assert_eq!((stored.sha256, stored.size), (hash, 5));
    assert_eq!(client.blob(hash).await.unwrap(), b"hello");
    assert_eq!(server.header("x-content-sha256")[..2], vec![Some(hash.to_string()); 2]);
    assert_eq!(server.header("content-length")[1].as_deref(), Some("5"));
    assert_eq!(server.header("content-type")[1].as_deref(), Some("application/octet-stream"));
    assert_eq!(server.asked(|seen| seen.body.clone())[1], "hello");
    let asked = server.asked(|seen| format!("{} {}", seen.verb, seen.uri));
    assert_eq!(asked[1..], ["POST /v1/blobs".to_owned(), format!("GET /v1/blobs/{hash}")]);

    let other = alloy::primitives::B256::ZERO;
    let (_server, client) = Server::start(vec![hello()]).await;
    assert!(matches!(client.blob(other).await, Err(ClientError::ResultHash { .. })));
}

#[tokio::test]
async fn filters_and_paths_are_the_apis() {
    let page = json!({ "data": [], "next_cursor": null, "has_more": false });
    let no_usage = json!({ "totals": {}, "data": [], "next_cursor": null, "has_more": false });
    let me = json!({
        "tenant": "acme", "user": "ada", "role": "developer", "scopes": ["jobs:submit"], "submitter": null,
        "expires_at": "2026-03-14T09:41:53Z", "test_mode": false
    });
    let replies = vec![
        reply(200, &page),
        reply(200, &sample::job("CANCELLED")),
        accepted().with_status(200),
        reply(200, &no_usage),
        reply(200, &me),
    ];
    let (server, client) = Server::start(replies).await;
    let filter = JobFilter {
        status: Some(jobs::JobStatus::Failed),
        created_after: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        limit: Some(5),
        ..JobFilter::default()
    };
    client.list(&filter).await.unwrap();
    assert!(matches!(client.cancel(id()).await.unwrap(), Cancelled::Job(job) if job.job_id == id()));
    let unread = client.cancel(id()).await.unwrap();
    assert!(matches!(&unread, Cancelled::Summary(summary) if summary.job_id == id()), "{unread:?}");
    assert_eq!(unread.status(), jobs::JobStatus::Pending);
    let (from, cursor) = (Some("2026-01-01T00:00:00Z".parse().unwrap()), Some("AbC".to_owned()));
    let usage = UsageFilter { from, billed_until: from, cursor, limit: Some(7), ..UsageFilter::default() };
    assert!(!client.usage(&usage).await.unwrap().has_more);
    assert_eq!(client.me().await.unwrap().tenant, "acme");
    let asked = server.asked(|seen| format!("{} {}", seen.verb, seen.uri));
    assert_eq!(asked[0], "GET /v1/jobs?status=FAILED&created_after=2026-01-01T00%3A00%3A00Z&limit=5");
    assert_eq!(asked[1], format!("POST /v1/jobs/{ID}/cancel"));
    let usage = "GET /v1/usage?from=2026-01-01T00%3A00%3A00Z&billed_until=2026-01-01T00%3A00%3A00Z&cursor=AbC&limit=7";
    assert_eq!(asked[3..], [usage, "GET /v1/me"]);
}

#[test]
fn a_client_needs_an_address_and_a_token() {
    for bad in ["", "127.0.0.1:80", "ftp://host", "http://host/?a=b"] {
        assert!(matches!(Client::new(bad, "t"), Err(ClientError::Configuration(_))), "{bad}");
    }
    assert!(matches!(Client::new("http://host", "a\nb"), Err(ClientError::Configuration(_))));
    let client = Client::new("https://host/prefix/", "secret").unwrap();
    assert!(!format!("{client:?}").contains("secret"));
}

#[test]
fn a_mistyped_api_key_is_found_before_anybody_is_asked() {
    let key = ApiKey::generate(KeyMode::Live);
    assert!(Client::new("http://host", key.as_str()).is_ok());
    let typo = format!("{}_", key.as_str().trim_end_matches(|c: char| c.is_ascii_alphanumeric()));
    for wrong in [&typo, &key.as_str().replace("live", "test")] {
        let refused = Client::new("http://host", wrong).unwrap_err().to_string();
        assert!(refused.contains("API key") && !refused.contains(key.id().as_str()), "{refused}");
    }
}

/// Hands out its tokens one after the other, and keeps those that it was told have expired.
#[derive(Default)]
struct Renews {
    tokens: Mutex<VecDeque<Result<String, ClientError>>>,
    expired: Mutex<Vec<String>>,
}

impl Renewal for Arc<Renews> {
    fn renew<'a>(&'a self, expired: &'a str) -> BoxFuture<'a, Result<String, ClientError>> {
        self.expired.lock().expect("no panic").push(expired.to_owned());
        let next = self.tokens.lock().expect("no panic").pop_front().expect("a token");
        Box::pin(std::future::ready(next))
    }
}

fn renews(tokens: Vec<Result<String, ClientError>>) -> Arc<Renews> {
    Arc::new(Renews { tokens: Mutex::new(tokens.into()), ..Renews::default() })
}

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_the_request_sent_again() {
    let replies = vec![problem(ErrorCode::TokenExpired), reply(200, &sample::job("COMPLETED"))];
    let (server, plain) = Server::start(replies).await;
    let renewal = renews(vec![Ok("fresh".to_owned())]);
    let client = Client::renewing(&plain.origin, "old", renewal.clone()).unwrap();
    client.job(id()).await.unwrap();
    client.job(id()).await.unwrap();
    let bearer = |token: &str| Some(format!("Bearer {token}"));
    assert_eq!(server.header("authorization"), [bearer("old"), bearer("fresh"), bearer("fresh")]);
    assert_eq!(*renewal.expired.lock().unwrap(), ["old"]);
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_is_told_and_nothing_goes_on_for_ever() {
    let (server, plain) = Server::start(vec![problem(ErrorCode::TokenExpired)]).await;
    let over = ClientError::OAuth { error: "invalid_grant".to_owned(), description: "over".to_owned() };
    let client = Client::renewing(&plain.origin, "old", renews(vec![Err(over)])).unwrap();
    assert!(matches!(client.job(id()).await, Err(ClientError::OAuth { .. })));
    assert_eq!(server.header("host").len(), 1);

    let client = Client::renewing(&plain.origin, "old", renews(vec![Ok("as old".to_owned())])).unwrap();
    let error = client.job(id()).await.unwrap_err();
    assert!(error.is_expired_token(), "{error}");
    assert_eq!(server.header("host").len(), 3, "once more, and no further");
}

#[tokio::test]
async fn what_only_an_operator_can_mend_is_asked_once() {
    let (server, client) = Server::start(vec![problem(ErrorCode::DataDamaged)]).await;
    let refused = client.receipt(id()).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Problem(problem) if problem.code == ErrorCode::DataDamaged), "{refused}");
    assert_eq!(server.asked(|_| ()).len(), 1);
}
