//! What is asked for beside a path. All of it is heeded, or the question is refused: an answer to less than was asked for
//! would be a guess.

use std::collections::BTreeMap;

use axum::extract::{FromRequestParts, Query};
use axum::http::Uri;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::{Paging, Refusal};

/// What is asked of one thing.
pub(super) struct Asked<T>(pub T);

/// What limits a list, and which page of it is wanted.
pub(super) struct Listed<T> {
    pub query: T,
    pub paging: Paging,
}

/// A list that nothing limits.
#[derive(Deserialize)]
pub(super) struct All {}

/// Keys that the stand-in does not know, with their values.
type Rest = BTreeMap<String, String>;

#[derive(Deserialize)]
struct OfOne<T> {
    #[serde(flatten)]
    query: T,
    #[serde(flatten)]
    rest: Rest,
}

#[derive(Deserialize)]
struct OfList<T> {
    page: Option<usize>,
    per_page: Option<usize>,
    #[serde(flatten)]
    query: T,
    #[serde(flatten)]
    rest: Rest,
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let OfOne { query, rest } = read(&parts.uri)?;
        refuse(&rest)?;
        Ok(Self(query))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Listed<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Refusal> {
        let OfList { page, per_page, query, rest } = read(&parts.uri)?;
        refuse(&rest)?;
        Ok(Self { query, paging: Paging { page, per_page } })
    }
}

fn read<T: DeserializeOwned>(uri: &Uri) -> Result<T, Refusal> {
    let read = Query::try_from_uri(uri).map_err(|refused| Refusal::BadRequest(refused.body_text()))?;
    Ok(read.0)
}

fn refuse(rest: &Rest) -> Result<(), Refusal> {
    match rest.keys().next() {
        Some(key) => Err(Refusal::NotImplemented(format!("{key} in a query"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use chrono::NaiveDate;

    use super::*;

    #[derive(Debug, PartialEq, Eq, Deserialize)]
    struct Wanted {
        name: Option<String>,
        day: Option<NaiveDate>,
    }

    fn parts(query: &str) -> Parts {
        Request::get(format!("http://lago.example/things?{query}")).body(()).unwrap().into_parts().0
    }

    async fn listed(query: &str) -> Result<(Wanted, Option<usize>, Option<usize>), Refusal> {
        let Listed { query, paging } = Listed::from_request_parts(&mut parts(query), &()).await?;
        Ok((query, paging.page, paging.per_page))
    }

    #[tokio::test]
    async fn what_limits_a_list_is_read_with_its_page() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 22);
        let all = listed("name=a%20b&per_page=2&day=2026-11-22&page=3").await.unwrap();
        assert_eq!(all, (Wanted { name: Some("a b".to_owned()), day }, Some(3), Some(2)));
        assert_eq!(listed("").await.unwrap(), (Wanted { name: None, day: None }, None, None));
    }

    #[tokio::test]
    async fn an_unknown_key_is_refused_however_often_it_comes() {
        for query in ["status=a", "status[]=a&status[]=b", "name=a&status%5B%5D=a", "page=1&other"] {
            assert!(matches!(listed(query).await, Err(Refusal::NotImplemented(_))), "{query}");
        }
        let one = async |query: &str| Asked::<Wanted>::from_request_parts(&mut parts(query), &()).await;
        assert_eq!(one("name=a").await.unwrap().0.name.as_deref(), Some("a"));
        assert!(matches!(one("name=a&page=1").await, Err(Refusal::NotImplemented(_))), "one thing has no pages");
    }

    #[tokio::test]
    async fn a_value_that_cannot_be_read_is_a_bad_request() {
        for query in ["page=first", "day=soon", "name=a&name=b"] {
            assert!(matches!(listed(query).await, Err(Refusal::BadRequest(_))), "{query}");
        }
    }
}
