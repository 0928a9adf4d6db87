//! Another method than a path has is refused, with those that it has.

use std::collections::BTreeSet;

use super::document::{concrete, operations};
use crate::app::{Call, TestApp};

#[tokio::test]
async fn another_method_is_refused_with_those_that_are_allowed() {
    let app = TestApp::new().await;
    let operations = operations();
    let paths: BTreeSet<&String> = operations.iter().map(|operation| &operation.path).collect();
    for path in paths {
        let documented: BTreeSet<String> = operations
            .iter()
            .filter(|operation| operation.path == *path)
            .map(|operation| operation.method.to_uppercase())
            .collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PURGE"] {
            if documented.contains(method) {
                continue;
            }
            let answer = app.send(Call::new(method, &concrete(path)).header("x-request-id", "walk")).await;
            answer.problem("METHOD_NOT_ALLOWED");
            let allowed: BTreeSet<String> =
                answer.header("allow").split(',').map(|name| name.trim().to_owned()).collect();
            let mut expected = documented.clone();
            if expected.contains("GET") {
                expected.insert("HEAD".to_owned());
            }
            assert_eq!(allowed, expected, "{method} {path}");
        }
    }
}
