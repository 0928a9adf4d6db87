//! API keys, as their users make them.

use serde_json::{Value, json};

use super::{Call, TestApp, User};
use crate::answer::Answer;

/// A key that was made.
pub struct Key {
    pub id: String,
    /// Whoever shows it.
    pub bearer: User,
}

impl TestApp {
    pub async fn creates_key(&self, user: &User, wish: &Value) -> Answer {
        self.json("POST", user, "/v1/api-keys", wish).await
    }

    /// A key of this user, with these members beside its name.
    pub async fn key(&self, user: &User, wish: Value) -> Key {
        let mut body = json!({"name": "a key"});
        body.as_object_mut().unwrap().extend(wish.as_object().unwrap().clone());
        let created = self.creates_key(user, &body).await.expect(201);
        Key::of(user, &created)
    }

    pub async fn json(&self, method: &str, user: &User, path: &str, body: &Value) -> Answer {
        let call = Call::new(method, path).header("content-type", "application/json").body(body.to_string());
        self.send(call.by(user)).await
    }

    pub async fn delete(&self, user: &User, path: &str) -> Answer {
        self.send(Call::new("DELETE", path).by(user)).await
    }
}

impl Key {
    /// The key that an answer shows.
    pub fn of(user: &User, created: &Value) -> Self {
        let text = |name: &str| created[name].as_str().unwrap().to_owned();
        Self { id: text("id"), bearer: User { token: text("key"), ..user.clone() } }
    }

    pub fn path(&self) -> String {
        format!("/v1/api-keys/{}", self.id)
    }
}
