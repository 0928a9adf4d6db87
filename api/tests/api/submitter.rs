//! The address that jobs belong to: only who holds its key registers it, once, for itself.

use alloy::primitives::B256;
use api::token::Role;
use chrono::{DateTime, Utc};
use retrieval::{Registration, Signer};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{DOMAIN, TestApp, User, job};

const CHALLENGE: &str = "/v1/me/submitter/challenge";
const SUBMITTER: &str = "/v1/me/submitter";

async fn asks(app: &TestApp, user: &User, signer: &Signer) -> Value {
    app.json("POST", user, CHALLENGE, &json!({"submitter": signer.address()})).await.expect(201)
}

/// What a user of `acme` signs for a challenge.
fn registration(name: &str, signer: &Signer, challenge: &Value) -> Registration {
    let expires_at: DateTime<Utc> = challenge["expires_at"].as_str().unwrap().parse().unwrap();
    Registration {
        tenant: "acme".parse().unwrap(),
        user: name.parse().unwrap(),
        submitter: signer.address(),
        nonce: challenge["nonce"].as_str().unwrap().parse().unwrap(),
        expires_at: expires_at.timestamp().try_into().unwrap(),
    }
}

fn proof(registration: &Registration, by: &Signer) -> Value {
    let signature = by.sign(registration.digest(DOMAIN)).unwrap();
    json!({"nonce": registration.nonce, "signature": format!("0x{}", hex::encode(signature.to_bytes()))})
}

async fn proves(app: &TestApp, user: &User, proof: &Value) -> Answer {
    app.json("PUT", user, SUBMITTER, proof).await
}

/// Registers the signer's address as a user of `acme`.
async fn registers(app: &TestApp, user: &User, name: &str, signer: &Signer) -> Answer {
    let challenge = asks(app, user, signer).await;
    proves(app, user, &proof(&registration(name, signer, &challenge), signer)).await
}

async fn newcomer(app: &TestApp, name: &str) -> User {
    let amy = app.user("acme", "amy", Role::Admin).await;
    app.json("PUT", &amy, &format!("/v1/users/{name}"), &json!({"role": "developer"})).await.expect(201);
    let token = app.token("acme", name, Role::Developer, Role::Developer.scopes());
    User { address: [0; 20], token }
}

#[tokio::test]
async fn a_user_submits_once_an_address_is_proved() {
    let app = TestApp::new().await;
    let (bob, signer) = (newcomer(&app, "bob").await, Signer::random());
    app.submit(&bob, &job(6)).await.problem("SUBMITTER_MISSING");
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);

    let challenge = asks(&app, &bob, &signer).await;
    let wish = registration("bob", &signer, &challenge);
    assert_eq!(challenge["typed_data"], wish.typed_data(DOMAIN), "what a wallet shows is what is checked");
    let registered = proves(&app, &bob, &proof(&wish, &signer)).await.expect(200);
    assert_eq!(registered["submitter"], json!(signer.address()));
    assert_eq!(app.get(&bob, "/v1/me").await.expect(200)["submitter"], json!(signer.address()));
    let first = app.accepted(&bob).await;
    assert_eq!(app.job(&bob, &first).await["submitter"], json!(signer.address()));

    // Another address later: what was submitted stays where it was.
    let other = Signer::random();
    registers(&app, &bob, "bob", &other).await.expect(200);
    let second = app.accepted(&bob).await;
    assert_eq!(app.job(&bob, &first).await["submitter"], json!(signer.address()));
    assert_eq!(app.job(&bob, &second).await["submitter"], json!(other.address()));
}

#[tokio::test]
async fn only_the_addresss_own_key_proves_it() {
    let app = TestApp::new().await;
    let (bob, owner, thief) = (newcomer(&app, "bob").await, Signer::random(), Signer::random());
    let challenge = asks(&app, &bob, &owner).await;
    let wish = registration("bob", &owner, &challenge);
    let another = |change: fn(&mut Registration)| {
        let mut other = wish.clone();
        change(&mut other);
        let mut proof = proof(&other, &owner);
        proof["nonce"] = challenge["nonce"].clone();
        proof
    };
    let mut high = proof(&wish, &owner);
    high["signature"] = json!(format!("0x{}", "ff".repeat(65)));
    for wrong in [
        proof(&wish, &thief),
        another(|wish| wish.tenant = "globex".parse().unwrap()),
        another(|wish| wish.user = "ada".parse().unwrap()),
        another(|wish| wish.nonce = B256::ZERO),
        another(|wish| wish.expires_at += 1),
        another(|wish| wish.submitter = alloy::primitives::Address::ZERO),
        high,
    ] {
        proves(&app, &bob, &wrong).await.problem("SIGNATURE_INVALID");
    }
    assert_eq!(app.get(&bob, "/v1/me").await.expect(200)["submitter"], Value::Null);
    // None of it has used the challenge up.
    proves(&app, &bob, &proof(&wish, &owner)).await.expect(200);
}

#[tokio::test]
async fn a_proof_is_good_once_for_its_user_and_for_a_while() {
    let app = TestApp::new().await;
    let (bob, signer) = (newcomer(&app, "bob").await, Signer::random());
    let ada = app.developer("ada").await;
    let challenge = asks(&app, &bob, &signer).await;
    let wish = registration("bob", &signer, &challenge);
    let good = proof(&wish, &signer);
    proves(&app, &ada, &good).await.problem("SIGNATURE_INVALID");
    proves(&app, &bob, &good).await.expect(200);
    proves(&app, &bob, &good).await.problem("NONCE_REPLAYED");
    // Nor does it bring back an address that the user has left.
    let other = Signer::random();
    registers(&app, &bob, "bob", &other).await.expect(200);
    proves(&app, &bob, &good).await.problem("NONCE_REPLAYED");
    assert_eq!(app.get(&bob, "/v1/me").await.expect(200)["submitter"], json!(other.address()));

    let late = asks(&app, &bob, &signer).await;
    app.execute("UPDATE submitter_challenges SET expires_at = date_trunc('second', now()) - interval '1 second' WHERE used_at IS NULL").await;
    let expired: DateTime<Utc> =
        sqlx::query_scalar("SELECT expires_at FROM submitter_challenges WHERE used_at IS NULL")
            .fetch_one(&app.pool)
            .await
            .unwrap();
    let mut late = registration("bob", &signer, &late);
    late.expires_at = expired.timestamp().try_into().unwrap();
    let problem = proves(&app, &bob, &proof(&late, &signer)).await.problem("SIGNATURE_INVALID");
    assert!(problem["detail"].as_str().unwrap().contains("expired"), "{problem}");

    let unknown = Registration { nonce: B256::repeat_byte(1), ..wish };
    proves(&app, &bob, &proof(&unknown, &signer)).await.problem("SIGNATURE_INVALID");
}

#[tokio::test]
async fn an_address_is_one_users() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, newcomer(&app, "bob").await);
    let shared = Signer::random();
    registers(&app, &ada, "ada", &shared).await.expect(200);
    let refused = registers(&app, &bob, "bob", &shared).await;
    refused.problem("SUBMITTER_TAKEN");
    assert_eq!(app.get(&bob, "/v1/me").await.expect(200)["submitter"], Value::Null);
    registers(&app, &ada, "ada", &shared).await.expect(200);
    // It is free again when its user leaves it, or is deleted.
    registers(&app, &ada, "ada", &Signer::random()).await.expect(200);
    registers(&app, &bob, "bob", &shared).await.expect(200);
    let amy = app.user("acme", "amy", Role::Admin).await;
    app.delete(&amy, "/v1/users/bob").await;
    registers(&app, &ada, "ada", &shared).await.expect(200);
}

#[tokio::test]
async fn an_api_key_moves_no_results_to_another_address() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let key = app.key(&amy, json!({})).await;
    let signer = Signer::random();
    let body = json!({"submitter": signer.address()});
    app.json("POST", &key.bearer, CHALLENGE, &body).await.problem("INSUFFICIENT_SCOPE");
    let challenge = asks(&app, &amy, &signer).await;
    let proof = proof(&registration("amy", &signer, &challenge), &signer);
    proves(&app, &key.bearer, &proof).await.problem("INSUFFICIENT_SCOPE");
    proves(&app, &amy, &proof).await.expect(200);
}

#[tokio::test]
async fn challenges_do_not_pile_up() {
    let app = TestApp::new().await;
    let (ada, signer) = (app.developer("ada").await, Signer::random());
    let first = asks(&app, &ada, &signer).await;
    for _ in 0..12 {
        asks(&app, &ada, &signer).await;
    }
    assert_eq!(app.count("SELECT count(*) FROM submitter_challenges").await, 10);
    let forgotten = proof(&registration("ada", &signer, &first), &signer);
    proves(&app, &ada, &forgotten).await.problem("SIGNATURE_INVALID");
    let ghost = app.token("acme", "ghost", Role::Developer, Role::Developer.scopes());
    let ghost = User { token: ghost, ..ada };
    app.json("POST", &ghost, CHALLENGE, &json!({"submitter": signer.address()})).await.problem("INVALID_TOKEN");
}
