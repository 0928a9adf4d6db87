//! Users: made and changed by their tenant's admins, and by nobody else; one admin always stays.

use api::token::Role;
use serde_json::{Value, json};

use crate::app::{TestApp, User};

async fn puts(app: &TestApp, user: &User, name: &str, role: &str) -> crate::answer::Answer {
    app.json("PUT", user, &format!("/v1/users/{name}"), &json!({"role": role})).await
}

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn an_admin_makes_changes_and_deletes_users() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let made = puts(&app, &amy, "bob", "developer").await;
    let bob = made.expect(201);
    assert_eq!(made.header("location"), bob["links"]["self"].as_str().unwrap());
    assert_eq!((&bob["id"], &bob["role"], &bob["submitter"]), (&json!("bob"), &json!("developer"), &Value::Null));
    assert_eq!(puts(&app, &amy, "bob", "developer").await.expect(200), bob, "again changes nothing");
    assert_eq!(puts(&app, &amy, "bob", "team_lead").await.expect(200)["role"], "team_lead");
    assert_eq!(app.get(&amy, "/v1/users/bob").await.expect(200)["created_at"], bob["created_at"]);
    assert_eq!(names(&app.get(&amy, "/v1/users").await.expect(200)), ["amy", "bob"]);
    assert_eq!(names(&app.get(&amy, "/v1/users?role=admin").await.expect(200)), ["amy"]);
    assert_eq!(app.delete(&amy, "/v1/users/bob").await.status, 204);
    app.delete(&amy, "/v1/users/bob").await.problem("NOT_FOUND");
    app.get(&amy, "/v1/users/bob").await.problem("NOT_FOUND");
}

#[tokio::test]
async fn others_administer_nothing() {
    let app = TestApp::new().await;
    let (ada, lea) = (app.developer("ada").await, app.user("acme", "lea", Role::TeamLead).await);
    app.user("acme", "amy", Role::Admin).await;
    for user in [&ada, &lea] {
        puts(&app, user, "ada", "admin").await.problem("INSUFFICIENT_SCOPE");
        app.delete(user, "/v1/users/amy").await.problem("INSUFFICIENT_SCOPE");
        app.get(user, "/v1/users").await.problem("INSUFFICIENT_SCOPE");
        app.get(user, "/v1/users/ada").await.problem("INSUFFICIENT_SCOPE");
    }
    let roles = app.count("SELECT count(*) FROM users WHERE role = 'admin'").await;
    assert_eq!(roles, 1);
}

#[tokio::test]
async fn another_tenants_users_are_nowhere() {
    let app = TestApp::new().await;
    let (amy, eve) = (app.user("acme", "amy", Role::Admin).await, app.user("globex", "eve", Role::Admin).await);
    app.developer("ada").await;
    app.get(&eve, "/v1/users/ada").await.problem("NOT_FOUND");
    app.delete(&eve, "/v1/users/ada").await.problem("NOT_FOUND");
    assert_eq!(names(&app.get(&eve, "/v1/users").await.expect(200)), ["eve"]);
    // The same name is another user there.
    puts(&app, &eve, "ada", "admin").await.expect(201);
    assert_eq!(app.get(&amy, "/v1/users/ada").await.expect(200)["role"], "developer");
    assert_eq!(app.delete(&eve, "/v1/users/ada").await.status, 204);
    app.get(&amy, "/v1/users/ada").await.expect(200);
}

#[tokio::test]
async fn the_last_admin_stays() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    app.user("globex", "eve", Role::Admin).await;
    app.delete(&amy, "/v1/users/amy").await.problem("LAST_ADMIN");
    puts(&app, &amy, "amy", "team_lead").await.problem("LAST_ADMIN");
    puts(&app, &amy, "amy", "admin").await.expect(200);
    let bob = app.user("acme", "bob", Role::Admin).await;
    puts(&app, &amy, "amy", "team_lead").await.expect(200);
    app.delete(&bob, "/v1/users/bob").await.problem("LAST_ADMIN");
}

/// An admin who is one no longer does not make itself one again by the token that it has still.
#[tokio::test]
async fn a_lowered_role_takes_what_it_no_longer_brings_from_access_tokens() {
    let app = TestApp::new().await;
    let second = app.beside();
    let (amy, bob) = (app.user("acme", "amy", Role::Admin).await, app.user("acme", "bob", Role::Admin).await);
    // The second process has the issuer's tokens alone: those of tests are the first one's.
    let program = app.program_of("amy").await;
    let token = app.token_of(&program).await;
    second.whoami(&token).await.expect(200);
    puts(&app, &bob, "amy", "developer").await.expect(200);
    for token in [&amy.token, &token] {
        let refused = app.whoami(token).await.problem("INVALID_TOKEN");
        assert_eq!(refused["detail"], "The access token was revoked.");
    }
    puts(&app, &amy, "amy", "admin").await.problem("INVALID_TOKEN");
    second.tokens.look().await.unwrap();
    second.whoami(&token).await.problem("INVALID_TOKEN");

    let next = app.token_of(&program).await;
    for node in [&app, &second] {
        assert_eq!(node.whoami(&next).await.expect(200)["role"], "developer");
    }
    let less = app.token("acme", "amy", Role::Developer, Role::Developer.scopes());
    app.whoami(&less).await.expect(200);
    app.whoami(&bob.token).await.expect(200);
}

/// Each sees the other one when it asks; only one of them is right.
#[tokio::test]
async fn two_admins_do_not_remove_each_other() {
    let app = TestApp::new().await;
    let (amy, bob) = (app.user("acme", "amy", Role::Admin).await, app.user("acme", "bob", Role::Admin).await);
    let (one, other) = tokio::join!(app.delete(&amy, "/v1/users/bob"), app.delete(&bob, "/v1/users/amy"));
    let statuses = [one.status.as_u16(), other.status.as_u16()];
    assert!(statuses.contains(&204) && statuses.contains(&409), "{statuses:?}");
    assert_eq!(app.count("SELECT count(*) FROM users WHERE role = 'admin'").await, 1);
}

#[tokio::test]
async fn what_is_asked_is_read_strictly() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    for (body, pointer) in [
        (json!({}), "/role"),
        (json!({"role": "root"}), "/role"),
        (json!({"role": null}), "/role"),
        (json!({"role": "developer", "tenant": "globex"}), "/tenant"),
        (json!([]), ""),
    ] {
        let refused = app.json("PUT", &amy, "/v1/users/bob", &body).await;
        refused.problem("INVALID_REQUEST");
        assert_eq!(refused.pointers(), [pointer], "{body}");
    }
    for name in ["Bob", "-bob", "b%20b", "..%2facme", "%ff", &"x".repeat(64)] {
        puts(&app, &amy, name, "developer").await.problem("NOT_FOUND");
    }
    for query in ["role=root", "limit=0", "cursor=x", "page=2"] {
        app.get(&amy, &format!("/v1/users?{query}")).await.problem("INVALID_REQUEST");
    }
    assert_eq!(app.count("SELECT count(*) FROM users").await, 1);
}

#[tokio::test]
async fn a_list_has_pages() {
    let app = TestApp::new().await;
    let (amy, eve) = (app.user("acme", "amy", Role::Admin).await, app.user("globex", "eve", Role::Admin).await);
    for name in ["bob", "cat", "dan"] {
        puts(&app, &amy, name, "developer").await.expect(201);
    }
    let first = app.get(&amy, "/v1/users?limit=3").await.expect(200);
    assert_eq!((names(&first), &first["has_more"]), (vec!["amy", "bob", "cat"], &json!(true)));
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = app.get(&amy, &format!("/v1/users?limit=3&cursor={cursor}")).await.expect(200);
    assert_eq!((names(&rest), &rest["has_more"], &rest["next_cursor"]), (vec!["dan"], &json!(false), &Value::Null));
    app.get(&eve, &format!("/v1/users?cursor={cursor}")).await.problem("INVALID_REQUEST");
}

#[tokio::test]
async fn a_deleted_user_submits_nothing_and_its_jobs_stay() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let job = app.accepted(&ada).await;
    assert_eq!(app.delete(&amy, "/v1/users/ada").await.status, 204);
    app.submit(&ada, &crate::app::job(6)).await.problem("INVALID_TOKEN");
    app.creates_key(&ada, &json!({"name": "n"})).await.problem("INVALID_TOKEN");
    assert_eq!(app.job(&amy, &job).await["status"], "PENDING");
}
