//! POST /v1/jobs/quote, GET /v1/quotes/{id}, and what a `quote_id` does to a submission.

use api::token::Role;
use futures::future::join_all;
use jobs::ErrorCode;
use jobs::fhe::program::{Binary, ValueType};
use jobs::fhe::{KeyMode, price, units};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::{Call, TestApp, User, job};

/// A job of 65 units: a prime of 128 bits.
const DEAR: &str = "340282366920938463463374607431768211297";

/// The same body under a quote.
fn under(quote: &str, body: &Value) -> Value {
    let mut body = body.clone();
    body["quote_id"] = json!(quote);
    body
}

/// A job on what is fetched from elsewhere, of type and number that nobody knows yet.
fn vague() -> Value {
    let payload = json!({"algorithm": "encrypted_maximum", "encrypted_data_url": "https://example.com/ciphertexts"});
    json!({"type": "fhe_compute", "payload": payload})
}

async fn shown(app: &TestApp, user: &User, quote: &str) -> Value {
    app.get(user, &format!("/v1/quotes/{quote}")).await.expect(200)
}

#[tokio::test]
async fn a_quote_says_what_the_job_costs_at_most_and_runs_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let quote = app.quote(&ada, &job(DEAR)).await.expect(201);
    let lines = json!([
        {"metric": "jobs_submitted", "units": 1},
        {"metric": "jobs_completed", "units": 1},
        {"metric": "compute_units", "units": 65},
        {"metric": "chain_confirmations", "units": 1}
    ]);
    assert_eq!((&quote["lines"], &quote["job_id"], &quote["test_mode"]), (&lines, &Value::Null, &json!(false)));
    let time = |name: &str| quote[name].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!(time("expires_at") - time("created_at"), chrono::TimeDelta::minutes(15));
    assert_eq!(shown(&app, &ada, quote["quote_id"].as_str().unwrap()).await, quote);
    for nothing in ["SELECT count(*) FROM jobs", "SELECT count(*) FROM usage_ledger", "SELECT count(*) FROM job_starts"]
    {
        assert_eq!(app.count(nothing).await, 0);
    }
    let accepted = app.submit(&ada, &job(DEAR)).await.expect(202);
    let job = app.job(&ada, accepted["job_id"].as_str().unwrap()).await;
    assert_eq!(job["content_hash"], quote["content_hash"], "what a submission of this body has");

    let quote = app.quote(&ada, &vague()).await.expect(201);
    let units = |metric: &str| {
        let mut lines = quote["lines"].as_array().unwrap().iter();
        lines.find(|line| line["metric"] == metric).unwrap()["units"].as_u64().unwrap()
    };
    assert!(units("compute_units") > 65_536 && units("fhe_compute_units") > 10, "the most that it could be: {quote}");
}

/// A client's program that takes the same step so many times, on two encrypted bytes or on one and a clear number.
fn program(steps: usize, operation: &str, right: &Value) -> Value {
    let step = |number: usize| json!({"name": format!("s{number}"), "op": operation, "args": ["a", right]});
    let program = json!({
        "inputs": [{"name": "a", "type": "u8"}, {"name": "b", "type": "u8"}],
        "steps": (0..steps).map(step).collect::<Vec<_>>(),
        "outputs": [format!("s{}", steps - 1)]
    });
    let payload = json!({
        "algorithm": "program", "encrypted_data_url": "https://example.com/ciphertexts", "parameters": {"program": program}
    });
    json!({"type": "fhe_compute", "payload": payload})
}

/// A unit is a hundred bootstrappings: a hundred steps show the price of one. Whether the table is what tfhe does is asked
/// by the dry runs of `fhe`.
#[tokio::test]
async fn a_program_is_quoted_by_the_price_of_each_of_its_steps() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let quoted = async |operation: &str, right: &Value| {
        let quote = app.quote(&ada, &program(100, operation, right)).await.expect(201);
        let mut lines = quote["lines"].as_array().unwrap().iter();
        lines.find(|line| line["metric"] == "fhe_compute_units").unwrap()["units"].as_u64().unwrap()
    };
    let inputs = price::of_inputs(&[ValueType::U8; 2], KeyMode::Network);
    for operation in Binary::ALL {
        let name = operation.as_str();
        if let Some(pbs) = price::encrypted(operation)[0] {
            assert_eq!(quoted(name, &json!("b")).await, units::units(inputs + 100 * pbs), "{name}");
        } else {
            // Shifts by an encrypted number.
            let refused = app.quote(&ada, &program(1, name, &json!("b"))).await;
            refused.problem("JOB_VALIDATION_FAILED");
            let pointers = refused.pointers();
            assert!(
                pointers.len() == 1 && pointers[0].starts_with("/payload/parameters/program/steps/0"),
                "{pointers:?}"
            );
        }
        let pbs = price::with_clear(operation, ValueType::U8, 3);
        assert_eq!(quoted(name, &json!(3)).await, units::units(inputs + 100 * pbs), "{name} by 3");
    }
    // As docs/algorithms/COSTS.md has them, and 8 bootstrappings for the two inputs.
    for (name, right, units) in
        [("mul", json!("b"), 29), ("div", json!("b"), 165), ("eq", json!("b"), 6), ("mul", json!(3), 13)]
    {
        assert_eq!(quoted(name, &right).await, units, "{name} {right}");
    }
}

#[tokio::test]
async fn a_program_with_an_operation_that_there_is_not_is_refused_where_it_stands() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (operation, right, pointer) in [
        ("hash", json!("b"), "/payload/parameters/program/steps/0/op"),
        ("ADD", json!("b"), "/payload/parameters/program/steps/0/op"),
        ("add", json!("c"), "/payload/parameters/program/steps/0/args/1"),
    ] {
        let body = program(1, operation, &right);
        let (quoted, submitted) = (app.quote(&ada, &body).await, app.submit(&ada, &body).await);
        submitted.problem("JOB_VALIDATION_FAILED");
        assert_eq!(told(&quoted), told(&submitted), "{operation}");
        assert_eq!(quoted.pointers(), [pointer], "{operation}");
    }
    assert_eq!(app.count("SELECT count(*) FROM job_quotes").await, 0);
}

/// What a client is told, but for what differs between any two requests.
fn told(answer: &Answer) -> (u16, Value, Value, Value) {
    let problem = answer.json();
    let [code, detail, errors] = ["code", "detail", "errors"].map(|name| problem[name].clone());
    (answer.status.as_u16(), code, detail, errors)
}

#[tokio::test]
async fn what_would_be_refused_is_not_quoted_and_for_the_same_reasons() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut late = job(6);
    late["deadline"] = json!("2026-01-01T00:00:00Z");
    let mut wrong = job(-1);
    wrong["extra"] = json!(1);
    let mut unknown = job(6);
    unknown["payload"]["algorithm"] = json!("sorting");
    let mut elsewhere = vague();
    elsewhere["payload"]["encrypted_data_url"] = json!(format!("/v1/blobs/0x{}", "7c".repeat(32)));
    let mut other_key = vague();
    other_key["payload"]["key"] = json!({"mode": "network", "key_id": format!("0x{}", "77".repeat(32))});
    let same = async |user: &User, body: &Value, code: &str| {
        let (quoted, submitted) = (app.quote(user, body).await, app.submit(user, body).await);
        submitted.problem(code);
        assert_eq!(told(&quoted), told(&submitted), "{body}");
    };
    same(&ada, &late, "JOB_VALIDATION_FAILED").await;
    same(&ada, &wrong, "JOB_VALIDATION_FAILED").await;
    same(&ada, &unknown, "UNKNOWN_ALGORITHM").await;
    same(&ada, &elsewhere, "JOB_VALIDATION_FAILED").await;
    same(&ada, &other_key, "KEY_MISMATCH").await;
    same(&ada, &json!([]), "JOB_VALIDATION_FAILED").await;
    let stranger =
        User { token: app.token("acme", "nobody", Role::Developer, Role::Developer.scopes()), ..ada.clone() };
    let code = app.submit(&stranger, &job(6)).await.json()["code"].as_str().unwrap().to_owned();
    same(&stranger, &job(6), &code).await;
    app.execute("UPDATE users SET submitter = NULL").await;
    same(&ada, &job(6), "SUBMITTER_MISSING").await;
    for (path, body) in [("/v1/jobs", "{"), ("/v1/jobs/quote", "{")] {
        let call = Call::new("POST", path).header("content-type", "application/json").body(body).by(&ada);
        app.send(call).await.problem("INVALID_REQUEST");
    }
    assert_eq!(app.count("SELECT count(*) FROM job_quotes").await, 0);
    let named = app.quote(&ada, &under(&jobs::QuoteId::generate().to_string(), &job(6))).await;
    named.problem("JOB_VALIDATION_FAILED");
    assert_eq!(named.pointers(), ["/quote_id"], "a quote has no quote");
}

#[tokio::test]
async fn what_the_month_does_not_hold_is_not_quoted_and_busy_users_are_told_prices() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("fast").await;
    let (quoted, submitted) = (app.quote(&ada, &job(DEAR)).await, app.submit(&ada, &job(DEAR)).await);
    submitted.problem("QUOTA_EXCEEDED");
    assert_eq!(told(&quoted), told(&submitted));
    for _ in 0..3 {
        app.accepted(&ada).await;
    }
    app.submit(&ada, &job(6)).await.problem("TOO_MANY_ACTIVE_JOBS");
    app.quote(&ada, &job(6)).await.expect(201);
    assert_eq!(app.count("SELECT held FROM held_units('acme', date_trunc('month', now())::date)").await, 6, "no more");
}

#[tokio::test]
async fn a_quote_is_used_once_and_its_submission_is_repeated_as_any_other() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let quote = app.quoted(&ada, &job(15)).await;
    let body = under(&quote, &job(15));
    let first = app.submit_with_key(&bob, "order-7", &body).await.expect(202);
    let seen = shown(&app, &ada, &quote).await;
    assert_eq!(seen["job_id"], first["job_id"], "any user of the tenant may use it");
    for _ in 0..2 {
        let again = app.submit_with_key(&bob, "order-7", &body).await;
        assert_eq!(again.expect(202), first, "the stored 202, and not that the quote was used");
        assert_eq!(again.header("idempotency-replayed"), "true");
    }
    let other = app.submit_with_key(&bob, "order-8", &body).await;
    other.problem("QUOTE_USED");
    assert_eq!(other.pointers(), ["/quote_id"]);
    app.submit_with_key(&bob, "order-8", &job(15)).await.expect(202);
    let ceilings = "SELECT count(*) FROM jobs WHERE unit_ceiling = 2 AND fhe_unit_ceiling = 0";
    assert_eq!((app.count(ceilings).await, app.count("SELECT count(*) FROM jobs").await), (1, 2));

    let admin = app.user("acme", "amy", Role::Admin).await;
    let log = app.get(&admin, "/v1/audit?limit=10").await.expect(200);
    let entries = log["data"].as_array().unwrap();
    let details: Vec<_> = entries.iter().filter(|entry| entry["detail"]["quote_id"] == json!(quote)).collect();
    let actions: Vec<_> = details.iter().map(|entry| entry["action"].as_str().unwrap()).collect();
    assert_eq!(actions, ["submit_job", "quote_job"], "newest first");
}

#[tokio::test]
async fn each_quote_that_does_not_serve_says_why_and_costs_nothing() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let eve = app.user("globex", "eve", Role::Admin).await;
    let theirs = app.quoted(&eve, &job(15)).await;
    let unknown = app.submit_with_key(&ada, "k", &under(&jobs::QuoteId::generate().to_string(), &job(15))).await;
    unknown.problem("QUOTE_NOT_FOUND");
    assert_eq!(unknown.pointers(), ["/quote_id"]);
    let foreign = app.submit_with_key(&ada, "k", &under(&theirs, &job(15))).await;
    assert_eq!(told(&foreign), told(&unknown), "another tenant's is as if it were not");
    app.get(&ada, &format!("/v1/quotes/{theirs}")).await.problem("QUOTE_NOT_FOUND");
    app.get(&ada, "/v1/quotes/nonsense").await.problem("QUOTE_NOT_FOUND");

    let quote = app.quoted(&ada, &job(15)).await;
    app.submit_with_key(&ada, "k", &under(&quote, &job(21))).await.problem("QUOTE_MISMATCH");
    let mut spelled_out = job(15);
    spelled_out["deadline"] = json!(null);
    app.submit_with_key(&ada, "k", &under(&quote, &spelled_out)).await.problem("QUOTE_MISMATCH");
    app.execute("UPDATE job_quotes SET expires_at = now() - interval '1 second' WHERE tenant = 'acme'").await;
    let expired = app.submit_with_key(&ada, "k", &under(&quote, &job(15))).await.problem("QUOTE_EXPIRED");
    assert!(expired["detail"].as_str().unwrap().starts_with("The quote could be used until 20"), "{expired}");
    assert_eq!(shown(&app, &ada, &quote).await["job_id"], Value::Null);
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);
    app.submit_with_key(&ada, "k", &job(15)).await.expect(202);
}

/// As after a change of the price list: what certainly costs more is refused, what may cost less is let in and reserves
/// no more than the quote.
#[tokio::test]
async fn a_quote_is_a_ceiling() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let quote = app.quoted(&ada, &job(DEAR)).await;
    app.execute("UPDATE job_quotes SET units = 18").await;
    let refused = app.submit(&ada, &under(&quote, &job(DEAR))).await;
    let problem = refused.problem("COST_CEILING_EXCEEDED");
    assert_eq!(refused.status, 402);
    assert_eq!(problem["detail"], "The job costs 65 compute units; the quote allows 18.");
    let reason = "allows 18 compute units; the job costs 65";
    assert_eq!(problem["errors"], json!([{"pointer": "/quote_id", "reason": reason}]));
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 0);

    let quote = app.quoted(&ada, &vague()).await;
    app.execute("UPDATE job_quotes SET units = 7, fhe_units = 3 WHERE units > 65536").await;
    let id = app.submit(&ada, &under(&quote, &vague())).await.expect(202)["job_id"].as_str().unwrap().to_owned();
    assert_eq!(app.count("SELECT units * 1000 + fhe_units FROM job_reservations").await, 7_003);
    app.begin(&id).await;
    app.fail(&id, ErrorCode::CostCeilingExceeded, "The job costs 4 FHE units; its ceiling allows 3.").await;
    let failed = app.job(&ada, &id).await;
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("FAILED"), &json!("COST_CEILING_EXCEEDED")));
    app.get(&ada, &format!("/v1/jobs/{id}/result")).await.problem("COST_CEILING_EXCEEDED");
}

/// The month's ceiling holds a job that is quoted cheaply, and the quote itself takes nothing of it.
#[tokio::test]
async fn a_submission_takes_of_the_month_what_was_quoted() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let quote = app.quoted(&ada, &vague()).await;
    app.execute("UPDATE job_quotes SET units = 20, fhe_units = 3").await;
    app.plan("fast").await;
    app.submit(&ada, &vague()).await.problem("QUOTA_EXCEEDED");
    app.submit(&ada, &under(&quote, &vague())).await.expect(202);
    app.submit(&ada, &job(6)).await.problem("QUOTA_EXCEEDED");
    assert_eq!(app.count("SELECT held FROM held_units('acme', date_trunc('month', now())::date)").await, 20);
}

#[tokio::test]
async fn of_many_submissions_under_one_quote_one_is_accepted() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let quote = app.quoted(&ada, &job(15)).await;
    let body = under(&quote, &job(15));
    let answers = join_all((0..12).map(|_| app.submit(&ada, &body))).await;
    let (accepted, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 202);
    assert_eq!(accepted.len(), 1);
    others.into_iter().for_each(|answer| _ = answer.problem("QUOTE_USED"));
    assert_eq!(app.count("SELECT count(*) FROM jobs").await, 1);
}

#[tokio::test]
async fn a_submission_that_is_refused_leaves_its_quote() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    app.plan("fast").await;
    let quote = app.quoted(&ada, &job(15)).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(app.accepted(&ada).await);
    }
    let body = under(&quote, &job(15));
    app.submit(&ada, &body).await.problem("TOO_MANY_ACTIVE_JOBS");
    assert_eq!(shown(&app, &ada, &quote).await["job_id"], Value::Null);
    app.post(&ada, &format!("/v1/jobs/{}/cancel", ids[0])).await.expect(200);
    app.submit(&ada, &body).await.expect(202);
    app.submit(&ada, &body).await.problem("QUOTE_USED");
}

#[tokio::test]
async fn test_quotes_are_for_test_jobs() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let test = app.key(&ada, json!({"test_mode": true})).await.bearer;
    let quote = app.quote(&test, &job(15)).await.expect(201);
    assert_eq!(quote["test_mode"], true);
    let (tested, live) = (quote["quote_id"].as_str().unwrap(), app.quoted(&ada, &job(15)).await);
    app.submit(&ada, &under(tested, &job(15))).await.problem("QUOTE_NOT_FOUND");
    app.submit(&test, &under(&live, &job(15))).await.problem("QUOTE_NOT_FOUND");
    let accepted = app.submit(&test, &under(tested, &job(15))).await.expect(202);
    let id = accepted["job_id"].as_str().unwrap();
    app.complete(id).await;
    assert_eq!(app.job(&test, id).await["test_mode"], true);
    assert_eq!(shown(&app, &test, tested).await["job_id"], id);
}

#[tokio::test]
async fn quotes_are_read_as_jobs_are() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let quote = app.quoted(&ada, &job(15)).await;
    let path = format!("/v1/quotes/{quote}");
    app.get(&bob, &path).await.problem("QUOTE_NOT_FOUND");
    app.get(&lea, &path).await.expect(200);
}
