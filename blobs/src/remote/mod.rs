//! Fetching what a client's URL names, without becoming the client's way into our network.
//!
//! https on ports 443 and 8443 alone, no credentials, no redirects, no proxy. The name is resolved once, every address
//! must be public, and the connection goes to one of those addresses: a second answer of the name server changes
//! nothing. Size and time are limited.

mod address;
mod error;
mod known;
mod policy;
mod resolve;

#[cfg(test)]
mod tests;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqwest::{Client, StatusCode, redirect};

pub use address::is_public;
pub use error::FetchError;
pub use known::{InvalidHosts, KnownHosts};
use policy::{Policy, Target};
use resolve::{Pinned, Resolver, SystemResolver};

/// Fetches public URLs; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    resolver: Arc<dyn Resolver>,
    policy: Policy,
    known: KnownHosts,
}

/// What can be said of a URL without resolving its name: it is of the kind that is fetched, and its host is no address
/// that is not public, in whatever spelling. The fetch itself checks that and the rest.
///
/// # Errors
/// [`FetchError::Url`], [`FetchError::NotPublic`].
pub fn check_spelling(url: &str) -> Result<(), FetchError> {
    let target = Policy::PUBLIC.read(url)?;
    let host = target.host.trim_end_matches('.');
    // A name for it (RFC 6761).
    let loopback = host == "localhost" || host.ends_with(".localhost");
    let address = target.address.or(loopback.then_some(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    match address.filter(|address| !(Policy::PUBLIC.admits)(*address)) {
        Some(address) => Err(FetchError::NotPublic { host: target.host, address }),
        None => Ok(()),
    }
}

impl Default for Fetcher {
    fn default() -> Self {
        Self { resolver: Arc::new(SystemResolver), policy: Policy::PUBLIC, known: KnownHosts::default() }
    }
}

impl Fetcher {
    /// A fetcher that takes no longer than this for one URL.
    #[must_use]
    pub fn within(time: Duration) -> Self {
        let fetcher = Self::default();
        Self { policy: Policy { time, ..fetcher.policy }, ..fetcher }
    }

    /// With hosts that this machine alone knows. Development only.
    #[must_use]
    pub fn knowing(self, known: KnownHosts) -> Self {
        Self { known, ..self }
    }

    /// Fetches `url` whole.
    ///
    /// # Errors
    /// See [`FetchError`]; [`FetchError::is_permanent`] tells whether another try is worth while.
    pub async fn fetch(&self, url: &str) -> Result<Bytes, FetchError> {
        let limit = self.policy.time;
        tokio::time::timeout(limit, self.fetch_in_time(url)).await.unwrap_or(Err(FetchError::TimedOut { limit }))
    }

    async fn fetch_in_time(&self, url: &str) -> Result<Bytes, FetchError> {
        let target = self.policy.read(url)?;
        let known = self.known.address(&target.host);
        let addresses = match known {
            Some(address) => vec![SocketAddr::new(address, target.port)],
            None => self.addresses(&target).await?,
        };
        let mut client = Client::builder()
            .dns_resolver(Arc::new(Pinned(addresses)))
            .redirect(redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .https_only(self.policy.https_only())
            .connect_timeout(self.policy.connect)
            .user_agent(concat!("zama-jobs/", env!("CARGO_PKG_VERSION")));
        if known.is_some() {
            client = client.tls_certs_only(self.known.authorities());
        }
        let response = client.build()?.get(target.url).send().await?;
        if response.status() != StatusCode::OK {
            return Err(FetchError::Status(response.status().as_u16()));
        }
        self.read(response).await
    }

    /// The addresses of the target, all of them public.
    async fn addresses(&self, target: &Target) -> Result<Vec<SocketAddr>, FetchError> {
        let host = target.host.as_str();
        let found = match target.address {
            Some(address) => vec![address],
            None => self.resolver.resolve(host).await.map_err(|_| FetchError::Unresolvable(host.to_owned()))?,
        };
        if let Some(address) = found.iter().find(|address| !(self.policy.admits)(**address)) {
            return Err(FetchError::NotPublic { host: host.to_owned(), address: *address });
        }
        if found.is_empty() {
            return Err(FetchError::Unresolvable(host.to_owned()));
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, FetchError> {
        let limit = self.policy.bytes;
        let announced = response.content_length().unwrap_or_default();
        if announced > limit {
            return Err(FetchError::TooLarge { limit });
        }
        let mut content = BytesMut::new();
        while let Some(chunk) = response.chunk().await? {
            if (content.len() + chunk.len()) as u64 > limit {
                return Err(FetchError::TooLarge { limit });
            }
            content.extend_from_slice(&chunk);
        }
        Ok(content.freeze())
    }
}
