//! Our own issuer, as clients and people meet it; and the verbs of these tests.

mod addresses;
mod assertions;
mod client_credentials;
mod devices;
mod discovery;
mod refresh;
mod revocation;
mod rotation;

use api::token::secret::{SecretKind, hash, new_client_id, new_login_code, new_secret};
use api::token::{Role, Scopes};
use axum::http::header;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use store::oauth::clients::{self, NewClient, NewProof};
use store::oauth::login_codes;
use url::form_urlencoded::Serializer;

use crate::answer::Answer;
use crate::app::{Call, TestApp, by_operator};

pub const DEVICE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
pub const COMMAND_LINE: (&str, &str) = ("client_id", "zama-jobs-cli");

/// A registered program.
#[derive(Clone, Debug)]
pub struct Program {
    pub id: String,
    pub secret: String,
}

impl Program {
    /// Its header for HTTP Basic.
    pub fn basic(&self) -> String {
        format!("Basic {}", STANDARD.encode(format!("{}:{}", self.id, self.secret)))
    }
}

/// POST with a form as its body.
pub fn form(path: &str, parameters: &[(&str, &str)]) -> Call {
    let body = Serializer::new(String::new()).extend_pairs(parameters).finish();
    Call::new("POST", path).header("content-type", "application/x-www-form-urlencoded").body(body)
}

impl TestApp {
    /// A program that speaks for a user of tenant `acme`, who is a developer unless registered already.
    pub async fn program(&self, user: &str) -> Program {
        self.developer(user).await;
        self.program_of(user).await
    }

    /// A program that speaks for a user who is registered.
    pub async fn program_of(&self, user: &str) -> Program {
        let secret = new_secret(SecretKind::ClientSecret);
        let id = self.program_with(user, NewProof::Secret(hash(&secret)), Role::Admin.scopes()).await;
        Program { id, secret }
    }

    pub async fn program_with(&self, user: &str, proof: NewProof, scopes: Scopes) -> String {
        let id = new_client_id();
        let (tenant, user, scope) = ("acme".parse().unwrap(), user.parse().unwrap(), scopes.to_string());
        let client = NewClient { id: &id, tenant: &tenant, user: &user, name: "", scope: &scope, proof };
        assert!(clients::create(&self.pool, &client, &by_operator(&tenant)).await.unwrap());
        id
    }

    /// POST /v1/oauth/token
    pub async fn token_request(&self, parameters: &[(&str, &str)]) -> Answer {
        self.send(form("/v1/oauth/token", parameters)).await
    }

    /// A token that the program gets with its secret.
    pub async fn token_of(&self, program: &Program) -> String {
        let parameters = [("grant_type", "client_credentials")];
        let call = form("/v1/oauth/token", &parameters).header("authorization", program.basic());
        access_token(&self.send(call).await.expect(200))
    }

    /// What `GET /v1/me` answers whoever holds the token.
    pub async fn whoami(&self, token: &str) -> Answer {
        self.send(Call::get("/v1/me").token(token)).await
    }

    /// A one-time code for a registered user of tenant `acme`.
    pub async fn login_code(&self, user: &str) -> String {
        let code = new_login_code();
        let (acme, user) = ("acme".parse().unwrap(), user.parse().unwrap());
        let created = login_codes::create(&self.pool, (&acme, &user), hash(&code), 900.0, &by_operator(&acme)).await;
        created.unwrap().expect("the user is registered");
        code
    }

    /// A device begins a login.
    pub async fn device(&self, parameters: &[(&str, &str)]) -> Value {
        self.send(form("/v1/oauth/device_authorization", &[parameters, &[COMMAND_LINE]].concat())).await.expect(200)
    }

    /// A device asks whether it was let in.
    pub async fn poll(&self, device: &Value) -> Answer {
        let code = device["device_code"].as_str().unwrap();
        self.token_request(&[("grant_type", DEVICE_GRANT), ("device_code", code), COMMAND_LINE]).await
    }

    /// A person decides.
    pub async fn decide(&self, device: &Value, login_code: &str, decision: &str) -> Answer {
        let user_code = device["user_code"].as_str().unwrap();
        let parameters = [("user_code", user_code), ("login_code", login_code), ("decision", decision)];
        self.send(form("/v1/oauth/device/decision", &parameters)).await
    }

    /// A developer of tenant `acme` who has logged in: the tokens.
    pub async fn logged_in(&self, user: &str) -> Value {
        self.developer(user).await;
        let device = self.device(&[]).await;
        let code = self.login_code(user).await;
        assert_eq!(self.decide(&device, &code, "approve").await.status, 200);
        self.poll(&device).await.expect(200)
    }

    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", refresh_token), COMMAND_LINE]).await
    }

    /// Time passes, for what the database remembers.
    pub async fn sql(&self, statement: &'static str) {
        sqlx::query(statement).execute(&self.pool).await.unwrap();
    }
}

pub fn access_token(tokens: &Value) -> String {
    tokens["access_token"].as_str().unwrap().to_owned()
}

pub fn refresh_token(tokens: &Value) -> String {
    tokens["refresh_token"].as_str().unwrap().to_owned()
}

impl Answer {
    /// A refusal as the RFCs have it, and nothing else.
    #[track_caller]
    pub fn refused(&self, error: &str) -> String {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let body = self.expect(status);
        assert_eq!(body["error"], error, "{self:?}");
        assert_eq!(body.as_object().unwrap().len(), 2, "{body}");
        assert_eq!(self.header("content-type"), "application/json");
        self.is_not_stored();
        let challenged = self.headers.get(header::WWW_AUTHENTICATE).map(|value| value.to_str().unwrap());
        assert_eq!(challenged.is_some_and(|value| value.starts_with("Basic ")), status == 401, "{self:?}");
        body["error_description"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub fn is_not_stored(&self) {
        assert_eq!(self.header("cache-control"), "no-store");
        assert_eq!(self.header("pragma"), "no-cache");
    }
}
