//! A person at a browser: follows Keycloak's pages from the login to the code that its client redeems (RFC 6749, with
//! PKCE, RFC 7636).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::keycloak::{Keycloak, PASSWORD};
use crate::one_time_code;

const CLIENT: &str = "zama-jobs-cli";
/// Nobody listens there: the code is read from where the browser is sent.
const BACK: &str = "http://127.0.0.1/back";
const VERIFIER: &str = "a-verifier-of-at-least-forty-three-characters-0123456789";

pub struct Browser<'a> {
    keycloak: &'a Keycloak,
    http: Client,
    cookies: BTreeMap<String, String>,
}

impl<'a> Browser<'a> {
    pub fn new(keycloak: &'a Keycloak) -> Self {
        let http = Client::builder().no_proxy().redirect(redirect::Policy::none()).build().unwrap();
        Self { keycloak, http, cookies: BTreeMap::new() }
    }

    /// Logs in, with a code from a phone when the person is asked for one; the client's tokens.
    pub async fn logs_in(mut self, name: &str, phone: Option<&str>) -> Value {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
        let login = [
            ("client_id", CLIENT),
            ("redirect_uri", BACK),
            ("response_type", "code"),
            ("scope", "openid"),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        let page = self.http.get(self.endpoint("auth")).query(&login).send().await.unwrap();
        let page = self.reads(page).await;
        let mut answer = self.sends(&page, &[("username", name), ("password", PASSWORD)]).await;
        if let Some(secret) = phone {
            let page = self.reads(answer).await;
            assert!(page.contains("otp"), "a code is asked for: {page}");
            answer = self.sends(&page, &[("otp", &one_time_code::code(secret.as_bytes()))]).await;
        }
        assert_eq!(answer.status(), 302, "{name} is let in");
        let back = answer.headers()[LOCATION].to_str().unwrap();
        let code = back.split(['?', '&']).find_map(|part| part.strip_prefix("code=")).expect("a code").to_owned();
        self.redeems(&code).await
    }

    async fn redeems(&self, code: &str) -> Value {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", CLIENT),
            ("redirect_uri", BACK),
            ("code", code),
            ("code_verifier", VERIFIER),
        ];
        let answer = self.http.post(self.endpoint("token")).body(encoded(&form));
        let answer = answer.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        assert_eq!(answer.status(), 200, "the code is redeemed");
        answer.json().await.unwrap()
    }

    fn endpoint(&self, name: &str) -> String {
        format!("{}/protocol/openid-connect/{name}", self.keycloak.issuer)
    }

    /// The page, once its cookies are kept.
    async fn reads(&mut self, answer: Response) -> String {
        self.keeps_cookies(&answer);
        assert_eq!(answer.status(), 200, "{answer:?}");
        answer.text().await.unwrap()
    }

    /// Sends the form of a page.
    async fn sends(&mut self, page: &str, fields: &[(&str, &str)]) -> Response {
        let (_, form) = page.split_once("action=\"").unwrap_or_else(|| panic!("no form: {page}"));
        let action = form.split('"').next().unwrap().replace("&amp;", "&");
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let post = self.http.post(action).header(COOKIE, cookies.join("; ")).body(encoded(fields));
        let answer = post.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        self.keeps_cookies(&answer);
        answer
    }

    fn keeps_cookies(&mut self, answer: &Response) {
        for cookie in answer.headers().get_all(SET_COOKIE) {
            let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), value.to_owned());
        }
    }
}

/// As forms are sent.
fn encoded(fields: &[(&str, &str)]) -> String {
    let escaped = |text: &str| {
        text.bytes()
            .map(
                |byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") },
            )
            .collect::<String>()
    };
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
    pairs.join("&")
}
