//! What somebody does in Lago by hand, through its REST API.

use reqwest::Method;
use serde_json::{Value, json};

use crate::stage::{ACME, KEY, Stage};

impl Stage {
    /// One call, which succeeds.
    pub async fn by_hand(&self, method: Method, path: &str, body: Value) -> Value {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let request = http.request(method, format!("{}/api/v1/{path}", self.origin)).bearer_auth(KEY);
        let request = if body.is_null() { request } else { request.json(&body) };
        let answer = request.send().await.unwrap();
        let (status, told) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status} {told}");
        serde_json::from_str(&told).unwrap()
    }

    /// Acme's subscription is ended.
    pub async fn is_ended_by_hand(&self) {
        self.by_hand(Method::DELETE, "subscriptions/acme", Value::Null).await;
    }

    /// Acme gets a subscription anew; from now on unless another time is said.
    pub async fn is_subscribed_by_hand(&self, subscription_at: Option<String>) {
        let subscription = json!({
            "external_customer_id": ACME, "external_id": ACME, "plan_code": "team", "billing_time": "calendar",
            "subscription_at": subscription_at,
        });
        self.by_hand(Method::POST, "subscriptions", json!({ "subscription": subscription })).await;
    }
}
