//! What agreement proves: nothing waits for too long, nothing was refused, and nobody is unknown to the billing system.

use chrono::{TimeDelta, Utc};
use store::usage;
use store::usage::dead_letters::{self, Which};

use crate::outbox::draft;
use crate::stage::{Stage, acme, this_month};

/// Ids of rows that a report names, by what it says of them.
async fn named(stage: &Stage) -> (Vec<String>, Vec<String>) {
    let report = stage.report(this_month()).await;
    let (mut overdue, mut dead_letters) = (Vec::new(), Vec::new());
    for line in report.lines {
        overdue.extend(line.overdue);
        dead_letters.extend(line.dead_letters);
    }
    (overdue, dead_letters)
}

/// Acme has been there for some time, and Lago knows it.
async fn stage() -> Stage {
    let stage = Stage::since(Utc::now() - TimeDelta::hours(3)).await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    stage
}

#[tokio::test]
async fn a_row_is_on_its_way_until_it_has_waited_for_too_long() {
    let stage = stage().await;
    let (now, hour) = (Utc::now(), TimeDelta::hours(1));
    stage.used("young", 3, now - hour + TimeDelta::minutes(5)).await;
    stage.agrees(this_month()).await;
    assert_eq!(stage.report(this_month()).await.waiting, 1);
    let old = stage.used("old", 5, now - hour - TimeDelta::seconds(5)).await;
    assert_eq!(named(&stage).await, (vec![old.clone()], vec![]));

    // Whether or not it is fixed when it is billed: nobody has told Lago of it.
    usage::freeze(stage.pool(), std::slice::from_ref(&old), now).await.unwrap();
    let report = stage.report(this_month()).await;
    assert!(report.has_drifted() && report.waiting == 2, "{report:#?}");
    assert_eq!(named(&stage).await, (vec![old], vec![]));

    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.delivered, repaired.left), (2, 0));
    assert_eq!(stage.report(this_month()).await.waiting, 0);
    assert_eq!(stage.billed(this_month()).await, "8");
    stage.agrees(this_month()).await;
}

#[tokio::test]
async fn a_dead_letter_is_a_disagreement_until_somebody_has_acted() {
    let stage = stage().await;
    let (used, fixed) =
        (stage.used("used", 3, Utc::now()).await, stage.used("fixed", 5, Utc::now() - TimeDelta::seconds(1)).await);
    usage::freeze(stage.pool(), std::slice::from_ref(&fixed), Utc::now()).await.unwrap();
    for row in [&used, &fixed] {
        usage::dead(stage.pool(), row, "422: no such metric").await.unwrap();
    }
    let (overdue, mut dead) = named(&stage).await;
    dead.sort();
    assert_eq!((overdue, dead), (vec![], vec![fixed, used]));
    let report = stage.report(this_month()).await;
    assert!(report.has_drifted(), "{report:#?}");
    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.delivered, repaired.left), (0, 2), "it is a person's");
    assert!(stage.report(this_month()).await.has_drifted());

    assert_eq!(dead_letters::retry(stage.pool(), Which::All, &draft()).await.unwrap().len(), 2);
    stage.delivers().await;
    stage.agrees(this_month()).await;
    assert_eq!(stage.billed(this_month()).await, "8");
}

/// Its rows are free, and stand in the ledger as refused.
#[tokio::test]
async fn what_is_used_in_a_sandbox_disagrees_with_nothing() {
    let stage = stage().await;
    stage.outbox.execute("INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme--test', 'team', 'acme')").await;
    stage
        .outbox
        .execute(
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
             VALUES ('free', 'acme--test', 'api_calls', '0', 1, now() - interval '2 hours')",
        )
        .await;
    let reports = stage.reconciler().all(this_month(), None).await.unwrap();
    assert_eq!(reports.iter().map(|report| report.tenant.as_str()).collect::<Vec<_>>(), ["acme"]);
    assert!(!reports[0].has_drifted(), "{reports:#?}");
}

#[tokio::test]
async fn a_tenant_that_lago_does_not_know_disagrees_once_its_rows_are_old() {
    let stage = Stage::since(Utc::now() - TimeDelta::hours(3)).await;
    assert!(stage.reconciler().all(this_month(), None).await.unwrap().is_empty(), "it has used nothing");
    stage.used("young", 3, Utc::now() - TimeDelta::minutes(5)).await;
    let report = stage.report(this_month()).await;
    assert!(!report.has_account && report.waiting == 1 && !report.has_drifted(), "{report:#?}");

    let old = stage.used("old", 5, Utc::now() - TimeDelta::hours(2)).await;
    let report = stage.report(this_month()).await;
    assert!(!report.has_account && report.has_drifted(), "{report:#?}");
    assert_eq!(report.lines.iter().flat_map(|line| &line.overdue).collect::<Vec<_>>(), [&old]);

    let repaired = stage.reconciler().repair(&[report]).await;
    assert_eq!((repaired.delivered, repaired.left), (2, 0));
    assert!(stage.lago.subscription(&acme()).await.unwrap().is_some());
    assert!(stage.report(this_month()).await.has_account);
    stage.agrees(this_month()).await;
}

/// It is billed in the next month; the one that is over lacks it.
#[tokio::test]
async fn what_was_used_in_a_month_and_never_sent_is_told_of_that_month_too() {
    let stage = Stage::since(Utc::now() - TimeDelta::days(70)).await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let last_month = this_month().before();
    let old = stage.used("old", 5, Utc::now() - TimeDelta::days(31)).await;
    for month in [this_month(), last_month] {
        let report = stage.report(month).await;
        let overdue: Vec<_> = report.lines.iter().flat_map(|line| &line.overdue).collect();
        assert_eq!((overdue, report.waiting), (vec![&old], 1), "{month}");
    }
    stage.agrees(last_month.before().before()).await;
}
