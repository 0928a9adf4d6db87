//! The OpenAPI document is what `openapi.yml` holds, and what the server answers is what the document says.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::app::{Call, TestApp, job};

#[test]
fn the_committed_document_is_the_codes() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../openapi.yml");
    let committed = std::fs::read_to_string(path).expect("openapi.yml is committed");
    let current = api::openapi_yaml().expect("the document is YAML");
    assert!(committed.trim_end() == current.trim_end(), "openapi.yml is stale: zama-jobs openapi > openapi.yml");
}

#[tokio::test]
async fn the_server_answers_with_it() {
    let app = TestApp::without_database();
    let yaml = app.send(Call::get("/openapi.yml")).await;
    assert_eq!(yaml.header("content-type"), "application/yaml");
    assert_eq!(String::from_utf8_lossy(&yaml.body), api::openapi_yaml().unwrap());
    let json = app.send(Call::get("/openapi.json")).await.expect(200);
    assert_eq!(json, serde_json::to_value(api::openapi()).unwrap());
    assert!(json["openapi"].as_str().unwrap().starts_with("3.1"));
}

#[tokio::test]
async fn what_is_answered_has_the_documents_members() {
    let app = TestApp::new().await;
    let ada = app.developer("ada").await;
    let document = serde_json::to_value(api::openapi()).unwrap();
    let members = |schema: &str| -> BTreeSet<String> {
        let properties = document["components"]["schemas"][schema]["properties"].as_object().expect(schema);
        properties.keys().cloned().collect()
    };
    let of = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };

    let accepted = app.submit(&ada, &job(104_729)).await.expect(202);
    assert_eq!(of(&accepted), members("Accepted"));
    let id = accepted["job_id"].as_str().unwrap();
    app.complete(id).await;
    let completed = app.job(&ada, id).await;
    assert_eq!(of(&completed), members("Job"));
    assert_eq!(of(&completed["result"]), members("JobResult"));
    assert_eq!(of(&completed["blockchain_confirmation"]), members("Confirmation"));
    assert_eq!(of(&completed["progress"]), members("Progress"));
    assert_eq!(of(&completed["links"]), members("Links"));
    assert_eq!(of(&completed["billing"]), members("JobBilling"));
    assert_eq!(of(&completed["billing"]["cost"]), members("JobCost"));
    assert_eq!(of(&completed["billing"]["lines"][0]), members("JobLine"));
    assert_eq!(of(&completed["billing"]["lines"][0]["rows"][0]), members("JobUsageRow"));
    assert_eq!(of(&app.get(&ada, "/v1/jobs").await.expect(200)), members("JobPage"));
    assert_eq!(of(&app.get(&ada, &format!("/v1/jobs/{id}/receipt")).await.expect(200)), members("Receipt"));
    assert_eq!(of(&app.get(&ada, "/v1/usage").await.expect(200)), members("Usage"));
    assert_eq!(of(&app.get(&ada, "/nowhere").await.problem("NOT_FOUND")), members("Problem"));
}
