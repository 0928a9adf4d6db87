//! The operations as the OpenAPI document has them.

use std::fmt;

use serde_json::Value;

const METHODS: [&str; 7] = ["get", "post", "put", "patch", "delete", "head", "options"];

pub struct Operation {
    pub path: String,
    /// In lower case.
    pub method: String,
    pub document: Value,
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method.to_uppercase(), self.path)
    }
}

pub fn operations() -> Vec<Operation> {
    let document = serde_json::to_value(api::openapi()).unwrap();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap().iter().filter(|(name, _)| METHODS.contains(&name.as_str()))
        {
            all.push(Operation { path: path.clone(), method: method.clone(), document: operation.clone() });
        }
    }
    assert!(all.len() > 50, "{}", all.len());
    all
}

/// A path with something in its braces: what nobody has, where it names something.
pub fn concrete(path: &str) -> String {
    let hash = format!("0x{}", "7c".repeat(32));
    path.replace("/api-keys/{id}", "/api-keys/4fTq0ZxkW9bYpR2c")
        .replace("/users/{id}", "/users/nobody")
        .replace("/lines/{code}", "/lines/compute_units")
        .replace("{id}", "019cebab-804e-7c41-9b5e-3f2a8d6c1e07")
        .replace("{code}", "JOB_NOT_FOUND")
        .replace("{sha256}", &hash)
        .replace("{key_id}", &hash)
        .replace("{part}", "crs")
}
