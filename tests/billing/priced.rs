//! Amounts of invoices against the price list: a price that was another one while Lago made its invoices, and is right again.

use billing::{Catalogue, Price, setup};
use chrono::TimeDelta;
use serde_json::json;
use store::usage;

use super::months::{self, fixed, last_month, midnight, sent};
use crate::stage::{ACME, Stage, acme};

/// Team's fee, and its first compute units, dearer than agreed.
fn dearer() -> Catalogue {
    let mut catalogue = Catalogue::standard();
    let team = catalogue.plans.iter_mut().find(|plan| plan.code == "team").unwrap();
    team.amount_cents = 5_000;
    let charge = team.charges.iter_mut().find(|charge| charge.metric == billing::Metric::ComputeUnits).unwrap();
    let Price::Graduated { tiers } = &mut charge.price else { panic!("{charge:?}") };
    tiers[0].per_unit = "0.0001".parse().unwrap();
    catalogue
}

/// Acme used 101,000 compute units in the last month.
async fn stage() -> Stage {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = midnight() - TimeDelta::seconds(9);
    let id = fixed(&stage, "used", 101_000, moment).await;
    stage.lago.send(&[sent(&id, 101_000, moment)]).await.unwrap();
    usage::delivered(stage.pool(), &[id]).await.unwrap();
    stage
}

#[tokio::test]
async fn a_price_that_was_changed_for_the_invoices_alone_is_found() {
    let stage = stage().await;
    setup(&stage.lago, &dearer()).await.unwrap();
    stage.closes(last_month()).await;
    setup(&stage.lago, &Catalogue::standard()).await.unwrap();
    let differing = billing::plan(&stage.lago, &Catalogue::standard()).await.unwrap();
    assert!(differing.is_unchanged(), "Lago has the agreed prices by now: {differing:?}");

    let month = last_month().to_string();
    let found = stage.runs(&["--json", "billing", "reconcile", "--month", &month]).await.ends(9).json();
    let told: Vec<_> = found["tenants"][0]["lines"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| {
            let [one] = line["priced_otherwise"].as_array().unwrap().as_slice() else { panic!("{found:#}") };
            (line["metric"].as_str().unwrap(), one["amount_cents"].as_i64(), one["agreed_cents"].as_i64())
        })
        .collect();
    // 100,000 at 0.0001 instead of 0.00008, and 1,000 at 0.00006.
    assert_eq!(told, [("compute_units", Some(1_006), Some(806)), ("team", Some(5_000), Some(4_900))]);
    assert_eq!(found["drifting"], json!(2));
    assert_eq!(found["tenants"][0]["lines"][0]["billed"], json!("101000"), "the units agree");
    let table = stage.runs(&["billing", "reconcile", "--month", &month]).await.ends(9);
    assert!(table.stdout.contains("1006 cents EUR, agreed 806 …)\n"), "{table:#?}");
    assert!(table.stderr.contains("zama-jobs billing setup --check"), "{table:#?}");
}

#[tokio::test]
async fn invoices_at_the_agreed_prices_agree_also_where_the_plan_was_changed() {
    let stage = stage().await;
    stage.closes(last_month()).await;
    stage.agrees(last_month()).await;
    // The invoice of what ends is team's, whatever plan bills the rest.
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    assert_eq!(stage.lago.invoices(&acme()).await.unwrap().len(), 2);
    stage.agrees(crate::stage::this_month()).await;
}
