//! An answer of the server, read whole, and what every problem document must be.

use std::collections::BTreeSet;

use axum::body::Body;
use axum::http::{HeaderMap, Response, StatusCode, header};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use http_body_util::BodyExt as _;
use serde_json::Value;

use crate::app::PUBLIC_URL;

/// Members of a problem document: all of them, always.
const MEMBERS: [&str; 9] =
    ["code", "detail", "errors", "instance", "request_id", "status", "timestamp", "title", "type"];

#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub async fn of(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = body.collect().await.expect("the body can be read").to_bytes();
        Self { status: parts.status, headers: parts.headers, body }
    }

    /// A header that is there, once.
    #[track_caller]
    pub fn header(&self, name: &str) -> &str {
        let values: Vec<_> = self.headers.get_all(name).iter().collect();
        assert_eq!(values.len(), 1, "{name} stands once in {self:?}");
        values[0].to_str().unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The body of an answer with this status.
    #[track_caller]
    pub fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status.as_u16(), status, "{self:?}");
        self.json()
    }

    /// The document of a problem with this code, after every rule that holds for all of them was checked.
    #[track_caller]
    pub fn problem(&self, code: &str) -> Value {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        let document = self.json();
        assert_eq!(document["code"], code, "{document:#}");
        let known: jobs::ErrorCode = code.parse().unwrap();
        assert_eq!(self.status.as_u16(), known.status(), "{document:#}");
        let members: BTreeSet<&str> = document.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, BTreeSet::from(MEMBERS));
        assert_eq!(document["status"], known.status());
        assert_eq!(document["title"], known.title());
        assert_eq!(document["type"], format!("{PUBLIC_URL}/docs/errors/{code}"));
        assert_eq!(document["request_id"], self.header("x-request-id"));
        assert_eq!(self.header("cache-control"), "no-store");
        let detail = document["detail"].as_str().unwrap();
        assert!(detail.ends_with('.') && detail.len() > 10, "a sentence: {detail:?}");
        assert!(document["instance"].as_str().unwrap().starts_with('/'), "{document:#}");
        let told: DateTime<Utc> = document["timestamp"].as_str().unwrap().parse().unwrap();
        assert!((Utc::now() - told).num_seconds().abs() < 60, "{told}");
        for error in document["errors"].as_array().unwrap() {
            assert!(error["pointer"].is_string() && error["reason"].is_string(), "{error}");
        }
        let challenged = self.headers.contains_key(header::WWW_AUTHENTICATE);
        let about_the_token = self.status == 401 || code == "INSUFFICIENT_SCOPE";
        assert_eq!(challenged, about_the_token, "{self:?}");
        document
    }

    /// The pointers of a problem's fields.
    #[track_caller]
    pub fn pointers(&self) -> Vec<String> {
        let document = self.json();
        let errors = document["errors"].as_array().unwrap();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}
