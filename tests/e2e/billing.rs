//! What finance and operators do with `zama-jobs billing`, beside a stack that serves.

use std::collections::BTreeMap;

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use sqlx::Row as _;

use crate::harness::{Stack, Zama, factor, until};

#[tokio::test]
async fn ledger_and_billing_system_agree_until_somebody_enters_an_event_by_hand() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    job.is_billed().await;
    let reconcile = |more: &[&str]| stack.tries(&[&["billing", "reconcile", "--tenant", &zama.tenant], more].concat());
    let csv = reconcile(&["--format", "csv"]);
    assert_eq!(csv.status.code(), Some(0), "{csv:?}");
    let csv = String::from_utf8(csv.stdout).unwrap();
    let line = csv.lines().find(|line| line.contains(",compute_units,")).unwrap_or_else(|| panic!("{csv}"));
    assert!(line.ends_with(",compute_units,2,0,2,2,0,0,0,0,0,0,true,false,,not_due,0,,,"), "{line}");

    stack.enters_event(&zama.tenant, "by-hand").await;
    let drift = reconcile(&["--json"]);
    assert_eq!(drift.status.code(), Some(9), "{drift:?}");
    let found: Value = serde_json::from_slice(&drift.stdout).unwrap();
    assert_eq!(found["drifting"], 1);
    let line =
        found["tenants"][0]["lines"].as_array().unwrap().iter().find(|line| line["foreign"] == json!(["by-hand"]));
    assert!(line.is_some(), "{found:#}");
    let table = String::from_utf8(reconcile(&["--repair"]).stdout).unwrap();
    assert!(table.contains("DRIFT: 1 unknown here (by-hand …)"), "{table}");

    assert_eq!(stack.tries(&["billing", "reconcile", "--tenant", "nobody"]).status.code(), Some(1));
    check_finds_nothing(stack, &zama);
}

#[tokio::test]
async fn a_correction_is_seen_by_the_tenant_with_its_reason() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    let row = format!("{}:compute_units:0", job.id);
    let correct =
        |units: &str| stack.tries(&["billing", "correct", &row, "--units", units, "--reason", "ours, not theirs"]);
    let done = correct("-1");
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(correct("-2").status.code(), Some(1), "less than nothing");
    for wrong in ["0.5", "0"] {
        assert_eq!(correct(wrong).status.code(), Some(2), "no {wrong} units");
    }
    for wrong in [[row.as_str(), "--reason", " "], ["compute_units", "--reason", "ours"]] {
        let refused = stack.tries(&[&["billing", "correct", "--units", "-1"], &wrong[..]].concat());
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
    let usage = zama.get(&format!("/v1/usage?job_id={}&metric=compute_units", job.id)).await.body;
    assert_eq!(usage["totals"], json!({"compute_units": 1}));
    assert_eq!(
        (&usage["data"][0]["id"], &usage["data"][0]["reason"]),
        (&json!(format!("{row}.1")), &json!("ours, not theirs"))
    );
}

#[tokio::test]
async fn a_dead_letter_is_listed_and_tried_again() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let row = format!("{}:compute_units:dead", zama.tenant);
    let dead = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, dead_reason)
                VALUES ($1, $2, 'compute_units', 'dead', 7, '422: no')";
    stack.execute(sqlx::query(dead).bind(&row).bind(&zama.tenant)).await;
    let list = || stack.runs_command(&["--json", "billing", "dead-letters", "list", "--tenant", &zama.tenant]);
    let listed: Value = serde_json::from_str(&list()).unwrap();
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["reason"]), (&json!(row), &json!("422: no")));
    let reconcile = |more: &[&str]| stack.tries(&[&["billing", "reconcile", "--tenant", &zama.tenant], more].concat());
    let drift = reconcile(&["--repair"]);
    assert_eq!(drift.status.code(), Some(9), "it is on no invoice: {drift:?}");
    let (told, advice) = (String::from_utf8(drift.stdout).unwrap(), String::from_utf8(drift.stderr).unwrap());
    assert!(told.contains(&format!("DRIFT: 1 refused for good ({row} …)")), "{told}");
    let command = format!("zama-jobs billing dead-letters list --tenant {}", zama.tenant);
    assert!(advice.contains(&command) && advice.contains("left for a person: 1"), "{advice}");
    assert_eq!(stack.tries(&["billing", "dead-letters", "retry", "nobody"]).status.code(), Some(1));
    let corrected = stack.tries(&["billing", "correct", &row, "--units", "-7", "--reason", "never used"]);
    assert_eq!(corrected.status.code(), Some(1), "{corrected:?}");
    let told = String::from_utf8(corrected.stderr).unwrap();
    assert!(told.contains(&format!("dead-letters retry {row}")), "{told}");
    stack.runs_command(&["billing", "dead-letters", "retry", &row]);
    let listed: Value = serde_json::from_str(&list()).unwrap();
    assert_eq!(listed["data"], json!([]));
    let due = sqlx::query("SELECT dead_reason FROM usage_ledger WHERE id = $1").bind(&row);
    assert_eq!(stack.rows(due).await[0].get::<Option<&str>, _>(0), None);
    let agreed = reconcile(&[]);
    assert_eq!(agreed.status.code(), Some(0), "it is on its way: {agreed:?}");
    // Whoever is faster, the repair or the reporter, makes the tenant's account and delivers the row.
    let repaired = reconcile(&["--waiting-longer-than", "1s", "--repair"]);
    assert_eq!(repaired.status.code(), Some(0), "{repaired:?}");
    let delivered = "SELECT 1 FROM usage_ledger WHERE id = $1 AND delivered_at IS NOT NULL";
    until("the row is delivered", async || {
        (!stack.rows(sqlx::query(delivered).bind(&row)).await.is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_that_is_never_to_be_billed_is_written_off() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let row = format!("{}:compute_units:never", zama.tenant);
    let dead = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, dead_reason)
                VALUES ($1, $2, 'compute_units', 'never', 7, '422: no')";
    stack.execute(sqlx::query(dead).bind(&row).bind(&zama.tenant)).await;
    let unsaid = stack.tries(&["billing", "dead-letters", "write-off", &row, "--reason", " "]);
    assert_eq!(unsaid.status.code(), Some(2), "{unsaid:?}");
    let written_off = || stack.tries(&["billing", "dead-letters", "write-off", &row, "--reason", "ours, not theirs"]);
    let done = written_off();
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert_eq!(written_off().status.code(), Some(1), "once");
    let listed = stack.runs_command(&["--json", "billing", "dead-letters", "list", "--tenant", &zama.tenant]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!(listed["data"], json!([]));
    let used = sqlx::query("SELECT sum(units)::bigint FROM usage_ledger WHERE tenant = $1").bind(&zama.tenant);
    assert_eq!(stack.rows(used).await[0].get::<i64, _>(0), 0);
}

#[tokio::test]
async fn a_tenant_that_pays_before_works_on_its_credits() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let admin = stack.admin_of(&zama);
    let set = stack.policy(&["set", &zama.tenant, "--credits", "required"]);
    assert!(set.status.success(), "{set:?}");
    let required =
        async || zama.get("/v1/limits").await.body["requires_credits"].as_bool().filter(|required| *required);
    until("the rule is in force", required).await;
    let refused = zama.posts(&factor(91), &[]).await;
    assert_eq!((refused.status, refused.code()), (402, "CREDITS_EXHAUSTED"), "{refused:?}");

    let top_up = |amount: &str| {
        let order = ["credits", "top-up", &zama.tenant, "--granted", "--key", "order-1", "--amount", amount];
        stack.tries(&order).status.code()
    };
    assert_eq!([top_up("10"), top_up("10.00"), top_up("11")], [Some(0), Some(0), Some(1)], "once for a key");
    let credits = until("the credits count", async || {
        let credits = admin.get("/v1/credits").await.body;
        (credits["available_cents"].as_i64() > Some(0)).then_some(credits)
    })
    .await;
    assert_eq!((&credits["balance_cents"], &credits["rule"]), (&json!(1000), &json!("enforced")));
    let listed: Value =
        serde_json::from_str(&stack.runs_command(&["--json", "credits", "list", &zama.tenant])).unwrap();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!((&listed["data"][0]["state"], &listed["data"][0]["kind"]), (&json!("settled"), &json!("granted")));

    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    job.is_billed().await;
    let read = zama.get(&job.path("")).await.body;
    let lines = read["billing"]["lines"].as_array().unwrap();
    assert_eq!(lines.len(), 4, "{read}");
    assert!(lines.iter().all(|line| line["rows"][0]["state"] == "delivered"), "{read}");
    // Of plan developer: the units are in its package, or at 0.10 for 1,000; a confirmation is 0.002.
    let cost = json!({
        "plan": "developer", "currency": "EUR", "at_least": "0.002", "at_most": "0.0022", "is_exact": false
    });
    assert_eq!(read["billing"]["cost"], cost);
    let shown: Value = serde_json::from_str(&stack.runs_command(&["--json", "credits", "show", &zama.tenant])).unwrap();
    assert_eq!(shown["account"]["balance_cents"], 1000, "{shown}");
}

#[tokio::test]
async fn what_is_stored_is_metered_by_the_hour() {
    let stack = Stack::shared();
    let zama = stack.admin_of(&stack.tenant());
    let blob =
        "INSERT INTO blobs (tenant, sha256, size, created_by) VALUES ($1, decode(repeat('07', 32), 'hex'), 2500, 'x')";
    stack.execute(sqlx::query(blob).bind(&zama.tenant)).await;
    let since = (Utc::now() - TimeDelta::days(1)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let row = until("the hour is booked", async || {
        // Whichever month the hour was of.
        let usage = zama.get(&format!("/v1/usage?metric=storage_gb_hours&from={since}")).await.body;
        usage["data"].as_array().unwrap().first().cloned()
    })
    .await;
    assert_eq!(row["units"], json!(0.0000025));
    assert!(row["id"].as_str().unwrap().starts_with(&format!("{}:storage_gb_hours:2", zama.tenant)), "{row}");
}

#[tokio::test]
async fn what_the_billing_system_tells_is_believed_kept_and_shown() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    zama.submit(&factor(91)).await.completes().await;
    // The stand-in signs as Lago does; the API asks it for its key.
    let told = until("the tenant's subscription is told", async || {
        let told = stack.runs_command(&["--json", "billing", "notices", "--limit", "1000"]);
        let told: Value = serde_json::from_str(&told).unwrap();
        let own = |notice: &&Value| {
            notice["kind"] == "subscription.started"
                && notice["body"]["subscription"]["external_customer_id"] == json!(zama.tenant)
        };
        told["data"].as_array().unwrap().iter().find(own).cloned()
    })
    .await;
    assert_eq!(told["body"]["object_type"], "subscription");
    // The endpoint for notices is part of what it looks at.
    check_finds_nothing(stack, &zama);
}

/// Nothing is to be set up for this tenant. Another test may have made one just now, which has no account yet.
fn check_finds_nothing(stack: &Stack, zama: &Zama<'_>) {
    let check = stack.tries(&["--json", "billing", "setup", "--check"]);
    let found: Value = serde_json::from_slice(&check.stdout).unwrap_or_else(|error| panic!("{error}: {check:?}"));
    let is_ours = |entry: &&Value| entry["kind"] != "account" || entry["code"] == zama.tenant.as_str();
    let entries: Vec<&Value> = found["entries"].as_array().unwrap().iter().filter(is_ours).collect();
    assert!(entries.iter().any(|entry| entry["kind"] == "webhook_endpoint"), "{check:?}");
    assert!(entries.iter().all(|entry| entry["change"]["outcome"] == "unchanged"), "{check:?}");
}

/// Units by metric of the rows that count of what an invoice's period bills.
async fn billed_within(lead: &Zama<'_>, period: &Value) -> BTreeMap<String, u64> {
    let [from, until] = ["from", "until"].map(|end| period[end].as_str().unwrap());
    let page = lead.get(&format!("/v1/usage?billed_from={from}&billed_until={until}&limit=1000")).await.body;
    let mut sums = BTreeMap::new();
    for row in page["data"].as_array().unwrap().iter().filter(|row| row["state"] == "delivered") {
        *sums.entry(row["metric"].as_str().unwrap().to_owned()).or_default() += row["units"].as_u64().unwrap();
    }
    sums
}

/// Each line of a tenant's invoices is the sum of its jobs, to the unit, across a change of plan in mid-month.
#[tokio::test]
async fn every_line_of_every_invoice_leads_to_jobs_that_add_up_to_it() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let uses = async |numbers: &[u64]| {
        for number in numbers {
            let job = zama.submit(&factor(*number)).await;
            job.completes().await;
            job.is_billed().await;
        }
    };
    uses(&[91, 15]).await;
    stack.moves_subscription(&zama.tenant, "team").await;
    uses(&[21, 104_729, 1_000_003]).await;
    stack.ends_subscription(&zama.tenant).await;

    let lead = stack.admin_of(&zama);
    let mut invoices = lead.get("/v1/invoices").await.body["data"].as_array().unwrap().clone();
    invoices.reverse();
    assert_eq!(invoices.len(), 2, "{invoices:#?}");
    for (invoice, jobs) in invoices.iter().zip([2, 3]) {
        let path = format!("/v1/invoices/{}", invoice["id"].as_str().unwrap());
        let whole = lead.get(&path).await.body;
        let lines = whole["lines"].as_array().unwrap();
        let usage: Vec<&Value> = lines.iter().filter(|line| line["kind"] == "usage").collect();
        assert_eq!(usage.len(), 4, "{lines:#?}");
        let rows = billed_within(&lead, &whole["periods"][0]).await;
        for line in usage {
            let told = lead.get(&format!("{path}/lines/{}", line["code"].as_str().unwrap())).await.body;
            let parts = told["data"].as_array().unwrap();
            assert!(parts.len() == jobs && parts.iter().all(|part| part["job_id"].is_string()), "{told:#}");
            let sum: u64 = parts.iter().map(|part| part["units"].as_u64().unwrap()).sum();
            assert_eq!(json!(sum.to_string()), line["units"], "{told:#}");
            assert_eq!(rows.get(line["code"].as_str().unwrap()), Some(&sum), "the rows of that time say the same");
        }
    }
}

#[tokio::test]
async fn an_invoices_pdf_is_fetched_by_its_link() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let job = zama.submit(&factor(91)).await;
    job.completes().await;
    job.is_billed().await;
    stack.ends_subscription(&zama.tenant).await;
    let lead = stack.admin_of(&zama);
    let invoice = lead.get("/v1/invoices").await.body["data"][0].clone();
    let pdf = reqwest::Client::builder().no_proxy().build().unwrap().get(invoice["pdf_url"].as_str().unwrap());
    let pdf = pdf.send().await.unwrap();
    assert_eq!((pdf.status().as_u16(), pdf.headers()["content-type"].as_bytes()), (200, &b"application/pdf"[..]));
    let pdf = pdf.bytes().await.unwrap();
    let number = invoice["number"].as_str().unwrap().as_bytes();
    assert!(pdf.starts_with(b"%PDF-") && pdf.windows(number.len()).any(|part| part == number), "{invoice}");
}

#[tokio::test]
async fn the_billing_system_answers_as_recorded_and_is_named_as_a_stand_in() {
    let stack = Stack::shared();
    let report: Value = serde_json::from_str(&stack.runs_command(&["--json", "billing", "conformance"])).unwrap();
    assert_eq!(report["is_stand_in"], true);
    let cases = report["cases"].as_array().unwrap();
    assert!(cases.len() > 100 && cases.iter().all(|case| case["outcome"] == "same"), "{report:#}");
    let foreign = stack.tries(&["billing", "conformance", "--lago-url", &stack.api, "--only", "keys"]);
    assert_eq!(foreign.status.code(), Some(9), "the API is no Lago: {foreign:?}");
    assert_eq!(stack.tries(&["billing", "conformance", "--only", "nothing"]).status.code(), Some(1));
}
