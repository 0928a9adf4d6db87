//! The kinds of the billing system's notices (Lago's `webhook_type`): which of them somebody must look at.

/// The families of kinds: what stands before the dot.
const FAMILIES: [&str; 16] = [
    "alert",
    "credit_note",
    "customer",
    "dunning_campaign",
    "event",
    "events",
    "fee",
    "integration",
    "invoice",
    "payment",
    "payment_provider",
    "payment_request",
    "plan",
    "subscription",
    "wallet",
    "wallet_transaction",
];

/// The family of a kind, for a metric: some others are one, so that nobody makes endless series.
#[must_use]
pub fn family(kind: &str) -> &'static str {
    let family = kind.split('.').next().unwrap_or_default();
    FAMILIES.into_iter().find(|known| *known == family).unwrap_or("other")
}

/// Whether something went wrong that does not mend itself: events that were refused (`events.errors`), a payment, a refund, a
/// tax or a provider that failed (`…failure`, `…error`), a dispute that was lost. That an invoice is overdue is not among
/// them: without a payment provider each one is, until finance notes that it was paid.
#[must_use]
pub fn is_trouble(kind: &str) -> bool {
    let (_, what) = kind.split_once('.').unwrap_or_default();
    what.ends_with("error") || what.ends_with("errors") || what.ends_with("failure") || what.ends_with("dispute_lost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_refused_or_fails_is_trouble_and_what_merely_happens_is_none() {
        for kind in [
            "credit_note.provider_refund_failure",
            "customer.payment_provider_error",
            "customer.tax_provider_error",
            "event.error",
            "events.errors",
            "fee.tax_provider_error",
            "integration.provider_error",
            "invoice.payment_dispute_lost",
            "invoice.payment_failure",
            "payment_provider.error",
            "payment_request.payment_failure",
            "wallet_transaction.payment_failure",
        ] {
            assert!(is_trouble(kind), "{kind}");
            assert_ne!(family(kind), "other", "{kind}");
        }
        for kind in [
            "customer.created",
            "customer.checkout_url_generated",
            "invoice.created",
            "invoice.generated",
            "invoice.payment_overdue",
            "invoice.payment_status_updated",
            "subscription.started",
            "subscription.terminated",
            "wallet.depleted_ongoing_balance",
            "wallet_transaction.created",
            "",
            "error",
        ] {
            assert!(!is_trouble(kind), "{kind}");
        }
    }

    #[test]
    fn families_that_nobody_knows_are_one() {
        assert_eq!((family("invoice.created"), family("x1.created"), family("")), ("invoice", "other", "other"));
    }
}
