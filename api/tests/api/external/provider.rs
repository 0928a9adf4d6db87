//! A small OpenID provider: its configuration, its keys, and tokens that are signed with any key.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::Utc;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::{API, CLIENT};

/// How it answers.
#[derive(Clone, Copy, Debug)]
pub enum Manner {
    Well,
    Fails,
    Hangs,
    /// Without end.
    Endless,
    Redirects,
    /// With a configuration of somebody else's.
    AsAnother,
    /// With rubbish.
    Garbage,
}

/// A key that signs tokens.
#[derive(Clone)]
pub struct ProviderKey {
    pub id: String,
    pub private: EncodingKey,
}

/// It ends when this is dropped.
pub struct Provider {
    /// `iss` of its tokens.
    pub issuer: String,
    key: Mutex<ProviderKey>,
    served: Arc<Served>,
    server: JoinHandle<()>,
}

struct Served {
    issuer: String,
    keys: Mutex<Vec<Value>>,
    manner: Mutex<Manner>,
    reads: AtomicUsize,
}

impl ProviderKey {
    pub fn new(id: &str) -> Self {
        let der = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new()).unwrap();
        Self { id: id.to_owned(), private: EncodingKey::from_ec_der(der.as_ref()) }
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.private, Algorithm::ES256).unwrap();
        jwk.common.key_id = Some(self.id.clone());
        serde_json::to_value(jwk).unwrap()
    }

    pub fn header(&self) -> Header {
        Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) }
    }

    pub fn sign(&self, claims: &Value) -> String {
        encode(&self.header(), claims, &self.private).unwrap()
    }
}

impl Provider {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/corp", listener.local_addr().unwrap());
        let key = ProviderKey::new("first");
        let served = Arc::new(Served {
            issuer: issuer.clone(),
            keys: Mutex::new(vec![key.jwk()]),
            manner: Mutex::new(Manner::Well),
            reads: AtomicUsize::new(0),
        });
        let router = Router::new()
            .route("/realms/corp/.well-known/openid-configuration", get(configuration))
            .route("/realms/corp/keys", get(keys))
            .with_state(served.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { issuer, key: Mutex::new(key), served, server }
    }

    /// From now on it answers so.
    pub fn is(&self, manner: Manner) {
        *self.served.manner.lock().unwrap() = manner;
    }

    /// How often its configuration was read.
    pub fn reads(&self) -> usize {
        self.served.reads.load(Ordering::SeqCst)
    }

    /// The key that signs now.
    pub fn key(&self) -> ProviderKey {
        self.key.lock().unwrap().clone()
    }

    /// Publishes these keys, of which the last one signs.
    pub fn publishes(&self, keys: &[&ProviderKey]) {
        *self.served.keys.lock().unwrap() = keys.iter().map(|key| key.jwk()).collect();
        *self.key.lock().unwrap() = (*keys.last().unwrap()).clone();
    }

    /// Publishes one more key, which signs nothing of its own.
    pub fn publishes_too(&self, key: Value) {
        self.served.keys.lock().unwrap().push(key);
    }

    /// The claims of a developer of `acme`, with these changes; null takes one away.
    pub fn claims(&self, changes: &Value) -> Value {
        let now = Utc::now().timestamp();
        let mut claims = json!({
            "iss": self.issuer, "aud": API, "azp": CLIENT, "sub": "7c1e-ada", "typ": "Bearer",
            "iat": now, "exp": now + 300,
            "realm_access": {"roles": ["offline_access", "zama-developer"]}, "org": "Acme Inc."
        });
        let members = claims.as_object_mut().unwrap();
        members.extend(changes.as_object().unwrap().clone());
        members.retain(|_, value| !value.is_null());
        claims
    }

    /// An access token of a developer of `acme`, with these changes.
    pub fn token(&self, changes: &Value) -> String {
        self.key().sign(&self.claims(changes))
    }

    /// An access token of an admin.
    pub fn admin(&self, changes: &Value) -> String {
        let mut all = json!({"sub": "9f00-amy", "realm_access": {"roles": ["zama-admin"]}});
        all.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        self.token(&all)
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn configuration(State(served): State<Arc<Served>>) -> Response {
    served.reads.fetch_add(1, Ordering::SeqCst);
    let manner = *served.manner.lock().unwrap();
    let issuer = &served.issuer;
    let configuration = json!({"issuer": issuer, "jwks_uri": format!("{issuer}/keys")});
    match manner {
        Manner::Well => Json(configuration).into_response(),
        Manner::Fails => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Manner::Hangs => std::future::pending().await,
        Manner::Endless => vec![b' '; 1 << 20].into_response(),
        Manner::Redirects => Redirect::temporary(&format!("{issuer}/keys")).into_response(),
        Manner::AsAnother => {
            Json(json!({"issuer": "https://another.test", "jwks_uri": format!("{issuer}/keys")})).into_response()
        }
        Manner::Garbage => "<html>".into_response(),
    }
}

async fn keys(State(served): State<Arc<Served>>) -> Json<Value> {
    Json(json!({"keys": *served.keys.lock().unwrap()}))
}
