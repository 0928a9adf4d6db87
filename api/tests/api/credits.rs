//! Prepaid credits: top-ups, what is left, and the refusal of what is not paid for.

use api::token::Role;
use futures::future::join_all;
use jobs::usage::Metric;
use serde_json::{Value, json};
use store::credits::top_ups::{self, Made, Outcome, Pauses};
use store::limits::rules::Change;
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::{Call, TestApp, User, by_operator, job};

const TOP_UPS: &str = "/v1/credits/top-ups";

async fn buys(app: &TestApp, user: &User, key: &str, body: &Value) -> Answer {
    let call = Call::new("POST", TOP_UPS).by(user).key(key).header("content-type", "application/json");
    app.send(call.body(body.to_string())).await
}

/// Sets whether acme's jobs are paid before, and has the server see it.
async fn requires(app: &TestApp, admin: &User, requires: bool) -> Answer {
    let change = json!({"settings": {"requires_credits": requires}});
    let answer = app.json("PATCH", admin, "/v1/tenants/current", &change).await;
    app.gate.look(&app.pool).await;
    answer
}

async fn left(app: &TestApp, user: &User) -> Value {
    app.get(user, "/v1/credits").await.expect(200)
}

#[tokio::test]
async fn a_top_up_is_noted_once_for_each_key() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let fifty = json!({"amount_cents": 5000});
    let bare = Call::new("POST", TOP_UPS).by(&amy).header("content-type", "application/json");
    app.send(bare.body(fifty.to_string())).await.problem("INVALID_IDEMPOTENCY_KEY");
    app.get(&amy, TOP_UPS).await.expect(200);

    let first = buys(&app, &amy, "march", &fifty).await;
    let noted = first.expect(202);
    assert_eq!(
        (&noted["state"], &noted["kind"], &noted["requested_by"]),
        (&json!("requested"), &json!("paid"), &json!("amy"))
    );
    assert_eq!((&noted["amount_cents"], &noted["currency"]), (&json!(5000), &json!("EUR")));
    assert_eq!(first.header("location"), noted["links"]["self"].as_str().unwrap());
    assert!(!first.headers.contains_key("idempotency-replayed"));
    for answer in join_all((0..8).map(|_| buys(&app, &amy, "march", &fifty))).await {
        assert_eq!((answer.header("idempotency-replayed"), answer.expect(202)), ("true", noted.clone()));
    }
    let many = join_all((0..8).map(|_| buys(&app, &amy, "april", &fifty))).await;
    assert_eq!(many.iter().filter(|answer| !answer.headers.contains_key("idempotency-replayed")).count(), 1);
    assert_eq!(app.count("SELECT count(*) FROM credit_top_ups").await, 2);
    buys(&app, &amy, "march", &json!({"amount_cents": 5001})).await.problem("IDEMPOTENCY_KEY_REUSED");
    for wrong in [json!({"amount_cents": 0}), json!({"amount_cents": 5, "currency": "USD"}), json!({})] {
        buys(&app, &amy, "may", &wrong).await.problem("INVALID_REQUEST");
    }

    // What has become of it is seen where it is read; a repeat is answered as the first time.
    let id: Uuid = noted["id"].as_str().unwrap().parse().unwrap();
    let now = Pauses { tried: 0.0, looked_at: 0.0, looked_at_late: 0.0 };
    top_ups::begin_try(&app.pool, id, Uuid::nil(), now).await.unwrap().expect("it is nobody's");
    let made = Made { transaction: Uuid::max(), invoice: Some("i-1".to_owned()), outcome: Outcome::Settled };
    assert!(top_ups::note(&app.pool, id, &made).await.unwrap());
    let settled = app.get(&amy, &format!("{TOP_UPS}/{id}")).await.expect(200);
    assert_eq!((&settled["state"], &settled["invoice_id"]), (&json!("settled"), &json!("i-1")));
    assert!(settled["settled_at"].is_string() && settled["refusal"].is_null());
    assert_eq!(buys(&app, &amy, "march", &fifty).await.expect(202), noted);
}

#[tokio::test]
async fn a_tenant_has_twenty_open_top_ups_at_most() {
    let app = TestApp::new().await;
    let (amy, eve) = (app.user("acme", "amy", Role::Admin).await, app.user("globex", "eve", Role::Admin).await);
    let fifty = json!({"amount_cents": 5000});
    let mut ids = Vec::new();
    for number in 0..20 {
        let noted = buys(&app, &amy, &format!("k{number}"), &fifty).await.expect(202);
        ids.push(noted["id"].as_str().unwrap().parse::<Uuid>().unwrap());
    }
    let problem = buys(&app, &amy, "more", &fifty).await.problem("TOO_MANY_TOP_UPS");
    assert_eq!(problem["status"], 409);
    assert_eq!(problem["detail"], "20 top-ups of the tenant are open, as many as may be: pay their invoices first.");
    assert_eq!(buys(&app, &amy, "k0", &fifty).await.header("idempotency-replayed"), "true", "as before");
    buys(&app, &eve, "more", &fifty).await.expect(202);
    app.granted("acme", "goodwill", 5).await;
    assert!(top_ups::refuse(&app.pool, ids[7], "no").await.unwrap());
    buys(&app, &amy, "more", &fifty).await.problem("TOO_MANY_TOP_UPS");
    assert!(top_ups::refuse(&app.pool, ids[8], "no").await.unwrap());
    buys(&app, &amy, "more", &fifty).await.expect(202);
}

#[tokio::test]
async fn top_ups_are_their_tenants_and_its_leads_to_see() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let (lea, eve) = (app.user("acme", "lea", Role::TeamLead).await, app.user("globex", "eve", Role::Admin).await);
    let fifty = json!({"amount_cents": 5000});
    for poor in [&ada, &lea] {
        buys(&app, poor, "k", &fifty).await.problem("INSUFFICIENT_SCOPE");
    }
    let ours = buys(&app, &amy, "k", &fifty).await.expect(202);
    let theirs = buys(&app, &eve, "k", &fifty).await.expect(202);
    assert_ne!(ours["id"], theirs["id"], "a key is its tenant's");
    for more in ["l", "m"] {
        buys(&app, &amy, more, &fifty).await.expect(202);
    }
    app.get(&ada, TOP_UPS).await.problem("INSUFFICIENT_SCOPE");
    app.get(&eve, &format!("{TOP_UPS}/{}", ours["id"].as_str().unwrap())).await.problem("NOT_FOUND");
    assert_eq!(app.get(&eve, TOP_UPS).await.expect(200)["data"].as_array().unwrap().len(), 1);
    let whole = app.get(&lea, TOP_UPS).await.expect(200);
    let (mut read, mut cursor) = (Vec::new(), String::new());
    while read.len() < 3 {
        let page = app.get(&lea, &format!("{TOP_UPS}?limit=1{cursor}")).await.expect(200);
        read.extend(page["data"].as_array().unwrap().iter().cloned());
        cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
    }
    assert_eq!((json!(read), cursor.as_str()), (whole["data"].clone(), "&cursor="));
    assert_eq!(whole["data"][2]["id"], ours["id"], "the newest first");
    assert_eq!(left(&app, &lea).await["pending_cents"], 15_000);
}

#[tokio::test]
async fn nothing_is_admitted_beyond_what_was_paid_before() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let free = app.accepted(&ada).await;
    app.complete(&free).await;
    requires(&app, &amy, true).await.expect(200);
    assert_eq!(app.get(&ada, "/v1/limits").await.expect(200)["requires_credits"], true);
    let unknown = app.submit(&ada, &job(6)).await;
    let problem = unknown.problem("CREDITS_EXHAUSTED");
    assert_eq!(problem["detail"], "The tenant's jobs are paid for by credits, of which nothing is known yet.");
    assert!(!unknown.headers.contains_key("retry-after"), "waiting does not help");
    assert_eq!(left(&app, &amy).await["available_cents"], Value::Null);

    // Two units and a confirmation are three cents, and so many are used already.
    app.told(10, &[]).await;
    let first = app.submit_with_key(&ada, "k", &job(6)).await.expect(202);
    app.accepted(&ada).await;
    let refused = app.submit_with_key(&ada, "l", &job(6)).await.problem("CREDITS_EXHAUSTED");
    assert_eq!(refused["detail"], "The job may cost 0.03 EUR; 0.01 EUR of the tenant's credits are left.");
    assert_eq!(refused["status"], 402);
    let credits = left(&app, &amy).await;
    let of = |name: &str| credits[format!("{name}_cents")].as_i64().unwrap();
    assert_eq!([of("balance"), of("usage"), of("unbilled"), of("reserved"), of("available")], [10, 0, 3, 6, 1]);
    assert_eq!((&credits["rule"], &credits["currency"]), (&json!("required"), &json!("EUR")));
    // What was accepted is answered as before.
    let again = app.submit_with_key(&ada, "k", &job(6)).await;
    assert_eq!((again.header("idempotency-replayed"), again.expect(202)), ("true", first.clone()));

    // What a job has used is no more reserved, and what it did not use comes back.
    let id = first["job_id"].as_str().unwrap();
    app.complete(id).await;
    assert_eq!(left(&app, &amy).await["available_cents"], 1);
    app.told(12, &[]).await;
    assert_eq!(app.submit_with_key(&ada, "l", &job(6)).await.status, 202, "the key was not used up");
    // An empty purse admits nothing.
    let empty = app.submit(&ada, &job(6)).await.problem("CREDITS_EXHAUSTED");
    assert_eq!(empty["detail"], "The job may cost 0.03 EUR; 0.00 EUR of the tenant's credits are left.");
    requires(&app, &amy, false).await.expect(200);
    app.accepted(&ada).await;
}

#[tokio::test]
async fn a_quote_tells_whether_the_credits_would_suffice_and_takes_none() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let quoted = async || app.quote(&ada, &job(6)).await.expect(201);
    assert_eq!(quoted().await.get("credits"), None, "it needs none");
    requires(&app, &amy, true).await.expect(200);
    let unknown = json!({"required": true, "sufficient": false, "available_cents": null, "currency": null});
    assert_eq!(quoted().await["credits"], unknown);
    app.submit(&ada, &job(6)).await.problem("CREDITS_EXHAUSTED");

    // A job may cost three cents.
    for (balance, sufficient) in [(0, false), (2, false), (3, true)] {
        app.told(balance, &[]).await;
        let credits =
            json!({"required": true, "sufficient": sufficient, "available_cents": balance, "currency": "EUR"});
        for _ in 0..2 {
            assert_eq!(quoted().await["credits"], credits, "nothing of it is held");
        }
        let status = app.submit(&ada, &job(6)).await.status.as_u16();
        assert_eq!(status, if sufficient { 202 } else { 402 }, "as admission sees it");
    }
    // It is as of the moment at which it is asked for.
    let quote = quoted().await;
    assert_eq!((&quote["credits"]["sufficient"], &quote["credits"]["available_cents"]), (&json!(false), &json!(0)));
    let address = format!("/v1/quotes/{}", quote["quote_id"].as_str().unwrap());
    assert_eq!(app.get(&ada, &address).await.expect(200), quote);
    app.told(50, &[]).await;
    assert_eq!(app.get(&ada, &address).await.expect(200)["credits"]["sufficient"], true);
    let mut under = job(6);
    under["quote_id"] = quote["quote_id"].clone();
    app.submit(&ada, &under).await.expect(202);
    assert_eq!(app.get(&ada, &address).await.expect(200).get("credits"), None, "it was used");
}

/// Rows that the billing system has priced do not count twice, however late it is asked.
#[tokio::test]
async fn what_was_told_is_not_counted_again() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let id = app.accepted(&ada).await;
    app.complete(&id).await;
    app.told(100, &[]).await;
    let told = async |name: &str| left(&app, &amy).await[name].as_i64().unwrap();
    assert_eq!((told("unbilled_cents").await, told("available_cents").await), (3, 97));
    // Delivered since, and not in the answer.
    let rows = store::usage::due_for_job(&app.pool, id.parse().unwrap()).await.unwrap();
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    store::usage::freeze(&app.pool, &ids, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    store::usage::delivered(&app.pool, &ids).await.unwrap();
    assert_eq!((told("unbilled_cents").await, told("available_cents").await), (3, 97));
    app.told(100, &[(Metric::ComputeUnits, 2), (Metric::ChainConfirmations, 1)]).await;
    assert_eq!((told("usage_cents").await, told("unbilled_cents").await), (3, 0));
    assert_eq!(told("available_cents").await, 97);
}

#[tokio::test]
async fn tests_are_free_and_need_no_credits() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let test = app.key(&ada, json!({"test_mode": true})).await;
    let admins = app.key(&amy, json!({"test_mode": true})).await;
    requires(&app, &amy, true).await.expect(200);
    app.submit(&ada, &job(6)).await.problem("CREDITS_EXHAUSTED");
    app.accepted(&test.bearer).await;
    let sandbox = left(&app, &admins.bearer).await;
    assert_eq!((&sandbox["rule"], &sandbox["balance_cents"]), (&json!("optional"), &Value::Null));
    assert_eq!(app.get(&test.bearer, "/v1/limits").await.expect(200)["requires_credits"], false);
    buys(&app, &admins.bearer, "k", &json!({"amount_cents": 5})).await.problem("INSUFFICIENT_SCOPE");
}

#[tokio::test]
async fn what_the_operator_requires_the_tenant_cannot_leave_out() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    app.rules(Change { credits_enforced: Some(true), ..Change::default() }).await;
    app.submit(&ada, &job(6)).await.problem("CREDITS_EXHAUSTED");
    let refused = requires(&app, &amy, false).await;
    refused.problem("INVALID_REQUEST");
    assert_eq!(refused.pointers(), ["/settings/requires_credits"]);
    assert_eq!(left(&app, &amy).await["rule"], "enforced");
    app.rules(Change { credits_enforced: Some(false), ..Change::default() }).await;
    app.accepted(&ada).await;
    // A tenant's own wish stays when the operator's ends.
    requires(&app, &amy, true).await.expect(200);
    app.rules(Change { credits_enforced: Some(true), ..Change::default() }).await;
    app.rules(Change { credits_enforced: Some(false), ..Change::default() }).await;
    assert_eq!(left(&app, &amy).await["rule"], "required");
}

/// By a server that has not heard of the end yet, too.
#[tokio::test]
async fn a_closed_tenant_buys_nothing() {
    let app = TestApp::new().await;
    let amy = app.user("acme", "amy", Role::Admin).await;
    let fifty = json!({"amount_cents": 5000});
    buys(&app, &amy, "before", &fifty).await.expect(202);
    let acme = "acme".parse().unwrap();
    store::accounts::close(&app.pool, &acme, &by_operator(&acme)).await.unwrap();
    let refused = buys(&app, &amy, "after", &fifty).await;
    assert_eq!(refused.problem("INVALID_TOKEN")["detail"], json!("The tenant is closed."));
    assert_eq!(app.count("SELECT count(*) FROM credit_top_ups").await, 1);
}
