//! Every operation that changes something is in the audit log, and says in it what the table's caller did.

use api::token::Role;
use serde_json::{Value, json};

use super::document::operations;
use super::table::{Lock, TABLE};
use super::world::World;
use crate::app::TestApp;

/// The id of an operation.
fn id_of(method: &str, path: &str) -> String {
    let found = operations().into_iter().find(|found| found.method.eq_ignore_ascii_case(method) && found.path == path);
    found.unwrap().document["operationId"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_change_is_written_down_and_no_reading_is() {
    let app = TestApp::new().await;
    let world = World::of(&app, "acme", Role::Admin).await;
    let newest = async || {
        let page = app.get(&world.caller, "/v1/audit?limit=1").await.expect(200);
        (page["head"]["seq"].as_i64().unwrap(), page["data"][0].clone())
    };
    let mut written = 0;
    for row in TABLE.iter().filter(|row| matches!(row.lock, Lock::Credential(_))) {
        let at = format!("{} {}", row.method, row.path);
        let (before, _) = newest().await;
        let answer = app.send(world.call(row).by(&world.caller)).await;
        let (after, entry) = newest().await;
        if row.method == "GET" {
            assert_eq!(after, before, "{at}");
            continue;
        }
        let done = answer.status.is_success();
        let of_interest = done || ["SIGNATURE_INVALID", "INVALID_REQUEST"].contains(&row.answers[2]);
        assert_eq!(after, before + i64::from(of_interest), "{at}: {answer:?}");
        assert_eq!(entry["action"], id_of(row.method, row.path), "{at}");
        assert_eq!((&entry["user"], &entry["tenant"]), (&json!("cal"), &json!("acme")), "{at}");
        assert_eq!(entry["request_id"], answer.header("x-request-id"), "{at}");
        assert_eq!(entry["code"], if done { Value::Null } else { json!(row.answers[2]) }, "{at}");
        let target = entry["target"].as_str().unwrap();
        match answer.headers.get("location") {
            Some(made) if !row.path.ends_with("/rotate") => {
                assert!(made.to_str().unwrap().ends_with(target), "{at}: {target}")
            }
            _ => assert_eq!(target, world.path(row.path), "{at}"),
        }
        written += 1;
    }
    assert!(written >= 15, "{written}");
}
