//! What a job's usage is billed as, in the job itself.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use store::accounts::{self, plans};
use store::usage::corrections::{self, Correction};

use crate::app::{Call, GAS, TestApp, draft_by_operator};

fn line<'a>(job: &'a Value, metric: &str) -> &'a Value {
    let lines = job["billing"]["lines"].as_array().unwrap();
    lines.iter().find(|line| line["metric"] == metric).unwrap_or_else(|| panic!("no {metric}: {job}"))
}

#[tokio::test]
async fn a_job_tells_its_rows_and_between_what_its_cost_is() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let read = app.job(&ada, &id).await;
    // Two units at a cent, and a confirmation that is dearer where there are few.
    let cost = json!({"plan": "team", "currency": "EUR", "at_least": "0.025", "at_most": "0.030", "is_exact": false});
    assert_eq!(read["billing"]["cost"], cost);
    let units = line(&read, "compute_units");
    assert_eq!((&units["units"], &units["cost"]), (&json!(2), &json!({"at_least": "0.020", "at_most": "0.020"})));
    for (metric, units) in read["usage"].as_object().unwrap() {
        assert_eq!(line(&read, metric)["units"], *units, "the job says the same twice");
    }
    let confirmation = &line(&read, "chain_confirmations")["rows"][0];
    assert_eq!(
        (&confirmation["units"], &confirmation["gas"]),
        (&json!(1), &json!(GAS.used)),
        "it is alone in its batch"
    );
    let row = &units["rows"][0];
    assert_eq!(row["gas"], Value::Null);
    assert_eq!((&row["state"], &row["month"], &row["segment"]), (&json!("due"), &Value::Null, &json!("0")));
    assert_eq!(
        app.get(&ada, "/v1/jobs").await.expect(200)["data"][0]["billing"],
        Value::Null,
        "in a list it is left out"
    );
}

/// Lago keeps a dearer plan until the month is over, and what one plan has billed no later one prices anew.
#[tokio::test]
async fn its_cost_is_that_of_the_plan_that_bills_it() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let cost = async || app.job(&ada, &id).await["billing"]["cost"].take();
    let by_team =
        json!({"plan": "team", "currency": "EUR", "at_least": "0.025", "at_most": "0.030", "is_exact": false});
    assert_eq!(cost().await, by_team, "it is to have this plan");
    accounts::is_on_plan(&app.pool, "acme", "team").await.unwrap();
    assert_eq!(cost().await, Value::Null, "the billing system has it on a plan that nobody has noted");
    let noted = async |plan: &str, since: DateTime<Utc>| plans::note(&app.pool, "acme", plan, since).await.unwrap();
    noted("team", Utc::now() - TimeDelta::days(40)).await;
    assert_eq!(cost().await, by_team);
    app.execute("UPDATE tenants SET plan = 'enterprise' WHERE id = 'acme'").await;
    assert_eq!(cost().await, by_team, "the billing system has not changed its plan");

    let sent = async |metric: &str| {
        let row = [format!("{id}:{metric}:0")];
        store::usage::freeze(&app.pool, &row, DateTime::UNIX_EPOCH).await.unwrap();
        store::usage::delivered(&app.pool, &row).await.unwrap();
    };
    for metric in ["jobs_submitted", "jobs_completed", "chain_confirmations"] {
        sent(metric).await;
    }
    noted("enterprise", Utc::now()).await;
    assert_eq!(cost().await, Value::Null, "its units are not sent yet, and will be enterprise's");
    sent("compute_units").await;
    assert_eq!(cost().await, by_team, "all of it was used before");
    noted("enterprise", Utc::now() - TimeDelta::days(2)).await;
    let by_enterprise =
        json!({"plan": "enterprise", "currency": "EUR", "at_least": "0.015", "at_most": "0.020", "is_exact": false});
    assert_eq!(cost().await, by_enterprise);
    noted("made by finance", Utc::now() - TimeDelta::days(1)).await;
    let read = app.job(&ada, &id).await;
    assert_eq!((&read["billing"]["cost"], &line(&read, "compute_units")["cost"]), (&Value::Null, &Value::Null));
}

#[tokio::test]
async fn its_tag_changes_with_its_billing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    let path = format!("/v1/jobs/{id}");
    let mut tag = app.get(&ada, &path).await.header("etag").to_owned();
    let mut changed = async || {
        let answer = app.send(Call::get(&path).by(&ada).header("if-none-match", &tag)).await;
        let is_new = answer.status == 200;
        tag = answer.header("etag").to_owned();
        is_new
    };
    assert!(!changed().await, "nothing has happened");
    let row = format!("{id}:compute_units:0");
    let march: chrono::DateTime<chrono::Utc> = "2026-03-31T23:59:59.9Z".parse().unwrap();
    app.execute("ALTER TABLE usage_ledger DISABLE TRIGGER USER").await;
    app.execute("UPDATE usage_ledger SET occurred_at = '2026-03-01'").await;
    app.execute("ALTER TABLE usage_ledger ENABLE TRIGGER USER").await;
    store::usage::freeze(&app.pool, std::slice::from_ref(&row), march).await.unwrap();
    assert!(changed().await, "its month is fixed");
    store::usage::delivered(&app.pool, std::slice::from_ref(&row)).await.unwrap();
    assert!(changed().await, "it was delivered");
    let correction = Correction { row: &row, units: -1, reason: "counted twice", open_from: Some(march) };
    corrections::correct(&app.pool, correction, &draft_by_operator()).await.unwrap();
    assert!(changed().await, "it was corrected");
    assert!(!changed().await);

    let read = app.job(&ada, &id).await;
    let units = line(&read, "compute_units");
    assert_eq!((&units["units"], &units["cost"]["at_most"]), (&json!(1), &json!("0.010")));
    let rows = units["rows"].as_array().unwrap();
    assert_eq!((&rows[0]["state"], &rows[0]["month"]), (&json!("delivered"), &json!("2026-03")));
    assert_eq!((&rows[1]["state"], &rows[1]["reason"]), (&json!("due"), &json!("counted twice")));
}

#[tokio::test]
async fn a_test_costs_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = app.key(&ada, json!({"test_mode": true})).await;
    let id = app.accepted(&test.bearer).await;
    app.complete(&id).await;
    let read = app.job(&test.bearer, &id).await;
    assert_eq!(read["billing"]["cost"], Value::Null);
    let units = line(&read, "compute_units");
    assert_eq!((&units["cost"], &units["rows"][0]["state"]), (&Value::Null, &json!("test_mode")));
}
