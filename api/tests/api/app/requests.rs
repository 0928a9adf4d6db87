//! Asking: any request, and the ones that tests ask most.

use api::policy::client_address::Peer;
use axum::body::Body;
use axum::http::{Method, Request, header, request};
use chrono::{DateTime, SubsecRound as _, Utc};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{TestApp, User, documented};
use crate::answer::Answer;

/// A request in the making.
pub struct Call {
    request: request::Builder,
    body: Body,
}

impl Call {
    pub fn new(method: &str, path: &str) -> Self {
        let method: Method = method.parse().unwrap();
        Self { request: Request::builder().method(method).uri(path), body: Body::empty() }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    /// POST /v1/jobs with a body of JSON.
    pub fn submit(body: impl Into<Body>) -> Self {
        Self::new("POST", "/v1/jobs").header("content-type", "application/json").body(body)
    }

    pub fn by(self, user: &User) -> Self {
        self.token(&user.token)
    }

    pub fn token(self, token: &str) -> Self {
        self.header(header::AUTHORIZATION.as_str(), format!("Bearer {token}"))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.request = self.request.header(name, value.as_ref());
        self
    }

    /// The other end of its connection.
    pub fn from(mut self, address: &str) -> Self {
        let peer = Peer { address: address.parse().unwrap(), secure: false };
        self.request = self.request.extension(peer);
        self
    }

    pub fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }
}

impl TestApp {
    pub async fn send(&self, call: Call) -> Answer {
        let request = call.request.body(call.body).expect("a request");
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let answer = Answer::of(self.router.clone().oneshot(request).await.expect("the router answers")).await;
        documented::check(&method, &path, &answer);
        answer
    }

    pub async fn get(&self, user: &User, path: &str) -> Answer {
        self.send(Call::get(path).by(user)).await
    }

    pub async fn post(&self, user: &User, path: &str) -> Answer {
        self.send(Call::new("POST", path).by(user)).await
    }

    pub async fn submit(&self, user: &User, body: &Value) -> Answer {
        self.send(Call::submit(body.to_string()).by(user)).await
    }

    pub async fn submit_with_key(&self, user: &User, key: &str, body: &Value) -> Answer {
        self.send(Call::submit(body.to_string()).by(user).key(key)).await
    }

    /// POST /v1/jobs/quote
    pub async fn quote(&self, user: &User, body: &Value) -> Answer {
        let call = Call::new("POST", "/v1/jobs/quote").header("content-type", "application/json");
        self.send(call.body(body.to_string()).by(user)).await
    }

    /// The id of a new quote.
    pub async fn quoted(&self, user: &User, body: &Value) -> String {
        self.quote(user, body).await.expect(201)["quote_id"].as_str().unwrap().to_owned()
    }

    /// The id of a new job that factors a small number.
    pub async fn accepted(&self, user: &User) -> String {
        let accepted = self.submit(user, &job(104_729)).await.expect(202);
        accepted["job_id"].as_str().unwrap().to_owned()
    }

    /// The id of a new job whose `created_at` is after that of `earlier`: times are told in milliseconds.
    pub async fn accepted_later(&self, user: &User, earlier: &str) -> String {
        let created = "SELECT created_at FROM jobs WHERE id = $1::uuid";
        let created: DateTime<Utc> = sqlx::query_scalar(created).bind(earlier).fetch_one(&self.pool).await.unwrap();
        while Utc::now().trunc_subsecs(3) <= created {
            tokio::task::yield_now().await;
        }
        self.accepted(user).await
    }

    /// A job as its submitter sees it.
    pub async fn job(&self, user: &User, id: &str) -> Value {
        self.get(user, &format!("/v1/jobs/{id}")).await.expect(200)
    }
}

/// The printed example's body, with another number.
pub fn job(number: impl Into<Value>) -> Value {
    json!({
        "type": "compute",
        "payload": {
            "algorithm": "prime_factorization",
            "input": {"number": number.into()},
            "parameters": {"timeout": 300}
        },
        "priority": "normal",
        "useFHE": false
    })
}
