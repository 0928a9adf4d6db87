//! The periods of invoices around a change of plan.

use billing::{Catalogue, change_plan, ensure_tenant, setup};
use chrono::Duration;

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
