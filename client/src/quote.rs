//! What a job would cost, before it is submitted.

use std::time::Duration;

use jobs::QuoteId;
use jobs::quote::Quote;
use reqwest::Method;
use serde_json::Value;

use crate::error::ClientError;
use crate::transport::{Client, read_json};

/// How long an answer may take: the body may be a whole mebibyte.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

impl Client {
    /// Tells what a job would cost at most, and has that promised for fifteen minutes: `body` with the quote's id as its
    /// `quote_id` is a submission that costs no more. Asking twice makes two quotes, of which one is left unused.
    ///
    /// # Errors
    /// [`ClientError`], for the reasons for which the submission would be refused.
    pub async fn quote(&self, body: &Value) -> Result<Quote, ClientError> {
        let ask = || self.request(Method::POST, "/v1/jobs/quote").timeout(ANSWER_TIMEOUT).json(body);
        read_json(self.send(ask).await?).await
    }

    /// Reads a quote; one that was used names its job.
    ///
    /// # Errors
    /// [`ClientError`], with QUOTE_NOT_FOUND also for another tenant's.
    pub async fn find_quote(&self, id: QuoteId) -> Result<Quote, ClientError> {
        let path = format!("/v1/quotes/{id}");
        read_json(self.send(|| self.get(&path)).await?).await
    }
}
