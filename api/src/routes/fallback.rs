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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pages_show_what_is_said() {
        no_route(Uri::from_static("/jobs")).await.is_the_example_of_its_page();
        let job = Uri::from_static("/v1/jobs/019cebab-804e-7c41-9b5e-3f2a8d6c1e07");
        wrong_method(Method::DELETE, job).await.is_the_example_of_its_page();
    }
}
