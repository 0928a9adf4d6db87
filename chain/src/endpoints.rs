//! The nodes that serve one chain: the first healthy one is used; one that fails, hangs, answers rubbish or falls behind
//! is left alone for a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use alloy::eips::BlockNumberOrTag;
use alloy::primitives::Address;
use alloy::providers::{Provider, RootProvider};

use crate::client::require_registry;
use crate::{ChainError, rpc};

/// How long a node is left alone after a failure; each further one doubles it ...
const FIRST_REST: Duration = Duration::from_secs(30);
/// ... up to this.
const LONGEST_REST: Duration = Duration::from_secs(300);
/// How long after its last failure a node counts as one that never failed: one that answers when it is tried and fails at
/// its work rests ever longer, too.
const FORGIVEN: Duration = Duration::from_secs(900);
/// Blocks behind the others beyond which a node is not used, and beyond which what it tells of itself must be shown.
const BEHIND: u64 = 16;
/// How long what a node told of its newest block counts.
const MEMORY: Duration = Duration::from_secs(60);

/// Nodes in the order in which they are preferred. Cheap to clone; clones share what they know of the nodes.
#[derive(Clone, Debug)]
pub struct Endpoints(Arc<Vec<Endpoint>>);

#[derive(Debug)]
struct Endpoint {
    /// Host and port: paths and queries are often keys.
    name: String,
    provider: RootProvider,
    known: Mutex<Known>,
}

/// What this process knows of a node.
#[derive(Clone, Copy, Debug, Default)]
struct Known {
    /// Without a pause of [`FORGIVEN`] between two.
    failures: u32,
    failed_at: Option<Instant>,
    rests_until: Option<Instant>,
    /// Whether it has failed and nothing has been heard of it since: that is told once.
    is_left: bool,
    /// Its newest block, and when it told.
    head: Option<(u64, Instant)>,
}

impl Known {
    fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| until > now)
    }

    fn failed(&mut self, now: Instant) {
        if self.failed_at.is_some_and(|before| now.duration_since(before) > FORGIVEN) {
            self.failures = 0;
        }
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(8)).min(LONGEST_REST);
        self.failures = self.failures.saturating_add(1);
        (self.failed_at, self.rests_until, self.head) = (Some(now), Some(now + rest), None);
    }

    fn told(&mut self, head: u64, now: Instant) {
        self.head = Some((head, now));
    }

    fn recent_head(&self, now: Instant) -> Option<u64> {
        self.head.filter(|(_, at)| now.duration_since(*at) < MEMORY).map(|(head, _)| head)
    }
}

impl Endpoints {
    /// The nodes of a list of URLs, separated by commas; every request ends within `timeout`. Asks nothing.
    ///
    /// # Errors
    /// [`ChainError::Configuration`]: the list is empty, or an item is no URL of a node.
    pub fn parse(rpc_urls: &str, timeout: Duration) -> Result<Self, ChainError> {
        let urls = rpc_urls.split(',').map(str::trim).filter(|url| !url.is_empty());
        let endpoints = urls
            .map(|url| {
                let provider = rpc::provider(url, timeout)?;
                Ok(Endpoint { name: rpc::name(url)?, provider, known: Mutex::default() })
            })
            .collect::<Result<Vec<_>, ChainError>>()?;
        if endpoints.is_empty() {
            return Err(ChainError::Configuration("no URL of an EVM node is set".to_owned()));
        }
        Ok(Self(Arc::new(endpoints)))
    }

    /// The first node that serves the chain, has the registry if one is asked for, and is not behind. Nodes that rest are
    /// asked last, the one that has rested most first.
    pub(crate) async fn connect(&self, chain_id: u64, registry: Option<Address>) -> Result<Connection, ChainError> {
        let (mut order, now): (Vec<usize>, _) = ((0..self.0.len()).collect(), Instant::now());
        order.sort_by_cached_key(|at| self.known(*at).rests_until.filter(|until| *until > now));
        let mut failed = None;
        let mut behind = None;
        for at in order {
            match self.try_one(at, chain_id, registry).await {
                Ok(head) if self.is_behind(head) => {
                    self.failed(at, &format!("it is at block {head}, behind the others"));
                    // Better than none: perhaps the whole chain went back.
                    behind = behind.max(Some((head, at)));
                }
                Ok(_) => return Ok(self.chosen(at)),
                Err(error) => {
                    self.failed(at, &error.to_string());
                    failed = failed.or(Some(error));
                }
            }
        }
        match (behind, failed) {
            (Some((_, at)), _) => Ok(self.chosen(at)),
            (None, Some(error)) => Err(error),
            (None, None) => Err(ChainError::Unavailable("no EVM node is set".to_owned())),
        }
    }

    async fn try_one(&self, at: usize, chain_id: u64, registry: Option<Address>) -> Result<u64, ChainError> {
        let provider = &self.0[at].provider;
        rpc::require_chain(provider, chain_id).await?;
        if let Some(registry) = registry {
            require_registry(provider, registry).await?;
        }
        self.head(at).await
    }

    /// The node's newest block. Far beyond all that anybody has told it must have the block, or it would draw everybody
    /// away from nodes that are right, and events would be looked for where none can be yet.
    async fn head(&self, at: usize) -> Result<u64, ChainError> {
        let provider = &self.0[at].provider;
        let head = provider.get_block_number().await?;
        if self.heads().max().is_none_or(|known| head > known.saturating_add(BEHIND)) {
            let newest = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
            if newest.is_none_or(|newest| newest.header.number.saturating_add(BEHIND) < head) {
                return Err(ChainError::Unavailable(format!("the node tells of block {head} and does not have it")));
            }
        }
        self.known(at).told(head, Instant::now());
        Ok(head)
    }

    fn chosen(&self, at: usize) -> Connection {
        let mut known = self.known(at);
        if std::mem::take(&mut known.is_left) {
            tracing::info!(node = self.0[at].name, "the EVM node is used again");
        }
        known.rests_until = None;
        drop(known);
        Connection { endpoints: self.clone(), at, provider: self.0[at].provider.clone() }
    }

    fn failed(&self, at: usize, why: &str) {
        let mut known = self.known(at);
        known.failed(Instant::now());
        if !std::mem::replace(&mut known.is_left, true) && self.0.len() > 1 {
            tracing::warn!(node = self.0[at].name, why, "the EVM node is left alone for a while");
        }
    }

    /// Whether a node whose newest block is this one is far behind the middle of those that told lately: one of three
    /// that boasts shuts nobody out. Of two the higher one counts, since nodes stop more often than they boast.
    fn is_behind(&self, head: u64) -> bool {
        let mut heads: Vec<u64> = self.heads().collect();
        heads.sort_unstable();
        let middle = if heads.len() > 2 { heads.get((heads.len() - 1) / 2) } else { heads.last() };
        middle.is_some_and(|middle| head.saturating_add(BEHIND) < *middle)
    }

    /// What nodes told lately.
    fn heads(&self) -> impl Iterator<Item = u64> {
        let now = Instant::now();
        (0..self.0.len()).filter_map(move |at| self.known(at).recent_head(now))
    }

    fn known(&self, at: usize) -> std::sync::MutexGuard<'_, Known> {
        self.0[at].known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The node that is used.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    endpoints: Endpoints,
    at: usize,
    pub(crate) provider: RootProvider,
}

impl Connection {
    /// Leaves the node alone for a while: it has failed.
    pub(crate) fn leave(&self, why: &ChainError) {
        self.endpoints.failed(self.at, &why.to_string());
    }

    /// Whether the list has another one.
    pub(crate) fn has_others(&self) -> bool {
        self.endpoints.0.len() > 1
    }

    /// The node's newest block; refuses to go on with one that is far behind what others have told.
    pub(crate) async fn head(&self) -> Result<u64, ChainError> {
        let head = self.endpoints.head(self.at).await?;
        self.check_head(head)?;
        Ok(head)
    }

    /// The same of a newest block that the node has shown.
    pub(crate) fn check_head(&self, head: u64) -> Result<(), ChainError> {
        self.endpoints.known(self.at).told(head, Instant::now());
        if self.endpoints.is_behind(head) {
            return Err(ChainError::Unavailable(format!("the node is at block {head}, far behind the others")));
        }
        Ok(())
    }

    /// Asks the other nodes for their newest block, beside whatever goes on: a silent one delays nobody.
    pub(crate) fn ask_others(&self) {
        for at in (0..self.endpoints.0.len()).filter(|at| *at != self.at) {
            if self.endpoints.known(at).rests(Instant::now()) {
                continue;
            }
            let endpoints = self.endpoints.clone();
            tokio::spawn(async move {
                match endpoints.head(at).await {
                    Ok(_) => endpoints.known(at).is_left = false,
                    Err(error) => endpoints.failed(at, &error.to_string()),
                }
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(1);

    #[test]
    fn a_list_has_one_node_or_more_and_each_is_one() {
        assert!(Endpoints::parse("http://a, https://b/key ,", TIMEOUT).is_ok_and(|nodes| nodes.0.len() == 2));
        for bad in ["", " , ", "http://a,b"] {
            assert!(matches!(Endpoints::parse(bad, TIMEOUT), Err(ChainError::Configuration(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_name_holds_no_key() {
        let nodes = Endpoints::parse("https://user:secret@node.example:8443/v3/key?token=x", TIMEOUT).unwrap();
        assert_eq!(nodes.0[0].name, "node.example:8443");
    }

    #[test]
    fn a_node_that_fails_rests_ever_longer() {
        let now = Instant::now();
        let mut known = Known::default();
        known.failed(now);
        assert!(known.rests(now) && !known.rests(now + FIRST_REST));
        known.failed(now);
        assert!(known.rests(now + FIRST_REST));
        for _ in 0..40 {
            known.failed(now);
        }
        assert!(!known.rests(now + LONGEST_REST));
        known.failed(now + FORGIVEN + TIMEOUT);
        assert!(!known.rests(now + FORGIVEN + TIMEOUT + FIRST_REST), "as if for the first time");
    }

    #[test]
    fn a_node_that_answers_and_fails_at_its_work_rests_ever_longer_too() {
        let nodes = Endpoints::parse("http://a,http://b", TIMEOUT).unwrap();
        let fails_and_is_used_again = || {
            nodes.failed(0, "missing trie node");
            let rested = nodes.known(0).rests_until;
            nodes.chosen(0);
            rested.unwrap().duration_since(Instant::now())
        };
        assert!(fails_and_is_used_again() <= FIRST_REST);
        assert!(fails_and_is_used_again() > FIRST_REST);
        assert!(!nodes.known(0).rests(Instant::now()), "it is used");
    }

    #[test]
    fn a_node_is_behind_what_others_have_told_lately() {
        let nodes = Endpoints::parse("http://a,http://b", TIMEOUT).unwrap();
        assert!(!nodes.is_behind(0), "nobody has told anything");
        nodes.known(1).told(100, Instant::now());
        assert!(!nodes.is_behind(100 - BEHIND));
        assert!(nodes.is_behind(99 - BEHIND));
        if let Some(before) = Instant::now().checked_sub(MEMORY) {
            nodes.known(1).told(100, before);
            assert!(!nodes.is_behind(0), "long ago");
        }
    }

    #[test]
    fn one_of_three_that_boasts_makes_nobody_late_and_one_that_stopped_is() {
        let nodes = Endpoints::parse("http://a,http://b,http://c", TIMEOUT).unwrap();
        for (at, head) in [(0, 100), (1, 101), (2, u64::MAX)] {
            nodes.known(at).told(head, Instant::now());
        }
        assert!(!nodes.is_behind(100) && !nodes.is_behind(101));
        nodes.known(2).told(20, Instant::now());
        assert!(nodes.is_behind(20) && !nodes.is_behind(100));
    }
}
