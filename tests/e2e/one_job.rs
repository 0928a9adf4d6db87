//! One job from the printed request to the invoice line.

use std::process::Command;

use serde_json::{Value, json};

use crate::harness::{Stack, factor};

#[tokio::test]
async fn the_printed_curl_example_ends_completed_confirmed_and_billed() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let accepted = curl(&stack.api, &zama.token);
    assert_eq!(accepted["status"], "PENDING", "{accepted}");
    let id = accepted["job_id"].as_str().unwrap().parse().unwrap();

    let job = zama.job(id).completes().await;
    let result = job.result.as_ref().unwrap();
    assert_eq!(result.value, Some(json!({"number": "104729", "factors": [{"prime": "104729", "exponent": 1}]})));
    let confirmation = job.blockchain_confirmation.as_ref().unwrap();
    assert_eq!(confirmation.registry.to_string().to_lowercase(), stack.registry.to_lowercase());
    assert!(stack.is_confirmed(u64::try_from(confirmation.index).unwrap()).await);

    let receipt = zama.job(id).receipt().await;
    assert_eq!(receipt.leaf.result_hash, result.hash);
    stack.verifies(&receipt).await;

    zama.all_complete_confirmed_and_billed_once(&[id]).await;
    let rows = zama.job(id).usage().await;
    let events = stack.lago_events(&zama.tenant).await;
    for row in &rows {
        let event = events.iter().find(|event| event["transaction_id"] == row.id.as_str()).unwrap();
        assert_eq!(event["properties"]["value"], row.units.to_string(), "{row:?}");
        assert_eq!(event["properties"].get("gas"), row.gas.map(|gas| json!(gas.to_string())).as_ref(), "{row:?}");
        assert_eq!(row.gas.is_some(), row.metric == "chain_confirmations", "{row:?}");
    }
    let units: Vec<_> = rows.iter().map(|row| (row.metric.as_str(), row.units)).collect();
    assert_eq!(units, [("chain_confirmations", 1), ("compute_units", 2), ("jobs_completed", 1), ("jobs_submitted", 1)]);
}

/// What the README prints under "First job".
fn printed() -> &'static str {
    let (_, section) = include_str!("../../README.md").split_once("\n## First job\n").unwrap();
    section.split_once("\n## ").unwrap().0
}

/// The example as it is printed, by curl and a shell; only that uuidgen is not on every machine.
fn curl(api: &str, token: &str) -> Value {
    let (_, block) = printed().split_once("\ncurl -X POST $API/v1/jobs ").unwrap();
    let arguments = block.split_once("\n```").unwrap().0.replace("$(uuidgen)", "$KEY");
    let key = uuid::Uuid::new_v4().to_string();
    let bytes =
        shell(&format!("curl -X POST $API/v1/jobs {arguments}"), &[("API", api), ("TOKEN", token), ("KEY", &key)]);
    serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&bytes)))
}

fn shell(script: &str, environment: &[(&str, &str)]) -> Vec<u8> {
    let mut shell = Command::new("sh");
    let output = shell.args(["-euc", script]).envs(environment.iter().copied()).output().unwrap();
    assert!(output.status.success(), "{script}: {output:?}");
    output.stdout
}

#[tokio::test]
async fn what_the_readme_asks_about_a_job_is_answered_as_printed() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let job = zama.submit(&factor(104_729)).await;
    let completed = job.completes().await;
    job.is_billed().await;
    let id = job.id.to_string();
    let (_, block) = printed().split_once("\nID=…\n").unwrap();
    let answers: Vec<Value> = block
        .lines()
        .take_while(|line| *line != "```")
        .map(|line| {
            let bytes = shell(line, &[("API", &stack.api), ("TOKEN", &zama.token), ("ID", &id)]);
            serde_json::from_slice(&bytes).unwrap_or_else(|_| panic!("{line}: {}", String::from_utf8_lossy(&bytes)))
        })
        .collect();
    let [status, result, receipt, list, cancel, usage] = answers.as_slice() else { panic!("{answers:#?}") };
    let hash = json!(completed.result.unwrap().hash);
    assert_eq!((&status["job_id"], &status["result"]["hash"]), (&json!(id), &hash));
    assert_eq!(result["number"], "104729");
    assert_eq!(receipt["leaf"]["result_hash"], hash);
    assert_eq!((&list["data"][0]["job_id"], &list["data"][1]), (&json!(id), &Value::Null));
    assert_eq!((&cancel["job_id"], &cancel["status"]), (&json!(id), &json!("COMPLETED")));
    assert_eq!(usage["totals"]["compute_units"], 2);
}

#[tokio::test]
async fn a_running_job_tells_its_progress() {
    let zama = Stack::endless().tenant();
    let job = zama.submit(&factor(91)).await;
    let running = job.tells("paused").await;
    assert!(running.progress.detail.starts_with("development pause"), "{:?}", running.progress);
}

#[tokio::test]
async fn each_algorithm_gives_the_right_values() {
    let zama = Stack::shared().tenant();
    // Two 60-bit primes, and a number that is no product of two.
    let product = compute("prime_factorization", &json!({"number": "1329227995784915642319506138910959327"}));
    let powers = compute("prime_factorization", &json!({"number": 2_u64.pow(5) * 3 * 49}));
    let statistics = compute("statistical_analysis", &json!({"values": [4, 1, 3, 2]}));
    let matrices = compute("matrix_multiplication", &json!({"a": [[1, 2], [3, 4]], "b": [[5, 6], [7, 8]]}));
    for (body, value) in [
        (
            product,
            json!({"number": "1329227995784915642319506138910959327", "factors": [
            {"prime": "1152921504606846869", "exponent": 1}, {"prime": "1152921504606846883", "exponent": 1}]}),
        ),
        (
            powers,
            json!({"number": "4704", "factors": [
            {"prime": "2", "exponent": 5}, {"prime": "3", "exponent": 1}, {"prime": "7", "exponent": 2}]}),
        ),
        (
            statistics,
            json!({"count": 4, "sum": 10.0, "mean": 2.5, "min": 1.0, "max": 4.0, "variance": 1.25,
            "standard_deviation": 1.25_f64.sqrt(), "median": 2.5}),
        ),
        (matrices, json!({"product": [[19.0, 22.0], [43.0, 50.0]]})),
    ] {
        let job = zama.submit(&body).await.completes().await;
        let told = job.result.unwrap().value.unwrap();
        assert!(equal(&told, &value), "{told} is not {value}");
    }
}

fn compute(algorithm: &str, input: &Value) -> Value {
    json!({"type": "compute", "payload": {"algorithm": algorithm, "input": input}})
}

/// 10 and 10.0 are the same number.
fn equal(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| equal(one, other))
        }
        (Value::Object(one), Value::Object(other)) => {
            one.len() == other.len()
                && one.iter().all(|(name, one)| other.get(name).is_some_and(|other| equal(one, other)))
        }
        _ => one == other,
    }
}

#[tokio::test]
async fn a_client_that_waits_gets_the_finished_job() {
    let zama = Stack::shared().tenant();
    let answer = zama.posts(&factor(91), &[("prefer", "wait=60")]).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.body["status"], "COMPLETED");
    assert_eq!(answer.body["result"]["value"]["factors"][1]["prime"], "13");
    assert_eq!(answer.header("preference-applied"), Some("wait=60"));
    assert!(answer.header("location").unwrap().ends_with(&format!("/v1/jobs/{}", answer.job_id())));
    let read = zama.get(&zama.job(answer.job_id()).path("")).await;
    assert_eq!(read.body["result"], answer.body["result"]);
}
