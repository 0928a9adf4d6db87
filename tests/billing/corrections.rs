//! Corrections and write-offs: what the ledger says in the end is what is billed, and no unit is lost between two months.

use std::slice::from_ref;

use chrono::{DateTime, TimeDelta, Utc};
use store::usage;
use store::usage::corrections::{self, Corrected, Correction};
use store::usage::dead_letters::{self, Which};

use super::faults::ledger_sums;
use super::months::{self, fixed, last_month, midnight, sent};
use crate::outbox::draft;
use crate::stage::{ACME, Stage, acme, this_month};

impl Stage {
    /// Corrects a row as the command does: it asks which period is open.
    pub async fn corrects(&self, row: &str, units: i64) -> Corrected {
        let open_from = self.delivery().open_from(ACME).await.unwrap();
        let correction = Correction { row, units, reason: "a test", open_from };
        corrections::correct(self.pool(), correction, &draft()).await.unwrap()
    }

    /// Usage of a moment ago, and of the open month.
    pub async fn used_now(&self, name: &str, units: i64) -> String {
        let now = Utc::now() - TimeDelta::milliseconds(1);
        self.used(name, units, now.max(midnight())).await
    }

    /// Everything is delivered, and the open month bills it.
    async fn bills(&self, units: &str) {
        self.delivers().await;
        assert_eq!(self.billed(this_month()).await, units);
        self.agrees(this_month()).await;
    }
}

/// Usage of the last month that is on its invoice.
async fn invoiced(stage: &Stage, name: &str, units: u64) -> String {
    let moment = midnight() - TimeDelta::seconds(9);
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let id = fixed(stage, name, units.cast_signed(), moment).await;
    stage.lago.send(&[sent(&id, units, moment)]).await.unwrap();
    usage::delivered(stage.pool(), from_ref(&id)).await.unwrap();
    stage.closes(last_month()).await;
    assert_eq!(stage.billed(last_month()).await, units.to_string());
    id
}

#[tokio::test]
async fn a_dead_letter_takes_nothing_from_other_usage() {
    let stage = Stage::new().await;
    stage.used_now("other", 160).await;
    let refused = stage.used_now("refused", 100).await;
    usage::dead(stage.pool(), &refused, "422: no").await.unwrap();
    assert_eq!(stage.corrects(&refused, -100).await, Corrected::DeadLetter);
    stage.delivers().await;
    assert_eq!(stage.billed(this_month()).await, "160");
    assert!(stage.report(this_month()).await.has_drifted(), "somebody must decide");

    // Never to be billed: the ledger says so in the end, and the books agree.
    dead_letters::write_off(stage.pool(), &refused, "used by nobody", &draft()).await.unwrap().expect("a dead letter");
    stage.bills("160").await;
    assert_eq!(ledger_sums(&stage).await, stage.event_sums().await);
    assert_eq!(dead_letters::retry(stage.pool(), Which::All, &draft()).await.unwrap(), [""; 0]);

    // Or sent again and then corrected.
    let retried = stage.used_now("retried", 100).await;
    usage::dead(stage.pool(), &retried, "422: no").await.unwrap();
    dead_letters::retry(stage.pool(), Which::Named(from_ref(&retried)), &draft()).await.unwrap();
    assert!(matches!(stage.corrects(&retried, -100).await, Corrected::Booked(_)));
    stage.bills("160").await;
    assert_eq!(ledger_sums(&stage).await, stage.event_sums().await);
}

#[tokio::test]
async fn what_was_booked_anew_is_corrected_in_the_month_that_bills_it() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let lost = fixed(&stage, "lost", 30, midnight() - TimeDelta::seconds(9)).await;
    stage.closes(last_month()).await;
    stage.bills("30").await;
    let anew = format!("{lost}.2");
    assert_eq!(stage.corrects(&lost, -10).await, Corrected::NotCorrectable { instead: Some(anew.clone()) });
    assert_eq!(stage.corrects(&anew, -10).await, Corrected::Booked(format!("{lost}.3")));
    stage.bills("20").await;
    stage.agrees(last_month()).await;
    assert_eq!(stage.outbox.count("SELECT sum(units)::bigint FROM usage_ledger").await, 20);
}

/// Lago bills no month for less than nothing, and forgets what is beyond.
#[tokio::test]
async fn what_was_invoiced_is_given_back_as_far_as_the_open_month_reaches() {
    let stage = months::stage().await;
    let row = invoiced(&stage, "october", 100).await;
    stage.used_now("november", 60).await;
    assert_eq!(stage.corrects(&row, -100).await, Corrected::BelowOpenPeriod(60));
    stage.bills("60").await;
    assert!(matches!(stage.corrects(&row, -60).await, Corrected::Booked(_)));
    stage.bills("0").await;
    assert_eq!(stage.corrects(&row, -1).await, Corrected::BelowOpenPeriod(0));
    stage.used_now("later", 5).await;
    stage.bills("5").await;
    stage.agrees(last_month()).await;
}

/// A dearer plan ends the period at once: what was used before it in the same month is on an invoice, too.
#[tokio::test]
async fn a_period_that_a_change_of_plan_has_ended_is_not_open() {
    let stage = Stage::new().await;
    let before = stage.used_now("before", 100).await;
    stage.delivers().await;
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    stage.used_now("after", 7).await;
    assert_eq!(stage.corrects(&before, -8).await, Corrected::BelowOpenPeriod(7));
    assert!(matches!(stage.corrects(&before, -7).await, Corrected::Booked(_)));
    stage.delivers().await;
    let open = stage.lago.current_usage(&acme()).await.unwrap();
    let line = open.lines.iter().find(|line| line.metric == "compute_units").unwrap();
    assert!(line.units.is_zero(), "{line:?}");
}

#[tokio::test]
async fn a_tenant_that_nobody_was_told_of_has_nothing_on_an_invoice() {
    let stage = Stage::new().await;
    let open_from = async || stage.delivery().open_from(ACME).await.unwrap();
    assert_eq!(open_from().await, Some(DateTime::UNIX_EPOCH));
    stage.used_now("first", 1).await;
    stage.delivers().await;
    assert!(open_from().await > Some(DateTime::UNIX_EPOCH));
    stage.outbox.execute("UPDATE tenants SET closed_at = now(), billing_ended_at = now() WHERE id = 'acme'").await;
    assert_eq!(open_from().await, None);
}
