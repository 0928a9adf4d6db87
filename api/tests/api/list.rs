//! GET /v1/jobs: pages, filters, and a strict query.

use api::token::Role;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::app::{TestApp, User, job};

fn ids(page: &Value) -> Vec<String> {
    let jobs = page["data"].as_array().unwrap();
    jobs.iter().map(|job| job["job_id"].as_str().unwrap().to_owned()).collect()
}

async fn listed(app: &TestApp, user: &User, query: &str) -> Vec<String> {
    ids(&app.get(user, &format!("/v1/jobs?{query}")).await.expect(200))
}

#[tokio::test]
async fn the_cursor_walks_every_page_while_jobs_come_in() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let mut made = Vec::new();
    for _ in 0..11 {
        made.push(app.accepted(&ada).await);
    }
    made.reverse();

    for limit in [1, 3, 11, 100] {
        let (mut walked, mut query) = (Vec::new(), format!("limit={limit}"));
        loop {
            let page = app.get(&ada, &format!("/v1/jobs?{query}")).await.expect(200);
            assert!(ids(&page).len() <= limit);
            walked.extend(ids(&page));
            assert_eq!(page["has_more"], !page["next_cursor"].is_null());
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            query = format!("limit={limit}&cursor={cursor}");
            app.accepted(&ada).await;
        }
        let seen: Vec<_> = walked.iter().filter(|id| made.contains(id)).cloned().collect();
        assert_eq!(seen, made, "no gap, no repeat, newest first with pages of {limit}");
        let newer = walked.iter().position(|id| *id == made[0]).unwrap();
        assert_eq!(walked.len(), newer + made.len(), "what came in meanwhile is not among them");
    }
}

#[tokio::test]
async fn a_page_has_twenty_jobs_unless_told_otherwise() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let empty = app.get(&ada, "/v1/jobs").await.expect(200);
    assert_eq!(empty, json!({"data": [], "next_cursor": null, "has_more": false}));
    for _ in 0..21 {
        app.accepted(&ada).await;
    }
    assert_eq!(listed(&app, &ada, "").await.len(), 20);
    let page = app.get(&ada, "/v1/jobs?limit=21").await.expect(200);
    assert_eq!((ids(&page).len(), &page["has_more"], &page["next_cursor"]), (21, &json!(false), &Value::Null));
    let newest = &page["data"][0];
    let mut alone = app.job(&ada, newest["job_id"].as_str().unwrap()).await;
    alone["billing"] = Value::Null;
    assert_eq!(*newest, alone, "the same job as alone, but for its billing");
}

#[tokio::test]
async fn each_filter_filters() {
    let app = TestApp::new().await;
    let lea = app.user("acme", "lea", Role::TeamLead).await;
    let bob = app.developer("bob").await;
    let (first, second) = (app.accepted(&lea).await, app.accepted(&bob).await);
    let third = app.accepted_later(&lea, &second).await;
    app.complete(&first).await;
    app.begin(&second).await;
    let address = |user: &User| format!("submitter=0x{}", hex::encode(user.address));

    assert_eq!(listed(&app, &lea, "status=COMPLETED").await, *std::slice::from_ref(&first));
    assert_eq!(listed(&app, &lea, "status=PROCESSING").await, *std::slice::from_ref(&second));
    assert_eq!(listed(&app, &lea, "status=FAILED").await, [""; 0]);
    assert_eq!(listed(&app, &lea, "type=compute").await.len(), 3);
    assert_eq!(listed(&app, &lea, "type=fhe_compute").await, [""; 0]);
    assert_eq!(listed(&app, &lea, &address(&bob)).await, *std::slice::from_ref(&second));
    assert_eq!(listed(&app, &lea, &address(&lea)).await, [third.clone(), first.clone()]);
    assert_eq!(listed(&app, &lea, &format!("{}&status=PENDING", address(&lea))).await, *std::slice::from_ref(&third));

    let time = app.job(&lea, &third).await["created_at"].as_str().unwrap().to_owned();
    assert_eq!(listed(&app, &lea, &format!("created_before={time}")).await, [second.clone(), first.clone()]);
    assert_eq!(listed(&app, &lea, &format!("created_after={time}")).await, [""; 0], "after, not at");
    let earlier: DateTime<Utc> = time.parse::<DateTime<Utc>>().unwrap() - chrono::Duration::milliseconds(1);
    let elsewhere = earlier.with_timezone(&chrono::FixedOffset::east_opt(7200).unwrap()).to_rfc3339();
    for zoned in [elsewhere.replace('+', "%2B"), elsewhere] {
        assert_eq!(
            listed(&app, &lea, &format!("created_after={zoned}")).await,
            *std::slice::from_ref(&third),
            "{zoned}"
        );
    }
}

#[tokio::test]
async fn a_query_is_read_strictly() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    for (query, pointers) in [
        ("page=2", &["/page"][..]),
        ("Status=PENDING", &["/Status"]),
        ("status=pending", &["/status"]),
        ("status=", &["/status"]),
        ("status=PENDING&status=FAILED", &["/status"]),
        ("type=quantum", &["/type"]),
        ("limit=0", &["/limit"]),
        ("limit=101", &["/limit"]),
        ("limit=-1", &["/limit"]),
        ("limit=9999999999999999999999", &["/limit"]),
        ("limit=ten", &["/limit"]),
        ("created_after=yesterday", &["/created_after"]),
        ("created_before=2026-01-01", &["/created_before"]),
        ("submitter=0x12", &["/submitter"]),
        ("submitter=vitalik.eth", &["/submitter"]),
        ("cursor=x", &["/cursor"]),
        ("cursor=", &["/cursor"]),
        ("cursor=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", &["/cursor"]),
        ("a%2Fb=1", &["/a~1b"]),
        ("status=%00%ff'--", &["/status"]),
        ("limit=0&x=1&status=y", &["/limit", "/status", "/x"]),
    ] {
        let answer = app.get(&ada, &format!("/v1/jobs?{query}")).await;
        answer.problem("INVALID_REQUEST");
        let mut found = answer.pointers();
        found.sort();
        assert_eq!(found, pointers, "{query}");
    }
    let many: String = (0..500).map(|n| format!("p{n}=1&")).collect();
    let answer = app.get(&ada, &format!("/v1/jobs?{many}")).await;
    answer.problem("INVALID_REQUEST");
    assert_eq!(answer.pointers().len(), 20);
    for query in ["created_after=0001-01-01T00:00:00Z", "created_before=9999-12-31T23:59:60Z", "limit=%31"] {
        listed(&app, &ada, query).await;
    }
}

#[tokio::test]
async fn a_cursor_belongs_to_its_list() {
    let app = TestApp::new().await;
    let (ada, bob) = (app.developer("ada").await, app.developer("bob").await);
    let eve = app.user("globex", "eve", Role::TeamLead).await;
    for _ in 0..2 {
        app.submit(&ada, &job(6)).await.expect(202);
    }
    let page = app.get(&ada, "/v1/jobs?limit=1").await.expect(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert!(!cursor.contains(ids(&page)[0].as_str()), "opaque");
    for (user, query) in [
        (&ada, format!("cursor={cursor}&status=PENDING")),
        (&bob, format!("cursor={cursor}")),
        (&eve, format!("cursor={cursor}")),
    ] {
        let answer = app.get(user, &format!("/v1/jobs?{query}")).await;
        answer.problem("INVALID_REQUEST");
        assert_eq!(answer.pointers(), ["/cursor"]);
    }
    assert_eq!(listed(&app, &ada, &format!("cursor={cursor}&limit=100")).await.len(), 1, "the page size may change");
}
