//! What a job would cost, before it is submitted.

use jobs::quote::Quote;
use reqwest::Method;
use serde_json::Value;

use crate::error::ClientError;
use crate::transport::{ANSWER_TIMEOUT, Client, read_json};

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
}
