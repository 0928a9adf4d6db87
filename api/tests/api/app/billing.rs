//! The billing system of tests: one invoice of acme's, and a key of its own.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use api::billing_system::{BillingSystem, BillingUnavailable, Invoice, InvoiceHead, InvoiceLine};
use futures::future::{BoxFuture, FutureExt as _};
use jobs::TenantId;
use jobs::credits::{Bounds, Counted, PriceList, Share};
use jobs::usage::Metric;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::json;

/// The invoice's id.
pub const INVOICE: &str = "1a901a90-1a90-4a90-9a90-1a901a901a90";
/// An invoice of two periods.
pub const OF_TWO_PERIODS: &str = "2a902a90-2a90-4a90-9a90-2a902a902a90";
/// An invoice of a subscription that is not ours.
pub const OF_NO_PERIOD: &str = "3a903a90-3a90-4a90-9a90-3a903a903a90";

const KEY: &str = include_str!("lago.pem");
const PUBLIC_KEY: &str = include_str!("lago.pub.pem");

#[derive(Default)]
pub struct TestBilling {
    is_away: AtomicBool,
    asked: AtomicUsize,
}

impl TestBilling {
    pub fn goes_away(&self) {
        self.is_away.store(true, Ordering::SeqCst);
    }

    /// How often it was asked for its key.
    pub fn asked_for_its_key(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

/// A notice's signature, as Lago makes it.
pub fn signature(notice: &str) -> String {
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &json!({ "data": notice, "iss": "https://lago.test" }), &key).unwrap()
}

impl BillingSystem for TestBilling {
    fn invoices<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<Vec<InvoiceHead>, BillingUnavailable>> {
        let own = tenant.as_str() == "acme";
        async move { Ok(if own { vec![head()] } else { Vec::new() }) }.boxed()
    }

    fn invoice<'a>(
        &'a self,
        _: &'a TenantId,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<Invoice>, BillingUnavailable>> {
        let line = |code: &str, is_usage, units: &str, amount_cents| InvoiceLine {
            code: code.to_owned(),
            name: code.to_owned(),
            is_usage,
            units: units.parse().unwrap(),
            amount_cents,
        };
        let invoice = |periods: &[(&str, &str)]| Invoice {
            head: InvoiceHead { id: id.to_owned(), ..head() },
            customer: Some("acme".to_owned()),
            periods: periods.iter().map(|(from, until)| (from.parse().unwrap(), until.parse().unwrap())).collect(),
            lines: vec![line("compute_units", true, "12", 1), line("team", false, "1", 4_900)],
        };
        let found = match id {
            INVOICE => Some(invoice(&[("2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z")])),
            OF_TWO_PERIODS => Some(invoice(&[
                ("2026-02-01T00:00:00Z", "2026-02-10T12:00:01Z"),
                ("2026-02-20T00:00:00Z", "2026-03-01T00:00:00Z"),
            ])),
            OF_NO_PERIOD => Some(invoice(&[])),
            _ => None,
        };
        async move { Ok(found) }.boxed()
    }

    fn prices(&self) -> &dyn PriceList {
        &TestPrices
    }

    fn notice_key(&self) -> BoxFuture<'_, Result<String, BillingUnavailable>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let is_away = self.is_away.load(Ordering::SeqCst);
        let key = if is_away { Err(BillingUnavailable("it is away".to_owned())) } else { Ok(PUBLIC_KEY.to_owned()) };
        async move { key }.boxed()
    }
}

/// A cent for a compute unit, and one for a confirmation, which is half of that in a month of many; on plan `enterprise` a
/// compute unit is half a cent, on any other, which is `team`, a whole one.
pub struct TestPrices;

impl PriceList for TestPrices {
    fn plan_for<'a>(&'a self, plan: &'a str) -> &'a str {
        if plan == "enterprise" { plan } else { "team" }
    }

    fn currency(&self, _: &str) -> &str {
        "EUR"
    }

    fn month(&self, _: &str, units: &Counted) -> i64 {
        let paid =
            units.iter().filter(|(metric, _)| matches!(metric, Metric::ComputeUnits | Metric::ChainConfirmations));
        paid.map(|(_, units)| units).sum()
    }

    fn most(&self, plan: &str, used: &Counted, more: &Counted) -> i64 {
        self.month(plan, &used.plus(more))
    }

    fn share(&self, plan: &str, units: &Counted) -> Share {
        let unit = if plan == "enterprise" { 5 } else { 10 };
        let bounds = |milli: [i64; 2]| {
            let [at_least, at_most] = milli.map(|milli| format!("0.{milli:03}"));
            Bounds { at_least, at_most }
        };
        let price = |(metric, units): (Metric, i64)| match metric {
            Metric::ComputeUnits => [unit * units; 2],
            Metric::ChainConfirmations => [5 * units, 10 * units],
            _ => [0, 0],
        };
        let total = units.iter().map(price).fold([0, 0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
        Share { total: bounds(total), by_metric: units.iter().map(|of| (of.0, bounds(price(of)))).collect() }
    }
}

fn head() -> InvoiceHead {
    InvoiceHead {
        id: INVOICE.to_owned(),
        number: "ZAM-1".to_owned(),
        issuing_date: "2026-03-01".to_owned(),
        status: "finalized".to_owned(),
        payment_status: "pending".to_owned(),
        currency: "EUR".to_owned(),
        fees_amount_cents: 4_901,
        taxes_amount_cents: 980,
        total_amount_cents: 5_881,
        pdf_url: None,
    }
}
