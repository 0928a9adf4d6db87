//! What becomes of people who log in at Keycloak.

use jobs::wire::Problem;
use reqwest::Method;
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::{Place, Stack, Zama, factor, until};
use crate::keycloak::{Home, Keycloak, SECRET};

/// What an operator sets for the realm.
const SETTINGS: [(&str, &str); 6] = [
    ("AUDIENCE", "zama-jobs-api"),
    ("CLIENT_IDS", "zama-jobs-cli"),
    ("ROLE_CLAIM", "zama_roles"),
    ("ROLES", "zama-admin=admin,zama-team-lead=team_lead,zama-developer=developer"),
    ("TENANT_CLAIM", "zama_tenant"),
    ("TENANTS", "acme"),
];

pub fn told(home: &Home) {
    // Its ports alone are needed.
    let beside = Place::engines();
    let mut keycloak = Keycloak::begin(home, beside.port_base);
    let issuer: &'static str = keycloak.issuer.clone().leak();
    let own = [("ISSUER", issuer), ("MFA_AMR", "otp")];
    let settings: Vec<(&'static str, &'static str)> = SETTINGS
        .into_iter()
        .chain(own)
        .map(|(key, value)| (&*format!("ZAMA__OIDC__ISSUERS__CORP__{key}").leak(), value))
        .collect();
    let stack = Stack::api_alone(&settings);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(keycloak.serves());
    runtime.block_on(people(&keycloak, &stack));
}

async fn people(keycloak: &Keycloak, stack: &Stack) {
    stack.runs_command(&["tenants", "create", "acme", "--plan", "development"]);

    // A developer: made a user when she first comes, works, and administers nothing.
    let ada = worker(stack, &Browser::new(keycloak).logs_in("ada", None).await);
    // The API has been looking for an issuer that was not there yet: it looks again every few seconds.
    let me = until("the API has the realm's keys", async || {
        let answer = ada.get("/v1/me").await;
        (answer.code() != "SERVICE_UNAVAILABLE").then_some(answer.body)
    })
    .await;
    assert_eq!((&me["tenant"], &me["role"], &me["submitter"]), (&json!("acme"), &json!("developer"), &Value::Null));
    assert!(me["user"].as_str().unwrap().starts_with("corp-"), "{me}");
    let refused = ada.posts(&factor(91), &[]).await;
    assert_eq!((refused.status, refused.code()), (409, "SUBMITTER_MISSING"));
    assert_eq!(ada.get("/v1/users").await.code(), "INSUFFICIENT_SCOPE");

    // An admin with a second factor administers; one without is told how.
    let amy = worker(stack, &Browser::new(keycloak).logs_in("amy", Some(SECRET)).await);
    let users = amy.get("/v1/users").await;
    assert_eq!((users.status, users.body["data"].as_array().unwrap().len()), (200, 2), "{users:?}");
    let ann = worker(stack, &Browser::new(keycloak).logs_in("ann", None).await);
    assert_eq!(ann.get("/v1/me").await.body["role"], "admin");
    let refused = ann.get("/v1/users").await;
    assert_eq!((refused.status, refused.code()), (401, "MFA_REQUIRED"));
    assert!(refused.header("www-authenticate").unwrap().contains("insufficient_user_authentication"));
    let problem: Problem = serde_json::from_value(refused.body).unwrap();
    assert!(problem.problem_type.ends_with("/docs/errors/MFA_REQUIRED"), "{problem:?}");

    // Who has no role here is nobody here; an ID token opens nothing, and no token of the realm's does elsewhere.
    let tokens = Browser::new(keycloak).logs_in("guest", None).await;
    assert_eq!(worker(stack, &tokens).get("/v1/me").await.code(), "IDENTITY_NOT_MAPPED");
    for (name, token) in [("id", &tokens["id_token"]), ("refresh", &tokens["refresh_token"])] {
        let zama = Zama::new(stack, "acme".to_owned(), token.as_str().unwrap().to_owned());
        assert_eq!(zama.get("/v1/me").await.code(), "INVALID_TOKEN", "{name}");
    }

    // Deleted here: out with the next request, whatever Keycloak says.
    let path = format!("/v1/users/{}", me["user"].as_str().unwrap());
    assert_eq!(amy.ask(Method::DELETE, &path, &[], None).await.unwrap().status, 204);
    assert_eq!(ada.get("/v1/me").await.code(), "INVALID_TOKEN");
}

/// Whoever holds these tokens.
fn worker<'a>(stack: &'a Stack, tokens: &Value) -> Zama<'a> {
    Zama::new(stack, "acme".to_owned(), tokens["access_token"].as_str().unwrap().to_owned())
}
