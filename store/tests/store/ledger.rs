//! The ledger keeps what it says: rows are added, and only their delivery moves on.

use chrono::{DateTime, Utc};
use futures::future::join_all;
use jobs::JobId;
use store::StoreError;
use store::usage::corrections::{self, Anew, Corrected, Correction};
use store::usage::dead_letters::{self, Which};
use store::usage::{self, UsageRow};

use crate::outbox::{Outbox, draft};

/// As a process of ours is connected.
async fn application() -> Outbox {
    Outbox::new().await.as_application().await
}

/// A row of five compute units of acme.
async fn five_units(outbox: &Outbox) -> (JobId, String) {
    let job = outbox.confirming().await;
    (job, format!("{job}:compute_units:0"))
}

async fn due(outbox: &Outbox, job: JobId) -> Vec<UsageRow> {
    usage::due_for_job(&outbox.pool, job).await.unwrap()
}

fn ids(rows: &[UsageRow]) -> Vec<&str> {
    rows.iter().map(|row| row.id.as_str()).collect()
}

#[tokio::test]
async fn what_a_row_says_can_neither_be_changed_nor_deleted() {
    let outbox = Outbox::new().await;
    let (_, row) = five_units(&outbox).await;
    usage::freeze(&outbox.pool, std::slice::from_ref(&row), chrono::Utc::now()).await.unwrap();
    usage::delivered(&outbox.pool, std::slice::from_ref(&row)).await.unwrap();
    let before = outbox.count("SELECT sum(units)::bigint FROM usage_ledger").await;
    for statement in [
        "UPDATE usage_ledger SET units = units + 1",
        "UPDATE usage_ledger SET units = 0 WHERE metric = 'compute_units'",
        "UPDATE usage_ledger SET occurred_at = occurred_at - interval '1 day'",
        "UPDATE usage_ledger SET metric = 'api_calls'",
        "UPDATE usage_ledger SET tenant = 'other'",
        "UPDATE usage_ledger SET job_id = NULL",
        "UPDATE usage_ledger SET id = id || 'x'",
        "UPDATE usage_ledger SET segment = '1'",
        "UPDATE usage_ledger SET reason = 'none', corrects = id",
        "UPDATE usage_ledger SET billed_at = now() WHERE metric = 'compute_units'",
        "UPDATE usage_ledger SET billed_at = NULL WHERE metric = 'compute_units'",
        "UPDATE usage_ledger SET delivered_at = NULL WHERE metric = 'compute_units'",
        "UPDATE usage_ledger SET dead_reason = 'test mode'",
        "DELETE FROM usage_ledger WHERE metric = 'compute_units'",
        "TRUNCATE usage_ledger",
    ] {
        let refused = sqlx::query(statement).execute(&outbox.pool).await.expect_err(statement).to_string();
        assert!(refused.contains("append-only"), "{statement}: {refused}");
    }
    assert_eq!(outbox.count("SELECT sum(units)::bigint FROM usage_ledger").await, before);
    let less =
        "INSERT INTO usage_ledger (id, tenant, metric, segment, units) VALUES ('x', 'acme', 'api_calls', 'x', -1)";
    sqlx::query(less).execute(&outbox.pool).await.expect_err("less than nothing, and no correction");
}

/// Corrects a row while nothing is on an invoice yet.
async fn corrected(outbox: &Outbox, row: &str, units: i64) -> Corrected {
    corrected_since(outbox, row, units, Some(DateTime::UNIX_EPOCH)).await
}

async fn corrected_since(outbox: &Outbox, row: &str, units: i64, open_from: Option<DateTime<Utc>>) -> Corrected {
    let correction = Correction { row, units, reason: "a test", open_from };
    corrections::correct(&outbox.pool, correction, &draft()).await.unwrap()
}

fn booked(id: String) -> Corrected {
    Corrected::Booked(id)
}

/// What all of a job's rows say together.
async fn compute_units(outbox: &Outbox, job: JobId) -> i64 {
    let rows = outbox.usage(job).await;
    rows.iter().filter(|(metric, _)| metric == "compute_units").map(|(_, units)| units).sum()
}

#[tokio::test]
async fn a_correction_is_a_row_of_its_own_with_its_reason() {
    let outbox = application().await;
    let (job, row) = five_units(&outbox).await;
    let correct = async |units, reason: &str| {
        let correction = Correction { row: &row, units, reason, open_from: Some(DateTime::UNIX_EPOCH) };
        corrections::correct(&outbox.pool, correction, &draft()).await.unwrap()
    };
    assert_eq!(correct(-2, "counted twice").await, booked(format!("{row}.1")));
    assert_eq!(correct(4, "and once too little").await, booked(format!("{row}.2")));
    assert_eq!(correct(-8, "more than there is").await, Corrected::BelowNothing);
    assert_eq!(compute_units(&outbox, job).await, 7);
    let rows = due(&outbox, job).await;
    let corrections: Vec<_> = rows.iter().filter(|due| due.reason.is_some()).collect();
    assert_eq!(corrections.len(), 2);
    assert_eq!((corrections[0].units, corrections[0].reason.as_deref()), (-2, Some("counted twice")));

    let of_a_correction = corrected(&outbox, &format!("{row}.1"), 1).await;
    assert_eq!(of_a_correction, Corrected::NotCorrectable { instead: Some(row) });
    assert_eq!(corrected(&outbox, "nobody", 1).await, Corrected::NoSuchRow);
}

#[tokio::test]
async fn corrections_at_once_take_back_no_more_than_there_is() {
    let outbox = application().await;
    let (_, row) = five_units(&outbox).await;
    let done: Vec<Corrected> = join_all((0..8).map(|_| corrected(&outbox, &row, -1))).await;
    assert_eq!(done.iter().filter(|one| matches!(one, Corrected::Booked(_))).count(), 5, "{done:?}");
    assert_eq!(done.iter().filter(|one| **one == Corrected::BelowNothing).count(), 3, "{done:?}");
}

#[tokio::test]
async fn a_row_that_is_booked_anew_counts_once() {
    let outbox = application().await;
    let (job, row) = five_units(&outbox).await;
    let anew =
        async |which| corrections::book_anew(&outbox.pool, &row, which, "its period is over", None).await.unwrap();
    assert!(!anew(Anew::Delivered).await, "it was not delivered");
    assert!(anew(Anew::Waiting).await);
    assert!(!anew(Anew::Waiting).await, "once");
    assert_eq!(compute_units(&outbox, job).await, 5);
    let rows = due(&outbox, job).await;
    assert_eq!(ids(&rows), [format!("{row}.2"), format!("{job}:jobs_submitted:0")]);
    assert_eq!(rows[0].units, 5);
    assert!(dead_letters::list(&outbox.pool, Which::All, 10).await.unwrap().is_empty(), "nobody has to look at it");
    assert_eq!(dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap(), [""; 0]);
    let voided = corrected(&outbox, &row, 1).await;
    assert_eq!(voided, Corrected::NotCorrectable { instead: Some(format!("{row}.2")) });
    // What was delivered and is billed by nothing, too.
    let submitted = format!("{job}:jobs_submitted:0");
    usage::delivered(&outbox.pool, std::slice::from_ref(&submitted)).await.unwrap();
    assert!(corrections::book_anew(&outbox.pool, &submitted, Anew::Delivered, "in no invoice", None).await.unwrap());
    assert_eq!(ids(&due(&outbox, job).await), [format!("{row}.2"), format!("{submitted}.2")]);
}

/// Everything in one transaction, as far as its commit.
async fn commits(outbox: &Outbox, statements: &[&'static str]) -> Result<(), StoreError> {
    let mut tx = store::begin(&outbox.pool).await?;
    for statement in statements {
        sqlx::query(*statement).execute(&mut *tx).await?;
    }
    Ok(tx.commit().await?)
}

/// Whoever may write where the delivery of a row stands takes none out of billing with it.
#[tokio::test]
async fn a_row_is_taken_back_by_a_row_or_not_at_all() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let (job, row) = five_units(&outbox).await;
    let void = "UPDATE usage_ledger SET voided = true WHERE metric = 'compute_units' AND corrects IS NULL";
    let back = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, reason, corrects, voided)
                SELECT id || '.1', tenant, job_id, metric, segment || '.1', -units, 'r', id, true
                  FROM usage_ledger WHERE metric = 'compute_units'";
    let part = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, reason, corrects, voided)
                SELECT id || '.1', tenant, job_id, metric, segment || '.1', -4, 'r', id, true
                  FROM usage_ledger WHERE metric = 'compute_units'";
    let open = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, reason, corrects)
                SELECT id || '.1', tenant, job_id, metric, segment || '.1', -units, 'r', id
                  FROM usage_ledger WHERE metric = 'compute_units'";
    let foreign = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, reason, corrects, voided)
                   SELECT id || '.1', 'other', job_id, metric, segment || '.1', -units, 'r', id, true
                     FROM usage_ledger WHERE metric = 'compute_units'";
    let another = "INSERT INTO usage_ledger (id, tenant, job_id, metric, segment, units, reason, corrects, voided)
                   SELECT id || '.1', tenant, job_id, 'api_calls', segment || '.1', -units, 'r', id, true
                     FROM usage_ledger WHERE metric = 'compute_units'";
    for statements in [&[void][..], &[back], &[void, part], &[void, open], &[void, foreign], &[void, another]] {
        for outbox in [&outbox, &owner] {
            let refused = commits(outbox, statements).await.expect_err("it does not cancel out");
            assert!(format!("{refused:?}").contains("does not cancel out"), "{statements:?}: {refused:?}");
        }
    }
    assert_eq!(due(&outbox, job).await.len(), 2, "everything is due as it was");
    commits(&outbox, &[back, void]).await.expect("in whichever order");
    assert_eq!(compute_units(&outbox, job).await, 0);
    assert_eq!(corrected(&outbox, &row, 1).await, Corrected::NotCorrectable { instead: None });
}

#[tokio::test]
async fn a_dead_letter_is_seen_and_tried_again_under_another_time() {
    let outbox = application().await;
    let (job, row) = five_units(&outbox).await;
    let long_ago = chrono::Utc::now() - chrono::Duration::days(40);
    usage::freeze(&outbox.pool, std::slice::from_ref(&row), long_ago).await.unwrap();
    usage::dead(&outbox.pool, &row, "422: no").await.unwrap();
    // A sandbox's rows are free, and no dead letters.
    outbox.execute("INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme--test', 'development', 'acme')").await;
    outbox.execute("INSERT INTO usage_ledger (id, tenant, metric, segment, units) VALUES ('t', 'acme--test', 'api_calls', 't', 1)").await;
    let letters = dead_letters::list(&outbox.pool, Which::All, 10).await.unwrap();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert_eq!((letters[0].id.as_str(), letters[0].reason.as_str()), (row.as_str(), "422: no"));
    assert_eq!(dead_letters::count(&outbox.pool).await.unwrap(), 1);
    assert!(dead_letters::list(&outbox.pool, Which::OfTenant("other"), 10).await.unwrap().is_empty());

    let others = ["t".to_owned(), "nobody".to_owned()];
    assert!(dead_letters::retry(&outbox.pool, Which::Named(&others), &draft()).await.unwrap().is_empty());
    let named = std::slice::from_ref(&row);
    assert_eq!(dead_letters::retry(&outbox.pool, Which::Named(named), &draft()).await.unwrap(), named);
    let again = due(&outbox, job).await;
    let again = again.iter().find(|due| due.id == row).expect("it is due");
    assert_eq!((again.billed_at, again.dead_reason.as_deref()), (None, None));
}

#[tokio::test]
async fn what_was_booked_anew_is_corrected_by_the_row_that_counts() {
    let outbox = Outbox::new().await;
    let (job, row) = five_units(&outbox).await;
    let numbered = |number: u8| format!("{row}.{number}");
    let anew =
        async |row: &str| corrections::book_anew(&outbox.pool, row, Anew::Waiting, "its period is over", None).await;
    assert_eq!(corrected(&outbox, &row, -2).await, booked(numbered(1)));
    assert!(anew(&row).await.unwrap());
    // The correction from before is still none, although what it corrects is voided ...
    let earlier = corrected(&outbox, &numbered(1), -1).await;
    assert_eq!(earlier, Corrected::NotCorrectable { instead: Some(numbered(3)) });
    // ... and counts: of five, two are taken back already.
    assert_eq!(corrected(&outbox, &numbered(3), -4).await, Corrected::BelowNothing);
    assert_eq!(corrected(&outbox, &numbered(3), -1).await, booked(numbered(4)));
    assert_eq!(compute_units(&outbox, job).await, 2);

    // A correction may be booked anew as well, and so may what stands for the row.
    assert!(anew(&numbered(1)).await.unwrap());
    let of_a_correction = corrected(&outbox, &numbered(6), -1).await;
    assert_eq!(of_a_correction, Corrected::NotCorrectable { instead: Some(numbered(3)) });
    assert!(anew(&numbered(3)).await.unwrap());
    assert_eq!(corrected(&outbox, &numbered(8), -2).await, booked(numbered(9)));
    assert_eq!(corrected(&outbox, &numbered(8), -1).await, Corrected::BelowNothing);
    assert_eq!(compute_units(&outbox, job).await, 0);
    let counting = "SELECT sum(units)::bigint FROM usage_ledger WHERE metric = 'compute_units' AND NOT voided";
    assert_eq!(outbox.count(counting).await, 0, "what is billed is what is said");
}

#[tokio::test]
async fn a_dead_letter_is_not_corrected_before_somebody_decides() {
    let outbox = Outbox::new().await;
    let (job, row) = five_units(&outbox).await;
    usage::dead(&outbox.pool, &row, "422: no").await.unwrap();
    for units in [-5, 5] {
        assert_eq!(corrected(&outbox, &row, units).await, Corrected::DeadLetter);
    }
    assert_eq!(compute_units(&outbox, job).await, 5);
    dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap();
    assert_eq!(corrected(&outbox, &row, -5).await, booked(format!("{row}.1")));
}

#[tokio::test]
async fn a_dead_letter_that_is_written_off_is_settled() {
    let outbox = Outbox::new().await;
    let (job, row) = five_units(&outbox).await;
    let off =
        async |row: &str| dead_letters::write_off(&outbox.pool, row, "the tenant has gone", &draft()).await.unwrap();
    assert_eq!(off(&row).await, None, "it is no dead letter");
    assert_eq!(off("nobody").await, None);
    usage::dead(&outbox.pool, &row, "422: no").await.unwrap();
    assert_eq!(off(&row).await, Some(vec![row.clone()]));
    assert_eq!(off(&row).await, None, "once");
    assert_eq!(compute_units(&outbox, job).await, 0);
    assert_eq!(ids(&due(&outbox, job).await), [format!("{job}:jobs_submitted:0")], "nothing of it is sent");
    assert!(dead_letters::list(&outbox.pool, Which::All, 10).await.unwrap().is_empty());
    assert_eq!(dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap(), [""; 0]);
    assert_eq!(corrected(&outbox, &row, 1).await, Corrected::NotCorrectable { instead: None });
    // Why it was refused stays, and why it was written off stands beside it.
    let told = "SELECT count(*) FROM usage_ledger a JOIN usage_ledger b ON b.corrects = a.id
                 WHERE a.dead_reason = '422: no' AND b.reason = 'the tenant has gone' AND b.units = -5 AND b.voided";
    assert_eq!(outbox.count(told).await, 1);
}

#[tokio::test]
async fn what_takes_from_a_row_that_is_written_off_goes_with_it() {
    let outbox = Outbox::new().await;
    let (job, row) = five_units(&outbox).await;
    let numbered = |number: u8| format!("{row}.{number}");
    for units in [-2, -1] {
        assert!(matches!(corrected(&outbox, &row, units).await, Corrected::Booked(_)));
    }
    // One was refused with the row, the other one was delivered.
    for refused in [&row, &numbered(1)] {
        usage::dead(&outbox.pool, refused, "422: no").await.unwrap();
    }
    usage::delivered(&outbox.pool, &[numbered(2)]).await.unwrap();
    let off = dead_letters::write_off(&outbox.pool, &row, "the tenant has gone", &draft()).await.unwrap();
    assert_eq!(off, Some(vec![row.clone(), numbered(1)]));
    let due = due(&outbox, job).await;
    assert_eq!(ids(&due), [numbered(5), format!("{job}:jobs_submitted:0")]);
    assert_eq!(due[0].units, 1, "what was given back of nothing");
    assert_eq!(compute_units(&outbox, job).await, 0);
    assert!(dead_letters::list(&outbox.pool, Which::All, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_more_is_taken_back_than_the_open_period_has() {
    let outbox = Outbox::new().await;
    let (_, october) = five_units(&outbox).await;
    let open_from = Utc::now();
    usage::freeze(&outbox.pool, std::slice::from_ref(&october), DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(&outbox.pool, std::slice::from_ref(&october)).await.unwrap();
    let correct = async |row: &str, units| corrected_since(&outbox, row, units, Some(open_from)).await;
    assert_eq!(correct(&october, -1).await, Corrected::BelowOpenPeriod(0));
    assert_eq!(correct(&october, 1).await, booked(format!("{october}.1")), "more is always billed");

    // What is mistyped would make every sum too large to be read.
    for mistyped in [i64::MIN, 1 - i64::MAX, corrections::MOST - 5, i64::MAX] {
        assert_eq!(correct(&october, mistyped).await, Corrected::BeyondCounting, "{mistyped}");
    }

    let (_, november) = five_units(&outbox).await;
    assert_eq!(correct(&october, -7).await, Corrected::BelowNothing);
    // Six are of the open period; five of them are billed by nothing as long as they are refused.
    usage::dead(&outbox.pool, &november, "422: no").await.unwrap();
    assert_eq!(correct(&october, -2).await, Corrected::BelowOpenPeriod(1));
    // Where no period is open the one is still told apart from the other.
    assert_eq!(corrected_since(&outbox, &november, -1, None).await, Corrected::DeadLetter);
    assert_eq!(corrected_since(&outbox, &october, -1, None).await, Corrected::NoOpenPeriod);
    dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap();
    assert_eq!(correct(&october, -6).await, booked(format!("{october}.2")));
    // What was given back of October is missing for November's own.
    assert_eq!(correct(&november, -1).await, Corrected::BelowOpenPeriod(0));
    assert_eq!(corrected(&outbox, &november, -1).await, booked(format!("{november}.1")), "in a longer period");
}

#[tokio::test]
async fn corrections_of_several_rows_at_once_take_no_more_than_the_open_period_has() {
    let outbox = Outbox::new().await;
    let mut rows = Vec::new();
    for _ in 0..8 {
        rows.push(five_units(&outbox).await.1);
    }
    usage::freeze(&outbox.pool, &rows, DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(&outbox.pool, &rows).await.unwrap();
    let open_from = Utc::now();
    five_units(&outbox).await;
    let done = join_all(rows.iter().map(|row| corrected_since(&outbox, row, -2, Some(open_from)))).await;
    assert_eq!(done.iter().filter(|one| matches!(one, Corrected::Booked(_))).count(), 2, "{done:?}");
    assert_eq!(done.iter().filter(|one| **one == Corrected::BelowOpenPeriod(1)).count(), 6, "{done:?}");
}

#[tokio::test]
async fn what_is_used_in_a_sandbox_is_in_no_period() {
    let outbox = Outbox::new().await;
    outbox.tenant("acme").await;
    outbox.execute("INSERT INTO tenants (id, plan, sandbox_of) VALUES ('acme--test', 'development', 'acme')").await;
    outbox.execute("INSERT INTO usage_ledger (id, tenant, metric, segment, units) VALUES ('t:api_calls:x', 'acme--test', 'api_calls', 'x', 2)").await;
    let taken_back = corrected_since(&outbox, "t:api_calls:x", -2, Some(Utc::now())).await;
    assert_eq!(taken_back, booked("t:api_calls:x.1".to_owned()));
}
