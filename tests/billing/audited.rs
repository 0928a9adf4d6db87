//! Commands that change what is billed stand in the log of each tenant whose rows they change; what they refuse does not.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::usage;

use super::months::{self, fixed, last_month, midnight, sent};
use crate::stage::{Stage, acme, this_month};

/// Tenant, action and detail of every entry, in their order.
async fn entries(stage: &Stage) -> Vec<(String, String, Value)> {
    let noted = "SELECT tenant, entry::jsonb FROM audit_notes ORDER BY id";
    let noted: Vec<(String, Value)> = sqlx::query_as(noted).fetch_all(stage.pool()).await.unwrap();
    let told = noted.into_iter().map(|(tenant, entry)| {
        assert_eq!((&entry["credential"], &entry["target"]), (&json!("operator"), &json!("/v1/usage")), "{entry}");
        (tenant, entry["action"].as_str().unwrap().to_owned(), entry["detail"].clone())
    });
    told.collect()
}

fn entry(tenant: &str, action: &str, detail: Value) -> (String, String, Value) {
    (tenant.to_owned(), action.to_owned(), detail)
}

#[tokio::test]
async fn a_correction_is_written_down_with_its_reason() {
    let stage = Stage::new().await;
    let row = stage.used("wrong", 5, Utc::now() - TimeDelta::seconds(2)).await;
    let corrects = async |units: &str| {
        stage.runs(&["billing", "correct", &row, "--units", units, "--reason", "counted twice"]).await
    };
    corrects("-9").await.ends(1);
    assert!(entries(&stage).await.is_empty(), "nothing was booked");
    corrects("-2").await.ends(0);
    let detail = json!({"row": row, "units": "-2", "reason": "counted twice", "booked": format!("{row}.1")});
    assert_eq!(entries(&stage).await, [entry("acme", "billing correct", detail)]);
}

#[tokio::test]
async fn another_try_of_a_dead_letter_and_its_end_are_written_down_with_each_tenant() {
    let stage = Stage::new().await;
    for other in [
        "INSERT INTO tenants (id, plan, created_at) VALUES ('globex', 'team', now() - interval '1 minute')",
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units)
         VALUES ('globex:compute_units:0', 'globex', 'compute_units', '0', 2)",
    ] {
        stage.outbox.execute(other).await;
    }
    let now = Utc::now();
    let (one, two) = (stage.used("one", 3, now).await, stage.used("two", 5, now).await);
    for row in [one.as_str(), two.as_str(), "globex:compute_units:0"] {
        usage::dead(stage.pool(), row, "422: no").await.unwrap();
    }
    stage.runs(&["billing", "dead-letters", "retry", "--all"]).await.ends(0);
    let retried = |tenant, rows: String| entry(tenant, "billing dead-letters retry", json!({ "rows": rows }));
    let mut expected =
        vec![retried("acme", format!("{one} {two}")), retried("globex", "globex:compute_units:0".to_owned())];
    assert_eq!(entries(&stage).await, expected);

    usage::dead(stage.pool(), &two, "422: no").await.unwrap();
    let write_off = ["billing", "dead-letters", "write-off", &two, "--reason", "used by nobody"];
    stage.runs(&write_off).await.ends(0);
    let detail = json!({"rows": two, "reason": "used by nobody"});
    expected.push(entry("acme", "billing dead-letters write-off", detail));
    assert_eq!(entries(&stage).await, expected);

    stage.runs(&write_off).await.ends(1);
    stage.runs(&["billing", "dead-letters", "retry", &one]).await.ends(1);
    assert_eq!(entries(&stage).await, expected, "there was nothing to do");
}

#[tokio::test]
async fn what_a_repair_books_anew_and_delivers_is_written_down() {
    let stage = months::stage().await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let moment = midnight() - TimeDelta::seconds(9);
    let (kept, lost) = (fixed(&stage, "kept", 3, moment).await, fixed(&stage, "lost", 11, moment).await);
    stage.lago.send(&[sent(&kept, 3, moment)]).await.unwrap();
    usage::delivered(stage.pool(), &[kept, lost.clone()]).await.unwrap();
    stage.closes(last_month()).await;
    let month = last_month().to_string();
    stage.runs(&["billing", "reconcile", "--month", &month]).await.ends(9);
    assert!(entries(&stage).await.is_empty(), "it only looked");
    stage.runs(&["billing", "reconcile", "--month", &month, "--repair"]).await.ends(0);
    let action = "billing reconcile --repair";
    let anew = json!({"month": month, "row": lost, "reason": "no invoice of its period has it"});
    let expected = [entry("acme", action, anew), entry("acme", action, json!({"month": month, "delivered": 1}))];
    assert_eq!(entries(&stage).await, expected);
}

#[tokio::test]
async fn what_a_repair_sends_again_is_written_down() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let ids = [stage.used("lost", 11, Utc::now() - TimeDelta::seconds(2)).await];
    usage::freeze(stage.pool(), &ids, DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(stage.pool(), &ids).await.unwrap();
    let month = this_month().to_string();
    stage.runs(&["billing", "reconcile", "--month", &month, "--repair"]).await.ends(0);
    let again = json!({"month": month, "sent_again": ids[0]});
    assert_eq!(entries(&stage).await, [entry("acme", "billing reconcile --repair", again)]);
}
