//! `ETag` and `If-None-Match`: 304 while nothing changed, and never after something did.

use crate::app::{Call, TestApp, User};

async fn etag(app: &TestApp, user: &User, path: &str) -> String {
    app.get(user, path).await.header("etag").to_owned()
}

#[tokio::test]
async fn a_job_is_sent_again_only_when_it_changed() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let path = format!("/v1/jobs/{id}");
    let ask = async |tag: &str| app.send(Call::get(&path).by(&ada).header("if-none-match", tag)).await;

    let tag = etag(&app, &ada, &path).await;
    for same in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
        let answer = ask(&same).await;
        assert_eq!(answer.status, 304, "{same}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("cache-control"), "private, no-cache");
        assert!(!answer.headers.contains_key("content-type"));
    }
    assert_eq!(ask("\"another\"").await.status, 200);

    let mut seen = vec![tag];
    app.begin(&id).await;
    seen.push(etag(&app, &ada, &path).await);
    let progress = jobs::wire::Progress { percent: 12.34, stage: "rho".to_owned(), detail: String::new() };
    store::compute::progress(&app.pool, id.parse().unwrap(), &progress).await.unwrap();
    assert_eq!(app.job(&ada, &id).await["progress"]["percent"], 12.3);
    seen.push(etag(&app, &ada, &path).await);
    app.post(&ada, &format!("{path}/cancel")).await.expect(200);
    app.fail(&id, jobs::ErrorCode::ComputeFailed, "No.").await;
    seen.push(etag(&app, &ada, &path).await);
    let distinct: std::collections::BTreeSet<_> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "{seen:?}");
}

#[tokio::test]
async fn what_happens_on_chain_changes_the_tag_too() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    let path = format!("/v1/jobs/{id}");
    let mut seen = Vec::new();
    app.finish(&id).await;
    seen.push((etag(&app, &ada, &path).await, app.job(&ada, &id).await));
    let batch = app.seal().await;
    seen.push((etag(&app, &ada, &path).await, app.job(&ada, &id).await));
    app.confirm(batch).await;
    seen.push((etag(&app, &ada, &path).await, app.job(&ada, &id).await));
    app.finalize().await;
    seen.push((etag(&app, &ada, &path).await, app.job(&ada, &id).await));
    for pair in seen.windows(2) {
        assert_ne!(pair[0].1, pair[1].1);
        assert_ne!(pair[0].0, pair[1].0, "{:#} became {:#}", pair[0].1, pair[1].1);
    }
    assert_eq!(seen[3].1["blockchain_confirmation"]["finalized"], true);
}

#[tokio::test]
async fn a_result_never_changes() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let id = app.accepted(&ada).await;
    app.finish(&id).await;
    let path = format!("/v1/jobs/{id}/result");
    let tag = etag(&app, &ada, &path).await;
    let batch = app.seal().await;
    app.confirm(batch).await;
    let answer = app.send(Call::get(&path).by(&ada).header("if-none-match", &tag)).await;
    assert_eq!(answer.status, 304);
    assert!(answer.body.is_empty());
}
