//! Each line of each invoice is, to the unit, what the jobs behind it used; before and after a change of plan.

use std::collections::BTreeMap;
use std::slice::from_ref;
use std::time::Duration;

use billing::FeeKind;
use chrono::{DateTime, TimeDelta, Utc};
use jobs::JobId;
use jobs::usage::Metric;
use store::usage;
use store::usage::dead_letters;
use store::usage::periods::{self, Span};

use super::months::{self, fixed, last_month, midnight, sent};
use crate::outbox::draft;
use crate::stage::{ACME, Stage, acme};

/// Units by metric, and the jobs of a metric.
struct Invoiced {
    lines: BTreeMap<String, String>,
    parts: BTreeMap<String, String>,
    computed: Vec<JobId>,
}

impl Stage {
    /// An invoice's lines, and the sums of what the API tells to be behind them (`/v1/invoices/{id}/lines/{code}`).
    async fn invoiced(&self, id: &str) -> Invoiced {
        let invoice = self.lago.invoice_of(&acme(), id).await.unwrap().unwrap();
        let charges = invoice.fees.iter().filter(|fee| fee.kind == FeeKind::Charge);
        let lines = charges.map(|fee| (fee.code.clone(), fee.units.to_string())).collect();
        let [period] = invoice.periods.as_slice() else { panic!("{invoice:#?}") };
        let span = Span { from: period.from, until: period.until() };
        let (mut parts, mut computed) = (BTreeMap::new(), Vec::new());
        for metric in Metric::ALL {
            let behind = periods::behind(self.pool(), ACME, metric.as_str(), &[span], None, 1000).await.unwrap();
            let units: i64 = behind.iter().map(|(_, part)| part.units).sum();
            if units > 0 {
                parts.insert(metric.to_string(), metric.quantity(units).to_string());
            }
            if metric == Metric::ComputeUnits {
                computed.extend(behind.iter().filter_map(|(_, part)| part.job_id));
            }
        }
        Invoiced { lines, parts, computed }
    }

    /// Until the time is over under which the last row is billed: what ends sooner does not bill it.
    pub async fn is_past_the_last_row(&self) {
        let last = "SELECT max(billed_at) FROM usage_ledger";
        let last: DateTime<Utc> = sqlx::query_scalar(last).fetch_one(self.pool()).await.unwrap();
        while Utc::now() <= last {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn sorted(mut jobs: Vec<JobId>) -> Vec<JobId> {
    jobs.sort_unstable_by_key(|job| job.0);
    jobs
}

#[tokio::test]
async fn every_line_of_every_invoice_is_the_sum_of_its_jobs() {
    let stage = Stage::new().await;
    let delivery = stage.delivery();
    let mut before = stage.completes(3, 1).await;
    while stage.turn(&delivery).await {}
    // Delivered with the change itself.
    before.extend(stage.completes(2, 2).await);
    stage.moves_to("enterprise").await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    // In the very second of the change.
    let after = stage.completes(4, 3).await;
    while stage.turn(&delivery).await {}
    stage.is_past_the_last_row().await;
    stage.is_ended_by_hand().await;

    let mut invoices = stage.lago.invoices(&acme()).await.unwrap();
    invoices.reverse();
    assert_eq!(invoices.len(), 2, "{invoices:#?}");
    for (invoice, jobs) in invoices.iter().zip([before, after]) {
        let told = stage.invoiced(invoice.lago_id.as_ref().unwrap()).await;
        assert_eq!(told.parts, told.lines);
        let (units, count) = ((jobs.len() * 5).to_string(), jobs.len().to_string());
        let expected = [
            ("chain_confirmations", &count),
            ("compute_units", &units),
            ("jobs_completed", &count),
            ("jobs_submitted", &count),
        ];
        let expected = expected.map(|(metric, units)| (metric.to_owned(), units.clone()));
        assert_eq!(told.lines, BTreeMap::from(expected));
        assert_eq!(sorted(told.computed), sorted(jobs));
    }
}

#[tokio::test]
async fn what_an_invoice_does_not_bill_stands_behind_none_of_its_lines() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let moment = midnight() - TimeDelta::seconds(9);
    let taken = fixed(&stage, "taken", 30, moment).await;
    stage.lago.send(&[sent(&taken, 30, moment)]).await.unwrap();
    usage::delivered(stage.pool(), from_ref(&taken)).await.unwrap();
    // Fixed in the month as well: one never arrived, which nobody knows yet, and one was refused.
    fixed(&stage, "lost", 3, moment).await;
    let refused = fixed(&stage, "refused", 5, moment).await;
    usage::dead(stage.pool(), &refused, "422: no").await.unwrap();
    stage.closes(last_month()).await;

    let invoices = stage.lago.invoices(&acme()).await.unwrap();
    assert_eq!(invoices.len(), 1, "{invoices:#?}");
    let adds_up = async || {
        let told = stage.invoiced(invoices[0].lago_id.as_ref().unwrap()).await;
        assert_eq!((told.parts["compute_units"].as_str(), &told.parts), ("30", &told.lines));
    };
    adds_up().await;
    stage.delivers().await;
    dead_letters::write_off(stage.pool(), &refused, "used by nobody", &draft()).await.unwrap().expect("a dead letter");
    adds_up().await;
    let anew = "SELECT count(*) FROM usage_ledger WHERE id = 'lost:compute_units:0.2' AND delivered_at IS NOT NULL";
    assert_eq!(stage.outbox.count(anew).await, 1, "another invoice bills it");
}
