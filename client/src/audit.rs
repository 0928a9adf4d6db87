//! The tenant's audit log: pages of it, and all of it.

use std::time::Duration;

use jobs::audit::Head;
use reqwest::Response;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// Longest time for a whole export to come.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(3600);

/// Which entries to list. Everything absent is no restriction.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AuditFilter {
    pub action: Option<String>,
    pub user: Option<String>,
    /// `asc` or `desc`; the newest first when absent.
    pub order: Option<&'static str>,
    /// The log of the tenant's sandbox.
    pub test_mode: Option<bool>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
    /// Entries on the page, 1 to 100.
    pub limit: Option<u32>,
}

/// A page of entries.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct AuditPage {
    /// As they came, so that their hashes can be checked.
    pub data: Vec<Value>,
    pub next_cursor: Option<String>,
    pub has_more: bool,
    /// The newest entry of the whole chain.
    pub head: Head,
}

/// A whole log on its way, line by line.
#[derive(Debug)]
pub struct AuditExport {
    response: Response,
    received: Vec<u8>,
}

impl Client {
    /// Reads one page of the tenant's audit log.
    ///
    /// # Errors
    /// [`ClientError`], with INSUFFICIENT_SCOPE of anybody but an admin.
    pub async fn audit(&self, filter: &AuditFilter) -> Result<AuditPage, ClientError> {
        read_json(self.send(|| self.get_with("/v1/audit", filter)).await?).await
    }

    /// Reads the whole log of the tenant, or of its sandbox.
    ///
    /// # Errors
    /// As [`Client::audit`].
    pub async fn audit_export(&self, test_mode: bool) -> Result<AuditExport, ClientError> {
        let query = [("test_mode", test_mode)];
        let response = self.send(|| self.get_with("/v1/audit/export", &query).timeout(EXPORT_TIMEOUT)).await?;
        Ok(AuditExport { response, received: Vec::new() })
    }
}

impl AuditExport {
    /// The next line, its end included; `None` at the end of the export.
    ///
    /// # Errors
    /// The connection broke off.
    pub async fn line(&mut self) -> Result<Option<Vec<u8>>, ClientError> {
        loop {
            if let Some(end) = self.received.iter().position(|byte| *byte == b'\n') {
                let rest = self.received.split_off(end + 1);
                return Ok(Some(std::mem::replace(&mut self.received, rest)));
            }
            match self.response.chunk().await.map_err(|error| ClientError::transport(&error))? {
                Some(chunk) => self.received.extend_from_slice(&chunk),
                None if self.received.is_empty() => return Ok(None),
                None => return Ok(Some(std::mem::take(&mut self.received))),
            }
        }
    }
}
