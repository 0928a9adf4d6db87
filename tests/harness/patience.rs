//! Waits: always for a condition, never for a time that should be enough.

use std::time::{Duration, Instant};

/// Far longer than anything takes on a busy machine: a test that meets it has failed. Runs at length say more.
const PATIENCE: Duration = Duration::from_secs(180);

fn patience() -> Duration {
    let asked = std::env::var("ZAMA_TEST_PATIENCE_SECONDS").ok().and_then(|seconds| seconds.parse().ok());
    asked.map_or(PATIENCE, Duration::from_secs)
}

/// Pause of whoever has waited for so long: short at first, and then a tenth more, so that many who wait for long leave
/// the machine to what they wait for.
fn pause(waited: Duration) -> Duration {
    (waited / 10).clamp(Duration::from_millis(50), Duration::from_millis(500))
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < patience(), "not within {} s: {what}", patience().as_secs());
        std::thread::sleep(pause(began.elapsed()));
    }
}

/// Looks until there is something to see.
pub async fn until<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(patience(), what, look).await
}

/// As [`until`], for what must happen within a minute after whatever was away is back; runs at length say more here, too.
pub async fn within_a_minute<T>(what: &str, look: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(60).max(patience() / 3), what, look).await
}

async fn within<T>(longest: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(seen) = look().await {
            return seen;
        }
        assert!(began.elapsed() < longest, "not within {} s: {what}", longest.as_secs());
        tokio::time::sleep(pause(began.elapsed())).await;
    }
}
