//! Which operation of the OpenAPI document a request is for.

use std::collections::HashMap;
use std::sync::LazyLock;

use axum::extract::{MatchedPath, Request};
use axum::http::Method;
use utoipa::openapi::OpenApi;
use utoipa::openapi::path::Operation;

/// Ids of all operations, by method and path.
static IDS: LazyLock<HashMap<(Method, String), String>> = LazyLock::new(|| {
    let mut ids = HashMap::new();
    for_each(&mut crate::openapi(), |method, path, operation| {
        ids.extend(operation.operation_id.clone().map(|id| ((method, path.to_owned()), id)));
    });
    ids
});

/// Goes through the operations of a document.
pub fn for_each(document: &mut OpenApi, mut each: impl FnMut(Method, &str, &mut Operation)) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            (Method::GET, &mut item.get),
            (Method::PUT, &mut item.put),
            (Method::POST, &mut item.post),
            (Method::DELETE, &mut item.delete),
            (Method::PATCH, &mut item.patch),
        ];
        for (method, operation) in operations {
            if let Some(operation) = operation {
                each(method, path, operation);
            }
        }
    }
}

/// The id of the operation that answers a request, and its path with braces; `None` where there is none.
pub fn of(request: &Request) -> Option<(&'static str, String)> {
    let path = request.extensions().get::<MatchedPath>()?.as_str().to_owned();
    let method = if request.method() == Method::HEAD { Method::GET } else { request.method().clone() };
    let key = (method, path);
    let id = IDS.get(&key)?;
    Some((id, key.1))
}

/// Whether there is an operation with this id.
pub fn exists(id: &str) -> bool {
    IDS.values().any(|known| known == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_has_an_id_of_its_own() {
        let mut ids: Vec<&str> = IDS.values().map(String::as_str).collect();
        let all = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), all);
        assert!(exists("submit_job") && !exists("v1"));
    }
}
