//! Grants on a real chain: the submitter's own, paid by the submitter, and nobody else's.
#![allow(clippy::unwrap_used, reason = "Clippy's exception for tests does not reach their helper functions")]

mod anvil;

use alloy::primitives::{Address, U256, address};
use anvil::{Anvil, CHAIN_ID, TIMEOUT, confirm, leaves};
use chain::{AccessChange, Account, ChainError, ConfirmedLeaf, Node};
use jobs::leaf::Leaf;
use jobs::merkle::{Batch, Inclusion};

/// anvil's account 2, which has funds.
const SUBMITTER_KEY: &str = "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a";
const SUBMITTER: Address = address!("3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
/// A key whose account nobody ever sent anything.
const POOR_KEY: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";
const FRIEND: Address = Address::repeat_byte(0xf1);

struct Stage {
    anvil: Anvil,
    registry: Address,
    leaf: Leaf,
    inclusion: Inclusion,
}

impl Stage {
    /// A confirmed job of `submitter`, among others.
    async fn of(submitter: Address) -> Self {
        let anvil = Anvil::start(&[]);
        let sender = anvil.sender().await;
        let mut leaves = leaves(10..15);
        leaves[2].submitter = submitter;
        let batch = Batch::seal(&leaves).unwrap();
        confirm(&sender, &batch).await;
        let registry = sender.client().config().registry;
        Self { registry, leaf: leaves.swap_remove(2), inclusion: batch.inclusion(2).unwrap(), anvil }
    }

    async fn account(&self, key: &str) -> Account {
        Account::connect(&self.anvil.rpc_url, CHAIN_ID, key, TIMEOUT).await.unwrap()
    }

    fn job(&self) -> ConfirmedLeaf<'_> {
        ConfirmedLeaf { registry: self.registry, leaf: &self.leaf, inclusion: &self.inclusion }
    }

    async fn friend_has_access(&self) -> bool {
        let node = Node::new(&self.anvil.rpc_url, self.registry, TIMEOUT).unwrap();
        node.has_access(node.newest().await.unwrap(), self.leaf.hash(), FRIEND).await.unwrap()
    }
}

#[tokio::test]
async fn the_submitter_grants_and_revokes_and_pays_once_for_each() {
    let stage = Stage::of(SUBMITTER).await;
    let owner = stage.account(SUBMITTER_KEY).await;
    assert_eq!(owner.address(), SUBMITTER);
    assert_eq!(owner.change_access(stage.job(), FRIEND, AccessChange::Revoke).await.unwrap(), None);

    let granted = owner.change_access(stage.job(), FRIEND, AccessChange::Grant).await.unwrap().expect("sent");
    assert!(stage.friend_has_access().await);
    assert!(granted.gas_used > 21_000 && granted.cost > U256::ZERO && granted.block_number > 0, "{granted:?}");
    assert_eq!(owner.change_access(stage.job(), FRIEND, AccessChange::Grant).await.unwrap(), None, "it stands so");

    owner.change_access(stage.job(), FRIEND, AccessChange::Revoke).await.unwrap().expect("sent");
    assert!(!stage.friend_has_access().await);
}

#[tokio::test]
async fn nobody_else_grants_and_nothing_unconfirmed_is_granted() {
    let stage = Stage::of(SUBMITTER).await;
    let stranger = stage.account(anvil::CONFIRMER_KEY).await;
    let refused = stranger.change_access(stage.job(), FRIEND, AccessChange::Grant).await.unwrap_err();
    assert!(
        matches!(&refused, ChainError::Reverted(reason) if reason.to_string().contains("NotTheSubmitter")),
        "{refused}"
    );

    let owner = stage.account(SUBMITTER_KEY).await;
    let mut forged = stage.leaf.clone();
    forged.result_hash[0] ^= 1;
    let job = ConfirmedLeaf { leaf: &forged, ..stage.job() };
    let refused = owner.change_access(job, FRIEND, AccessChange::Grant).await.unwrap_err();
    assert!(
        matches!(&refused, ChainError::Reverted(reason) if reason.to_string().contains("LeafNotConfirmed")),
        "{refused}"
    );
    let elsewhere = ConfirmedLeaf { registry: Address::repeat_byte(9), ..stage.job() };
    let refused = owner.change_access(elsewhere, FRIEND, AccessChange::Grant).await.unwrap_err();
    assert!(matches!(refused, ChainError::NotARegistry(_)), "{refused}");
    assert!(!stage.friend_has_access().await);
}

#[tokio::test]
async fn an_account_that_cannot_pay_is_told_what_it_needs() {
    let poor = chain::address_of(POOR_KEY).unwrap();
    let stage = Stage::of(poor).await;
    let refused = stage.account(POOR_KEY).await.change_access(stage.job(), FRIEND, AccessChange::Grant).await;
    let Err(ChainError::CannotPay { account, balance, needed }) = refused else { panic!("{refused:?}") };
    assert_eq!((account, balance), (poor, U256::ZERO));
    assert!(needed > U256::ZERO);
    assert!(!stage.friend_has_access().await);
}
