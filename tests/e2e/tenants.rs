//! What another tenant sees of a job: nothing.

use reqwest::Method;

use crate::harness::{Stack, factor};

#[tokio::test]
async fn another_tenants_job_is_not_found_anywhere() {
    let stack = Stack::shared();
    let (owner, stranger) = (stack.tenant(), stack.tenant());
    let job = owner.submit(&factor(91)).await;
    job.completes().await;
    let requests = [(Method::GET, ""), (Method::GET, "/result"), (Method::GET, "/receipt"), (Method::POST, "/cancel")];
    for (method, rest) in requests {
        let answer = stranger.ask(method.clone(), &job.path(rest), &[], None).await.unwrap();
        assert_eq!((answer.status, answer.code()), (404, "JOB_NOT_FOUND"), "{method} {rest}: {answer:?}");
        let unknown = format!("/v1/jobs/{}{rest}", jobs::JobId::generate());
        let nobody = stranger.ask(method.clone(), &unknown, &[], None).await.unwrap();
        assert_eq!(nobody.body["title"], answer.body["title"], "{method} {rest}");
    }
    assert!(stranger.jobs().await.is_empty());
    assert!(stranger.job(job.id).usage().await.is_empty());
    assert_eq!(owner.jobs().await.len(), 1);
}
