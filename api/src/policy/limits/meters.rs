//! A meter for each tenant that was here lately, and for each address that asked for tokens.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jobs::TenantId;

use super::gcra::{Bucket, Rate, Share};
use crate::policy::plan::Plan;

/// Time that never goes back, from any beginning.
pub type Clock = Arc<dyn Fn() -> Duration + Send + Sync>;

/// Meters of tenants and addresses, by process.
pub struct Meters {
    clock: Clock,
    /// Nodes that share the rates, this one included.
    nodes: AtomicU32,
    tenants: Mutex<HashMap<TenantId, [Bucket; RATES]>>,
    /// Forgotten when they are full, which a bucket from which little was taken is within seconds.
    addresses: Mutex<HashMap<IpAddr, Bucket>>,
}

/// Most rates that a plan has.
const RATES: usize = 2;

/// What the meters say of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// How long to wait if it is not let through.
    pub wait: Option<Duration>,
    /// The rates as they stand now, at least one.
    pub seen: Vec<Seen>,
}

/// One rate, as its client sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub share: Share,
    /// Requests that would be let through now.
    pub left: u32,
    /// Time until all of the share is there again.
    pub full_in: Duration,
}

impl Default for Meters {
    fn default() -> Self {
        let begin = Instant::now();
        Self::by(Arc::new(move || begin.elapsed()))
    }
}

impl Meters {
    /// Meters by a clock of one's own.
    #[must_use]
    pub fn by(clock: Clock) -> Self {
        Self { clock, nodes: AtomicU32::new(1), tenants: Mutex::default(), addresses: Mutex::default() }
    }

    /// Others by the same clock, of which this process has all.
    #[must_use]
    pub fn beside(&self) -> Self {
        Self::by(self.clock.clone())
    }

    /// From now on so many nodes share the rates.
    pub fn shared_by(&self, nodes: u32) {
        let before = self.nodes.swap(nodes, Ordering::Relaxed);
        if before != nodes {
            tracing::info!(nodes, "processes of the API that share rates");
        }
    }

    /// Takes a request, if each of the plan's rates lets it through, else nothing. `None` of a plan that has no rate.
    pub fn take(&self, tenant: &TenantId, plan: &Plan) -> Option<Verdict> {
        let nodes = self.nodes.load(Ordering::Relaxed);
        let shares: Vec<Share> = plan.rates().map(|rate| rate.share(nodes)).collect();
        if shares.is_empty() {
            return None;
        }
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        // Read with the lock held, so that it does not go back for anybody.
        let now = (self.clock)();
        let buckets = tenants.entry(tenant.clone()).or_default();
        let taken: Vec<_> = shares.iter().zip(buckets.iter()).map(|(share, bucket)| bucket.take(share, now)).collect();
        let wait = taken.iter().filter_map(|taken| taken.err()).max();
        if wait.is_none() {
            for (bucket, taken) in buckets.iter_mut().zip(taken.into_iter().flatten()) {
                *bucket = taken;
            }
        }
        let seen = shares.into_iter().zip(buckets.iter()).map(|(share, bucket)| Seen {
            share,
            left: bucket.left(&share, now),
            full_in: bucket.full_in(now),
        });
        Some(Verdict { wait, seen: seen.collect() })
    }

    /// Takes something that is counted by tenant at one rate, whatever its plan.
    pub fn take_of_tenant(&self, tenant: &TenantId, rate: Rate) -> Verdict {
        let share = rate.share(self.nodes.load(Ordering::Relaxed));
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        let [bucket, _] = tenants.entry(tenant.clone()).or_default();
        taken(bucket, share, now)
    }

    /// Takes a request of a client's address, if the rate lets it through. Whoever has an IPv6 address has the 2^64 of its
    /// network.
    pub fn take_of_address(&self, address: IpAddr, rate: Rate) -> Verdict {
        let share = rate.share(self.nodes.load(Ordering::Relaxed));
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        taken(addresses.entry(network(address)).or_default(), share, now)
    }

    /// Forgets the meters whose buckets are full: a new one says the same.
    pub fn forget_the_full(&self) {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        let now = (self.clock)();
        tenants.retain(|_, buckets| buckets.iter().any(|bucket| bucket.full_in(now) > Duration::ZERO));
        drop(tenants);
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.retain(|_, bucket| bucket.full_in(now) > Duration::ZERO);
    }

    #[cfg(test)]
    fn count(&self) -> usize {
        self.tenants.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

fn taken(bucket: &mut Bucket, share: Share, now: Duration) -> Verdict {
    let taken = bucket.take(&share, now);
    if let Ok(taken) = taken {
        *bucket = taken;
    }
    let seen = Seen { share, left: bucket.left(&share, now), full_in: bucket.full_in(now) };
    Verdict { wait: taken.err(), seen: vec![seen] }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A clock that goes when it is told to.
    #[derive(Clone, Default)]
    struct Hands(Arc<Mutex<Duration>>);

    impl Hands {
        fn meters(&self) -> Meters {
            let hands = self.clone();
            Meters::by(Arc::new(move || *hands.0.lock().expect("the hands")))
        }

        fn go(&self, by: Duration) {
            *self.0.lock().expect("the hands") += by;
        }
    }

    fn plan(minute: u32, hour: u32, burst: u32) -> Plan {
        Plan { requests_per_minute: minute, requests_per_hour: hour, burst, ..Plan::default() }
    }

    fn tenant(name: &str) -> TenantId {
        name.parse().expect("a tenant")
    }

    #[test]
    fn a_plan_without_rates_is_not_metered() {
        let meters = Meters::default();
        assert_eq!(meters.take(&tenant("acme"), &Plan::default()), None);
        assert_eq!(meters.count(), 0);
    }

    #[test]
    fn a_tenant_does_not_use_up_anothers() {
        let hands = Hands::default();
        let meters = hands.meters();
        let plan = plan(60, 0, 2);
        let passes = |name: &str| meters.take(&tenant(name), &plan).expect("a verdict").wait.is_none();
        assert_eq!([passes("acme"), passes("acme"), passes("acme")], [true, true, false]);
        assert!(passes("globex"));
    }

    #[test]
    fn a_request_that_one_rate_refuses_costs_the_other_nothing() {
        let hands = Hands::default();
        let meters = hands.meters();
        let plan = plan(60, 4, 3);
        let take = || meters.take(&tenant("acme"), &plan).expect("a verdict");
        for _ in 0..3 {
            assert_eq!(take().wait, None);
        }
        for _ in 0..100 {
            // The minute refuses: the hour keeps its last one.
            let refused = take();
            assert_eq!((refused.wait, refused.seen[1].left), (Some(Duration::from_secs(1)), 1));
        }
        hands.go(Duration::from_secs(1));
        assert_eq!(take().wait, None);
        hands.go(Duration::from_secs(3));
        for _ in 0..100 {
            // The hour refuses: the minute keeps its three.
            let refused = take();
            assert_eq!(refused.seen[0].left, 3);
            assert_eq!(refused.wait, Some(Duration::from_secs(900 - 4)));
        }
    }

    #[test]
    fn nodes_that_come_and_go_change_the_share() {
        let hands = Hands::default();
        let meters = hands.meters();
        let plan = plan(60, 0, 6);
        let passes = || (0..100).filter(|_| meters.take(&tenant("acme"), &plan).expect("one").wait.is_none()).count();
        meters.shared_by(3);
        assert_eq!(passes(), 2);
        hands.go(Duration::from_secs(60));
        assert_eq!(passes(), 2);
        meters.shared_by(1);
        hands.go(Duration::from_secs(60));
        assert_eq!(passes(), 6);
    }

    #[test]
    fn an_address_does_not_use_up_anothers_and_a_network_of_ipv6_is_one() {
        let hands = Hands::default();
        let meters = hands.meters();
        let rate = Rate { name: "minute", quota: 60, window: Duration::from_secs(60), burst: 2 };
        let passes = |address: &str| meters.take_of_address(address.parse().expect("one"), rate).wait.is_none();
        assert_eq!(["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7"].map(passes), [true, true, false]);
        assert!(passes("192.0.2.8"));
        assert_eq!(["2001:db8::1", "2001:db8::ffff", "2001:db8::1:0:0:1"].map(passes), [true, true, false]);
        assert!(passes("2001:db8:0:1::1"));
        hands.go(Duration::from_secs(1));
        assert_eq!([passes("192.0.2.7"), passes("192.0.2.7")], [true, false]);
        hands.go(Duration::from_secs(60));
        meters.forget_the_full();
        assert!(meters.addresses.lock().expect("the meters").is_empty());
    }

    #[test]
    fn meters_of_those_who_stay_away_are_forgotten() {
        let hands = Hands::default();
        let meters = hands.meters();
        let plan = plan(60, 0, 2);
        meters.take(&tenant("acme"), &plan);
        meters.forget_the_full();
        assert_eq!(meters.count(), 1, "a second's worth is taken");
        hands.go(Duration::from_secs(1));
        meters.forget_the_full();
        assert_eq!(meters.count(), 0);
    }
}
