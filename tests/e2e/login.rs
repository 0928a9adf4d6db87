//! Tokens from our own issuer: a person logs in on its machine, a program has credentials of its own.

use std::os::unix::fs::PermissionsExt as _;

use serde_json::Value;

use crate::harness::{SecondApi, Stack, Zama, factor, until, within_a_minute};

/// POST with a form; nothing in these tests needs escaping.
async fn form(origin: &str, path: &str, parameters: &[(&str, &str)]) -> reqwest::Response {
    let body: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = reqwest::Client::builder().no_proxy().build().unwrap().post(format!("{origin}{path}"));
    let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_person_logs_in_and_stays_so() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let person = stack.person();
    assert_eq!(person.runs(&["whoami"]).status.code(), Some(2), "nobody has logged in");

    let login = person.logs_in();
    let code = stack.runs_command(&["login-code", "--tenant", &zama.tenant, "--user", "developer"]);
    let decision = [("user_code", login.user_code.as_str()), ("login_code", &code), ("decision", "approve")];
    assert_eq!(form(&stack.api, "/v1/oauth/device/decision", &decision).await.status(), 200);
    let (exit, told) = tokio::task::spawn_blocking(move || login.ends()).await.unwrap();
    assert_eq!(exit, Some(0), "{told}");
    let me: Value = serde_json::from_str(&told).unwrap();
    assert_eq!((me["tenant"].as_str(), me["user"].as_str()), (Some(zama.tenant.as_str()), Some("developer")));
    let mode = std::fs::metadata(person.credentials()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let submitted = person.runs(&["submit", "prime_factorization", "--number", "91", "--wait"]);
    assert_eq!(submitted.status.code(), Some(0), "{submitted:?}");

    // Its access token expires, and several commands find out at once: one renews it for all of them.
    let mut kept: Value = serde_json::from_slice(&std::fs::read(person.credentials()).unwrap()).unwrap();
    let refresh_token = kept[&stack.api]["refresh_token"].as_str().unwrap().to_owned();
    let old = stack.runs_command(&["token", "--tenant", &zama.tenant, "--ttl", "1s"]);
    let expired = Zama::new(stack, zama.tenant.clone(), old.clone());
    until("the token expires", async || (expired.get("/v1/me").await.code() == "TOKEN_EXPIRED").then_some(())).await;
    kept[&stack.api]["access_token"] = old.into();
    std::fs::write(person.credentials(), kept.to_string()).unwrap();
    for output in person.runs_at_once(4, &["--json", "whoami"]) {
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
    let mode = std::fs::metadata(person.credentials()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept: Value = serde_json::from_slice(&std::fs::read(person.credentials()).unwrap()).unwrap();
    let fresh = kept[&stack.api]["access_token"].as_str().unwrap().to_owned();
    assert_ne!(kept[&stack.api]["refresh_token"].as_str().unwrap(), refresh_token);
    let rotated = "SELECT 1 FROM refresh_tokens t JOIN oauth_sessions s ON s.id = t.session WHERE s.tenant = $1";
    assert_eq!(stack.rows(sqlx::query(rotated).bind(zama.tenant.clone())).await.len(), 2, "renewed once");

    assert_eq!(person.runs(&["logout"]).status.code(), Some(0));
    assert_eq!(person.runs(&["whoami"]).status.code(), Some(2));
    let renewed = Zama::new(stack, zama.tenant.clone(), fresh.clone());
    assert_eq!(renewed.get("/v1/me").await.code(), "INVALID_TOKEN");
    for secret in [code.as_str(), &refresh_token, &fresh] {
        assert_eq!(stack.says("api", secret), 0, "no secret stands in the log");
    }
}

#[tokio::test]
async fn a_program_works_under_its_own_name_until_it_is_revoked() {
    let stack = Stack::shared();
    let tenant = stack.tenant();
    let second = SecondApi::start(stack).await;
    let made = stack.runs_command(&["--json", "clients", "create", "--tenant", &tenant.tenant, "--user", "developer"]);
    let made: Value = serde_json::from_str(&made).unwrap();
    let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
    let credentials = [("client_id", id), ("client_secret", secret)];
    let token = async || {
        let parameters = [&[("grant_type", "client_credentials")], credentials.as_slice()].concat();
        let given: Value = form(&stack.api, "/v1/oauth/token", &parameters).await.json().await.unwrap();
        given["access_token"].as_str().unwrap_or_else(|| panic!("{given}")).to_owned()
    };
    let program = Zama::new(stack, tenant.tenant.clone(), token().await);
    program.submit(&factor(1_234_577)).await.completes().await;

    // A new key signs at once: both processes follow, and what the old one signed counts on.
    stack.runs_command(&["token", "keys", "rotate", "--after", "0s"]);
    let first = key_id(&program.token);
    let next = until("the new key signs", async || {
        let token = token().await;
        (key_id(&token) != first).then_some(token)
    })
    .await;
    let renewed = Zama::new(stack, tenant.tenant.clone(), next);
    within_a_minute("both processes know it", async || {
        let elsewhere = renewed.through(&second.origin).get("/v1/me").await;
        (elsewhere.status == 200 && renewed.get("/v1/me").await.status == 200).then_some(())
    })
    .await;
    assert_eq!(program.through(&second.origin).get("/v1/me").await.status, 200);
    assert_eq!(program.get("/v1/me").await.status, 200);

    let job = program.submit(&factor(1_234_577)).await;
    let revocation = [&[("token", program.token.as_str())], credentials.as_slice()].concat();
    assert_eq!(form(&stack.api, "/v1/oauth/revoke", &revocation).await.status(), 200);
    assert_eq!(program.get("/v1/me").await.code(), "INVALID_TOKEN");
    within_a_minute("the other process refuses it", async || {
        (program.through(&second.origin).get("/v1/me").await.code() == "INVALID_TOKEN").then_some(())
    })
    .await;
    // What was accepted goes on.
    renewed.job(job.id).completes().await;

    stack.runs_command(&["clients", "delete", id]);
    within_a_minute("it is out", async || (renewed.get("/v1/me").await.code() == "INVALID_TOKEN").then_some(())).await;
    for planted in [secret, &program.token, &renewed.token] {
        assert_eq!(stack.says("api", planted), 0, "no secret stands in the log");
    }
}

/// The key that a token names, read without believing it.
fn key_id(token: &str) -> String {
    use base64::Engine as _;
    let header = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}
