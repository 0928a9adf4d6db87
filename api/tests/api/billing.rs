//! Invoices, what stands behind their lines, and notices of the billing system.

use api::token::Role;
use futures::future::join_all;
use serde_json::{Value, json};
use store::accounts::notices::Which;

use crate::answer::Answer;
use crate::app::{Call, INVOICE, OF_NO_PERIOD, OF_TWO_PERIODS, TestApp, signature};

#[tokio::test]
async fn an_invoices_line_leads_to_its_jobs() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    let (one, other) = (app.accepted(&ada).await, app.accepted(&ada).await);
    for (job, units, billed_at) in [
        (&one, 5, "2026-02-01T00:00:00Z"),
        (&other, 4, "2026-02-28T23:59:59.9Z"),
        // The next month's.
        (&other, 7, "2026-03-01T00:00:00Z"),
    ] {
        let row = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, billed_at, delivered_at)
                   VALUES ($1 || ':compute_units:' || $3, 'acme', $1::uuid, 'compute_units', $3, $2, $3::timestamptz,
                           now())";
        sqlx::query(row).bind(job).bind(units).bind(billed_at).execute(&app.pool).await.unwrap();
    }
    app.execute(
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units, billed_at, delivered_at, dead_reason) VALUES
            ('acme:compute_units:free', 'acme', 'compute_units', 'free', 3, '2026-02-10T00:00:00Z', now(), NULL),
            ('acme:compute_units:sent', 'acme', 'compute_units', 'sent', 5, '2026-02-10T00:00:00Z', NULL, NULL),
            ('acme:compute_units:dead', 'acme', 'compute_units', 'dead', 9, '2026-02-10T00:00:00Z', NULL, 'refused')",
    )
    .await;
    let listed = app.get(&ada, "/v1/invoices").await.expect(200);
    assert_eq!((&listed["data"][0]["id"], &listed["data"][0]["total_amount_cents"]), (&json!(INVOICE), &json!(5881)));
    let invoice = app.get(&ada, &format!("/v1/invoices/{INVOICE}")).await.expect(200);
    assert_eq!(
        invoice["lines"][0],
        json!({"code": "compute_units", "name": "compute_units", "kind": "usage", "units": "12", "amount_cents": 1})
    );
    assert_eq!(invoice["periods"], json!([{"from": "2026-02-01T00:00:00Z", "until": "2026-03-01T00:00:00Z"}]));

    let path = format!("/v1/invoices/{INVOICE}/lines/compute_units");
    let whole = app.get(&ada, &path).await.expect(200);
    let mut expected =
        vec![json!({"job_id": one, "row_id": null, "units": 5}), json!({"job_id": other, "row_id": null, "units": 4})];
    expected.sort_by_key(|part| part["job_id"].to_string());
    expected.push(json!({"job_id": null, "row_id": "acme:compute_units:free", "units": 3}));
    assert_eq!(whole["data"], json!(expected), "which add up to the line");
    let mut read: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    while read.len() < 3 {
        let page = app.get(&ada, &format!("{path}?limit=1{cursor}")).await.expect(200);
        read.extend(page["data"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!((json!(read), cursor.as_str()), (whole["data"].clone(), "&cursor="));
}

#[tokio::test]
async fn a_lines_parts_are_those_of_all_periods_of_its_invoice_and_of_no_other_time() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    for (hour, units, billed_at) in [
        ("1", 1, "2026-01-31T23:59:59.999Z"),
        ("2", 2, "2026-02-01T00:00:00Z"),
        ("3", 4, "2026-02-10T12:00:00.999Z"),
        ("4", 8, "2026-02-10T12:00:01Z"),
        ("5", 16, "2026-02-19T23:59:59.999Z"),
        ("6", 32, "2026-02-28T23:59:59.999Z"),
    ] {
        let row = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, billed_at, delivered_at)
                   VALUES ('acme:compute_units:' || $1, 'acme', 'compute_units', $1, $2, $3::timestamptz, now())";
        sqlx::query(row).bind(hour).bind(units).bind(billed_at).execute(&app.pool).await.unwrap();
    }
    let parts = async |invoice: &str, limit: usize| -> Vec<u64> {
        let path = format!("/v1/invoices/{invoice}/lines/compute_units");
        let (mut units, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&ada, &format!("{path}?limit={limit}{cursor}")).await.expect(200);
            units.extend(page["data"].as_array().unwrap().iter().map(|part| part["units"].as_u64().unwrap()));
            let Some(next) = page["next_cursor"].as_str() else { return units };
            cursor = format!("&cursor={next}");
        }
    };
    for limit in [1, 100] {
        assert_eq!(parts(OF_TWO_PERIODS, limit).await, [2, 4, 32]);
        assert_eq!(parts(INVOICE, limit).await, [2, 4, 8, 16, 32]);
    }
    assert_eq!(parts(OF_NO_PERIOD, 100).await, [0; 0], "the line is listed, and nothing of ours stands behind it");
}

#[tokio::test]
async fn an_invoice_is_seen_by_its_tenants_leads_alone() {
    let app = TestApp::new().await;
    let (lead, developer) = (app.user("acme", "ada", Role::TeamLead).await, app.developer("dev").await);
    let stranger = app.user("other", "eve", Role::Admin).await;
    let path = format!("/v1/invoices/{INVOICE}");
    app.get(&developer, &path).await.problem("INSUFFICIENT_SCOPE");
    app.get(&developer, "/v1/invoices").await.problem("INSUFFICIENT_SCOPE");
    for lines in ["", "/lines/compute_units"] {
        app.get(&stranger, &format!("{path}{lines}")).await.problem("NOT_FOUND");
    }
    assert_eq!(app.get(&stranger, "/v1/invoices").await.expect(200), json!({"data": []}));
    for unknown in ["/lines/api_calls", "/lines/team", "/lines/nothing"] {
        app.get(&lead, &format!("{path}{unknown}")).await.problem("NOT_FOUND");
    }
    app.get(&lead, "/v1/invoices/..%2Fcustomers").await.problem("NOT_FOUND");
}

async fn noticed(app: &TestApp, key: &str, notice: &str, signature: &str) -> Answer {
    let call = Call::new("POST", "/v1/billing/lago-webhook").header("x-lago-signature", signature);
    let call = call.header("x-lago-signature-algorithm", "jwt").header("x-lago-unique-key", key);
    app.send(call.body(notice.to_owned())).await
}

#[tokio::test]
async fn a_notice_is_believed_by_its_signature_and_heard_once() {
    let app = TestApp::new().await;
    let notice = r#"{"webhook_type":"invoice.created","object_type":"invoice"}"#;
    for _ in 0..2 {
        assert_eq!(noticed(&app, "k1", notice, &signature(notice)).await.status, 204);
    }
    assert_eq!(app.count("SELECT count(*) FROM billing_notices").await, 1);
    let unwritable = r#"{"webhook_type":"a\u0000b"}"#;
    noticed(&app, "k0", unwritable, &signature(unwritable)).await.problem("INVALID_REQUEST");
    let other = notice.replace("created", "deleted");
    for (body, signed) in [
        (other.as_str(), signature(notice)),
        (notice, signature(&other)),
        (notice, "garbage".to_owned()),
        (notice, unsigned(notice)),
        (notice, signed_with_the_public_key(notice)),
    ] {
        noticed(&app, "k2", body, &signed).await.problem("SIGNATURE_INVALID");
    }
    noticed(&app, "", notice, &signature(notice)).await.problem("INVALID_REQUEST");
    noticed(&app, "k3", "no JSON", &signature("no JSON")).await.problem("INVALID_REQUEST");
    assert_eq!(app.count("SELECT count(*) FROM billing_notices").await, 1);
    assert_eq!(noticed(&app, "k2", &other, &signature(&other)).await.status, 204);
    let told = store::accounts::notices::list(&app.pool, Which::default(), 9).await.unwrap();
    assert_eq!(told[0].kind, "invoice.deleted");
}

/// How often the metric on which finance has an alarm has told of trouble.
async fn troubles(app: &TestApp) -> u64 {
    let text = String::from_utf8(app.send(Call::get("/metrics")).await.body.to_vec()).unwrap();
    let told = text.lines().find_map(|line| line.strip_prefix("zama_billing_trouble_total ")?.parse().ok());
    told.unwrap_or_else(|| panic!("it is there from the beginning: {text}"))
}

#[tokio::test]
async fn the_alarm_is_of_trouble_alone_and_rings_once_for_each() {
    let app = TestApp::new().await;
    let before = troubles(&app).await;
    for (key, kind, rings) in [
        ("k1", "invoice.created", 0),
        ("k2", "customer.created", 0),
        ("k3", "events.errors", 1),
        ("k3", "events.errors", 1),
        ("k4", "invoice.payment_failure", 2),
    ] {
        let notice = json!({ "webhook_type": kind }).to_string();
        assert_eq!(noticed(&app, key, &notice, &signature(&notice)).await.status, 204);
        assert_eq!(troubles(&app).await - before, rings, "{key}: {kind}");
    }
}

#[tokio::test]
async fn while_the_billing_system_is_away_notices_are_told_when_to_come_again_and_it_is_left_alone() {
    let app = TestApp::new().await;
    app.lago.goes_away();
    let notice = r#"{"webhook_type":"invoice.created"}"#;
    let signature = signature(notice);
    for refused in join_all((0..10).map(|_| noticed(&app, "k1", notice, &signature))).await {
        refused.problem("SERVICE_UNAVAILABLE");
        let wait: u64 = refused.header("retry-after").parse().unwrap();
        assert!((1..=6).contains(&wait), "{wait}");
    }
    assert_eq!(app.lago.asked_for_its_key(), 1);
}

/// A JWT that claims to need no signature.
fn unsigned(notice: &str) -> String {
    let part = |value: Value| base64_url(value.to_string().as_bytes());
    format!("{}.{}.", part(json!({"alg": "none", "typ": "JWT"})), part(json!({"data": notice})))
}

/// The public key taken for a shared secret.
fn signed_with_the_public_key(notice: &str) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
    let key = EncodingKey::from_secret(include_bytes!("app/lago.pub.pem"));
    encode(&Header::new(Algorithm::HS256), &json!({ "data": notice }), &key).unwrap()
}

fn base64_url(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}
