//! The generic cell rate algorithm (ITU-T I.371): a bucket is one time, at which it would be full again. Pure arithmetic;
//! who asks says what time it is.
//!
//! Of our own and not of a crate, because two rates are decided on at once (a request that one of them refuses costs the
//! other nothing), and because a node's share of them changes while it runs.

use std::time::Duration;

/// So many requests in a window, evenly, and how many of them at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How clients know it.
    pub name: &'static str,
    /// More than zero.
    pub quota: u32,
    pub window: Duration,
    /// More than zero.
    pub burst: u32,
}

/// The part of a rate that one of several nodes lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    pub rate: Rate,
    /// Time between two requests.
    interval: Duration,
    /// How many may come at once.
    capacity: u32,
}

impl Rate {
    /// The share of one of `nodes`. Each has one request at once, however many they are.
    #[must_use]
    pub fn share(self, nodes: u32) -> Share {
        let nodes = nodes.max(1);
        Share { rate: self, interval: self.window * nodes / self.quota.max(1), capacity: (self.burst / nodes).max(1) }
    }
}

/// How much of a share is taken. The default is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When all of it is there again: the theoretical arrival time.
    full_at: Duration,
}

impl Bucket {
    /// The bucket after one more request.
    ///
    /// # Errors
    /// How long to wait until one more is let through, if none comes before.
    pub fn take(self, share: &Share, now: Duration) -> Result<Self, Duration> {
        let full_at = self.full_at.max(now) + share.interval;
        let latest = now + share.interval * share.capacity;
        if full_at <= latest { Ok(Self { full_at }) } else { Err(full_at - latest) }
    }

    /// Requests that would be let through now.
    #[must_use]
    pub fn left(self, share: &Share, now: Duration) -> u32 {
        let taken = self.full_in(now).as_nanos().div_ceil(share.interval.as_nanos().max(1));
        share.capacity.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    /// Time until all of the share is there again.
    #[must_use]
    pub fn full_in(self, now: Duration) -> Duration {
        self.full_at.saturating_sub(now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);
    const MINUTE: Rate = Rate { name: "minute", quota: 100, window: Duration::from_secs(60), burst: 20 };

    /// How many of the requests at these times are let through.
    fn passed(share: &Share, times: impl Iterator<Item = Duration>) -> usize {
        let mut bucket = Bucket::default();
        times.filter(|now| bucket.take(share, *now).map(|taken| bucket = taken).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_then_one_each_interval() {
        let share = MINUTE.share(1);
        let at_once = std::iter::repeat_n(5 * MS, 100);
        assert_eq!(passed(&share, at_once), 20);
        // 20 at once and 100 in the minute that follows.
        let in_a_minute = (0..=60_000).map(|ms| ms * MS);
        assert_eq!(passed(&share, in_a_minute), 120);
        // For ten hours: never more than the rate and the burst.
        let for_hours = (0..360_000_u32).map(|tenth| tenth * 100 * MS);
        assert_eq!(passed(&share, for_hours), 60_019);
    }

    #[test]
    fn who_waits_as_long_as_told_is_let_through_and_not_before() {
        let share = MINUTE.share(1);
        let mut bucket = Bucket::default();
        let mut now = Duration::from_secs(7);
        while let Ok(taken) = bucket.take(&share, now) {
            bucket = taken;
            now += 13 * MS;
        }
        for _ in 0..50 {
            let wait = bucket.take(&share, now).expect_err("it is empty");
            assert!(wait > Duration::ZERO);
            assert!(bucket.take(&share, now + wait - Duration::from_nanos(1)).is_err());
            now += wait;
            bucket = bucket.take(&share, now).expect("as told");
        }
    }

    #[test]
    fn what_is_left_is_what_passes() {
        let share = MINUTE.share(1);
        let mut bucket = Bucket::default();
        assert_eq!((bucket.left(&share, MS), bucket.full_in(MS)), (20, Duration::ZERO));
        for left in (0..20).rev() {
            bucket = bucket.take(&share, MS).expect("some are left");
            assert_eq!(bucket.left(&share, MS), left);
        }
        assert_eq!(bucket.full_in(MS), 12_000 * MS);
        assert_eq!(bucket.left(&share, 600 * MS), 0);
        assert_eq!(bucket.left(&share, 601 * MS), 1);
        assert_eq!(bucket.left(&share, 60_000 * MS), 20);
    }

    #[test]
    fn the_shares_of_nodes_are_together_the_rate() {
        for nodes in [2, 3, 7, 20] {
            let share = MINUTE.share(nodes);
            let for_an_hour = || (0..3_600_000_u32).step_by(50).map(|ms| ms * MS);
            let together = passed(&share, for_an_hour()) * nodes as usize;
            assert!((5_940..=6_020).contains(&together), "{nodes} nodes let through {together} in an hour");
            let at_once = passed(&share, std::iter::repeat_n(MS, 100)) * nodes as usize;
            assert!(at_once <= 20, "{nodes} nodes let through {at_once} at once");
        }
    }

    #[test]
    fn a_share_that_changes_forgets_nothing() {
        let (alone, of_three) = (MINUTE.share(1), MINUTE.share(3));
        let mut bucket = Bucket::default();
        while let Ok(taken) = bucket.take(&alone, MS) {
            bucket = taken;
        }
        assert!(bucket.take(&of_three, MS).is_err(), "what was taken stays taken");
        let mut bucket = Bucket::default();
        while let Ok(taken) = bucket.take(&of_three, MS) {
            bucket = taken;
        }
        assert!(bucket.left(&alone, MS) < 3, "a node that dies does not fill the others' buckets");
        assert_eq!(bucket.left(&alone, 12_000 * MS), 20, "its share is theirs from then on");
    }
}
