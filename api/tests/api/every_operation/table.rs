//! The table of all operations: who is let in, and what each kind of caller gets. An operation that is documented and not
//! in it fails the walk, and so does one that is in it and not documented.

use std::collections::BTreeSet;

use serde_json::Value;

use super::document::operations;

/// What an operation asks for before it does anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lock {
    /// Nothing.
    Open,
    /// Clients, people and the billing system prove themselves in their own ways: `oauth` and `billing` have the refusals.
    Own,
    /// A credential, with this scope if it names one.
    Credential(&'static str),
}

/// A line of the table.
pub struct Row {
    pub method: &'static str,
    pub path: &'static str,
    pub lock: Lock,
    /// The answers that a developer, a team lead and an admin get about what is theirs, and a test key about what is live:
    /// a status, or the code of a refusal. Each has a tenant of its own, and goes through the table from top to bottom.
    pub answers: [&'static str; 4],
    pub body: Body,
}

/// What is sent with a request.
#[derive(Clone, Copy)]
pub enum Body {
    None,
    Json(&'static str),
    Bytes,
}

use Body::{Bytes, Json, None as Nothing};
use Lock::{Credential, Open, Own};

const fn row(method: &'static str, path: &'static str, lock: Lock, answers: [&'static str; 4], body: Body) -> Row {
    Row { method, path, lock, answers, body }
}

/// One answer for everybody.
const fn all(answer: &'static str) -> [&'static str; 4] {
    [answer; 4]
}

const ANY: Lock = Credential("");
const SUBMIT: Lock = Credential("jobs:submit");
const READ: Lock = Credential("jobs:read");
const TEAM: Lock = Credential("jobs:read:team");
const ADMIN: Lock = Credential("jobs:admin");
const LACKS: &str = "INSUFFICIENT_SCOPE";

pub const JOB: &str = r#"{"type":"compute","payload":{"algorithm":"prime_factorization","input":{"number":15}}}"#;
const RETRIEVAL: &str = concat!(
    r#"{"client_signature":"0x5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"#,
    r#"5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e1b","#,
    r#""retrieval_nonce":"0x9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d"}"#
);
const PROOF: &str = concat!(
    r#"{"signature":"0x5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e"#,
    r#"5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e1b","#,
    r#""nonce":"0x9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d9d"}"#
);
const ADDRESS: &str = r#"{"submitter":"0x70997970c51812dc3a010c7d01b50e0d17dc79c8"}"#;

#[rustfmt::skip]
pub const TABLE: &[Row] = &[
    row("GET", "/.well-known/jwks.json", Open, all("200"), Nothing),
    row("GET", "/.well-known/oauth-authorization-server", Open, all("200"), Nothing),
    row("GET", "/docs", Open, all("200"), Nothing),
    row("GET", "/docs/errors", Open, all("200"), Nothing),
    row("GET", "/docs/errors/{code}", Open, all("200"), Nothing),
    row("GET", "/docs/page.css", Open, all("200"), Nothing),
    row("GET", "/docs/page.js", Open, all("200"), Nothing),
    row("GET", "/docs/receipt.schema.json", Open, all("200"), Nothing),
    row("GET", "/livez", Open, all("200"), Nothing),
    row("GET", "/metrics", Open, all("200"), Nothing),
    row("GET", "/openapi.json", Open, all("200"), Nothing),
    row("GET", "/openapi.yml", Open, all("200"), Nothing),
    row("GET", "/readyz", Open, all("200"), Nothing),
    row("GET", "/v1/health", Open, all("200"), Nothing),
    row("GET", "/v1/oauth/device", Open, all("200"), Nothing),
    row("POST", "/v1/oauth/device/decision", Own, all("400"), Nothing),
    row("POST", "/v1/oauth/device_authorization", Own, all("400"), Nothing),
    row("POST", "/v1/oauth/revoke", Own, all("400"), Nothing),
    row("POST", "/v1/oauth/token", Own, all("400"), Nothing),
    row("POST", "/v1/billing/lago-webhook", Own, all("400"), Nothing),

    row("GET", "/v1/me", ANY, all("200"), Nothing),
    row("GET", "/v1/limits", ANY, all("200"), Nothing),
    row("GET", "/v1/tenants/current", ANY, all("200"), Nothing),
    row("PATCH", "/v1/tenants/current", ADMIN, [LACKS, LACKS, "200", LACKS], Json(r#"{"settings":{"confirm_failed":true}}"#)),
    row("POST", "/v1/me/submitter/challenge", ANY, ["201", "201", "201", LACKS], Json(ADDRESS)),
    row("PUT", "/v1/me/submitter", ANY, ["SIGNATURE_INVALID", "SIGNATURE_INVALID", "SIGNATURE_INVALID", LACKS], Json(PROOF)),

    row("GET", "/v1/usage", READ, all("200"), Nothing),
    row("GET", "/v1/usage.csv", READ, all("200"), Nothing),
    // The billing system of these tests has one invoice, which is the admin's tenant's.
    row("GET", "/v1/invoices", TEAM, [LACKS, "200", "200", "200"], Nothing),
    row("GET", "/v1/invoices/{id}", TEAM, [LACKS, "NOT_FOUND", "200", "NOT_FOUND"], Nothing),
    row("GET", "/v1/invoices/{id}/lines/{code}", TEAM, [LACKS, "NOT_FOUND", "200", "NOT_FOUND"], Nothing),
    row("GET", "/v1/notifications", READ, all("200"), Nothing),
    row("GET", "/v1/credits", TEAM, [LACKS, "200", "200", "200"], Nothing),
    row("GET", "/v1/credits/top-ups", TEAM, [LACKS, "200", "200", "200"], Nothing),
    row("GET", "/v1/credits/top-ups/{id}", TEAM, [LACKS, "200", "200", "NOT_FOUND"], Nothing),
    row("POST", "/v1/credits/top-ups", ADMIN, [LACKS, LACKS, "202", LACKS], Json(r#"{"amount_cents":5000}"#)),
    row("GET", "/v1/jobs", READ, all("200"), Nothing),
    row("POST", "/v1/jobs", SUBMIT, all("202"), Json(JOB)),
    row("POST", "/v1/jobs/quote", SUBMIT, all("201"), Json(JOB)),
    row("GET", "/v1/quotes/{id}", READ, ["200", "200", "200", "QUOTE_NOT_FOUND"], Nothing),
    row("GET", "/v1/jobs/{id}", READ, ["200", "200", "200", "JOB_NOT_FOUND"], Nothing),
    row("GET", "/v1/jobs/{id}/result", READ, ["200", "200", "200", "JOB_NOT_FOUND"], Nothing),
    row("GET", "/v1/jobs/{id}/receipt", READ, ["200", "200", "200", "JOB_NOT_FOUND"], Nothing),
    row("POST", "/v1/jobs/{id}/fhe-result", READ, ["INVALID_REQUEST", "INVALID_REQUEST", "INVALID_REQUEST", "JOB_NOT_FOUND"], Json(RETRIEVAL)),
    row("POST", "/v1/jobs/{id}/cancel", SUBMIT, ["200", "200", "200", "JOB_NOT_FOUND"], Nothing),

    row("GET", "/v2/jobs/{id}", READ, ["200", "200", "200", "JOB_NOT_FOUND"], Nothing),

    row("GET", "/v1/blobs", READ, all("200"), Nothing),
    row("GET", "/v1/blobs/{sha256}", READ, ["200", "200", "200", "NOT_FOUND"], Nothing),
    row("DELETE", "/v1/blobs/{sha256}", SUBMIT, ["204", "204", "204", "NOT_FOUND"], Nothing),
    row("POST", "/v1/blobs", SUBMIT, all("201"), Bytes),
    row("GET", "/v1/fhe/keys", READ, all("200"), Nothing),
    row("GET", "/v1/fhe/keys/network/{part}", READ, all("200"), Nothing),
    row("GET", "/v1/fhe/keys/{key_id}", READ, ["200", "200", "200", "NOT_FOUND"], Nothing),
    row("DELETE", "/v1/fhe/keys/{key_id}", SUBMIT, ["204", "204", "204", "NOT_FOUND"], Nothing),
    row("POST", "/v1/fhe/keys", SUBMIT, all("202"), Bytes),

    row("GET", "/v1/api-keys", ANY, all("200"), Nothing),
    row("POST", "/v1/api-keys", ANY, ["201", "201", "201", LACKS], Json(r#"{"name":"another"}"#)),
    row("GET", "/v1/api-keys/{id}", ANY, ["200", "200", "200", "NOT_FOUND"], Nothing),
    row("POST", "/v1/api-keys/{id}/rotate", ANY, ["201", "201", "201", LACKS], Nothing),
    row("DELETE", "/v1/api-keys/{id}", ANY, ["204", "204", "204", LACKS], Nothing),

    row("GET", "/v1/audit", ADMIN, [LACKS, LACKS, "200", LACKS], Nothing),
    row("GET", "/v1/audit/export", ADMIN, [LACKS, LACKS, "200", LACKS], Nothing),
    row("GET", "/v1/users", ADMIN, [LACKS, LACKS, "200", LACKS], Nothing),
    row("GET", "/v1/users/{id}", ADMIN, [LACKS, LACKS, "200", LACKS], Nothing),
    row("PUT", "/v1/users/{id}", ADMIN, [LACKS, LACKS, "200", LACKS], Json(r#"{"role":"team_lead"}"#)),
    row("DELETE", "/v1/users/{id}", ADMIN, [LACKS, LACKS, "204", LACKS], Nothing),
];

/// The line about an operation.
#[track_caller]
pub fn row_of(method: &str, path: &str) -> &'static Row {
    let row = TABLE.iter().find(|row| row.method.eq_ignore_ascii_case(method) && row.path == path);
    row.unwrap_or_else(|| panic!("{method} {path} is not in the table: say there who is let in, and what each gets"))
}

#[test]
fn it_has_every_operation_once_and_no_other() {
    let listed: Vec<_> = TABLE.iter().map(|row| (row.method.to_owned(), row.path.to_owned())).collect();
    let named: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(named.len(), listed.len(), "each once");
    let documented: BTreeSet<_> =
        operations().into_iter().map(|operation| (operation.method.to_uppercase(), operation.path)).collect();
    let missing: Vec<_> = documented.difference(&named).collect();
    assert!(missing.is_empty(), "say in the table who is let in, and what each gets: {missing:?}");
    let gone: Vec<_> = named.difference(&documented).collect();
    assert!(gone.is_empty(), "no such operation any more: {gone:?}");
}

/// The document's word about the lock is the table's.
#[test]
fn the_document_says_what_each_operation_asks_for() {
    for operation in operations() {
        let Row { lock, .. } = row_of(&operation.method, &operation.path);
        let security = operation.document["security"].as_array();
        let security =
            security.unwrap_or_else(|| panic!("{operation}: says what it asks for, if nothing by an empty list"));
        let expected = match *lock {
            Open => Value::Array(Vec::new()),
            Credential("") => serde_json::json!([{"bearer": []}]),
            Credential(scope) => serde_json::json!([{"bearer": [scope]}]),
            // A client's secret, or what stands in the body.
            Own => continue,
        };
        assert_eq!(Value::Array(security.clone()), expected, "{operation}");
    }
}
