//! What the API says of the parts while one is away and nobody asks for anything else.

use serde_json::Value;

use crate::harness::{Stack, Zama, until};

/// Waits until a part is as told, and answers what the API says then.
async fn becomes(zama: &Zama<'_>, part: &str, status: &str) -> Value {
    until(&format!("{part} is {status}"), async || {
        let health = zama.get("/v1/health").await.body;
        (health["parts"][part]["status"] == status).then_some(health)
    })
    .await
}

#[tokio::test]
async fn an_idle_api_names_the_part_that_is_away() {
    let stack = Stack::own();
    let zama = stack.tenant();
    for part in ["database", "workflows", "worker_jobs", "worker_compute", "chain", "billing"] {
        becomes(&zama, part, "ok").await;
    }
    for (process, part) in [("temporal", "workflows"), ("anvil", "chain"), ("lago", "billing")] {
        let outage = stack.stops(process);
        let health = becomes(&zama, part, "unavailable").await;
        assert_eq!(health["status"], "degraded", "{health:#}");
        let detail = health["parts"][part]["detail"].as_str().unwrap();
        assert!(detail.ends_with('.') && !detail.contains("127.0.0.1"), "{detail}");
        assert_eq!(zama.get("/readyz").await.status, 200, "jobs are accepted");
        outage.over();
        let back = becomes(&zama, part, "ok").await;
        assert!(back["parts"][part]["since"].as_str() > health["parts"][part]["since"].as_str(), "{back:#}");
    }
}
