//! API keys: made, used wherever a token is, rotated, revoked, and never more than their user.

use api::token::{Role, Scope};
use chrono::{DateTime, TimeDelta, Utc};
use jobs::{ApiKey, KeyMode};
use serde_json::{Value, json};

use crate::app::{Call, Key, TestApp, User};

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_key_serves_wherever_a_token_does() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let answer = app.creates_key(&ada, &json!({"name": "nightly import"})).await;
    let created = answer.expect(201);
    assert_eq!(answer.header("cache-control"), "no-store");
    let key = Key::of(&ada, &created);
    assert_eq!(answer.header("location"), created["links"]["self"].as_str().unwrap());
    assert!(key.bearer.token.starts_with(&format!("zj_live_{}_", key.id)), "{created}");
    assert_eq!(
        (&created["name"], &created["user"], &created["status"]),
        (&json!("nightly import"), &json!("ada"), &json!("active"))
    );
    assert_eq!((&created["scopes"], &created["test_mode"]), (&json!(["jobs:submit", "jobs:read"]), &json!(false)));
    let year = time(&created["expires_at"]) - Utc::now();
    assert!((364..=365).contains(&year.num_days()), "{year}");

    let id = app.accepted(&key.bearer).await;
    assert_eq!(app.job(&ada, &id).await["status"], "PENDING", "the user's own job");
    assert_eq!(app.get(&key.bearer, "/v1/jobs").await.expect(200)["data"][0]["job_id"], id.as_str());
    assert_eq!(app.post(&key.bearer, &format!("/v1/jobs/{id}/cancel")).await.expect(200)["status"], "CANCELLED");
    let me = app.get(&key.bearer, "/v1/me").await.expect(200);
    let submitter = format!("0x{}", hex::encode(ada.address));
    let expected = json!({
        "tenant": "acme", "user": "ada", "role": "developer", "submitter": submitter, "test_mode": false,
        "scopes": ["jobs:submit", "jobs:read"], "expires_at": created["expires_at"], "api_key": key.id
    });
    assert_eq!(me, expected);
}

#[tokio::test]
async fn the_secret_is_shown_once_and_stored_nowhere() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = app.key(&ada, json!({})).await;
    let shown = app.get(&ada, &key.path()).await;
    assert_eq!(shown.expect(200)["id"], key.id.as_str());
    let list = app.get(&ada, "/v1/api-keys").await;
    assert_eq!(list.expect(200)["data"], json!([shown.json()]));
    let secret = key.bearer.token.rsplit_once('_').unwrap().1;
    for answer in [&shown, &list] {
        assert!(!String::from_utf8_lossy(&answer.body).contains(secret));
    }
    let stored: String =
        sqlx::query_scalar("SELECT to_jsonb(k)::text FROM api_keys k").fetch_one(&app.pool).await.unwrap();
    assert!(stored.contains(&key.id) && !stored.contains(secret) && !stored.contains(&hex::encode(secret)), "{stored}");
    let hash: Vec<u8> = sqlx::query_scalar("SELECT hash FROM api_keys").fetch_one(&app.pool).await.unwrap();
    assert_eq!(hash, key.bearer.token.parse::<ApiKey>().unwrap().hash());
}

#[tokio::test]
async fn what_is_no_key_in_force_is_refused_alike() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let by = |token: String| User { token, ..ada.clone() };
    let unknown = by(ApiKey::generate(KeyMode::Live).as_str().to_owned());
    let revoked = app.key(&ada, json!({})).await;
    app.delete(&ada, &revoked.path()).await;
    let other_secret = app.key(&ada, json!({})).await;
    sqlx::query("UPDATE api_keys SET hash = sha256('another') WHERE id = $1")
        .bind(&other_secret.id)
        .execute(&app.pool)
        .await
        .unwrap();
    let form = by("zj_live_".to_owned());
    for user in [&unknown, &revoked.bearer, &other_secret.bearer, &form] {
        let answer = app.get(user, "/v1/jobs").await;
        assert_eq!(answer.problem("INVALID_TOKEN")["detail"], "The API key is not valid.", "{}", user.token);
        assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    }
    // A typo is found by the checksum alone.
    let sound = app.key(&ada, json!({})).await.bearer.token;
    let typo = sound.replace("zj_live_", "zj_test_");
    let told = app.get(&by(typo), "/v1/jobs").await.problem("INVALID_TOKEN");
    assert!(told["detail"].as_str().unwrap().contains("mistyped"), "{told}");

    let expired = app.key(&ada, json!({})).await;
    app.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'").await;
    let answer = app.get(&expired.bearer, "/v1/jobs").await;
    answer.problem("TOKEN_EXPIRED");
    assert!(answer.header("www-authenticate").contains("error=\"invalid_token\""));
    assert_eq!(app.get(&ada, &expired.path()).await.expect(200)["status"], "expired");
    // Whoever has not the secret is not told that it expired.
    app.get(&other_secret.bearer, "/v1/jobs").await.problem("INVALID_TOKEN");
}

#[tokio::test]
async fn a_key_allows_what_its_scopes_say() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let reads = app.key(&ada, json!({"scopes": ["jobs:read"]})).await;
    app.get(&reads.bearer, "/v1/jobs").await.expect(200);
    let refused = app.submit(&reads.bearer, &crate::app::job(6)).await;
    refused.problem("INSUFFICIENT_SCOPE");
    assert!(refused.header("www-authenticate").contains("scope=\"jobs:submit\""));
    let submits = app.key(&ada, json!({"scopes": ["jobs:submit"]})).await;
    app.accepted(&submits.bearer).await;
    app.get(&submits.bearer, "/v1/jobs").await.problem("INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn a_key_is_revoked_during_use_at_once_and_for_ever() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = app.key(&ada, json!({})).await;
    app.accepted(&key.bearer).await;
    for _ in 0..2 {
        assert_eq!(app.delete(&ada, &key.path()).await.status, 204);
        app.submit(&key.bearer, &crate::app::job(6)).await.problem("INVALID_TOKEN");
    }
    let shown = app.get(&ada, &key.path()).await.expect(200);
    assert_eq!(shown["status"], "revoked");
    assert!(time(&shown["revoked_at"]) <= Utc::now());
}

#[tokio::test]
async fn what_the_user_may_no_longer_do_the_key_does_not() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let ada = app.developer("ada").await;
    let job = app.accepted(&ada).await;
    let key = app.key(&lea, json!({})).await;
    app.job(&key.bearer, &job).await;

    app.json("PUT", &amy, "/v1/users/lea", &json!({"role": "developer"})).await.expect(200);
    app.get(&key.bearer, &format!("/v1/jobs/{job}")).await.problem("JOB_NOT_FOUND");
    assert_eq!(app.get(&key.bearer, "/v1/me").await.expect(200)["scopes"], json!(["jobs:submit", "jobs:read"]));
    app.json("PUT", &amy, "/v1/users/lea", &json!({"role": "team_lead"})).await.expect(200);
    app.job(&key.bearer, &job).await;

    assert_eq!(app.delete(&amy, "/v1/users/lea").await.status, 204);
    app.get(&key.bearer, "/v1/me").await.problem("INVALID_TOKEN");
    // Who has the name later has not the keys.
    app.json("PUT", &amy, "/v1/users/lea", &json!({"role": "team_lead"})).await.expect(201);
    app.get(&key.bearer, "/v1/me").await.problem("INVALID_TOKEN");
}

#[tokio::test]
async fn a_rotated_key_and_its_successor_overlap() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let old = app.key(&ada, json!({"name": "import", "scopes": ["jobs:read"]})).await;
    let rotated = app.json("POST", &ada, &format!("{}/rotate", old.path()), &json!({"overlap_seconds": 3600})).await;
    let created = rotated.expect(201);
    let new = Key::of(&ada, &created);
    assert_ne!(new.id, old.id);
    assert_eq!((&created["name"], &created["scopes"]), (&json!("import"), &json!(["jobs:read"])));
    assert!((364..=365).contains(&(time(&created["expires_at"]) - Utc::now()).num_days()), "as long as the old one");
    for key in [&old, &new] {
        app.get(&key.bearer, "/v1/jobs").await.expect(200);
    }
    let told = app.get(&ada, &old.path()).await.expect(200);
    assert_eq!((&told["status"], &told["replaced_by"]), (&json!("active"), &json!(new.id)));
    let left = time(&told["expires_at"]) - Utc::now();
    assert!(left > TimeDelta::minutes(58) && left <= TimeDelta::hours(1), "{left}");

    sqlx::query("UPDATE api_keys SET expires_at = now() WHERE id = $1").bind(&old.id).execute(&app.pool).await.unwrap();
    app.get(&old.bearer, "/v1/jobs").await.problem("TOKEN_EXPIRED");
    app.get(&new.bearer, "/v1/jobs").await.expect(200);
}

#[tokio::test]
async fn a_key_is_rotated_once() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let old = app.key(&ada, json!({})).await;
    let rotate = |key: &Key| format!("{}/rotate", key.path());
    // Without a body: a day.
    let created = app.post(&ada, &rotate(&old)).await.expect(201);
    let left = time(&app.get(&ada, &old.path()).await.expect(200)["expires_at"]) - Utc::now();
    assert!((23..24).contains(&left.num_hours()), "{left}");
    app.post(&ada, &rotate(&old)).await.problem("API_KEY_ENDED");
    let new = Key::of(&ada, &created);
    let at_once = app.json("POST", &ada, &rotate(&new), &json!({"overlap_seconds": 0})).await.expect(201);
    app.get(&new.bearer, "/v1/jobs").await.problem("TOKEN_EXPIRED");
    let newest = Key::of(&ada, &at_once);
    app.delete(&ada, &newest.path()).await;
    app.post(&ada, &rotate(&newest)).await.problem("API_KEY_ENDED");
    let wrong = app.json("POST", &ada, &rotate(&newest), &json!({"overlap_seconds": -1})).await;
    wrong.problem("INVALID_REQUEST");
    assert_eq!(wrong.pointers(), ["/overlap_seconds"]);
    let untyped = Call::new("POST", &rotate(&newest)).by(&ada).body("{}");
    app.send(untyped).await.problem("INVALID_CONTENT_TYPE");
}

#[tokio::test]
async fn nobody_makes_a_key_of_more_than_its_own() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let reads = app.token("acme", "ada", Role::Developer, [Scope::JobsRead].into_iter().collect());
    let reads = User { token: reads, ..ada.clone() };
    for (user, wish) in [
        (&ada, json!({"scopes": ["jobs:read:team"]})),
        (&reads, json!({"scopes": ["jobs:submit"]})),
        (&amy, json!({"scopes": ["jobs:admin"], "user": "ada"})),
        (&amy, json!({"scopes": ["jobs:admin"], "test_mode": true})),
    ] {
        let mut body = json!({"name": "n"});
        body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        let refused = app.creates_key(user, &body).await;
        refused.problem("INVALID_REQUEST");
        assert_eq!(refused.pointers(), ["/scopes"], "{body}");
    }
    // Nor by rotating one.
    let submits = app.key(&ada, json!({"scopes": ["jobs:submit"]})).await;
    app.post(&reads, &format!("{}/rotate", submits.path())).await.problem("INSUFFICIENT_SCOPE");
    assert_eq!(app.count("SELECT count(*) FROM api_keys").await, 1);
}

#[tokio::test]
async fn a_key_makes_and_ends_keys_only_as_an_admin() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let key = app.key(&ada, json!({})).await;
    app.creates_key(&key.bearer, &json!({"name": "more"})).await.problem("INSUFFICIENT_SCOPE");
    app.post(&key.bearer, &format!("{}/rotate", key.path())).await.problem("INSUFFICIENT_SCOPE");
    app.delete(&key.bearer, &key.path()).await.problem("INSUFFICIENT_SCOPE");
    app.get(&key.bearer, &key.path()).await.expect(200);

    let admin = app.key(&amy, json!({})).await;
    app.json("PUT", &admin.bearer, "/v1/users/ci-bot", &json!({"role": "developer"})).await.expect(201);
    let bot = app.key(&admin.bearer, json!({"user": "ci-bot"})).await;
    let me = app.get(&bot.bearer, "/v1/me").await.expect(200);
    assert_eq!((&me["user"], &me["role"], &me["submitter"]), (&json!("ci-bot"), &json!("developer"), &Value::Null));
    assert_eq!(app.get(&amy, &bot.path()).await.expect(200)["created_by"], "amy");
    assert_eq!(app.delete(&admin.bearer, &bot.path()).await.status, 204);
    app.get(&bot.bearer, "/v1/me").await.problem("INVALID_TOKEN");
    app.creates_key(&amy, &json!({"name": "n", "user": "ghost"})).await.problem("NOT_FOUND");
    app.creates_key(&ada, &json!({"name": "n", "user": "amy"})).await.problem("INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn somebody_elses_key_is_nowhere() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let (amy, eve) = (app.user("acme", "amy", Role::Admin).await, app.user("globex", "eve", Role::Admin).await);
    let key = app.key(&ada, json!({})).await;
    let unknown = Key { id: ApiKey::generate(KeyMode::Live).id().to_string(), bearer: ada.clone() };
    for (user, key) in [(&bob, &key), (&eve, &key), (&ada, &unknown), (&amy, &unknown)] {
        app.get(user, &key.path()).await.problem("NOT_FOUND");
        app.delete(user, &key.path()).await.problem("NOT_FOUND");
        app.post(user, &format!("{}/rotate", key.path())).await.problem("NOT_FOUND");
    }
    for name in ["x", "4fTq0ZxkW9bYpR2c0", &key.bearer.token, "%ff"] {
        let problem = app.get(&ada, &format!("/v1/api-keys/{name}")).await.problem("NOT_FOUND");
        assert!(!problem["detail"].as_str().unwrap().contains("zj_"), "{problem}");
    }
    app.get(&key.bearer, "/v1/me").await.expect(200);
    assert_eq!(app.get(&bob, "/v1/api-keys").await.expect(200)["data"], json!([]));
    assert_eq!(app.get(&eve, "/v1/api-keys").await.expect(200)["data"], json!([]));
    app.get(&bob, "/v1/api-keys?user=ada").await.problem("INSUFFICIENT_SCOPE");
    assert_eq!(app.get(&amy, "/v1/api-keys?user=ada").await.expect(200)["data"][0]["id"], key.id.as_str());
    assert_eq!(app.get(&amy, "/v1/api-keys?user=bob").await.expect(200)["data"], json!([]));
}

#[tokio::test]
async fn a_list_has_pages() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let mut made = Vec::new();
    for _ in 0..5 {
        made.push(app.key(&ada, json!({})).await.id);
    }
    // Of one moment, so that a page may end between two of them.
    app.execute("UPDATE api_keys SET created_at = date_trunc('minute', created_at)").await;
    made.sort();
    for limit in [1, 2, 5] {
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&ada, &format!("/v1/api-keys?limit={limit}{cursor}")).await.expect(200);
            let data = page["data"].as_array().unwrap();
            read.extend(data.iter().map(|key| key["id"].as_str().unwrap().to_owned()));
            assert!(data.len() <= limit && read.len() <= 5);
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        read.sort();
        assert_eq!(read, made, "by {limit}");
    }
    let page = app.get(&ada, "/v1/api-keys?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    for (user, query) in
        [(&amy, format!("cursor={cursor}")), (&ada, "limit=101".to_owned()), (&ada, "user=A".to_owned())]
    {
        app.get(user, &format!("/v1/api-keys?{query}")).await.problem("INVALID_REQUEST");
    }
}

#[tokio::test]
async fn its_use_is_noted_now_and_then() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let key = app.key(&ada, json!({})).await;
    let noted = async || app.get(&ada, &key.path()).await.expect(200)["last_used_at"].clone();
    assert_eq!(noted().await, Value::Null);
    app.get(&key.bearer, "/v1/me").await.expect(200);
    let first = noted().await;
    assert!((Utc::now() - time(&first)).num_seconds() < 60);
    app.get(&key.bearer, "/v1/me").await.expect(200);
    assert_eq!(noted().await, first, "not with each request");
    app.execute("UPDATE api_keys SET last_used_at = last_used_at - interval '6 minutes'").await;
    app.get(&key.bearer, "/v1/me").await.expect(200);
    assert!(time(&noted().await) >= time(&first));
}

#[tokio::test]
async fn a_user_has_so_many_keys() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let last = app.key(&ada, json!({})).await;
    app.execute(
        "INSERT INTO api_keys (id, tenant, user_id, name, mode, hash, scopes, created_by, expires_at)
         SELECT lpad(n::text, 16, '0'), tenant, user_id, name, mode, hash, scopes, created_by, expires_at
           FROM api_keys, generate_series(2, 50) AS n",
    )
    .await;
    app.creates_key(&ada, &json!({"name": "one more"})).await.problem("TOO_MANY_API_KEYS");
    app.key(&bob, json!({})).await;
    // Those that are over do not count; a rotation needs no room.
    app.post(&ada, &format!("{}/rotate", last.path())).await.expect(201);
    app.delete(&ada, &last.path()).await;
    app.delete(&ada, "/v1/api-keys/0000000000000002").await;
    app.key(&ada, json!({})).await;
}

#[tokio::test]
async fn without_the_database_a_key_is_not_judged() {
    let app = TestApp::without_database();
    let key = ApiKey::generate(KeyMode::Live);
    let answer = app.send(Call::get("/v1/jobs").token(key.as_str())).await;
    answer.problem("SERVICE_UNAVAILABLE");
    assert!(answer.headers.contains_key("retry-after"));
}
