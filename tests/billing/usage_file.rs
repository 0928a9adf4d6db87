//! The rows of a billed month, as `/v1/usage` and `usage.csv` tell them, add up to its invoice: who has both needs no more.

use std::collections::BTreeMap;
use std::slice::from_ref;

use billing::FeeKind;
use chrono::{DateTime, TimeDelta, Utc};
use jobs::usage::Metric;
use store::jobs::Reader;
use store::usage::corrections::Corrected;
use store::usage::standing::Standing;
use store::usage::{self, ListedRow, UsageFilter};

use super::months::{self, fixed, last_month, midnight, sent};
use crate::stage::{ACME, Stage, acme};

impl Stage {
    /// What is asked for by `billed_from` and `billed_until`.
    async fn billed_within(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Vec<ListedRow> {
        let filter = UsageFilter { billed_from: Some(from), billed_until: Some(until), ..UsageFilter::default() };
        let tenant = ACME.parse().unwrap();
        let reader = Reader { tenant: &tenant, user: None };
        usage::list(self.pool(), reader, &filter, None, 1000).await.unwrap()
    }
}

fn state(row: &ListedRow) -> &'static str {
    match row.standing() {
        Standing::Delivered(_) => "delivered",
        Standing::TakenBack => "taken back",
        Standing::Refused(_) => "refused",
        Standing::Due | Standing::TestMode => "of no invoice",
    }
}

/// Units by metric, of the rows that count.
fn added_up(rows: &[ListedRow]) -> BTreeMap<String, String> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for row in rows.iter().filter(|row| state(row) == "delivered") {
        *sums.entry(row.metric.as_str()).or_default() += row.units;
    }
    let sums = sums.into_iter().map(|(name, units)| {
        let metric: Metric = name.parse().unwrap();
        (name.to_owned(), metric.quantity(units).to_string())
    });
    sums.collect()
}

#[tokio::test]
async fn what_counts_of_a_billed_month_adds_up_to_its_invoice() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    // Of the last month: one that its invoice has, one that never arrived, one that was refused, and one that is sent after
    // midnight.
    let moment = midnight() - TimeDelta::seconds(9);
    let taken = fixed(&stage, "taken", 30, moment).await;
    stage.lago.send(&[sent(&taken, 30, moment)]).await.unwrap();
    usage::delivered(stage.pool(), from_ref(&taken)).await.unwrap();
    let lost = fixed(&stage, "lost", 3, moment).await;
    let refused = fixed(&stage, "refused", 5, moment).await;
    usage::dead(stage.pool(), &refused, "422: no").await.unwrap();
    let late = stage.used("late", 7, midnight() - TimeDelta::milliseconds(100)).await;
    stage.closes(last_month()).await;
    // Of this one: use, and a correction of what is on an invoice.
    let now = stage.used_now("now", 60).await;
    let corrected = stage.corrects(&taken, -10).await;
    let Corrected::Booked(correction) = corrected else { panic!("{corrected:?}") };
    stage.delivers().await;
    stage.is_past_the_last_row().await;
    stage.is_ended_by_hand().await;

    let invoices = stage.lago.invoices(&acme()).await.unwrap();
    let [this, last] = invoices.as_slice() else { panic!("{invoices:#?}") };
    let anew = format!("{lost}.2");
    let of_last = vec![(&lost, "taken back", None), (&refused, "refused", None), (&taken, "delivered", None)];
    let of_this = vec![
        (&late, "delivered", None),
        (&anew, "delivered", Some(&lost)),
        (&now, "delivered", None),
        (&correction, "delivered", Some(&taken)),
    ];
    for (head, mut expected, units) in [(last, of_last, "30"), (this, of_this, "60")] {
        let invoice = stage.lago.invoice_of(&acme(), head.lago_id.as_ref().unwrap()).await.unwrap().unwrap();
        let [period] = invoice.periods.as_slice() else { panic!("{invoice:#?}") };
        let rows = stage.billed_within(period.from, period.until()).await;
        let mut told: Vec<_> = rows.iter().map(|row| (&row.id, state(row), row.corrects.as_ref())).collect();
        told.sort_unstable();
        expected.sort_unstable();
        assert_eq!(told, expected);

        let charges = invoice.fees.iter().filter(|fee| fee.kind == FeeKind::Charge);
        let lines: BTreeMap<_, _> = charges.map(|fee| (fee.code.clone(), fee.units.to_string())).collect();
        assert_eq!(added_up(&rows), lines);
        assert_eq!(lines["compute_units"], units);
    }
}
