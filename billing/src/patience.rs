//! `Patience`: what is read is asked for again, where Lago has no time for it or the way to it was lost for a moment.

use std::time::Duration;

use crate::LagoError;

/// Doublings of a pause: beyond, it does not grow.
const DOUBLINGS: u32 = 16;

/// How often a reading is repeated, and after what time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How often it is asked again, at most.
    pub repeats: u32,
    /// Before the first repeat, where Lago does not say how long; before each one after it twice as long.
    pub pause: Duration,
    /// No pause is longer, whatever Lago says.
    pub longest: Duration,
}

impl Patience {
    /// Whoever asks decides on a repeat.
    pub const NONE: Self = Self { repeats: 0, pause: Duration::ZERO, longest: Duration::ZERO };

    /// Asks until there is an answer, or a refusal, or no patience left.
    ///
    /// # Errors
    /// What was answered last.
    pub(crate) async fn insist<T, Answer>(&self, ask: impl Fn() -> Answer) -> Result<T, LagoError>
    where
        Answer: Future<Output = Result<T, LagoError>>,
    {
        let mut repeats = 0;
        loop {
            match ask().await {
                Err(LagoError::Unavailable { reason, retry_after }) if repeats < self.repeats => {
                    let pause = self.before(repeats, retry_after);
                    tracing::debug!(reason, pause_seconds = pause.as_secs(), "Lago is asked again");
                    tokio::time::sleep(pause).await;
                    repeats += 1;
                }
                answered => return answered,
            }
        }
    }

    /// The pause before a repeat, counted from 0.
    fn before(&self, repeat: u32, retry_after: Option<Duration>) -> Duration {
        let own = self.pause.saturating_mul(1 << repeat.min(DOUBLINGS));
        retry_after.unwrap_or(own).min(self.longest)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    const PATIENCE: Patience = Patience { repeats: 3, pause: Duration::from_secs(1), longest: Duration::from_secs(60) };

    fn unavailable<T>() -> Result<T, LagoError> {
        Err(LagoError::Unavailable { reason: "it is busy".to_owned(), retry_after: Some(Duration::ZERO) })
    }

    #[test]
    fn lago_says_how_long_and_else_each_pause_is_twice_as_long() {
        let own: Vec<u64> = (0..3).map(|repeat| PATIENCE.before(repeat, None).as_secs()).collect();
        assert_eq!(own, [1, 2, 4]);
        let seconds = |named| PATIENCE.before(2, Some(Duration::from_secs(named))).as_secs();
        assert_eq!([seconds(0), seconds(7), seconds(300)], [0, 7, 60]);
        assert_eq!(PATIENCE.before(u32::MAX, None), PATIENCE.longest);
    }

    #[tokio::test]
    async fn what_is_away_is_asked_again_and_what_refuses_is_not() {
        let asked = AtomicU32::new(0);
        let after = |outages| {
            let before = asked.fetch_add(1, Ordering::Relaxed);
            ready(if before < outages { unavailable() } else { Ok(7) })
        };
        assert!(matches!(PATIENCE.insist(|| after(3)).await, Ok(7)));
        assert_eq!(asked.swap(0, Ordering::Relaxed), 4);
        assert!(PATIENCE.insist(|| after(9)).await.is_err_and(|error| error.is_retryable()));
        assert_eq!(asked.swap(0, Ordering::Relaxed), 4, "not for ever");
        assert!(Patience::NONE.insist(|| after(1)).await.is_err());
        assert_eq!(asked.swap(0, Ordering::Relaxed), 1);
        let refused = || {
            asked.fetch_add(1, Ordering::Relaxed);
            ready(Err::<(), _>(LagoError::Unauthorized))
        };
        assert!(PATIENCE.insist(refused).await.is_err());
        assert_eq!(asked.into_inner(), 1);
    }
}
