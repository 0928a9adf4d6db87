//! The chain as the key manager sees it: through nodes of its own, which must agree.
//!
//! The leaf and the signer's grant are read at a block that does not change any more, the same on every node, and once
//! more at each node's newest block. One node that says something else stops everything; one that says nothing, or is
//! far behind the others, is none, and a quorum must be left.

use alloy::primitives::{Address, B256, KECCAK256_EMPTY};
use chain::Node;
use tokio::time::Instant;

use super::nodes::{self, Sight, View};
use super::request::Asked;
use crate::refusal::Refusal;

/// Which blocks do not change any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// Those that the node calls finalized.
    Finalized,
    /// Those with this many blocks on top, their own included: 1 is the newest.
    Depth(u64),
}

/// The chain, its registry and how to read them.
#[derive(Clone, Debug)]
pub struct Witness {
    pub nodes: Vec<Node>,
    /// How many nodes must answer, and the same.
    pub quorum: usize,
    pub chain_id: u64,
    /// keccak256 of the registry's code, beyond being the code that this program knows.
    pub code_hash: Option<B256>,
    pub finality: Finality,
}

impl Witness {
    /// Checks that the leaf is confirmed, and that the signer is its submitter or holds a grant, both finally. Within
    /// [`nodes::DEADLINE`].
    pub(crate) async fn check(&self, asked: &Asked, signer: Address) -> Result<(), Refusal> {
        let began = Instant::now();
        let current = self.current(began).await;
        self.require_quorum(current.len())?;
        // The lowest: every node knows it, and none can lift it above what the others call settled.
        let Some(settled) = current.iter().map(|known| known.heights.settled).min().flatten() else {
            return Err(Refusal::NotFinal);
        };
        let views = nodes::views(&current, began, settled, asked, signer).await;
        self.require_quorum(views.len())?;
        match verdict(&views, self.code_hash) {
            // "Not yet" may be the word of a node that stopped.
            Err(Refusal::NotConfirmed | Refusal::NotFinal | Refusal::GrantNotFinal) if nodes::are_apart(&current) => {
                tracing::error!(
                    "the nodes of kms.rpc_urls are many blocks apart: what is new on one is not on another"
                );
                Err(Refusal::ChainUnavailable)
            }
            verdict => verdict,
        }
    }

    /// Whether every node that is of use says that `account` holds a grant now.
    pub(crate) async fn has_access(&self, leaf_hash: B256, account: Address) -> Result<bool, Refusal> {
        let began = Instant::now();
        let current = self.current(began).await;
        let grants = nodes::grants(&current, began, leaf_hash, account).await;
        self.require_quorum(grants.len())?;
        Ok(grants.into_iter().all(|granted| granted))
    }

    fn require_quorum(&self, answers: usize) -> Result<(), Refusal> {
        if answers > 0 && answers >= self.quorum { Ok(()) } else { Err(Refusal::ChainUnavailable) }
    }
}

/// What follows from the nodes' views, of which there is at least one.
fn verdict(views: &[View], code_hash: Option<B256>) -> Result<(), Refusal> {
    let same = |field: fn(&View) -> B256| views.iter().all(|view| field(view) == field(&views[0]));
    let settled = views[0].settled;
    let agreed = same(|view| view.block)
        && same(|view| view.code)
        && views.iter().all(|view| view.settled == settled && view.is_our_registry == views[0].is_our_registry);
    if !agreed {
        tracing::error!("the nodes of kms.rpc_urls disagree about the chain: {views:?}");
        return Err(Refusal::ChainDisagrees);
    }
    // Before the registry was deployed nothing was confirmed either.
    if views[0].code == KECCAK256_EMPTY {
        return Err(Refusal::NotConfirmed);
    }
    if !views[0].is_our_registry || code_hash.is_some_and(|pinned| pinned != views[0].code) {
        tracing::error!(code.hash = %views[0].code, "the code at chain.registry is not the pinned registry's");
        return Err(Refusal::AnotherRegistry);
    }
    let newest = |field: fn(&Sight) -> bool| views.iter().all(|view| field(&view.newest));
    if !settled.includes {
        return Err(match () {
            () if newest(|sight| sight.includes) => Refusal::NotFinal,
            () if settled.knows_batch || newest(|sight| sight.knows_batch) => Refusal::NotIncluded,
            () => Refusal::NotConfirmed,
        });
    }
    // A settled batch that the newest block does not know: a reorganisation deeper than we believe in.
    if !newest(|sight| sight.includes) {
        return Err(Refusal::NotFinal);
    }
    match (settled.has_access, newest(|sight| sight.has_access)) {
        (true, true) => Ok(()),
        (true, false) => Err(Refusal::Revoked),
        (false, true) => Err(Refusal::GrantNotFinal),
        (false, false) => Err(Refusal::NotTheOwner),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YES: Sight = Sight { knows_batch: true, includes: true, has_access: true };
    const UNKNOWN: Sight = Sight { knows_batch: false, includes: false, has_access: true };

    fn seen(settled: Sight, newest: Sight) -> View {
        let (block, code) = (B256::repeat_byte(1), B256::repeat_byte(2));
        View { block, code, is_our_registry: true, settled, newest }
    }

    #[test]
    fn what_all_nodes_see_for_good_is_true() {
        assert_eq!(verdict(&[seen(YES, YES), seen(YES, YES)], None), Ok(()));
        assert_eq!(verdict(&[seen(YES, YES)], Some(B256::repeat_byte(2))), Ok(()));
    }

    #[test]
    fn one_liar_stops_everything() {
        let honest = seen(UNKNOWN, UNKNOWN);
        assert_eq!(verdict(&[honest, seen(YES, YES)], None), Err(Refusal::ChainDisagrees));
        let other_block = View { block: B256::ZERO, ..seen(YES, YES) };
        assert_eq!(verdict(&[seen(YES, YES), other_block], None), Err(Refusal::ChainDisagrees));
        let other_code = View { code: B256::ZERO, ..seen(YES, YES) };
        assert_eq!(verdict(&[seen(YES, YES), other_code], None), Err(Refusal::ChainDisagrees));
        let no_grant = Sight { has_access: false, ..YES };
        assert_eq!(verdict(&[seen(no_grant, YES), seen(YES, YES)], None), Err(Refusal::ChainDisagrees));
    }

    #[test]
    fn another_code_is_no_registry() {
        let impostor = View { is_our_registry: false, ..seen(YES, YES) };
        assert_eq!(verdict(&[impostor], None), Err(Refusal::AnotherRegistry));
        assert_eq!(verdict(&[seen(YES, YES)], Some(B256::ZERO)), Err(Refusal::AnotherRegistry));
        let nothing = View { code: KECCAK256_EMPTY, is_our_registry: false, ..seen(UNKNOWN, UNKNOWN) };
        assert_eq!(verdict(&[nothing], None), Err(Refusal::NotConfirmed), "it is deployed in a newer block");
    }

    #[test]
    fn a_leaf_must_be_final_and_still_there() {
        assert_eq!(verdict(&[seen(UNKNOWN, UNKNOWN)], None), Err(Refusal::NotConfirmed));
        assert_eq!(verdict(&[seen(UNKNOWN, YES)], None), Err(Refusal::NotFinal));
        assert_eq!(verdict(&[seen(YES, UNKNOWN)], None), Err(Refusal::NotFinal));
        let other_leaf = Sight { includes: false, ..YES };
        assert_eq!(verdict(&[seen(other_leaf, other_leaf)], None), Err(Refusal::NotIncluded));
        assert_eq!(verdict(&[seen(UNKNOWN, other_leaf)], None), Err(Refusal::NotIncluded));
    }

    #[test]
    fn a_grant_must_be_final_and_still_there() {
        let stranger = Sight { has_access: false, ..YES };
        assert_eq!(verdict(&[seen(stranger, stranger)], None), Err(Refusal::NotTheOwner));
        assert_eq!(verdict(&[seen(stranger, YES)], None), Err(Refusal::GrantNotFinal));
        assert_eq!(verdict(&[seen(YES, stranger)], None), Err(Refusal::Revoked));
        assert_eq!(verdict(&[seen(YES, YES), seen(YES, stranger)], None), Err(Refusal::Revoked));
    }
}
