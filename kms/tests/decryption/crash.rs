//! kill -9 of the key manager: what it answered stays answered.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use jobs::ErrorCode;
use retrieval::{Domain, RecipientKey, Retrieval};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::anvil::CHAIN_ID;
use crate::stage::{API, DEPTH_IS_FINAL, PATIENCE, SetUp, Stage, client, keys};

/// This test program once more, as nothing but a key manager; killed when the test is done.
struct Process(Child);

impl Process {
    async fn start(stage: &Stage, data: &std::path::Path, address: &str) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::serve_until_killed", "--ignored", "--nocapture"])
            .env("KMS_TEST_DATA", data)
            .env("KMS_TEST_LISTEN", address)
            .env("KMS_TEST_NODE", &stage.anvil.rpc_url)
            .env("KMS_TEST_REGISTRY", stage.domain.registry.to_string())
            .env("KMS_TEST_WORKER", stage.worker.address().to_string())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let process = Self(child);
        let began = Instant::now();
        while client(&format!("http://{address}"), API).health().await.is_err() {
            assert!(began.elapsed() < PATIENCE, "the key manager does not listen");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        process
    }

    /// SIGKILL.
    fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn after_kill_9_the_answer_is_repeated_and_the_nonce_still_used() {
    let stage = Stage::set().await;
    let (job, key) = (stage.completed(0).await, RecipientKey::generate());
    let data = tempfile::tempdir().unwrap();
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let elsewhere = client(&format!("http://{address}"), API);

    let process = Process::start(&stage, data.path(), &address).await;
    let asked = stage.asks(&stage.owner, &job, &key);
    let answer = elsewhere.decrypt(asked.clone()).await.unwrap();
    process.kill();

    let _again = Process::start(&stage, data.path(), &address).await;
    assert_eq!(elsewhere.decrypt(asked.clone()).await.unwrap(), answer);
    let later = Retrieval { deadline: Some(4_000_000_000), ..asked.retrieval };
    let refusal = elsewhere.decrypt(stage.asks_with(&stage.owner, &job, &key, later)).await.unwrap_err();
    assert!(refusal.to_string().contains(ErrorCode::NonceReplayed.as_str()), "{refusal}");
    let audit = std::fs::read_to_string(data.path().join("audit.log")).unwrap();
    let outcomes: Vec<&str> = audit.lines().map(|line| line.split("\"outcome\":").nth(1).unwrap()).collect();
    assert_eq!(outcomes.len(), 3);
    assert!(outcomes[0].starts_with("\"sealed\"") && outcomes[1].starts_with("\"repeated\""));
    assert!(outcomes[2].starts_with("\"refused\",\"code\":\"NONCE_REPLAYED\""), "{audit}");
}

/// No test: what [`Process`] runs.
#[tokio::test]
#[ignore = "a server that other tests start and kill"]
async fn serve_until_killed() {
    let variable = |name: &str| std::env::var(name).unwrap();
    let domain = Domain { chain_id: CHAIN_ID, registry: variable("KMS_TEST_REGISTRY").parse().unwrap() };
    let set_up = SetUp {
        data: variable("KMS_TEST_DATA").into(),
        domain,
        worker: variable("KMS_TEST_WORKER").parse().unwrap(),
        nodes: vec![variable("KMS_TEST_NODE")],
        quorum: 1,
        finality: DEPTH_IS_FINAL,
        code_hash: None,
    };
    let listener = TcpListener::bind(variable("KMS_TEST_LISTEN")).await.unwrap();
    kms::serve(listener, set_up.config(keys()), CancellationToken::new()).await.unwrap();
}
