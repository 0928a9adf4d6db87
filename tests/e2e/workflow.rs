//! What an operator sees of a job in Temporal, and what nobody sees without the key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::harness::{Stack, factor};

/// What a completed job may cost the engine.
const MOST_EVENTS: usize = 28;

#[tokio::test]
async fn a_workflow_is_listed_by_tenant_and_its_history_is_short() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let id = zama.submits_with_key("listed", &factor(91)).await.job_id();
    zama.job(id).completes().await;
    let workflow = format!("{}/listed", zama.tenant);
    assert_eq!(stack.lists(1, &zama.tenant).await, *std::slice::from_ref(&workflow));
    let events = stack.whole_history(&workflow).await;
    println!("a completed job: {} history events", events.len());
    assert!(events.len() <= MOST_EVENTS, "{} events: {events:#?}", events.len());
}

#[tokio::test]
async fn a_workflow_is_found_by_what_became_of_its_job() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let id = zama.submits_with_key("found", &factor(91)).await.job_id();
    zama.job(id).completes().await;
    let query = |status| format!("ZamaTenant='{}' AND ZamaStatus='{status}' AND ZamaJobType='compute'", zama.tenant);
    stack.finds(&query("COMPLETED"), &[format!("{}/found", zama.tenant)]).await;
    stack.finds(&query("CONFIRMING"), &[]).await;
}

#[tokio::test]
async fn a_running_workflow_says_in_words_where_it_is() {
    let stack = Stack::endless();
    let zama = stack.tenant();
    let answer = zama.submits_with_key("running", &factor(91)).await;
    let (id, request) = (answer.job_id().to_string(), answer.header("x-request-id").unwrap());
    zama.job(answer.job_id()).tells("paused").await;
    let workflow = format!("{}/running", zama.tenant);
    let query = format!("ZamaTenant='{}' AND ZamaStatus='PROCESSING' AND ZamaJobType='compute'", zama.tenant);
    stack.finds(&query, std::slice::from_ref(&workflow)).await;
    let details = stack.current_details(&workflow);
    for part in [id.as_str(), request, "prime_factorization", "queue compute"] {
        assert!(details.contains(part), "{part} is not in: {details}");
    }
}

#[tokio::test]
async fn a_job_whose_workflow_id_a_stranger_has_runs_under_another_once() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let taken = format!("{}/taken", zama.tenant);
    stack.has_a_stranger(&taken);
    let job = zama.job(zama.submits_with_key("taken", &factor(91)).await.job_id());
    job.completes().await;
    assert_eq!(job.workflow_id().await, format!("{taken}/1"));
    zama.all_complete_confirmed_and_billed_once(&[job.id]).await;
    stack.finds(&format!("ZamaTenant='{}'", zama.tenant), &[format!("{taken}/1")]).await;
}

#[tokio::test]
async fn histories_are_sealed_and_the_codec_server_opens_them() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let id = zama.submits_with_key("sealed", &factor(91)).await.job_id();
    zama.job(id).completes().await;
    let events = stack.whole_history(&format!("{}/sealed", zama.tenant)).await;
    let sealed: Vec<&Value> = ["input", "result"]
        .iter()
        .flat_map(|field| events.iter().flat_map(move |event| found(event, field)))
        .flat_map(|payloads| payloads["payloads"].as_array().unwrap())
        .collect();
    assert!(sealed.len() >= 4, "{events:#?}");
    for payload in &sealed {
        let encoding = STANDARD.decode(payload["metadata"]["encoding"].as_str().unwrap()).unwrap();
        assert_eq!(encoding, b"binary/encrypted", "{payload}");
        let bytes = STANDARD.decode(payload["data"].as_str().unwrap()).unwrap();
        let clear = String::from_utf8_lossy(&bytes);
        assert!(!clear.contains("job_id") && !clear.contains(&id.to_string()), "{clear}");
    }

    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http.post(format!("{}/decode", stack.codec())).json(&json!({"payloads": sealed}));
    let opened: Value = request.send().await.unwrap().json().await.unwrap();
    let first = STANDARD.decode(opened["payloads"][0]["data"].as_str().unwrap()).unwrap();
    let input: Value = serde_json::from_slice(&first).unwrap();
    assert_eq!(input["job_id"], id.to_string(), "{input}");
    // References only, even under the seal.
    assert!(input.get("payload").is_none() && input.get("number").is_none(), "{input}");
}

/// Every value under a name, at any depth.
fn found<'a>(value: &'a Value, name: &str) -> Vec<&'a Value> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(key, value)| {
                let here = (key == name && value.get("payloads").is_some()).then_some(value);
                here.into_iter().chain(found(value, name)).collect::<Vec<_>>()
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(|item| found(item, name)).collect(),
        _ => Vec::new(),
    }
}
