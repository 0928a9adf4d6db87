//! What a caller has: a thing of each kind that a path can name.

use api::token::Role;
use blobs::BlobHash;
use serde_json::json;

use super::table::{Body, JOB, Row};
use crate::app::{Call, INVOICE, TestApp, User};

/// A caller and what is theirs, or their tenant's where only admins have it.
pub struct World {
    pub caller: User,
    /// COMPLETED; whoever asks for its end gets it as it is.
    pub job: String,
    /// That nobody has used.
    pub quote: String,
    pub api_key: String,
    /// Of tenant `acme`, whoever the caller is.
    pub invoice: String,
    /// Credits that were asked for in the caller's tenant.
    pub top_up: String,
    /// Of a blob and of an evaluation key alike.
    pub sha256: String,
    /// Another user of the tenant.
    pub user: String,
}

impl World {
    /// A caller with a tenant of its own.
    pub async fn of(app: &TestApp, tenant: &str, role: Role) -> Self {
        let caller = app.user(tenant, "cal", role).await;
        app.user(tenant, "zoe", Role::Developer).await;
        let job = app.accepted(&caller).await;
        app.complete(&job).await;
        let quote = app.quoted(&caller, &serde_json::from_str(JOB).unwrap()).await;
        let api_key = app.key(&caller, json!({})).await.id;
        let bytes = format!("bytes of {tenant}");
        for path in ["/v1/blobs", "/v1/fhe/keys"] {
            let stored = app.send(octets("POST", path, bytes.clone()).by(&caller)).await;
            assert!(stored.status.is_success(), "{stored:?}");
        }
        let sha256 = format!("0x{}", BlobHash::of(bytes.as_bytes()));
        let top_up = app.granted(tenant, "world", 100).await.to_string();
        Self { caller, job, quote, api_key, invoice: INVOICE.to_owned(), top_up, sha256, user: "zoe".to_owned() }
    }

    /// Things that nobody has.
    pub fn of_nobody(caller: &User) -> Self {
        let api_key = jobs::ApiKey::generate(jobs::KeyMode::Live).id().to_string();
        Self {
            caller: caller.clone(),
            job: jobs::JobId::generate().to_string(),
            quote: jobs::QuoteId::generate().to_string(),
            api_key,
            invoice: jobs::JobId::generate().to_string(),
            top_up: jobs::JobId::generate().to_string(),
            sha256: format!("0x{}", BlobHash::of(b"nobody has uploaded this")),
            user: "who".to_owned(),
        }
    }

    /// What a path's braces name here; `None` where there are none, or none that name a thing of somebody's.
    pub fn named_by(&self, path: &str) -> Option<&str> {
        let kinds = [
            ("/jobs/{id}", &self.job),
            ("/quotes/{id}", &self.quote),
            ("/api-keys/{id}", &self.api_key),
            ("/invoices/{id}", &self.invoice),
            ("/top-ups/{id}", &self.top_up),
            ("/users/{id}", &self.user),
            ("{sha256}", &self.sha256),
            ("{key_id}", &self.sha256),
        ];
        kinds.into_iter().find(|(braces, _)| path.contains(braces)).map(|(_, name)| name.as_str())
    }

    /// The path with what is this world's.
    pub fn path(&self, path: &str) -> String {
        let Some(name) = self.named_by(path) else { return super::concrete(path) };
        let (start, rest) = path.split_once('{').unwrap();
        let (_, end) = rest.split_once('}').unwrap();
        super::concrete(&format!("{start}{name}{end}"))
    }

    /// The table's request about what is this world's, by nobody yet.
    pub fn call(&self, row: &Row) -> Call {
        self.call_at(row, &self.path(row.path))
    }

    /// The same at another path.
    pub fn call_at(&self, row: &Row, path: &str) -> Call {
        match row.body {
            Body::None => Call::new(row.method, path),
            // What is paid for needs a key.
            Body::Json(text) if row.path == "/v1/credits/top-ups" => with_json(row.method, path, text).key("walk"),
            Body::Json(text) => with_json(row.method, path, text),
            Body::Bytes => octets(row.method, path, "bytes of a walk".to_owned()),
        }
    }
}

fn with_json(method: &str, path: &str, text: &'static str) -> Call {
    Call::new(method, path).header("content-type", "application/json").body(text)
}

fn octets(method: &str, path: &str, bytes: String) -> Call {
    Call::new(method, path).header("content-type", "application/octet-stream").body(bytes)
}
