//! What is about to go says so: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and where to read on, in every answer of a
//! version or an operation that the configuration names, and in the document that the server shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, OnceLock};

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::Response;
use chrono::{DateTime, Utc};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::{Deprecated, OpenApi, RefOr};

use super::operations;
use crate::ApiState;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// The versions that there are; one is the first part of a path.
const VERSIONS: [&str; 2] = ["v1", "v2"];

/// A version or an operation that is about to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retirement {
    /// Since when nobody should begin to use it; may be to come.
    pub deprecated_at: DateTime<Utc>,
    /// From when on it may be gone.
    pub sunset_at: Option<DateTime<Utc>>,
    /// A page for people about what to do.
    pub link: Option<String>,
}

/// All of them, by version (`v1`) or operation id.
#[derive(Debug, Default)]
pub struct Retirements {
    notices: HashMap<String, Notice>,
    /// The OpenAPI document that says so, as YAML and as JSON.
    documents: OnceLock<Option<(String, String)>>,
}

#[derive(Clone, Debug)]
struct Notice {
    retirement: Retirement,
    deprecation: HeaderValue,
    sunset: Option<HeaderValue>,
    links: Vec<HeaderValue>,
}

impl Retirements {
    /// # Errors
    /// A name that is neither a version nor an operation, a sunset before its deprecation (RFC 9745 section 4), or a link
    /// that is none; says which.
    pub fn new(retirements: BTreeMap<String, Retirement>) -> Result<Self, String> {
        let mut notices = HashMap::new();
        for (name, retirement) in retirements {
            if !VERSIONS.contains(&name.as_str()) && !operations::exists(&name) {
                return Err(format!("{name} is neither a version ({}) nor an operation's id", VERSIONS.join(", ")));
            }
            let notice = Notice::of(retirement).map_err(|reason| format!("{name}: {reason}"))?;
            notices.insert(name, notice);
        }
        Ok(Self { notices, documents: OnceLock::new() })
    }

    /// What is said of an operation: of itself before of its version.
    fn notice(&self, id: &str, path: &str) -> Option<&Notice> {
        let version = path.trim_start_matches('/').split('/').next().unwrap_or_default();
        self.notices.get(id).or_else(|| self.notices.get(version))
    }

    /// The document that this server shows, as YAML and as JSON; `None` when it cannot be written.
    pub fn documents(&self) -> Option<(&str, &str)> {
        let documents = self.documents.get_or_init(|| {
            let mut document = crate::openapi();
            self.mark(&mut document);
            Some((crate::openapi::yaml(&document).ok()?, document.to_json().ok()?))
        });
        documents.as_ref().map(|(yaml, json)| (yaml.as_str(), json.as_str()))
    }

    fn mark(&self, document: &mut OpenApi) {
        if self.notices.is_empty() {
            return;
        }
        operations::for_each(document, |_, path, operation| {
            let id = operation.operation_id.clone().unwrap_or_default();
            if let Some(notice) = self.notice(&id, path) {
                notice.mark(operation);
            }
        });
    }
}

impl Notice {
    fn of(retirement: Retirement) -> Result<Self, String> {
        let Retirement { deprecated_at, sunset_at, link } = &retirement;
        if sunset_at.is_some_and(|sunset| sunset < *deprecated_at) {
            return Err("the sunset is before the deprecation".to_owned());
        }
        let value = |text: String| HeaderValue::try_from(text).map_err(|error| error.to_string());
        let mut links = Vec::new();
        if let Some(link) = link {
            check_link(link)?;
            let relations = ["deprecation"].into_iter().chain(sunset_at.map(|_| "sunset"));
            for relation in relations {
                links.push(value(format!("<{link}>; rel=\"{relation}\"; type=\"text/html\""))?);
            }
        }
        Ok(Self {
            deprecation: value(format!("@{}", deprecated_at.timestamp()))?,
            sunset: sunset_at.as_ref().map(|at| value(http_date(at))).transpose()?,
            links,
            retirement,
        })
    }

    fn mark(&self, operation: &mut Operation) {
        operation.deprecated = Some(Deprecated::True);
        let Retirement { deprecated_at, sunset_at, link } = &self.retirement;
        let mut told = format!("Deprecated since {}", deprecated_at.format("%Y-%m-%d"));
        told.extend(sunset_at.map(|at| format!(", and may be gone from {} on", at.format("%Y-%m-%d"))));
        told.extend(link.as_ref().map(|link| format!(": {link}")));
        let text = operation.description.take().unwrap_or_default();
        operation.description = Some(format!("{text}\n\n{told}.").trim_start().to_owned());
        let headers = [
            ("Deprecation", Some("When it was deprecated (RFC 9745).")),
            ("Sunset", self.sunset.as_ref().map(|_| "When it may be gone (RFC 8594).")),
            ("Link", (!self.links.is_empty()).then_some("Where to read what to do (RFC 8288).")),
        ];
        for response in operation.responses.responses.values_mut() {
            let RefOr::T(response) = response else { continue };
            for (name, description) in headers {
                let Some(description) = description else { continue };
                let header = HeaderBuilder::new().description(Some(description)).build();
                response.headers.insert(name.to_owned(), RefOr::T(header));
            }
        }
    }
}

/// What stands between angle brackets in a header, and people can open.
fn check_link(link: &str) -> Result<(), String> {
    let is_url = url::Url::parse(link).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    let is_plain = link.bytes().all(|byte| byte.is_ascii_graphic() && !b"<>\"".contains(&byte));
    if is_url && is_plain { Ok(()) } else { Err("the link is no URL".to_owned()) }
}

/// RFC 9110 section 5.6.7.
fn http_date(at: &DateTime<Utc>) -> String {
    at.format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Around every request: adds what is said of its operation, whatever it is answered.
pub async fn announce(State(state): State<Arc<ApiState>>, request: Request, next: Next) -> Response {
    let retirements = &state.retirements;
    let notice = if retirements.notices.is_empty() {
        None
    } else {
        operations::of(&request).and_then(|(id, path)| retirements.notice(id, &path))
    };
    let mut response = next.run(request).await;
    if let Some(Notice { deprecation, sunset, links, .. }) = notice {
        let headers = response.headers_mut();
        headers.insert(DEPRECATION, deprecation.clone());
        if let Some(sunset) = sunset {
            headers.insert(SUNSET, sunset.clone());
        }
        for link in links {
            headers.append(header::LINK, link.clone());
        }
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().expect("a time")
    }

    fn retirement() -> Retirement {
        Retirement {
            deprecated_at: at("2023-06-30T23:59:59Z"),
            sunset_at: Some(at("2024-06-30T23:59:59Z")),
            link: Some("https://docs.example.com/v1".to_owned()),
        }
    }

    fn of(name: &str, retirement: Retirement) -> Result<Retirements, String> {
        Retirements::new([(name.to_owned(), retirement)].into())
    }

    /// The examples of RFC 9745 section 2.1 and RFC 8594 section 3 have this form.
    #[test]
    fn the_headers_are_those_of_the_rfcs() {
        let notice = Notice::of(retirement()).unwrap();
        assert_eq!(notice.deprecation, "@1688169599");
        assert_eq!(notice.sunset.unwrap(), "Sun, 30 Jun 2024 23:59:59 GMT");
        assert_eq!(notice.links[0], "<https://docs.example.com/v1>; rel=\"deprecation\"; type=\"text/html\"");
        assert_eq!(notice.links[1], "<https://docs.example.com/v1>; rel=\"sunset\"; type=\"text/html\"");
        let alone = Notice::of(Retirement { sunset_at: None, link: None, ..retirement() }).unwrap();
        assert!(alone.sunset.is_none() && alone.links.is_empty());
    }

    #[test]
    fn an_operation_goes_before_its_version() {
        let later = Retirement { deprecated_at: at("2024-01-01T00:00:00Z"), ..retirement() };
        let both = [("v1".to_owned(), retirement()), ("get_usage".to_owned(), later.clone())];
        let both = Retirements::new(both.into()).unwrap();
        assert_eq!(both.notice("get_usage", "/v1/usage").unwrap().retirement, later);
        assert_eq!(both.notice("get_job", "/v1/jobs/{id}").unwrap().retirement, retirement());
        assert!(both.notice("preview_job", "/v2/jobs/{id}").is_none() && both.notice("livez", "/livez").is_none());
    }

    #[test]
    fn what_is_set_wrong_is_named() {
        assert!(of("get_everything", retirement()).unwrap_err().contains("get_everything"));
        assert!(of("v3", retirement()).is_err());
        let early = Retirement { sunset_at: Some(at("2023-01-01T00:00:00Z")), ..retirement() };
        assert!(of("v1", early).unwrap_err().contains("before the deprecation"));
        for link in ["docs", "ftp://example.com", "https://example.com/a b", "https://example.com/>;"] {
            let wrong = Retirement { link: Some(link.to_owned()), ..retirement() };
            assert!(of("v1", wrong).unwrap_err().contains("no URL"), "{link}");
        }
    }
}
