//! Quotes: used by one admission that succeeds and by none that does not; ceilings of what is computed and billed.

use chrono::{DateTime, TimeDelta, Utc};
use futures::future::join_all;
use jobs::usage::{Excess, Metric, Units};
use jobs::{ErrorCode, JobId, QuoteId, Step, submission};
use serde_json::json;
use store::admission::Admitted;
use store::jobs::Reader;
use store::limits::{AdmissionLimits, Ceilings, Limited};
use store::quotes::{self, NewQuote, Quoted, Unusable};
use store::transition::{self, Ending};
use store::usage::corrections::{self, Anew, Corrected, Correction};
use store::{compute, fhe};

use crate::outbox::{New, Outbox, draft, note_of};

/// Units of a job of [`Outbox`].
const UNITS: Units = Units { compute: 2, fhe: 0 };

impl Outbox {
    /// A quote of a job of [`Outbox`].
    async fn quote(&self, units: Units) -> QuoteId {
        self.quote_until(units, Utc::now() + TimeDelta::minutes(15)).await
    }

    async fn quote_until(&self, units: Units, expires_at: DateTime<Utc>) -> QuoteId {
        let body = json!({"type": "compute", "priority": "normal", "deadline": null,
                          "payload": {"algorithm": "prime_factorization", "input": {"number": 6}}});
        let now = Utc::now();
        let submission = submission::read_to_quote(&body, now, "https://api.example.com").unwrap();
        let (id, tenant) = (QuoteId::generate(), self.tenant("acme").await);
        let new = NewQuote {
            id,
            tenant: &tenant,
            user: &self.user,
            content_hash: submission.content_hash,
            units,
            ceilings: None,
            created_at: now,
            expires_at,
            audit: &note_of(&tenant),
        };
        assert_eq!(quotes::make(&self.pool, &new).await.unwrap(), Quoted::Made);
        id
    }

    /// Which job used it.
    async fn user_of(&self, quote: QuoteId) -> Option<JobId> {
        let tenant = "acme".parse().unwrap();
        let reader = Reader { tenant: &tenant, user: Some(&self.user) };
        quotes::find(&self.pool, reader, quote).await.unwrap().expect("it is there").job_id
    }

    /// A job under a quote of so many units, in spite of its price.
    async fn under(&self, ceiling: Units) -> JobId {
        let quote = self.quote(UNITS).await;
        let (job, admitted) = self.admit(New { quote: Some(quote), ..New::default() }).await;
        assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
        sqlx::query("UPDATE jobs SET unit_ceiling = $2, fhe_unit_ceiling = $3 WHERE id = $1")
            .bind(job.0)
            .bind(i64::try_from(ceiling.compute).unwrap())
            .bind(i64::try_from(ceiling.fhe).unwrap())
            .execute(&self.pool)
            .await
            .unwrap();
        self.begin(job).await;
        job
    }
}

fn refusal(admitted: &Admitted) -> Unusable {
    match admitted {
        Admitted::NotQuoted(unusable) => *unusable,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_admissions_at_once_one_uses_a_quote() {
    let outbox = Outbox::new().await;
    let processes: [Outbox; 3] = std::array::from_fn(|_| outbox.through_own_pool());
    for _ in 0..5 {
        let new = New { quote: Some(outbox.quote(UNITS).await), ..New::default() };
        let answers = join_all((0..12).map(|turn| processes[turn % 3].admit(new))).await;
        let (won, lost): (Vec<_>, Vec<_>) =
            answers.iter().partition(|(_, admitted)| matches!(admitted, Admitted::New { .. }));
        assert_eq!(won.len(), 1, "{answers:?}");
        assert_eq!(outbox.user_of(new.quote.unwrap()).await, Some(won[0].0));
        assert!(lost.iter().all(|(_, admitted)| refusal(admitted) == Unusable::Used), "{answers:?}");
    }
    assert_eq!(outbox.count("SELECT count(*) FROM jobs").await, 5);
}

#[tokio::test]
async fn an_admission_that_is_rolled_back_has_used_nothing() {
    let outbox = Outbox::new().await;
    let quote = outbox.quote(UNITS).await;
    let nothing = AdmissionLimits { units: Some(Ceilings { compute: 1, fhe: 0 }), ..AdmissionLimits::default() };
    let (_, refused) = outbox.admit(New { quote: Some(quote), limits: nothing, ..New::default() }).await;
    assert!(matches!(refused, Admitted::Limited(Limited::Units { wanted: 2, left: 1, .. })), "{refused:?}");
    assert_eq!(outbox.user_of(quote).await, None);

    // The database refuses the very statement that uses the quote.
    outbox.execute("ALTER TABLE job_starts ADD CONSTRAINT no_more CHECK (false) NOT VALID").await;
    let failed = outbox.tries(New { quote: Some(quote), ..New::default() }).await;
    assert!(failed.1.is_err(), "{failed:?}");
    assert_eq!(outbox.user_of(quote).await, None);
    outbox.execute("ALTER TABLE job_starts DROP CONSTRAINT no_more").await;

    let new = New { quote: Some(quote), key: "k", ..New::default() };
    let (job, admitted) = outbox.admit(new).await;
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
    assert_eq!(outbox.user_of(quote).await, Some(job));
    assert!(matches!(outbox.admit(new).await.1, Admitted::Replayed { .. }), "a repeat is not told that it was used");
}

/// An admission waits for the one that holds the quote, and finds it free when that one comes to nothing.
#[tokio::test]
async fn a_quote_that_is_held_is_waited_for() {
    let outbox = Outbox::new().await;
    let quote = outbox.quote(UNITS).await;
    let mut first = store::begin(&outbox.pool).await.unwrap();
    sqlx::query("SELECT FROM job_quotes WHERE id = $1 FOR UPDATE").bind(quote.0).execute(&mut *first).await.unwrap();
    let second = outbox.through_own_pool();
    let admitting = tokio::spawn(async move { second.admit(New { quote: Some(quote), ..New::default() }).await });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%job_quotes%'
                    AND datname = current_database()";
    while outbox.count(waits).await == 0 {
        tokio::task::yield_now().await;
    }
    first.rollback().await.unwrap();
    let (job, admitted) = admitting.await.unwrap();
    assert!(matches!(admitted, Admitted::New { .. }), "{admitted:?}");
    assert_eq!(outbox.user_of(quote).await, Some(job));
}

#[tokio::test]
async fn what_does_not_serve_is_told_apart() {
    let outbox = Outbox::new().await;
    let quote = outbox.quote(UNITS).await;
    let with = |quote| New { quote: Some(quote), ..New::default() };
    assert_eq!(refusal(&outbox.admit(with(QuoteId::generate())).await.1), Unusable::Unknown);
    assert_eq!(refusal(&outbox.admit(New { tenant: "globex", ..with(quote) }).await.1), Unusable::Unknown);
    assert_eq!(refusal(&outbox.admit(New { priority: "high", ..with(quote) }).await.1), Unusable::Mismatched);
    let cheap = outbox.quote(Units::plain(1)).await;
    let excess = Excess { metric: Metric::ComputeUnits, units: 2, allowed: 1 };
    assert_eq!(refusal(&outbox.admit(with(cheap)).await.1), Unusable::TooDear(excess));
    let over = outbox.quote_until(UNITS, Utc::now()).await;
    assert!(matches!(refusal(&outbox.admit(with(over)).await.1), Unusable::Expired(_)));
    assert_eq!(outbox.count("SELECT count(*) FROM jobs").await, 0);
    assert!(matches!(outbox.admit(with(quote)).await.1, Admitted::New { .. }), "nothing of it used the quote");
    let unused = sqlx::query("UPDATE job_quotes SET job_id = NULL WHERE id = $1").bind(quote.0);
    assert!(unused.execute(&outbox.pool).await.is_err(), "used for good");
}

#[tokio::test]
async fn no_more_is_billed_than_the_ceiling_allows_however_a_job_ends() {
    let outbox = Outbox::new().await;
    let units = |compute, fhe| Units { compute, fhe };
    let of = |metric: &str, units| (metric.to_owned(), units);
    // Outbox::finish computes five units.
    let finished = outbox.under(units(3, 0)).await;
    assert_eq!(compute::load(&outbox.pool, finished).await.unwrap().ceiling, Some(units(3, 0)));
    assert_eq!(outbox.finish(finished).await, Step::Confirm);
    assert_eq!(outbox.usage(finished).await, [of("compute_units", 3), of("jobs_submitted", 1)]);

    let stopped = outbox.under(units(1, 2)).await;
    let ending = Ending::Failed { code: ErrorCode::CostCeilingExceeded, detail: "too dear".to_owned() };
    transition::conclude(&outbox.pool, stopped, &ending, units(9, 9)).await.unwrap();
    let billed = [of("compute_units", 1), of("fhe_compute_units", 2), of("jobs_submitted", 1)];
    assert_eq!(outbox.usage(stopped).await, billed);

    let free = outbox.job().await;
    outbox.begin(free).await;
    outbox.finish(free).await;
    assert_eq!(outbox.usage(free).await[0], of("compute_units", 5), "without a quote there is no ceiling");

    sqlx::query("UPDATE jobs SET job_type = 'fhe_compute' WHERE id = $1")
        .bind(stopped.0)
        .execute(&outbox.pool)
        .await
        .unwrap();
    assert_eq!(fhe::load(&outbox.pool, stopped).await.unwrap().ceiling, Some(units(1, 2)));
}

#[tokio::test]
async fn a_correction_does_not_pass_the_ceiling_either() {
    let outbox = Outbox::new().await;
    let job = outbox.under(Units::plain(5)).await;
    outbox.finish(job).await;
    let row = format!("{job}:compute_units:0");
    let correct = async |row: &str, units| {
        let correction = Correction { row, units, reason: "a test", open_from: Some(DateTime::UNIX_EPOCH) };
        corrections::correct(&outbox.pool, correction, &draft()).await.unwrap()
    };
    assert_eq!(correct(&row, 1).await, Corrected::BeyondCeiling(5));
    assert!(matches!(correct(&row, -3).await, Corrected::Booked(_)));
    assert_eq!(correct(&row, 4).await, Corrected::BeyondCeiling(5));
    assert!(matches!(correct(&row, 3).await, Corrected::Booked(_)), "up to the ceiling");
    // Of what is counted by the job it promised one.
    assert_eq!(correct(&format!("{job}:jobs_submitted:0"), 1).await, Corrected::BeyondCeiling(1));
    // A ceiling is the job's, whatever its row is booked anew as.
    assert!(corrections::book_anew(&outbox.pool, &row, Anew::Waiting, "its period is over", None).await.unwrap());
    let anew = format!("{row}.4");
    assert_eq!(correct(&anew, 1).await, Corrected::BeyondCeiling(5));
    assert_eq!(correct(&anew, -2).await, Corrected::Booked(format!("{row}.5")));
    assert_eq!(correct(&anew, 3).await, Corrected::BeyondCeiling(5));
}

#[tokio::test]
async fn what_nobody_used_is_removed_a_day_later() {
    let outbox = Outbox::new().await;
    let used = outbox.quote(UNITS).await;
    outbox.admit(New { quote: Some(used), ..New::default() }).await;
    let (fresh, over) = (outbox.quote(UNITS).await, outbox.quote_until(UNITS, Utc::now()).await);
    assert_eq!(quotes::sweep(&outbox.pool, Utc::now()).await.unwrap(), 0, "one that is over is told as such for a day");
    let later = Utc::now() + TimeDelta::hours(24);
    assert_eq!(quotes::sweep(&outbox.pool, later).await.unwrap(), 1);
    let left: Vec<uuid::Uuid> =
        sqlx::query_scalar("SELECT id FROM job_quotes ORDER BY id").fetch_all(&outbox.pool).await.unwrap();
    assert_eq!(left, [used.0, fresh.0]);
    let refused = outbox.admit(New { quote: Some(over), ..New::default() }).await.1;
    assert_eq!(refusal(&refused), Unusable::Unknown);
}

/// More than one statement removes.
#[tokio::test]
async fn however_many_are_over_they_are_all_removed() {
    let outbox = Outbox::new().await;
    outbox.quote(UNITS).await;
    outbox
        .execute(
            "INSERT INTO job_quotes (id, tenant, user_id, content_hash, units, fhe_units, created_at, expires_at)
             SELECT gen_random_uuid(), tenant, user_id, content_hash, 1, 0, now() - interval '3 days',
                    now() - interval '2 days'
               FROM job_quotes, generate_series(1, 2500)",
        )
        .await;
    assert_eq!(quotes::sweep(&outbox.pool, Utc::now()).await.unwrap(), 2_500);
    assert_eq!(outbox.count("SELECT count(*) FROM job_quotes").await, 1);
}
