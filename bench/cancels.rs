//! How long a running computation goes on after its client cancelled it: from the request to CANCELLED, as the client
//! sees it, on an idle stack.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use jobs::JobStatus;

use harness::{Stack, Zama, factor};

#[path = "../tests/harness/mod.rs"]
mod harness;

const JOBS: usize = 21;
/// What DESIGN.md promises (section 4).
const LIMIT: Duration = Duration::from_secs(3);
const BETWEEN_LOOKS: Duration = Duration::from_millis(10);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let stack = Stack::endless();
    let zama = stack.tenant();
    let mut times: Vec<Duration> = (0..JOBS).map(|_| runtime.block_on(cancel(&zama))).collect();
    times.sort_unstable();
    let (median, longest) = (times[JOBS / 2], times[JOBS - 1]);
    println!(
        "from the wish to CANCELLED: median {} ms, longest {} ms of {JOBS} (must be {} ms or less)",
        median.as_millis(),
        longest.as_millis(),
        LIMIT.as_millis(),
    );
    if longest > LIMIT { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

async fn cancel(zama: &Zama<'_>) -> Duration {
    let job = zama.submit(&factor(91)).await;
    job.tells("paused").await;
    let asked = Instant::now();
    assert_eq!(job.cancel().await.status, 200);
    while job.now().await.status != JobStatus::Cancelled {
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    asked.elapsed()
}
