//! The audit log: what stands in it, who reads it, and that nothing of it is changed unseen.

use alloy::primitives::B256;
use api::key_manager::KeyManagerError;
use api::token::Role;
use futures::future::join_all;
use jobs::ErrorCode;
use jobs::audit::{Broken, ChainedEntry, Head, Walk};
use retrieval::RecipientKey;
use serde_json::{Value, json};

use crate::app::{Call, Owner, TestApp, User, job};

const BLOB: &str = "/v1/blobs/1111111111111111111111111111111111111111111111111111111111111111";

impl TestApp {
    /// A tenant's log, the oldest entry first, as an admin of it reads it.
    pub async fn audit(&self, tenant: &str, query: &str) -> Vec<Value> {
        let admin = self.user(tenant, "auditor", Role::Admin).await;
        let page = self.get(&admin, &format!("/v1/audit?order=asc&limit=100{query}")).await.expect(200);
        for entry in page["data"].as_array().unwrap() {
            serde_json::from_value::<ChainedEntry>(entry.clone()).unwrap_or_else(|error| panic!("{error}: {entry}"));
        }
        page["data"].as_array().unwrap().clone()
    }

    /// What an export is found to be.
    async fn verdict(&self, admin: &User) -> Result<Head, Broken> {
        let answer = self.get(admin, "/v1/audit/export").await;
        assert_eq!(answer.header("content-type"), "application/x-ndjson");
        let text = String::from_utf8(answer.body.to_vec()).unwrap();
        let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let head = serde_json::from_value(lines.pop().unwrap()["head"].take()).unwrap();
        let mut walk = Walk::default();
        lines.iter().try_for_each(|line| walk.step(line))?;
        walk.finish(head)
    }
}

fn of<'a>(entries: &'a [Value], member: &str) -> Vec<&'a str> {
    entries.iter().map(|entry| entry[member].as_str().unwrap_or("-")).collect()
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_what_and_with_which_request() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let key = app.key(&amy, json!({"name": "a program"})).await;
    let put =
        Call::new("PUT", "/v1/users/bob").header("content-type", "application/json").body(r#"{"role":"team_lead"}"#);
    let put = put.token(&key.bearer.token).header("x-request-id", "from-me").from("203.0.113.5");
    app.send(put).await.expect(201);

    let entries = app.audit("acme", "").await;
    assert_eq!(of(&entries, "action"), ["create_api_key", "put_user"]);
    assert_eq!(of(&entries, "target"), [&*key.path(), "/v1/users/bob"]);
    assert_eq!(of(&entries, "credential"), ["access_token", &*format!("api_key:{}", key.id)]);
    let entry = &entries[1];
    assert_eq!((&entry["seq"], &entry["user"], &entry["outcome"]), (&json!(2), &json!("amy"), &json!("done")));
    assert_eq!((&entry["request_id"], &entry["address"]), (&json!("from-me"), &json!("203.0.113.5")));
    assert_eq!((&entry["detail"], &entry["code"]), (&json!({"role": "team_lead"}), &Value::Null));
    assert_eq!(entry["previous"], entries[0]["hash"]);
    let secret = key.bearer.token.rsplit_once('_').unwrap().1;
    assert!(!entries[0].to_string().contains(secret), "no secret ever");
}

#[tokio::test]
async fn what_is_refused_leaves_an_entry_where_it_shows_an_attack_and_else_none() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.json("PUT", &ada, "/v1/users/ada", &json!({"role": "admin"})).await.problem("INSUFFICIENT_SCOPE");
    app.submit(&ada, &json!({"type": "compute"})).await.problem("JOB_VALIDATION_FAILED");
    app.post(&ada, "/v1/jobs/019cebab-804e-7c41-9b5e-3f2a8d6c1e07/cancel").await.problem("JOB_NOT_FOUND");
    app.get(&ada, "/v1/users").await.problem("INSUFFICIENT_SCOPE");
    app.send(Call::new("DELETE", "/v1/users/ada").token("garbage")).await.problem("INVALID_TOKEN");
    let entries = app.audit("acme", "").await;
    assert_eq!(of(&entries, "action"), ["put_user"], "reads change nothing, and nobody is nobody");
    assert_eq!((&entries[0]["outcome"], &entries[0]["code"]), (&json!("refused"), &json!("INSUFFICIENT_SCOPE")));
}

#[tokio::test]
async fn a_job_is_in_it_once_whatever_is_sent_again() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let accepted = app.submit_with_key(&ada, "k", &job(6)).await.expect(202);
    app.submit_with_key(&ada, "k", &job(6)).await.expect(202);
    app.submit_with_key(&ada, "k", &job(15)).await.problem("IDEMPOTENCY_KEY_REUSED");
    let submissions = app.audit("acme", "&action=submit_job").await;
    let target = format!("/v1/jobs/{}", accepted["job_id"].as_str().unwrap());
    assert_eq!(of(&submissions, "target"), [&*target, "/v1/jobs"], "the repeat made no job");
    assert_eq!(submissions[0]["detail"]["algorithm"], "prime_factorization");
}

fn network_mode(recipient: &RecipientKey) -> Value {
    let recipient = recipient.public_key().unwrap().to_pem();
    json!({"algorithm": "encrypted_maximum", "encrypted_data_url": BLOB, "client_public_key": recipient})
}

async fn sealed_job(app: &TestApp, owner: &Owner) -> (String, B256) {
    let recipient = RecipientKey::generate();
    let id = app.encrypted_and_completed(owner, network_mode(&recipient)).await;
    (id, recipient.public_key().unwrap().hash())
}

#[tokio::test]
async fn every_decryption_and_every_attempt_at_one_is_in_it() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let (id, hash) = sealed_job(&app, &ada).await;
    app.retrieve(&ada.user, &id, &ada.signed(&id, 1, hash, None)).await.expect(200);
    app.seen.refuse(Some(KeyManagerError::Refused {
        code: ErrorCode::SignatureInvalid,
        detail: "It is not the submitter's.".to_owned(),
    }));
    app.retrieve(&ada.user, &id, &ada.signed(&id, 2, hash, None)).await.problem("SIGNATURE_INVALID");
    app.retrieve(&ada.user, &id, &json!({})).await.problem("INVALID_REQUEST");
    let eve = app.owner("globex", "eve").await;
    app.retrieve(&eve.user, &id, &eve.signed(&id, 3, hash, None)).await.problem("JOB_NOT_FOUND");

    let entries = app.audit("acme", "&action=retrieve_fhe_result").await;
    assert_eq!(of(&entries, "code"), ["-", "SIGNATURE_INVALID", "INVALID_REQUEST"]);
    assert_eq!(of(&entries, "outcome"), ["done", "refused", "refused"]);
    assert_eq!(entries[0]["target"], format!("/v1/jobs/{id}/fhe-result"));
    assert_eq!(entries[0]["detail"], json!({"retrieval_nonce": B256::repeat_byte(1)}));
    let strangers = app.audit("globex", "").await;
    assert_eq!(of(&strangers, "code"), ["JOB_NOT_FOUND"]);
}

/// A result that leaves the tenant by a grant stands in its own log, too.
#[tokio::test]
async fn a_decryption_by_a_grantee_is_in_both_logs() {
    let app = TestApp::new().await;
    let (ada, gil) = (app.owner("acme", "ada").await, app.owner("globex", "gil").await);
    let (id, hash) = sealed_job(&app, &ada).await;
    app.retrieve(&ada.user, &id, &ada.signed(&id, 1, hash, None)).await.expect(200);
    let leaf = app.seen.decryptions.lock().unwrap().pop().unwrap().leaf.hash();
    app.seen.grants.lock().unwrap().push((leaf, gil.signer.address()));
    let own = RecipientKey::generate().public_key().unwrap();
    let mut body = gil.signed(&id, 2, own.hash(), None);
    body["client_public_key"] = json!(own.to_pem());
    app.retrieve(&gil.user, &id, &body).await.expect(200);

    let theirs = app.audit("acme", "&action=retrieve_fhe_result").await;
    assert_eq!(of(&theirs, "credential"), ["access_token", "grant"]);
    assert_eq!((&theirs[1]["user"], &theirs[1]["address"]), (&Value::Null, &Value::Null), "whose token is not told");
    let own = app.audit("globex", "").await;
    assert_eq!((of(&own, "user"), of(&own, "outcome")), (vec!["gil"], vec!["done"]));
}

#[tokio::test]
async fn nothing_is_decrypted_that_cannot_be_written_down() {
    let app = TestApp::new().await;
    let ada = app.owner("acme", "ada").await;
    let (id, hash) = sealed_job(&app, &ada).await;
    let body = ada.signed(&id, 1, hash, None);
    app.execute("ALTER TABLE audit_notes RENAME TO away").await;
    let answer = app.retrieve(&ada.user, &id, &body).await;
    answer.problem("INTERNAL_ERROR");
    app.execute("ALTER TABLE away RENAME TO audit_notes").await;
    app.retrieve(&ada.user, &id, &body).await.expect(200);
    assert_eq!(app.audit("acme", "&action=retrieve_fhe_result").await.len(), 1);
}

#[tokio::test]
async fn tokens_and_logins_are_their_users() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let token = app.token_of(&program).await;
    app.logged_in("ada").await;
    let revoke = [("token", token.as_str())];
    let revoke = crate::oauth::form("/v1/oauth/revoke", &revoke).header("authorization", program.basic());
    assert_eq!(app.send(revoke).await.status, 200);
    let mut entries = app.audit("acme", "").await;
    entries.retain(|entry| entry["credential"] != "operator");
    assert_eq!(of(&entries, "action"), ["create_token", "decide_login", "create_token", "revoke_token"]);
    assert_eq!(of(&entries, "user"), ["robot", "ada", "ada", "robot"]);
    let client = format!("client:{}", program.id);
    assert_eq!(of(&entries, "credential"), [&*client, "login_code", "client:zama-jobs-cli", &*client]);
    assert!(!entries.iter().any(|entry| entry.to_string().contains(&token)), "no token ever");
}

/// What the log has of those who were not let in, once there are so many: it is not written before they are answered.
async fn refusals(app: &TestApp, count: usize) -> Vec<Value> {
    loop {
        let mut entries = app.audit("acme", "").await;
        entries.retain(|entry| entry["outcome"] == "refused");
        if entries.len() >= count {
            return entries;
        }
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_in_the_log_of_whom_it_wanted_to_be() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let guess = [("grant_type", "client_credentials"), ("client_id", &*program.id), ("client_secret", "zjs_guess")];
    app.token_request(&guess).await.refused("invalid_client");
    let unknown = [guess[0], ("client_id", "zjc_nobody"), guess[2]];
    app.token_request(&unknown).await.refused("invalid_client");
    app.developer("ada").await;
    let (device, code) = (app.device(&[]).await, app.login_code("ada").await);
    let mistyped = json!({"user_code": "BBBB-BBBB"});
    assert_eq!(app.decide(&mistyped, &code, "approve").await.status, 400);
    assert_eq!(app.decide(&device, &code, "approve").await.status, 200);
    assert_eq!(app.decide(&device, &code, "approve").await.status, 400, "used up");
    assert_eq!(app.decide(&device, "AAAA-AAAA-AAAA-AAAA", "approve").await.status, 400, "nobody's");

    let mut entries = refusals(&app, 3).await;
    entries.sort_by_key(|entry| entry["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap());
    assert_eq!(of(&entries, "action"), ["create_token", "decide_login", "decide_login"]);
    assert_eq!(of(&entries, "user"), ["robot", "ada", "ada"]);
    assert_eq!(of(&entries, "credential"), [&*format!("client:{}", program.id), "login_code", "login_code"]);
    let why: Vec<&str> = entries.iter().map(|entry| entry["detail"]["error"].as_str().unwrap()).collect();
    assert_eq!(why, ["invalid_client", "no_such_device", "login_code_over"]);
    assert!(entries.iter().all(|entry| entry["code"].is_null()), "OAuth's errors are no codes of ours");
}

#[tokio::test]
async fn a_refresh_token_that_comes_again_and_a_logout_are_in_it() {
    let app = TestApp::new().await;
    let (stolen, left) = (app.logged_in("ada").await, app.logged_in("bob").await);
    let token = crate::oauth::refresh_token(&stolen);
    app.refresh(&token).await.expect(200);
    app.sql("UPDATE refresh_tokens SET used_at = used_at - interval '1 minute'").await;
    app.refresh(&token).await.refused("invalid_grant");
    app.refresh(&token).await.refused("invalid_grant");
    let entries = refusals(&app, 1).await;
    assert_eq!((of(&entries, "action"), of(&entries, "user")), (vec!["create_token"], vec!["ada"]), "once: it is over");
    assert_eq!(entries[0]["detail"]["refresh_token"], "used_again");

    let token = crate::oauth::refresh_token(&left);
    let logout = crate::oauth::form("/v1/oauth/revoke", &[("token", &token), crate::oauth::COMMAND_LINE]);
    assert_eq!(app.send(logout).await.status, 200);
    let entries = app.audit("acme", "&action=revoke_token").await;
    assert_eq!((of(&entries, "user"), of(&entries, "outcome")), (vec!["bob"], vec!["done"]));
    assert!(!entries[0].to_string().contains(&token), "no token ever");
}

/// A client's name is no secret: whoever knows one does not fill its tenant's log.
#[tokio::test]
async fn nobody_fills_a_log_from_outside() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let guess = [("grant_type", "client_credentials"), ("client_id", &*program.id), ("client_secret", "zjs_guess")];
    for _ in 0..200 {
        app.token_request(&guess).await.refused("invalid_client");
    }
    let noted = refusals(&app, 60).await.len();
    assert_eq!(noted, 60, "a minute's, by a clock that stands still");
    app.token_of(&program).await;
}

#[tokio::test]
async fn admins_read_their_own_tenants_log_and_its_sandboxes() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let eve = app.user("globex", "eve", Role::Admin).await;
    let test = app.key(&ada, json!({"test_mode": true})).await;
    app.accepted(&ada).await;
    app.accepted(&test.bearer).await;
    for (user, code) in [(&ada, "INSUFFICIENT_SCOPE"), (&test.bearer, "INSUFFICIENT_SCOPE")] {
        app.get(user, "/v1/audit").await.problem(code);
        app.get(user, "/v1/audit/export").await.problem(code);
    }
    assert_eq!(app.get(&eve, "/v1/audit").await.expect(200)["data"], json!([]));
    let live = app.audit("acme", "").await;
    assert_eq!(of(&live, "action"), ["create_api_key", "submit_job"]);
    let tested = app.audit("acme", "&test_mode=true").await;
    assert_eq!(of(&tested, "action"), ["submit_job"]);
    assert_eq!((&tested[0]["tenant"], &tested[0]["seq"]), (&json!("acme--test"), &json!(1)));

    let newest = app.get(&amy, "/v1/audit?limit=1").await.expect(200);
    assert_eq!(
        (of(newest["data"].as_array().unwrap(), "action"), &newest["has_more"]),
        (vec!["submit_job"], &json!(true))
    );
    assert_eq!(newest["head"], json!({"seq": 2, "hash": live[1]["hash"]}));
    let next = format!("/v1/audit?limit=1&cursor={}", newest["next_cursor"].as_str().unwrap());
    let oldest = app.get(&amy, &next).await.expect(200);
    assert_eq!(
        (of(oldest["data"].as_array().unwrap(), "action"), &oldest["next_cursor"]),
        (vec!["create_api_key"], &Value::Null)
    );
    app.get(&amy, &format!("{next}&action=submit_job")).await.problem("INVALID_REQUEST");
    for query in ["order=up", "action=", "action=%00", "user=%00", "user=A", "test_mode=1", "limit=101", "x=1"] {
        app.get(&amy, &format!("/v1/audit?{query}")).await.problem("INVALID_REQUEST");
    }
    assert_eq!(app.get(&amy, "/v1/audit?user=ada").await.expect(200)["data"].as_array().unwrap().len(), 2);
    assert_eq!(app.get(&amy, "/v1/audit?user=amy").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn an_export_holds_all_of_it_and_shows_what_was_changed() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    assert_eq!(app.verdict(&amy).await, Ok(Head::default()), "an empty one has a head, too");
    join_all((0..40).map(|_| app.accepted(&amy))).await;
    let head = app.verdict(&amy).await.unwrap();
    assert_eq!(head.seq, 40, "jobs that were submitted at once");
    let answer = app.get(&amy, "/v1/audit/export").await;
    assert_eq!(answer.header("content-disposition"), "attachment; filename=\"audit-acme.ndjson\"");
    app.execute("ALTER TABLE audit_log DISABLE TRIGGER USER").await;
    app.execute("DELETE FROM audit_log WHERE seq = 40").await;
    assert_eq!(app.verdict(&amy).await, Err(Broken::CutOff { expected: 40, found: 39 }));
    app.execute("UPDATE audit_log SET entry = replace(entry, 'access_token', 'nobody') WHERE seq = 20").await;
    assert_eq!(app.verdict(&amy).await, Err(Broken::Changed { seq: 20 }));
}
