//! The periods of invoices around a change of plan, and what the plans' own fees are for.

use billing::{BilledPeriod, Catalogue, FeeKind, Invoice, change_plan, end_tenant, ensure_tenant, setup};
use chrono::{Datelike as _, Duration, Months, NaiveDate};

use crate::harness::{Standin, acme, id, now};

#[tokio::test]
async fn a_moment_is_in_one_invoice_however_often_the_plan_changes() {
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    ensure_tenant(&lago.client, &acme(), &id("developer"), now() - Duration::hours(1)).await.unwrap();
    for plan in ["team", "enterprise"] {
        change_plan(&lago.client, &acme(), &id(plan)).await.unwrap();
    }
    let (from, until) = (now() - Duration::days(1), now() + Duration::days(1));
    let mut invoices = lago.client.invoices_of(&acme(), from, until).await.unwrap();
    invoices.sort_by_key(|invoice| invoice.periods[0].from);
    let [first, second] = invoices.as_slice() else { panic!("two invoices: {invoices:?}") };
    assert_eq!(first.periods[0].until(), second.periods[0].from, "the first moment that the first one does not bill");

    let lago_id = second.head.lago_id.as_deref().unwrap();
    let told = lago.client.invoice(lago_id).await.unwrap().unwrap();
    assert_eq!(told.periods[0].from, first.periods[0].to, "Lago tells the second of the change of both");
    assert_eq!(lago.client.invoice_of(&acme(), lago_id).await.unwrap().as_ref(), Some(second));
    assert_eq!(lago.client.invoice_of(&id("somebody"), lago_id).await.unwrap(), None);
}

/// What an invoice covers, and the fee of the plan itself.
async fn own_fee(lago: &Standin, head: &Invoice) -> (BilledPeriod, String, i64) {
    let invoice = lago.client.invoice(head.lago_id.as_deref().unwrap()).await.unwrap().unwrap();
    let fee = invoice.fees.into_iter().find(|fee| fee.kind == FeeKind::Subscription).unwrap();
    (invoice.periods[0].clone(), fee.code, fee.amount_cents)
}

/// So many days of a month, for what a whole one costs.
fn part(cents: i64, days: i64, month: NaiveDate) -> i64 {
    let first = month.with_day(1).unwrap();
    let whole = (first + Months::new(1) - first).num_days();
    let (cent, rest) = (cents * days / whole, cents * days % whole);
    cent + i64::from(2 * rest >= whole)
}

#[tokio::test]
async fn the_day_of_a_change_is_paid_for_once_by_the_plan_that_goes_on() {
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    ensure_tenant(&lago.client, &acme(), &id("team"), now() - Duration::days(40)).await.unwrap();
    change_plan(&lago.client, &acme(), &id("enterprise")).await.unwrap();
    end_tenant(&lago.client, &acme()).await.unwrap();
    let invoices = lago.client.invoices(&acme()).await.unwrap();
    let [last, first] = invoices.as_slice() else { panic!("two invoices: {invoices:?}") };

    let (period, plan, fee) = own_fee(&lago, first).await;
    let (from, to) = (period.from.date_naive(), period.to.date_naive());
    assert_eq!((from.day(), plan.as_str()), (1, "team"));
    assert_eq!(fee, part(4_900, (to - from).num_days(), from), "{period:?}");

    let (period, plan, fee) = own_fee(&lago, last).await;
    let (from, to) = (period.from.date_naive(), period.to.date_naive());
    assert_eq!(plan, "enterprise");
    assert_eq!(fee, part(49_900, (to - from).num_days() + 1, from), "{period:?}");
}
