//! What is asked of Lago beside a path. All queries are here, so that the recorded cases can be held to them.

use chrono::NaiveDate;
use serde::Serialize;

/// The query of a reading, by what it reads.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(crate) enum Query<'a> {
    CurrentUsage {
        external_subscription_id: &'a str,
    },
    /// Times in RFC 3339, both ends included.
    Events {
        external_subscription_id: &'a str,
        timestamp_from: String,
        timestamp_to: String,
        page: u32,
        per_page: u32,
    },
    /// Days of issue, both ends included.
    Invoices {
        external_customer_id: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        issuing_date_from: Option<NaiveDate>,
        #[serde(skip_serializing_if = "Option::is_none")]
        issuing_date_to: Option<NaiveDate>,
        page: u32,
        per_page: u32,
    },
    /// One, by its state.
    Subscription {
        status: &'a str,
    },
    Subscriptions {
        page: u32,
        per_page: u32,
    },
    Wallets {
        external_customer_id: &'a str,
        page: u32,
        per_page: u32,
    },
    WalletTransactions {
        page: u32,
        per_page: u32,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(query: &Query<'_>) -> String {
        let request = reqwest::Client::new().get("http://lago.example/").query(query).build().unwrap();
        request.url().query().unwrap_or_default().to_owned()
    }

    #[test]
    fn what_is_not_asked_for_is_not_sent() {
        let day = NaiveDate::from_ymd_opt(2026, 11, 22);
        let invoices = |issuing_date_from, issuing_date_to| {
            let external_customer_id = "acme";
            sent(&Query::Invoices { external_customer_id, issuing_date_from, issuing_date_to, page: 2, per_page: 100 })
        };
        assert_eq!(invoices(None, None), "external_customer_id=acme&page=2&per_page=100");
        let since = "external_customer_id=acme&issuing_date_from=2026-11-22&page=2&per_page=100";
        assert_eq!(invoices(day, None), since);
        assert_eq!(sent(&Query::Subscription { status: "pending" }), "status=pending");
    }
}
