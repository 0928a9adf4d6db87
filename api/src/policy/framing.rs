//! Heads that HTTP/1.1 wants refused and hyper lets pass: without the one host that a request must name (RFC 9112 section
//! 3.2), or with a transfer coding that nobody here undoes (section 6.1). The connection looks, since only it knows what
//! came over the wire; the router answers, since only it writes problems.

use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jobs::ErrorCode;

use super::problem::Problem;

/// What is wrong with a head; a request extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misframed {
    Host,
    TransferCoding,
}

impl Misframed {
    /// What is wrong with the head of a request that came over HTTP/1.
    pub(crate) fn of<B>(request: &axum::http::Request<B>) -> Option<Self> {
        let headers = request.headers();
        let hosts = headers.get_all(header::HOST).iter().count();
        if hosts > 1 || hosts == 0 && request.version() == Version::HTTP_11 {
            return Some(Self::Host);
        }
        let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
        let is_chunked = |value: &HeaderValue| value.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
        let is_read = codings.next().is_none_or(is_chunked) && codings.next().is_none();
        (!is_read).then_some(Self::TransferCoding)
    }

    fn detail(self) -> &'static str {
        match self {
            Self::Host => "A request must name its host, once.",
            Self::TransferCoding => "The only transfer coding is chunked.",
        }
    }
}

/// Refuses what the connection found wrong, and closes it: who was misunderstood once is not heard again.
pub async fn refuse(request: Request, next: Next) -> Response {
    let Some(wrong) = request.extensions().get::<Misframed>().copied() else { return next.run(request).await };
    let mut response = Problem::new(ErrorCode::InvalidRequest, wrong.detail()).into_response();
    response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: Version, headers: &[(&str, &str)]) -> Option<Misframed> {
        let request = axum::http::Request::builder().version(version);
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        Misframed::of(&request.body(()).expect("a request"))
    }

    #[test]
    fn a_request_names_one_host() {
        assert_eq!(of(Version::HTTP_11, &[("host", "zama")]), None);
        assert_eq!(of(Version::HTTP_10, &[]), None, "it need not");
        assert_eq!(of(Version::HTTP_11, &[]), Some(Misframed::Host));
        for version in [Version::HTTP_10, Version::HTTP_11] {
            assert_eq!(of(version, &[("host", "zama"), ("host", "zama")]), Some(Misframed::Host));
        }
    }

    #[test]
    fn chunked_is_the_only_coding_and_once() {
        let coded = |values: &[&str]| {
            let mut headers = vec![("host", "zama")];
            headers.extend(values.iter().map(|value| ("transfer-encoding", *value)));
            of(Version::HTTP_11, &headers)
        };
        assert_eq!((coded(&[]), coded(&["chunked"]), coded(&["Chunked "])), (None, None, None));
        for wrong in [&["gzip, chunked"][..], &["chunked, chunked"], &["chunked", "chunked"], &["gzip"], &[""]] {
            assert_eq!(coded(wrong), Some(Misframed::TransferCoding), "{wrong:?}");
        }
    }
}
