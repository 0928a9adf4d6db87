//! As each role, and with a test key: what the table says, and nothing else.

use api::token::{Role, Scope, Scopes};
use serde_json::json;

use super::table::{Lock, Row, TABLE};
use super::world::World;
use crate::answer::Answer;
use crate::app::TestApp;

#[track_caller]
fn is_as_expected(answer: &Answer, expected: &str, who: &str, row: &Row) {
    let at = format!("{} {} as {who}", row.method, row.path);
    match expected.parse::<u16>() {
        Ok(status) => assert_eq!(answer.status.as_u16(), status, "{at}: {answer:?}"),
        Err(_) => {
            assert_eq!(answer.json()["code"], expected, "{at}");
            answer.problem(expected);
        }
    }
}

#[tokio::test]
async fn each_caller_gets_what_the_table_says() {
    let app = TestApp::new().await;
    let callers = [
        ("a developer", "globex", Role::Developer),
        ("a team lead", "initech", Role::TeamLead),
        ("an admin", "acme", Role::Admin),
    ];
    for (at, (who, tenant, role)) in callers.into_iter().enumerate() {
        let world = World::of(&app, tenant, role).await;
        // An admin's, so that what it lacks is no matter of its user's role; it meets what is live before anything of it
        // is deleted.
        let tester = app.key(&world.caller, json!({"test_mode": true})).await.bearer;
        for row in TABLE {
            if role == Role::Admin {
                let answer = app.send(world.call(row).by(&tester)).await;
                is_as_expected(&answer, row.answers[3], "a test key", row);
            }
            let answer = app.send(world.call(row).by(&world.caller)).await;
            is_as_expected(&answer, row.answers[at], who, row);
        }
    }
}

/// An admin's token with every scope but one is refused exactly where that one is asked for.
#[tokio::test]
async fn a_scope_that_is_asked_for_is_needed() {
    let app = TestApp::new().await;
    let world = World::of(&app, "acme", Role::Admin).await;
    for row in TABLE {
        let Lock::Credential(needed) = row.lock else { continue };
        if needed.is_empty() {
            continue;
        }
        let others: Scopes =
            api::token::ALL_SCOPES.into_iter().filter(|scope: &Scope| scope.as_str() != needed).collect();
        let token = app.token("acme", "cal", Role::Admin, others);
        let answer = app.send(world.call(row).token(&token)).await;
        is_as_expected(&answer, "INSUFFICIENT_SCOPE", &format!("an admin without {needed}"), row);
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains(&format!("scope=\"{needed}\"")), "{} {}: {challenge}", row.method, row.path);
    }
}
