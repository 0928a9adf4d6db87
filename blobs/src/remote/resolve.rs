//! From a name to addresses, once; the HTTP client then gets these and no others.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures::future::{BoxFuture, FutureExt as _, ready};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Who is asked for a name's addresses.
pub(super) trait Resolver: Send + Sync {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>>;
}

/// The system.
pub(super) struct SystemResolver;

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> BoxFuture<'a, io::Result<Vec<IpAddr>>> {
        let lookup = async move { Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect()) };
        lookup.boxed()
    }
}

/// Answers every name with the addresses that were checked.
pub(super) struct Pinned(pub(super) Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(ready(Ok(addresses)))
    }
}
