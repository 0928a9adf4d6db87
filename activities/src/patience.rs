//! Patience with a database or blob store that is away, and heartbeats meanwhile: an outage costs neither an attempt nor
//! work that is done.

use std::fmt::Display;
use std::pin::pin;
use std::time::Duration;

use blobs::BlobError;
use store::StoreError;
use temporalio_common::data_converters::{PayloadConversionError, TemporalSerializable};
use temporalio_sdk::activities::ActivityContext;
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often a running activity heartbeats; the SDK throttles what reaches the server.
pub(crate) const HEARTBEAT: Duration = Duration::from_millis(250);
/// Pause before what is away is asked again.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether an error says that what was asked is away, and not that the question was wrong.
pub(crate) trait Away {
    fn is_away(&self) -> bool;
}

impl Away for StoreError {
    fn is_away(&self) -> bool {
        self.is_unavailable()
    }
}

impl Away for anyhow::Error {
    fn is_away(&self) -> bool {
        self.downcast_ref::<StoreError>().is_some_and(StoreError::is_unavailable)
            || self.downcast_ref::<BlobError>().is_some_and(BlobError::is_unavailable)
    }
}

/// Asks until there is an answer, or until there is no sense in asking on.
///
/// # Errors
/// What the last question met.
pub(crate) async fn insist<T, E: Away + Display, Answer: Future<Output = Result<T, E>>>(
    is_futile: impl Fn() -> bool,
    ask: impl Fn() -> Answer,
) -> Result<T, E> {
    loop {
        match ask().await {
            Err(error) if error.is_away() && !is_futile() => {
                tracing::warn!(%error, "the computation waits for what is away");
                sleep(PAUSE).await;
            }
            answer => return answer,
        }
    }
}

/// Heartbeats with these details while something else goes on.
///
/// # Errors
/// A heartbeat that cannot be recorded.
pub(crate) async fn beating<T, Details: TemporalSerializable + 'static>(
    ctx: &ActivityContext,
    details: impl Fn() -> Details,
    work: impl Future<Output = T>,
) -> Result<T, PayloadConversionError> {
    let mut work = pin!(work);
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = heartbeat.tick() => ctx.record_heartbeat(details()).await?,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[derive(Debug, PartialEq, thiserror::Error)]
    enum Trouble {
        #[error("nobody answers")]
        Outage,
        #[error("there is no such thing")]
        Nonsense,
    }

    impl Away for Trouble {
        fn is_away(&self) -> bool {
            *self == Self::Outage
        }
    }

    #[tokio::test]
    async fn what_is_away_is_asked_until_it_answers_or_nobody_waits() {
        let asked = AtomicU32::new(0);
        let back_after = |outages| {
            let before = asked.fetch_add(1, Ordering::Relaxed);
            ready(if before < outages { Err(Trouble::Outage) } else { Ok(7) })
        };
        assert_eq!(insist(|| false, || back_after(1)).await, Ok(7));
        assert_eq!(asked.swap(0, Ordering::Relaxed), 2);
        assert_eq!(insist(|| true, || back_after(1)).await, Err(Trouble::Outage));
        assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
        assert_eq!(insist(|| false, || ready(Err::<(), _>(Trouble::Nonsense))).await, Err(Trouble::Nonsense));
    }

    #[test]
    fn an_outage_is_known_behind_other_words() {
        let away = || BlobError::Folder(std::io::ErrorKind::PermissionDenied.into());
        assert!(anyhow::Error::from(away()).is_away());
        assert!(anyhow::Error::from(away()).context("the result cannot be stored").is_away());
        assert!(!anyhow::Error::from(BlobError::NotFound).is_away());
        assert!(!anyhow::anyhow!("the hash is another").is_away());
    }
}
