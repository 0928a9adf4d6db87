//! An encrypted job under a quote: the worker stops what turns out to cost more before it computes anything of it.

use jobs::quote::Quote;
use serde_json::{Value, json};

use super::refusals::was_not_computed;
use super::story::{Owner, WORKER_LIFE, bytes};
use crate::harness::{Stack, under};

/// The maximum of values whose type and number are in the ciphertexts alone.
fn maximum_of(url: &str) -> Value {
    json!({"type": "fhe_compute", "payload": {"algorithm": "encrypted_maximum", "encrypted_data_url": url}})
}

fn allowed(quote: &Quote, metric: &str) -> u64 {
    quote.lines.iter().find(|line| line.metric.as_str() == metric).unwrap().units
}

#[tokio::test]
async fn a_quote_holds_for_bootstrappings_and_stops_them_before_the_first_one() {
    let stack = Stack::encrypted();
    let owner = Owner::regular(stack).await;
    let url = owner.uploads(owner.encrypts(bytes(&[1, 2])).await).await;
    let body = maximum_of(&url);
    let quote = owner.zama.quotes(&body).await;
    let job = owner.zama.submit(&under(&quote, &body)).await;
    job.completes().await;
    let rows = job.usage().await;
    assert!(rows.iter().all(|row| row.units <= allowed(&quote, &row.metric)), "{rows:?} {quote:?}");
    let fhe = rows.iter().find(|row| row.metric == "fhe_compute_units").unwrap().units;
    assert!(
        0 < fhe && fhe < allowed(&quote, "fhe_compute_units"),
        "what was not known of the inputs was quoted at its most"
    );

    // As of an older price list: no input costs nothing, and what a unit is enough for, the inputs decide.
    let quote = owner.zama.quotes(&body).await;
    let cheaper = "UPDATE job_quotes SET fhe_units = 0 WHERE id = $1";
    stack.execute(sqlx::query(cheaper).bind(quote.quote_id.0)).await;
    let refused = owner.zama.posts(&under(&quote, &body), &[]).await;
    assert_eq!((refused.status, refused.code()), (402, "COST_CEILING_EXCEEDED"), "{refused:?}");

    let values: Vec<u8> = (0..16).collect();
    let url = owner.uploads(owner.encrypts(bytes(&values)).await).await;
    let body = maximum_of(&url);
    let quote = owner.zama.quotes(&body).await;
    let cheaper = "UPDATE job_quotes SET fhe_units = 1 WHERE id = $1";
    stack.execute(sqlx::query(cheaper).bind(quote.quote_id.0)).await;
    let _lives = WORKER_LIFE.read().await;
    let job = owner.zama.submit(&under(&quote, &body)).await;
    let failed = job.fails().await;
    let error = failed.error.unwrap();
    assert_eq!(error.code, jobs::ErrorCode::CostCeilingExceeded, "{error:?}");
    assert!(error.detail.ends_with("FHE units; its ceiling allows 1."), "{error:?}");
    was_not_computed(stack, job).await;
    assert_eq!(stack.attempts(job).await.len(), 1, "it is not tried again");
    let rows = job.usage().await;
    let metrics: Vec<&str> = rows.iter().map(|row| row.metric.as_str()).collect();
    assert_eq!(metrics, ["compute_units", "jobs_submitted"], "what was carried, and no bootstrapping");
    assert!(rows.iter().all(|row| row.units <= allowed(&quote, &row.metric)), "{rows:?} {quote:?}");
}
