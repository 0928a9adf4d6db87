//! A plan's own fee in a month of which a tenant had a part.

use billing::FeeKind;
use chrono::{Datelike as _, TimeDelta};

use super::months::{last_month, midnight};
use crate::stage::{ACME, Stage, acme};

#[tokio::test]
async fn a_tenant_of_twelve_days_pays_for_twelve_days_of_its_plan() {
    let over = midnight();
    let since = over - TimeDelta::days(12);
    let stage = Stage::since(since).await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage.closes(last_month()).await;

    let invoices = stage.lago.invoices(&acme()).await.unwrap();
    let [head] = invoices.as_slice() else { panic!("one invoice: {invoices:?}") };
    let invoice = stage.lago.invoice(head.lago_id.as_deref().unwrap()).await.unwrap().unwrap();
    let [fee] = invoice.fees.as_slice() else { panic!("nothing was used: {invoice:#?}") };
    assert_eq!((&fee.kind, fee.code.as_str()), (&FeeKind::Subscription, "team"));
    assert_eq!((invoice.periods[0].from, invoice.periods[0].until()), (since, over));
    // 49.00 * 12 over the days of the month, and 20 % of it, by hand.
    let (cents, taxes) = match (over - TimeDelta::days(1)).day() {
        28 => (2_100, 420),
        29 => (2_028, 406),
        30 => (1_960, 392),
        _ => (1_897, 379),
    };
    assert_eq!(fee.amount_cents, cents);
    assert_eq!(
        (head.fees_amount_cents, head.taxes_amount_cents, head.total_amount_cents),
        (cents, taxes, cents + taxes)
    );
}
