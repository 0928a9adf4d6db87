//! What a caller does not see is refused as what there is not: with the same words, and after the same time. Where looking
//! asks others, the chain or the billing system, how long that takes would tell which ids there are.

use std::time::Duration;

use tokio::time::Instant;

/// How long such a look takes at least, where nothing comes of it: longer than others usually take to answer.
pub const UNSEEN: Duration = Duration::from_secs(1);

/// A look whose failure takes a while.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    not_before: Instant,
}

impl Look {
    /// A look that begins now, and fails after this time.
    #[must_use]
    pub fn begin(unseen: Duration) -> Self {
        Self { not_before: Instant::now() + unseen }
    }

    /// What was seen; nothing, once the time is over.
    pub async fn seen<T>(self, found: Option<T>) -> Option<T> {
        if found.is_none() {
            tokio::time::sleep_until(self.not_before).await;
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nothing_is_found_no_sooner_than_others_would_take() {
        let begin = Instant::now();
        let unseen = Duration::from_millis(50);
        assert_eq!(Look::begin(unseen).seen(None::<u8>).await, None);
        assert!(begin.elapsed() >= unseen);
    }

    /// One that waited would not end.
    #[tokio::test]
    async fn something_is_there_at_once() {
        assert_eq!(Look::begin(Duration::from_secs(3600)).seen(Some(7)).await, Some(7));
    }
}
