//! How soon a cancelled job's computation is over, on an idle stack: from the request to CANCELLED, as the client sees it,
//! and from the worker's hearing of it to the end of the thread, as its log tells. The computation works and pauses
//! nowhere, so that it is the algorithm that has to look whether to stop.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use jobs::JobStatus;

use harness::{BUSY, Stack, Zama, long_factor, until};

#[path = "../tests/harness/mod.rs"]
mod harness;

const JOBS: usize = 21;
/// What DESIGN.md promises (section 4): from the request to CANCELLED ...
const CANCELLED_WITHIN: Duration = Duration::from_secs(3);
/// ... and from the worker's hearing of it to the end of the thread.
const ENDED_WITHIN: Duration = Duration::from_millis(200);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stack = Stack::with(BUSY);
    let zama = stack.tenant();
    let (mut cancelled, mut ended) = (Vec::new(), Vec::new());
    for _ in 0..JOBS {
        let (wish, thread) = runtime.block_on(cancel(&zama));
        cancelled.push(wish);
        ended.push(thread);
    }
    let kept = [
        keeps("from the wish to CANCELLED", cancelled, CANCELLED_WITHIN),
        keeps("from the worker's hearing of it to the thread's end", ended, ENDED_WITHIN),
    ];
    if kept == [true; 2] { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Prints the times, and whether the longest keeps the limit.
fn keeps(what: &str, mut times: Vec<Duration>, limit: Duration) -> bool {
    times.sort_unstable();
    let (median, longest) = (times[JOBS / 2], times[JOBS - 1]);
    println!(
        "{what}: median {:.1} ms, longest {:.1} ms of {JOBS} (must be {} ms or less)",
        median.as_secs_f64() * 1e3,
        longest.as_secs_f64() * 1e3,
        limit.as_millis(),
    );
    longest <= limit
}

async fn cancel(zama: &Zama<'_>) -> (Duration, Duration) {
    let job = zama.submit(&long_factor()).await;
    job.computes().await;
    let asked = Instant::now();
    assert_eq!(job.cancel().await.status, 200);
    while job.now().await.status != JobStatus::Cancelled {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let wish = asked.elapsed();
    let id = job.id.to_string();
    let ended = until("its thread has ended", async || {
        zama.stack.figure_of("worker", "the computation was stopped", &id, "duration_ms")
    });
    (wish, Duration::from_secs_f64(ended.await / 1e3))
}
