//! What a job costs its client beside its computation, on an idle stack: from its acceptance to the beginning of its
//! computation, which is ours, and to COMPLETED, most of which the settings make it wait for its batch and its blocks.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::process::ExitCode;

use chrono::{DateTime, TimeDelta, Utc};

use harness::{Stack, Zama, factor};

#[path = "../tests/harness/mod.rs"]
mod harness;

const JOBS: usize = 21;
/// Within which the median begins.
const LIMIT: TimeDelta = TimeDelta::seconds(1);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stack = Stack::own();
    let zama = stack.tenant();
    let (mut begun, mut completed) = (Vec::new(), Vec::new());
    for number in (104_729..).take(JOBS) {
        let (begins, completes) = runtime.block_on(run(&zama, number));
        begun.push(begins);
        completed.push(completes);
    }
    let begins = median(begun);
    println!(
        "from a job's acceptance, medians of {JOBS}: {} ms to PROCESSING (must be {} ms or less), {} ms to COMPLETED",
        begins.num_milliseconds(),
        LIMIT.num_milliseconds(),
        median(completed).num_milliseconds(),
    );
    if begins > LIMIT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// One job from its acceptance to PROCESSING, and to COMPLETED.
async fn run(zama: &Zama<'_>, number: u64) -> (TimeDelta, TimeDelta) {
    let job = zama.submit(&factor(number)).await.completes().await;
    let since = |then: Option<DateTime<Utc>>| then.unwrap() - job.created_at;
    (since(job.started_at), since(job.completed_at))
}

fn median(mut times: Vec<TimeDelta>) -> TimeDelta {
    times.sort_unstable();
    times[times.len() / 2]
}
