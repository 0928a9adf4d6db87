//! `{id}` in a path.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use jobs::{ErrorCode, JobId};

use super::problem::Problem;

/// The job that a path names.
#[derive(Clone, Copy, Debug)]
pub struct JobPath(pub JobId);

impl<S: Send + Sync> FromRequestParts<S> for JobPath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        // What is no id, or no text even, cannot be a job's id; that is all a client needs to know.
        let Ok(Path(text)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(not_found("of this name"));
        };
        text.parse().map(Self).map_err(|_| not_found(text.chars().take(64).collect::<String>()))
    }
}

/// The job does not exist, or not for this caller: one answer, so that ids reveal nothing.
pub fn not_found(id: impl std::fmt::Display) -> Problem {
    Problem::new(ErrorCode::JobNotFound, format!("There is no job {id}."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        not_found("019cebab-804e-7c41-9b5e-3f2a8d6c1e07").is_the_example_of_its_page();
    }
}
