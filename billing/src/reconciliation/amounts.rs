//! Whether an invoice charges the agreed prices: its lines against our own price list, whatever prices Lago has by now.
//!
//! Not compared is what the list does not decide: an invoice of a plan that is not in it, and the monthly fee of a part of a
//! month, which Lago makes of its days. Nor is an invoice of several subscriptions, whose lines do not say whose they are;
//! each of our tenants has one. Quotas, tiers and packages are whole also in a part of a month, in Lago as in the list. A
//! minimum, its true-up and any line that is neither usage nor fee are nobody's agreement: they are priced otherwise.

use chrono::{Datelike as _, Months, NaiveTime};
use serde::Serialize;

use crate::{BilledPeriod, Catalogue, ExternalId, Fee, FeeKind, PlanTerms, WholeInvoice};

/// A line of a final invoice that costs something else than was agreed. Amounts are in minor units, without taxes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PricedOtherwise {
    /// The metric's code; of a monthly fee the plan's.
    #[serde(skip)]
    pub code: String,
    /// The invoice's number.
    pub invoice: String,
    /// ISO 4217 code of what is invoiced.
    pub currency: String,
    pub amount_cents: i64,
    /// What the price list says, in its own currency.
    pub agreed_cents: i64,
}

/// The lines of a subscription's invoice that cost something else than the price list says of their units.
#[must_use]
pub fn priced_otherwise(
    invoice: &WholeInvoice,
    subscription: &ExternalId,
    catalogue: &Catalogue,
) -> Vec<PricedOtherwise> {
    let ([period], Some(plan)) = (invoice.periods.as_slice(), plan_of(invoice, catalogue)) else { return Vec::new() };
    if !period.is_of(subscription) {
        return Vec::new();
    }
    let is_in_its_currency = invoice.head.currency == plan.currency;
    let differing = |fee: &Fee| {
        let agreed_cents = agreed(fee, plan, period)?;
        let is_agreed = fee.amount_cents == agreed_cents && (is_in_its_currency || agreed_cents == 0);
        (!is_agreed).then(|| PricedOtherwise {
            code: fee.code.clone(),
            invoice: invoice.head.number.clone(),
            currency: invoice.head.currency.clone(),
            amount_cents: fee.amount_cents,
            agreed_cents,
        })
    };
    invoice.fees.iter().filter_map(differing).collect()
}

/// The plan of an invoice, which its own line of the monthly fee names: Lago makes one of a fee of nothing, too. The
/// subscription's plan may be another one by now.
fn plan_of<'a>(invoice: &WholeInvoice, catalogue: &'a Catalogue) -> Option<&'a PlanTerms> {
    let fee = invoice.fees.iter().find(|fee| fee.kind == FeeKind::Subscription)?;
    catalogue.plans.iter().find(|plan| plan.code == fee.code)
}

/// What a line is to cost; `None` where the list does not say.
fn agreed(fee: &Fee, plan: &PlanTerms, period: &BilledPeriod) -> Option<i64> {
    match fee.kind {
        FeeKind::Charge => {
            let charge = plan.charges.iter().find(|charge| charge.metric.as_str() == fee.code);
            Some(charge.map_or(0, |charge| charge.price.cents(&fee.units)))
        }
        FeeKind::Subscription => is_whole_month(period).then_some(plan.amount_cents),
        FeeKind::Other(_) => Some(0),
    }
}

fn is_whole_month(period: &BilledPeriod) -> bool {
    let first = period.from.date_naive();
    let Some(next) = first.checked_add_months(Months::new(1)) else { return false };
    let [begin, end] = [first, next].map(|day| day.and_time(NaiveTime::MIN).and_utc().timestamp());
    first.day() == 1 && period.from.timestamp() == begin && period.until().timestamp() == end
}

#[cfg(test)]
mod tests {
    use crate::Invoice;

    use super::*;

    fn fee(kind: FeeKind, code: &str, units: u64, amount_cents: i64) -> Fee {
        Fee { kind, code: code.to_owned(), name: code.to_owned(), units: units.into(), amount_cents }
    }

    fn charge(code: &str, units: u64, amount_cents: i64) -> Fee {
        fee(FeeKind::Charge, code, units, amount_cents)
    }

    fn monthly(plan: &str, amount_cents: i64) -> Fee {
        fee(FeeKind::Subscription, plan, 1, amount_cents)
    }

    /// Of acme's November, or of what is left of it from a moment on.
    fn invoice(from: &str, fees: Vec<Fee>) -> WholeInvoice {
        let period = BilledPeriod {
            subscription: Some("acme".to_owned()),
            from: from.parse().unwrap(),
            to: "2026-11-30T23:59:59Z".parse().unwrap(),
        };
        let head = Invoice {
            lago_id: Some("1".to_owned()),
            number: "A-1".to_owned(),
            issuing_date: "2026-12-01".to_owned(),
            status: "finalized".to_owned(),
            payment_status: "pending".to_owned(),
            currency: "EUR".to_owned(),
            fees_amount_cents: 0,
            taxes_amount_cents: 0,
            total_amount_cents: 0,
            file_url: None,
        };
        let created_at = "2026-12-01T00:10:00Z".parse().unwrap();
        WholeInvoice { head, created_at, customer: None, periods: vec![period], fees }
    }

    fn november(fees: Vec<Fee>) -> WholeInvoice {
        invoice("2026-11-01T00:00:00Z", fees)
    }

    /// Code, invoiced and agreed amount of each line that differs.
    fn differing(invoice: &WholeInvoice) -> Vec<(String, i64, i64)> {
        let found = priced_otherwise(invoice, &ExternalId::parse("acme").unwrap(), &Catalogue::standard());
        assert!(found.iter().all(|one| one.invoice == "A-1"), "{found:?}");
        found.into_iter().map(|one| (one.code, one.amount_cents, one.agreed_cents)).collect()
    }

    #[test]
    fn lines_at_the_prices_of_the_list_are_agreed() {
        // Of each kind of price: 100,000 at 0.00008 and 1,000 at 0.00006; 20,000 at 0.00075; a package begun.
        let team = vec![
            charge("compute_units", 101_000, 806),
            charge("jobs_completed", 20_000, 1_500),
            charge("api_calls", 1_000_001, 4),
            charge("storage_gb_hours", 100, 2),
            charge("jobs_submitted", 7, 0),
            monthly("team", 4_900),
        ];
        assert_eq!(differing(&november(team)), []);
        assert_eq!(differing(&november(vec![charge("compute_units", 10_001, 10), monthly("developer", 0)])), []);
    }

    #[test]
    fn a_line_at_another_price_tells_both_amounts() {
        let fees = vec![charge("compute_units", 101_000, 807), charge("api_calls", 5, 1), monthly("team", 4_800)];
        let told = [("compute_units", 807, 806), ("api_calls", 1, 0), ("team", 4_800, 4_900)];
        assert_eq!(differing(&november(fees)), told.map(|(code, is, agreed)| (code.to_owned(), is, agreed)));
    }

    #[test]
    fn what_nobody_agreed_on_is_to_cost_nothing() {
        let commitment = FeeKind::Other("commitment".to_owned());
        let fees = vec![charge("nobody_knows", 3, 9), fee(commitment, "team", 1, 500), monthly("team", 4_900)];
        let told = [("nobody_knows".to_owned(), 9, 0), ("team".to_owned(), 500, 0)];
        assert_eq!(differing(&november(fees)), told);
    }

    #[test]
    fn the_fee_of_a_part_of_a_month_is_lagos_and_its_units_are_priced_as_in_a_whole_one() {
        let part = |amount_cents| {
            let fees = vec![charge("api_calls", 1_000_001, amount_cents), monthly("team", 1_796)];
            differing(&invoice("2026-11-20T10:00:00Z", fees))
        };
        assert_eq!((part(4), part(2)), (vec![], vec![("api_calls".to_owned(), 2, 4)]));
    }

    #[test]
    fn another_currency_is_another_price() {
        let mut dollars = november(vec![charge("compute_units", 101_000, 806), charge("jobs_submitted", 7, 0)]);
        dollars.head.currency = "USD".to_owned();
        dollars.fees.push(monthly("developer", 0));
        // 91 packages of 1,000 beyond the 10,000 that plan developer has for nothing: 9.10.
        assert_eq!(differing(&dollars), [("compute_units".to_owned(), 806, 910)]);
        dollars.fees[0].amount_cents = 910;
        assert_eq!(differing(&dollars), [("compute_units".to_owned(), 910, 910)]);
    }

    #[test]
    fn what_the_list_does_not_decide_is_not_compared() {
        let own_plan = november(vec![charge("compute_units", 5, 99), monthly("of-finance", 1)]);
        let without_a_plan = november(vec![charge("compute_units", 5, 99)]);
        let mut of_two = november(vec![charge("compute_units", 5, 99), monthly("team", 4_900)]);
        of_two.periods.push(of_two.periods[0].clone());
        let mut strangers = november(vec![charge("compute_units", 5, 99), monthly("team", 4_900)]);
        strangers.periods[0].subscription = Some("globex".to_owned());
        for invoice in [own_plan, without_a_plan, of_two, strangers] {
            assert_eq!(differing(&invoice), []);
        }
    }
}
