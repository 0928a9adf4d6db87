//! GET /v1/usage

use std::collections::BTreeSet;
use std::time::Duration;

use api::token::Role;
use chrono::{DateTime, Datelike as _, NaiveTime, Utc};
use futures::future::join_all;
use serde_json::{Value, json};

use crate::app::{GAS, TestApp};

#[tokio::test]
async fn it_tells_what_a_job_costs() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let (done, open) = (app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&done).await;

    let totals = json!({"chain_confirmations": 1, "compute_units": 2, "jobs_completed": 1, "jobs_submitted": 1});
    let usage = app.get(&ada, &format!("/v1/usage?job_id={done}")).await.expect(200);
    assert_eq!(usage["totals"], totals);
    assert_eq!(app.job(&ada, &done).await["usage"], totals, "as the job says itself");
    for row in usage["data"].as_array().unwrap() {
        assert_eq!(row["job_id"], done.as_str());
        assert_eq!(row["id"], format!("{done}:{}:0", row["metric"].as_str().unwrap()));
        assert!(row["billed_at"].is_null() && row["delivered_at"].is_null());
        assert_eq!((&row["state"], &row["corrects"]), (&json!("due"), &Value::Null));
    }
    let all = app.get(&ada, "/v1/usage").await.expect(200);
    assert_eq!(all["totals"]["jobs_submitted"], 2);
    let limited = app.get(&ada, "/v1/usage?limit=1").await.expect(200);
    assert_eq!((limited["data"].as_array().unwrap().len(), &limited["totals"]), (1, &all["totals"]));
    assert_eq!(
        app.get(&ada, &format!("/v1/usage?job_id={open}")).await.expect(200)["data"].as_array().unwrap().len(),
        1
    );
    let unknown = app.get(&ada, &format!("/v1/usage?job_id={}", jobs::JobId::generate())).await.expect(200);
    assert_eq!(
        unknown,
        json!({
            "from": null, "until": null, "billed_from": null, "billed_until": null, "totals": {}, "groups": null,
            "groups_truncated": false, "data": [], "next_cursor": null, "has_more": false
        })
    );
}

/// The rows of a batch have one time, so that a page may end between two of them.
#[tokio::test]
async fn its_pages_hold_every_row_once() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let done = [app.accepted(&ada).await, app.accepted(&ada).await, app.accepted(&ada).await];
    for job in &done {
        app.finish(job).await;
    }
    let batch = app.seal().await;
    app.confirm(batch).await;
    app.accepted(&bob).await;
    let whole = app.get(&ada, "/v1/usage").await.expect(200);
    let ids = |page: &Value| -> Vec<String> {
        page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!((ids(&whole).len(), &whole["has_more"], &whole["next_cursor"]), (12, &json!(false), &Value::Null));
    for limit in [1, 2, 5, 11, 12] {
        let (mut read, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = app.get(&ada, &format!("/v1/usage?limit={limit}{cursor}")).await.expect(200);
            let totals = if cursor.is_empty() { &whole["totals"] } else { &Value::Null };
            assert_eq!(&page["totals"], totals, "of all rows, on the first page alone");
            assert_eq!(page["has_more"], !page["next_cursor"].is_null());
            read.extend(ids(&page));
            assert!(ids(&page).len() <= limit && read.len() <= 12, "{read:?}");
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        assert_eq!(read, ids(&whole), "by {limit}");
    }
}

#[tokio::test]
async fn a_cursor_leads_nowhere_but_in_its_own_list() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let (one, other) = (app.accepted(&ada).await, app.accepted(&ada).await);
    app.complete(&one).await;
    app.accepted(&bob).await;
    app.accepted(&bob).await;
    let page = app.get(&ada, "/v1/usage?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    let jobs = app.get(&ada, "/v1/jobs?limit=1").await.expect(200);
    let of_jobs = jobs["next_cursor"].as_str().unwrap();
    for (user, query) in [
        (&bob, format!("cursor={cursor}")),
        (&ada, format!("cursor={cursor}&job_id={other}")),
        (&ada, format!("cursor={of_jobs}")),
        (&ada, "cursor=".to_owned()),
        (&ada, format!("cursor={}", &cursor[2..])),
    ] {
        let answer = app.get(user, &format!("/v1/usage?{query}")).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), ["/cursor"], "{query}");
    }
    app.get(&ada, &format!("/v1/jobs?cursor={cursor}")).await.problem("INVALID_REQUEST");
}

/// What belongs to no job: an hour of storage, and a correction.
const HOURS: &str = "
    INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at, reason, corrects) VALUES
        ('acme:storage_gb_hours:2026-03-14T09Z', 'acme', 'storage_gb_hours', '2026-03-14T09Z', 19758,
         '2026-03-14T09:30:00Z', NULL, NULL),
        ('acme:storage_gb_hours:2026-03-14T23Z', 'acme', 'storage_gb_hours', '2026-03-14T23Z', 1000000000,
         '2026-03-14T23:59:59.9Z', NULL, NULL),
        ('acme:storage_gb_hours:2026-03-15T00Z', 'acme', 'storage_gb_hours', '2026-03-15T00Z', 5,
         '2026-03-15T00:00:00Z', NULL, NULL),
        ('acme:storage_gb_hours:2026-03-14T09Z.1', 'acme', 'storage_gb_hours', '2026-03-14T09Z.1', -758,
         '2026-03-15T00:00:00.1Z', 'counted twice, \"by us\"', 'acme:storage_gb_hours:2026-03-14T09Z')";

#[tokio::test]
async fn it_is_told_by_day_and_job_and_in_exact_numbers() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    let job = app.accepted(&ada).await;
    app.execute(HOURS).await;
    let stored =
        app.get(&ada, "/v1/usage?metric=storage_gb_hours&group_by=day&until=2026-04-01T00:00:00Z").await.expect(200);
    let expected = json!([
        {"day": "2026-03-15", "job_id": null, "metric": "storage_gb_hours", "units": -0.000000753},
        {"day": "2026-03-14", "job_id": null, "metric": "storage_gb_hours", "units": 1.000019758}
    ]);
    assert_eq!(stored["groups"], expected);
    assert_eq!(stored["totals"], json!({"storage_gb_hours": 1.000019005}));
    assert_eq!(stored["data"][0]["reason"], "counted twice, \"by us\"");

    let by_job = app.get(&ada, "/v1/usage?group_by=job").await.expect(200);
    assert_eq!(by_job["groups"], json!([{"day": null, "job_id": job, "metric": "jobs_submitted", "units": 1}]));
    let day = app.get(&ada, "/v1/usage?from=2026-03-14T00:00:00Z&until=2026-03-15T00:00:00Z&group_by=day,job").await;
    assert_eq!(day.expect(200)["groups"].as_array().unwrap().len(), 1);
    for (query, pointer) in [
        ("group_by=month", "/group_by"),
        ("group_by=day,day", "/group_by"),
        ("metric=jobs", "/metric"),
        ("from=today", "/from"),
        ("until=", "/until"),
    ] {
        assert_eq!(app.get(&ada, &format!("/v1/usage?{query}")).await.pointers(), [pointer]);
    }
    for path in ["/v1/usage", "/v1/usage.csv"] {
        let refused = app.get(&ada, &format!("{path}?billed_from=today&billed_until=")).await;
        refused.problem("INVALID_REQUEST");
        assert_eq!(refused.pointers(), ["/billed_from", "/billed_until"], "{path}");
    }
}

/// The first moment of the month that is open.
fn month_began() -> DateTime<Utc> {
    Utc::now().date_naive().with_day(1).unwrap().and_time(NaiveTime::MIN).and_utc()
}

#[tokio::test]
async fn it_is_of_the_month_unless_more_is_asked_for_and_of_a_year_at_most() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    let job = app.accepted(&ada).await;
    app.execute(HOURS).await;
    let told = async |query: &str| app.get(&ada, &format!("/v1/usage?{query}")).await.expect(200);
    let month = told("").await;
    assert_eq!(month["from"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), month_began());
    assert_eq!((&month["until"], &month["totals"]), (&Value::Null, &json!({"jobs_submitted": 1})));
    // The month that it ends with.
    let march = told("until=2026-04-01T00:00:00Z&limit=1").await;
    assert_eq!((&march["from"], &march["until"]), (&json!("2026-03-01T00:00:00Z"), &json!("2026-04-01T00:00:00Z")));
    assert_eq!(march["totals"], json!({"storage_gb_hours": 1.000019005}));
    let next = march["next_cursor"].as_str().unwrap();
    let second = told(&format!("until=2026-04-01T00:00:00Z&limit=1&cursor={next}")).await;
    assert_eq!((&second["from"], &second["has_more"]), (&march["from"], &json!(true)), "it goes on as it began");

    let year = told("from=2025-03-15T00:00:00Z&until=2026-03-16T00:00:00Z").await;
    assert_eq!(year["totals"], march["totals"], "366 days");
    for query in ["from=2025-03-14T23:59:59Z&until=2026-03-16T00:00:00Z", "from=1990-01-01T00:00:00Z"] {
        let refused = app.get(&ada, &format!("/v1/usage?{query}")).await;
        refused.problem("INVALID_REQUEST");
        assert_eq!(refused.pointers(), ["/from"], "{query}");
    }
    let billed = app.get(&ada, "/v1/usage?billed_from=2025-03-14T23:59:59Z&billed_until=2026-03-16T00:00:00Z").await;
    billed.problem("INVALID_REQUEST");
    assert_eq!(billed.pointers(), ["/billed_from"]);
    // A job's rows are few.
    let whole = told(&format!("job_id={job}")).await;
    assert_eq!((&whole["from"], &whole["totals"]), (&Value::Null, &json!({"jobs_submitted": 1})));
    let since = told(&format!("job_id={job}&from=1990-01-01T00:00:00Z")).await;
    assert_eq!((&since["from"], &since["totals"]), (&json!("1990-01-01T00:00:00Z"), &whole["totals"]));
}

/// What is slow for one tenant leaves connections for the others, and whoever waits is answered.
#[tokio::test]
async fn only_few_questions_are_answered_at_once_and_everybody_else_finds_a_connection() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    let eve = app.user("other", "eve", Role::Admin).await;
    let mut slow = store::begin(&app.pool).await.unwrap();
    sqlx::query("LOCK TABLE usage_ledger IN ACCESS EXCLUSIVE MODE").execute(&mut *slow).await.unwrap();
    let paths = ["/v1/usage?group_by=day", "/v1/usage.csv"];
    let asked = join_all((0..20).map(|number| app.get(&ada, paths[number % 2])));
    let meanwhile = async {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'usage_ledger'::regclass";
        while app.count(waiting).await < 4 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        app.get(&eve, "/v1/blobs").await.expect(200);
        assert_eq!(app.count(waiting).await, 4);
        slow.rollback().await.unwrap();
    };
    let (answers, ()) = tokio::join!(asked, meanwhile);
    assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
}

#[tokio::test]
async fn sums_stand_on_the_first_page_and_tell_when_there_are_more() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    let job = app.accepted(&ada).await;
    let insert = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, occurred_at)
                  SELECT $1 || ':api_calls:' || n, 'acme', $1::uuid, 'api_calls', n, n,
                         timestamptz '1990-01-01T12:00:00Z' + n * interval '1 day'
                    FROM generate_series(1, 10001) AS n";
    sqlx::query(insert).bind(&job).execute(&app.pool).await.unwrap();
    let path = format!("/v1/usage?job_id={job}&metric=api_calls&group_by=day&limit=1");
    let cut = app.get(&ada, &path).await.expect(200);
    let groups = cut["groups"].as_array().unwrap();
    assert_eq!((groups.len(), &cut["groups_truncated"]), (10_000, &json!(true)));
    assert_eq!((&groups[0]["units"], &groups[9_999]["units"]), (&json!(10_001), &json!(2)), "the newest are kept");
    let next = cut["next_cursor"].as_str().unwrap();
    let second = app.get(&ada, &format!("{path}&cursor={next}")).await.expect(200);
    assert_eq!((&second["groups"], &second["totals"]), (&Value::Null, &Value::Null));
    assert_eq!(second["groups_truncated"], false);
    let whole = app.get(&ada, &format!("{path}&from=1990-01-03T00:00:00Z")).await.expect(200);
    assert_eq!((whole["groups"].as_array().unwrap().len(), &whole["groups_truncated"]), (10_000, &json!(false)));
}

#[tokio::test]
async fn as_csv_it_has_every_row_in_the_same_words() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    app.execute(HOURS).await;
    let answer = app.get(&ada, "/v1/usage.csv?until=2026-03-15T00:00:01Z").await;
    assert_eq!(answer.status, 200);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "id,job_id,metric,units,occurred_at,billed_at,delivered_at,test_mode,reason,gas,state,corrects"
    );
    assert_eq!(lines.len(), 5);
    assert_eq!(
        lines[1],
        "acme:storage_gb_hours:2026-03-14T09Z.1,,storage_gb_hours,-0.000000758,2026-03-15T00:00:00.100000Z,,,false,\"counted twice, \"\"by us\"\"\",,due,acme:storage_gb_hours:2026-03-14T09Z"
    );
    // More than is read at once.
    app.execute(
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units)
         SELECT 'acme:api_calls:' || n, 'acme', 'api_calls', n, n FROM generate_series(1, 2500) AS n",
    )
    .await;
    let answer = app.get(&ada, "/v1/usage.csv?metric=api_calls").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    let ids: BTreeSet<&str> = text.lines().skip(1).map(|line| line.split(',').next().unwrap()).collect();
    assert_eq!((ids.len(), text.lines().count()), (2500, 2501));
}

/// What a batch costs is divided among its jobs, and nothing is lost on the way to a spreadsheet.
#[tokio::test]
async fn the_gas_of_a_batch_adds_up() {
    let app = TestApp::new().await;
    let ada = app.user("acme", "ada", Role::TeamLead).await;
    for job in [app.accepted(&ada).await, app.accepted(&ada).await, app.accepted(&ada).await] {
        app.finish(&job).await;
    }
    let batch = app.seal().await;
    app.confirm(batch).await;
    let rows = app.get(&ada, "/v1/usage").await.expect(200)["data"].as_array().unwrap().clone();
    let (confirmations, others): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row["metric"] == "chain_confirmations");
    assert!(others.iter().all(|row| row["gas"].is_null()), "{others:?}");
    let mut shares: Vec<i64> = confirmations.iter().map(|row| row["gas"].as_i64().unwrap()).collect();
    shares.sort_unstable();
    assert_eq!(shares, [23_333, 23_334, 23_334]);
    assert_eq!(shares.iter().sum::<i64>(), GAS.used);

    let answer = app.get(&ada, "/v1/usage.csv?metric=chain_confirmations").await;
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    // Before `state` and `corrects`.
    let told = text.lines().skip(1).map(|line| line.rsplit(',').nth(2).unwrap().parse::<i64>().unwrap());
    assert_eq!(told.sum::<i64>(), GAS.used);
}

#[tokio::test]
async fn its_query_is_read_strictly() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (query, pointer) in
        [("job_id=7", "/job_id"), ("limit=0", "/limit"), ("limit=1001", "/limit"), ("month=5", "/month")]
    {
        let answer = app.get(&ada, &format!("/v1/usage?{query}")).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), [pointer]);
    }
}
