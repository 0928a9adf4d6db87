//! The database goes away while a result is being computed.

use sqlx::{Connection, PgConnection};

use super::story::{KeyHolder, bytes, disturbed, power, powers};
use crate::harness::{WORKER, until};

/// Some six seconds on two cores: the database is away before the result is there, on faster ones, too.
const PRODUCTS: usize = 20;
/// What a worker says that has something to store and nowhere to.
const WAITS: &str = "waits for what is away";

#[tokio::test]
async fn a_result_waits_for_the_database_and_is_computed_once() {
    let (stack, _turn) = disturbed().await;
    let holder = KeyHolder::regular(stack).await;
    let inputs = holder.encrypts(bytes(&[3])).await;
    let waited = stack.says(WORKER, WAITS);
    let job = holder.submits("program", powers(PRODUCTS), &inputs).await;
    stack.has_a_checkpoint(job).await;

    let mut connection = PgConnection::connect(&stack.place.env("ZAMA_DATABASE_URL")).await.unwrap();
    // The server takes no more connections, and loses those that it has.
    let outage = stack.stops("postgres");
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                   WHERE usename = current_user AND pid <> pg_backend_pid()";
    sqlx::query(others).execute(&mut connection).await.unwrap();
    until("the worker waits with its result", async || (stack.says(WORKER, WAITS) > waited).then_some(())).await;
    outage.over();

    job.completes().await;
    assert_eq!(holder.opens(job).await, power(3, PRODUCTS));
    let attempts = stack.attempts(job).await;
    assert_eq!(attempts.len(), 1, "{attempts:?}");
}
