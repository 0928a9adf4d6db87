//! What is signed, and what a signature is refused for.

use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use axum::http::Request;

use super::*;

const ID: Uuid = Uuid::from_u128(7);
const NONCE_VALUE: &str = "0123456789abcdef";

fn secrets() -> RequestKeys {
    RequestKeys::new("a secret of thirty-two characters").expect("it is long enough")
}

fn acme() -> TenantId {
    "acme".parse().expect("a tenant")
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_763_755_200, 0).expect("a time")
}

/// A request as its client signs it, and as it arrives when something is changed on the way.
struct Sent {
    method: &'static str,
    uri: &'static str,
    timestamp: String,
    nonce: &'static str,
    body: String,
    signature: Option<String>,
}

impl Default for Sent {
    fn default() -> Self {
        let mut sent = Self {
            method: "POST",
            uri: "/v1/jobs?a=1&b=%20",
            timestamp: "1763755200".to_owned(),
            nonce: NONCE_VALUE,
            body: "ab".repeat(32),
            signature: None,
        };
        sent.signature = Some(sent.signed_by(&secrets().of(&acme(), ID)));
        sent
    }
}

impl Sent {
    fn signed_by(&self, key: &str) -> String {
        let (path, query) = self.uri.split_once('?').unwrap_or((self.uri, ""));
        let text = format!(
            "zama-jobs/v1/request\n{}\n{path}\n{query}\n{}\n{}\n{}",
            self.method, self.timestamp, self.nonce, self.body
        );
        let tag = sign(&Key::new(HMAC_SHA256, key.as_bytes()), text.as_bytes());
        format!("v1={}", hex::encode(tag))
    }

    fn at(seconds: i64) -> Self {
        let mut sent = Self { timestamp: (now().timestamp() + seconds).to_string(), ..Self::default() };
        sent.signature = Some(sent.signed_by(&secrets().of(&acme(), ID)));
        sent
    }

    fn parts(&self) -> Parts {
        let mut request = Request::builder().method(self.method).uri(self.uri);
        request = request.header(TIMESTAMP, &self.timestamp).header(NONCE, self.nonce);
        request = request.header(CONTENT_SHA256, &self.body);
        if let Some(signature) = &self.signature {
            request = request.header(SIGNATURE, signature);
        }
        request.body(()).expect("a request").into_parts().0
    }

    fn is_accepted(&self) -> bool {
        check(&self.parts(), &acme(), &secrets(), &[Uuid::from_u128(1), ID], now()).is_ok()
    }
}

#[test]
fn a_signed_request_is_accepted_by_any_key_in_force() {
    let parts = Sent::default().parts();
    let signed = check(&parts, &acme(), &secrets(), &[Uuid::from_u128(1), ID], now()).expect("accepted");
    assert_eq!((signed.nonce, signed.body), (NONCE_VALUE, [0xab; 32]));
    assert!(signed.until > now() + TOLERANCE, "the nonce is kept for as long as the timestamp is accepted");
    assert!(
        check(&parts, &acme(), &secrets(), &[Uuid::from_u128(1)], now()).is_err(),
        "a key that is in force no more"
    );
    assert!(check(&parts, &"globex".parse().expect("a tenant"), &secrets(), &[ID], now()).is_err());
    let others = RequestKeys::new("another secret of thirty-two chars").expect("it is long enough");
    assert!(check(&parts, &acme(), &others, &[ID], now()).is_err());
}

#[test]
fn whatever_is_changed_on_the_way_is_noticed() {
    assert!(Sent::default().is_accepted());
    for changed in [
        Sent { method: "PUT", ..Sent::default() },
        Sent { uri: "/v1/jobz?a=1&b=%20", ..Sent::default() },
        Sent { uri: "/v1/jobs?a=1&b=+", ..Sent::default() },
        Sent { uri: "/v1/jobs?b=%20&a=1", ..Sent::default() },
        Sent { uri: "/v1/jobs", ..Sent::default() },
        Sent { timestamp: "1763755201".to_owned(), ..Sent::default() },
        Sent { timestamp: "01763755200".to_owned(), ..Sent::default() },
        Sent { nonce: "0123456789abcdeF", ..Sent::default() },
        Sent { body: "ac".repeat(32), ..Sent::default() },
        Sent { signature: Some(format!("v1={}", "00".repeat(32))), ..Sent::default() },
    ] {
        assert!(!changed.is_accepted(), "{:?}", changed.parts());
    }
}

#[test]
fn clocks_may_differ_by_five_minutes() {
    for (seconds, accepted) in [(-300, true), (300, true), (-301, false), (301, false), (-86_400, false)] {
        assert_eq!(Sent::at(seconds).is_accepted(), accepted, "{seconds}");
    }
}

#[test]
fn what_is_missing_or_of_another_form_is_refused() {
    let parts = Request::builder().uri("/v1/jobs").body(()).expect("a request").into_parts().0;
    assert!(check(&parts, &acme(), &secrets(), &[ID], now()).is_err());
    for malformed in [
        Sent { signature: None, ..Sent::default() },
        Sent { nonce: "short", ..Sent::default() },
        Sent { nonce: "0123456789abcde/", ..Sent::default() },
        Sent { timestamp: "now".to_owned(), ..Sent::default() },
        Sent { timestamp: "-1".to_owned(), ..Sent::default() },
        Sent { timestamp: "99999999999999999999".to_owned(), ..Sent::default() },
        Sent { body: "ab".to_owned(), ..Sent::default() },
    ] {
        let mut malformed = malformed;
        if malformed.signature.is_some() {
            malformed.signature = Some(malformed.signed_by(&secrets().of(&acme(), ID)));
        }
        assert!(!malformed.is_accepted(), "{:?}", malformed.parts());
    }
    let mut twice = Sent::default().parts();
    twice.headers.append(NONCE, NONCE_VALUE.parse().expect("a value"));
    assert!(check(&twice, &acme(), &secrets(), &[ID], now()).is_err());
}

#[test]
fn a_key_is_its_tenants_and_its_ids_alone() {
    let (keys, globex) = (secrets(), "globex".parse().expect("a tenant"));
    let all = [keys.of(&acme(), ID), keys.of(&acme(), Uuid::nil()), keys.of(&globex, ID)];
    assert!(all[0] != all[1] && all[0] != all[2] && all[1] != all[2]);
    assert_eq!((all[0].len(), &all[0][..4]), (68, "zrk_"));
    assert!(RequestKeys::new("short").is_err());
}

#[test]
fn the_page_shows_what_is_said() {
    off_the_clock("2026-03-14T09:26:53.589Z".parse().expect("a time")).is_the_example_of_its_page();
}
