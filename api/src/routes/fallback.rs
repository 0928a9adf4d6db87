//! What is answered where there is no route, or not this method.

use axum::http::{Method, Uri};
use jobs::ErrorCode;

use crate::policy::problem::Problem;

/// Longest path that is repeated to the client.
const SHOWN: usize = 200;

fn shown(uri: &Uri) -> String {
    uri.path().chars().take(SHOWN).collect()
}

pub async fn no_route(uri: Uri) -> Problem {
    Problem::new(ErrorCode::NotFound, format!("There is nothing at {}.", shown(&uri)))
}

pub async fn wrong_method(method: Method, uri: Uri) -> Problem {
    Problem::new(ErrorCode::MethodNotAllowed, format!("{method} is not allowed at {}.", shown(&uri)))
}
