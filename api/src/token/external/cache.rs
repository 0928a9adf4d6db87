//! An issuer's keys, as they were read last. They are read again every few minutes and when a token names a key that is
//! not known, which anybody can write: then at most once in a while. An issuer that is away costs nobody anything whose
//! key is known.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::keys::Key;
use super::source::Source;

/// When keys are read.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// Between two reads. What an issuer withdraws counts no longer than that.
    pub refresh: Duration,
    /// Between two reads because of a key that is not known, or after one that failed.
    pub pause: Duration,
    /// For how long keys are believed that cannot be read again.
    pub stale: Duration,
}

impl Times {
    /// As servers have it, but for how long an outage may last.
    #[must_use]
    pub fn with_stale(stale: Duration) -> Self {
        Self { refresh: Duration::from_secs(300), pause: Duration::from_secs(10), stale }
    }
}

pub(super) struct KeyCache {
    source: Source,
    times: Times,
    known: RwLock<Arc<Known>>,
    /// Held by whoever reads.
    reading: Mutex<LastRead>,
}

#[derive(Default)]
struct LastRead {
    ended_at: Option<Instant>,
    failed: bool,
}

#[derive(Default)]
struct Known {
    keys: HashMap<String, Key>,
    read_at: Option<Instant>,
}

/// The keys cannot be read, and none are known, or not any more.
#[derive(Debug)]
pub(super) struct Away;

impl KeyCache {
    pub(super) fn new(source: Source, times: Times) -> Self {
        Self { source, times, known: RwLock::default(), reading: Mutex::default() }
    }

    /// The key of this id, if the issuer has one.
    pub(super) async fn get(self: &Arc<Self>, id: &str) -> Result<Option<Key>, Away> {
        if let Some(key) = self.believed().and_then(|known| known.keys.get(id).cloned()) {
            return Ok(Some(key));
        }
        // In a task of its own: who asks may give up, and the next one's pause would pass for nothing.
        let (cache, wanted) = (self.clone(), id.to_owned());
        let read = tokio::spawn(async move { cache.look_for(&wanted).await });
        if let Err(error) = read.await {
            tracing::error!(%error, "an issuer's keys could not be read");
        }
        let known = self.believed().ok_or(Away)?;
        Ok(known.keys.get(id).cloned())
    }

    /// Reads the keys again and again, until `stop`.
    pub(super) async fn watch(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let read = self.read(&mut *self.reading.lock().await).await;
            let pause = if read { self.times.refresh } else { self.times.pause };
            if stop.run_until_cancelled(tokio::time::sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn look_for(&self, id: &str) {
        let mut last = self.reading.lock().await;
        // Somebody else may have read meanwhile.
        let is_known = self.believed().is_some_and(|known| known.keys.contains_key(id));
        if !is_known && last.ended_at.is_none_or(|at| at.elapsed() >= self.times.pause) {
            self.read(&mut last).await;
        }
    }

    /// Whether it succeeded. What was known stays where it did not.
    async fn read(&self, last: &mut LastRead) -> bool {
        let read_at = Instant::now();
        let read = self.source.fetch().await;
        let failed_before =
            std::mem::replace(last, LastRead { ended_at: Some(Instant::now()), failed: read.is_err() }).failed;
        match read {
            Ok(keys) => {
                let known = Known { keys, read_at: Some(read_at) };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
                true
            }
            Err(error) => {
                let (issuer, error) = (self.source.issuer(), format!("{error:#}"));
                // Told when it begins; it may last.
                if failed_before {
                    tracing::debug!(oidc.issuer = issuer, error, "the keys of {issuer} cannot be read yet");
                } else {
                    tracing::warn!(oidc.issuer = issuer, error, "the keys of {issuer} cannot be read");
                }
                false
            }
        }
    }

    /// What was read, unless it is too old.
    fn believed(&self) -> Option<Arc<Known>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        let is_believed = known.read_at.is_some_and(|at| at.elapsed() < self.times.stale);
        is_believed.then_some(known)
    }
}
