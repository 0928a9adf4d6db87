//! Why a URL was not fetched.

use std::net::IpAddr;
use std::time::Duration;

use jobs::causes::tls_refusal;
use thiserror::Error;

#[derive(Debug, Error)]
pub enum FetchError {
    /// The URL is not of the kind that is fetched.
    #[error("the URL {0}")]
    Url(&'static str),
    /// One of the host's addresses is not a public one.
    // The address is for our log: a client must not learn our names from us.
    #[error("{host} is not public")]
    NotPublic { host: String, address: IpAddr },
    #[error("{0} has no address")]
    Unresolvable(String),
    /// Redirects are among them: they are not followed.
    #[error("the server answered {0}")]
    Status(u16),
    #[error("the answer has more than {limit} bytes")]
    TooLarge { limit: u64 },
    #[error("the answer did not come within {} seconds", limit.as_secs())]
    TimedOut { limit: Duration },
    /// It is not the host that the URL names, as far as its certificate can say.
    #[error("the server is not believed: {0}")]
    Untrusted(String),
    #[error("the server cannot be reached or broke off")]
    Transport(#[source] reqwest::Error),
}

impl FetchError {
    /// Whether the same URL will be refused again: the client's fault. Else another try may succeed.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Url(_) | Self::NotPublic { .. } | Self::TooLarge { .. } | Self::Untrusted(_) => true,
            // 408 and 429 ask for another try.
            Self::Status(status) => (300..500).contains(status) && !matches!(status, 408 | 429),
            Self::Unresolvable(_) | Self::TimedOut { .. } | Self::Transport(_) => false,
        }
    }
}

impl From<reqwest::Error> for FetchError {
    fn from(error: reqwest::Error) -> Self {
        // The client knows its URL; a log need not.
        let error = error.without_url();
        tls_refusal(&error).map_or_else(|| Self::Transport(error), Self::Untrusted)
    }
}
