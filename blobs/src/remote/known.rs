//! Hosts that only a developer's machine knows: fetched at the address that its settings give them, public or not.

use std::net::IpAddr;

use reqwest::Certificate;
use thiserror::Error;

/// Hosts, their addresses, and who signs their certificates. Every other host is guarded as ever.
#[derive(Clone, Debug, Default)]
pub struct KnownHosts {
    addresses: Vec<(String, IpAddr)>,
    authorities: Vec<Certificate>,
}

/// Why settings name no hosts.
#[derive(Debug, Error)]
pub enum InvalidHosts {
    #[error("`{0}` is not of the form name=address")]
    Entry(String),
    #[error("the authority's file holds no certificate in PEM")]
    Authority,
}

impl KnownHosts {
    /// Reads `name=address` separated by commas, and the certificates (PEM) of those who sign for these hosts: nobody
    /// else does, and they sign for no others.
    ///
    /// # Errors
    /// [`InvalidHosts`]
    pub fn parse(hosts: &str, authorities: &[u8]) -> Result<Self, InvalidHosts> {
        let entry = |text: &str| {
            let read = text.split_once('=').and_then(|(name, address)| Some((name.to_owned(), address.parse().ok()?)));
            read.ok_or_else(|| InvalidHosts::Entry(text.to_owned()))
        };
        let addresses = hosts.split(',').map(str::trim).filter(|text| !text.is_empty()).map(entry);
        let addresses = addresses.collect::<Result<_, _>>()?;
        let authorities = Certificate::from_pem_bundle(authorities).map_err(|_| InvalidHosts::Authority)?;
        if authorities.is_empty() { Err(InvalidHosts::Authority) } else { Ok(Self { addresses, authorities }) }
    }

    pub(super) fn address(&self, host: &str) -> Option<IpAddr> {
        self.addresses.iter().find(|(name, _)| name == host).map(|(_, address)| *address)
    }

    pub(super) fn authorities(&self) -> impl Iterator<Item = Certificate> {
        self.authorities.iter().cloned()
    }
}
