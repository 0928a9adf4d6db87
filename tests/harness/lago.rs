//! What the billing system holds, through its own REST API.

use serde_json::Value;

use super::patience::until;
use super::stack::Stack;

impl Stack {
    /// What finance may do at any time; its last second is over then.
    pub async fn ends_subscription(&self, tenant: &str) {
        let url = format!("{}/api/v1/subscriptions/{tenant}", self.lago);
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let answer = http.delete(url).bearer_auth(&self.lago_key).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        second_is_over().await;
    }

    /// Finance puts a tenant on a plan in Lago itself; the second of the change is over then.
    pub async fn moves_subscription(&self, tenant: &str, plan: &str) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let subscription = serde_json::json!({ "subscription": {
            "external_customer_id": tenant, "external_id": tenant, "plan_code": plan, "billing_time": "calendar",
        } });
        let asked = http.post(format!("{}/api/v1/subscriptions", self.lago)).bearer_auth(&self.lago_key);
        let answer = asked.json(&subscription).send().await.unwrap();
        assert!(answer.status().is_success(), "{answer:?}");
        second_is_over().await;
    }

    /// An event that no row of the ledger is.
    pub async fn enters_event(&self, tenant: &str, transaction_id: &str) {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let event = serde_json::json!({ "event": {
            "transaction_id": transaction_id, "external_subscription_id": tenant, "code": "compute_units",
            "timestamp": chrono::Utc::now().timestamp(), "properties": { "value": "5" },
        } });
        let answer = http.post(format!("{}/api/v1/events", self.lago)).bearer_auth(&self.lago_key).json(&event);
        assert!(answer.send().await.unwrap().status().is_success());
    }

    /// Every event of a tenant.
    pub async fn lago_events(&self, tenant: &str) -> Vec<Value> {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut events = Vec::new();
        for page in 1.. {
            let query = [("external_subscription_id", tenant), ("per_page", "100"), ("page", &format!("{page}"))];
            let request = http.get(format!("{}/api/v1/events", self.lago)).query(&query).bearer_auth(&self.lago_key);
            let answer: Value = request.send().await.unwrap().json().await.unwrap();
            let listed = answer["events"].as_array().unwrap_or_else(|| panic!("no events: {answer}"));
            if listed.is_empty() {
                break;
            }
            events.extend(listed.iter().cloned());
        }
        events
    }
}

async fn second_is_over() {
    let now = chrono::Utc::now().timestamp();
    until("the second is over", async || (chrono::Utc::now().timestamp() > now).then_some(())).await;
}
