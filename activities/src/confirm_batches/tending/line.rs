//! How long the account's next nonce has been the one that it is: a transaction behind others is not stuck.

use std::time::Duration;

use tokio::time::Instant;

/// How long the next nonce may be nobody's before it is filled.
pub(super) const GAP: Duration = Duration::from_secs(10);

/// The account's next nonce, and since when nothing was done about it. What a new process does not know costs a wait.
#[derive(Default)]
pub(super) struct Line(Option<Seen>);

struct Seen {
    next: u64,
    /// The newest block then. While there are no blocks nobody's transaction gets through, and a higher fee changes
    /// nothing.
    head: u64,
    since: Instant,
}

impl Line {
    /// Notes the next nonce at a look.
    pub(super) fn stands_at(&mut self, next: u64, head: u64, now: Instant) {
        if self.0.as_ref().is_none_or(|seen| seen.next != next) {
            self.0 = Some(Seen { next, head, since: now });
        }
    }

    /// Something was done about it: patience begins anew.
    pub(super) fn moved(&mut self, head: u64, now: Instant) {
        if let Some(seen) = &mut self.0 {
            (seen.since, seen.head) = (now, head);
        }
    }

    /// Whether blocks have passed it by for so long.
    pub(super) fn is_stuck(&self, patience: Duration, head: u64, now: Instant) -> bool {
        self.0.as_ref().is_some_and(|seen| now.duration_since(seen.since) >= patience && head > seen.head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_secs(30);

    #[test]
    fn the_next_nonce_is_stuck_when_blocks_have_passed_it_by_for_long() {
        let began = Instant::now();
        let later = began + PATIENCE;
        let mut line = Line::default();
        assert!(!line.is_stuck(PATIENCE, 9, later), "nothing waits");
        line.stands_at(5, 9, began);
        assert!(!line.is_stuck(PATIENCE, 12, later - Duration::from_secs(1)), "not for long");
        assert!(!line.is_stuck(PATIENCE, 9, later), "no block has come");
        assert!(line.is_stuck(PATIENCE, 10, later));
        line.moved(10, later);
        assert!(!line.is_stuck(PATIENCE, 10, later), "its fees were raised");
        line.stands_at(6, 11, later + PATIENCE);
        assert!(!line.is_stuck(PATIENCE, 12, later + PATIENCE), "another one is next");
    }
}
