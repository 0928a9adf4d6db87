//! Transactions: written before they are sent, moved by one table, and never two batches under one nonce.

use store::batches::{self, Anchor, Horizon};
use store::transactions::{
    self, ALL, Account, InBlock, MOVES, Need, Purpose, Tracked, Transaction, TransactionState, Written,
};
use uuid::Uuid;

use crate::outbox::{Outbox, REGISTRY};

const SENDER: [u8; 20] = [6; 20];
const ACCOUNT: Account = Account { on: REGISTRY, address: SENDER };

fn transaction(hash: u8, nonce: u64, max_fee_per_gas: u128) -> Transaction {
    Transaction {
        tx_hash: [hash; 32],
        sender: SENDER,
        nonce,
        raw: vec![1, 2, hash],
        max_fee_per_gas,
        max_priority_fee_per_gas: 1,
    }
}

fn block(number: i64) -> InBlock {
    InBlock { number, hash: [u8::try_from(number).unwrap(); 32] }
}

impl Outbox {
    /// A sealed batch of one job.
    async fn batch(&self) -> Uuid {
        self.confirming().await;
        self.seal(9).await.unwrap().0
    }

    async fn writes(&self, batch: Uuid, transaction: &Transaction) -> Written {
        transactions::write_ahead(&self.pool, batch, Purpose::Batch, transaction).await.unwrap()
    }

    async fn states(&self, batch: Uuid) -> Vec<(u8, TransactionState)> {
        let mut states: Vec<_> = transactions::of_batch(&self.pool, batch).await.unwrap();
        states.sort_by_key(|tracked| tracked.transaction.tx_hash);
        states.into_iter().map(|tracked| (tracked.transaction.tx_hash[0], tracked.state)).collect()
    }

    async fn unsettled(&self) -> Vec<Tracked> {
        transactions::unsettled(&self.pool, &ACCOUNT, 10).await.unwrap()
    }
}

use TransactionState::{Abandoned, Confirmed, Finalized, Mined, Replaced, Reverted, Sent, Signed};

#[tokio::test]
async fn a_transaction_is_written_before_it_is_sent_and_kept() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    let written = Transaction { max_fee_per_gas: u128::MAX, ..transaction(4, 1 << 40, 0) };
    assert_eq!(outbox.writes(batch, &written).await, Written::Ahead);
    let kept = transactions::of_batch(&outbox.pool, batch).await.unwrap();
    assert_eq!((kept.len(), &kept[0].transaction, kept[0].state), (1, &written, Signed));
    assert!(batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap()[0].was_sent);
    transactions::note_sent(&outbox.pool, written.tx_hash).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(4, Sent)]);
    assert!(outbox.unsettled().await[0].sent_at.is_some());
}

#[tokio::test]
async fn the_database_has_the_table_of_moves_and_refuses_every_other() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    assert_eq!(outbox.count("SELECT count(*) FROM chain_transaction_moves").await, MOVES.len() as i64);
    assert_eq!(outbox.writes(batch, &transaction(4, 1, 1)).await, Written::Ahead);
    for left in ALL {
        for entered in ALL.into_iter().filter(|entered| *entered != left) {
            outbox.execute("ALTER TABLE chain_transactions DISABLE TRIGGER chain_transaction_moves").await;
            let set = "UPDATE chain_transactions SET state = $1";
            sqlx::query(set).bind(left.as_str()).execute(&outbox.pool).await.unwrap();
            outbox.execute("ALTER TABLE chain_transactions ENABLE TRIGGER chain_transaction_moves").await;
            let moved = sqlx::query(set).bind(entered.as_str()).execute(&outbox.pool).await;
            assert_eq!(moved.is_ok(), left.may_become(entered), "{left} to {entered}: {moved:?}");
        }
    }
}

#[tokio::test]
async fn a_nonce_belongs_to_one_batch_as_long_as_it_may_land() {
    let outbox = Outbox::new().await;
    let (first, second) = (outbox.batch().await, outbox.batch().await);
    assert_eq!(outbox.writes(first, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.writes(second, &transaction(2, 5, 10)).await, Written::NonceTaken);
    assert_eq!(outbox.writes(first, &transaction(3, 5, 12)).await, Written::Ahead, "a replacement");
    assert!(!batches::open(&outbox.pool, &REGISTRY, &[], 10).await.unwrap()[1].was_sent);
    let other = Transaction { sender: [7; 20], ..transaction(9, 5, 10) };
    assert_eq!(outbox.writes(second, &other).await, Written::Ahead, "another account's nonce");
    for hash in [1, 3] {
        transactions::abandon(&outbox.pool, [hash; 32], "stolen").await.unwrap();
    }
    assert_eq!(outbox.writes(second, &transaction(2, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.writes(first, &transaction(1, 5, 10)).await, Written::NonceTaken, "not even the same bytes");
}

#[tokio::test]
async fn the_same_bytes_are_the_same_transaction() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    assert_eq!(outbox.writes(batch, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.writes(batch, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.states(batch).await, [(1, Signed)]);
    transactions::abandon(&outbox.pool, [1; 32], "stolen").await.unwrap();
    assert_eq!(outbox.writes(batch, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.states(batch).await, [(1, Sent)], "it may land again");
}

#[tokio::test]
async fn one_variant_lands_and_the_others_are_replaced_until_its_block_is_gone() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    for (hash, fee) in [(1, 10), (2, 12), (3, 14)] {
        assert_eq!(outbox.writes(batch, &transaction(hash, 5, fee)).await, Written::Ahead);
    }
    assert!(outbox.unsettled().await.iter().all(|tracked| tracked.need == Need::Waits));
    let dearest_first: Vec<u8> = outbox.unsettled().await.iter().map(|t| t.transaction.tx_hash[0]).collect();
    assert_eq!(dearest_first, [3, 2, 1]);
    transactions::landed(&outbox.pool, [1; 32], Mined, block(8)).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Mined), (2, Replaced), (3, Replaced)]);

    transactions::return_to_pool(&outbox.pool, [1; 32]).await.unwrap();
    transactions::landed(&outbox.pool, [3; 32], Reverted, block(9)).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Replaced), (2, Replaced), (3, Reverted)]);
    transactions::landed(&outbox.pool, [2; 32], Mined, block(10)).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Replaced), (2, Mined), (3, Replaced)], "after another reorganisation");
    assert_eq!(outbox.unsettled().await.iter().filter_map(|t| t.block).collect::<Vec<_>>(), [block(10)]);
}

#[tokio::test]
async fn the_anchor_is_confirmed_lifted_and_final_with_its_batch() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    for (hash, fee) in [(1, 10), (2, 12)] {
        assert_eq!(outbox.writes(batch, &transaction(hash, 5, fee)).await, Written::Ahead);
    }
    // Nobody has looked at it in its block before its batch is found.
    let anchor = Anchor { tx_hash: [1; 32], block_number: 7, block_hash: [5; 32], gas: None };
    batches::complete(&outbox.pool, batch, &anchor).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Confirmed), (2, Replaced)]);
    assert!(outbox.unsettled().await.is_empty());
    batches::lift(&outbox.pool, batch, Horizon::Near).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Sent), (2, Replaced)]);
    assert_eq!(outbox.unsettled().await.len(), 2, "every variant may land");
    batches::complete(&outbox.pool, batch, &Anchor { tx_hash: [2; 32], ..anchor }).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Replaced), (2, Confirmed)]);
    let block = InBlock { number: 7, hash: [5; 32] };
    assert_eq!(batches::finalize(&outbox.pool, &REGISTRY, block).await.unwrap(), 1);
    assert_eq!(outbox.states(batch).await, [(1, Replaced), (2, Finalized)]);
}

#[tokio::test]
async fn a_late_success_completes_its_own_batch() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    assert_eq!(outbox.writes(batch, &transaction(1, 5, 10)).await, Written::Ahead);
    transactions::note_overtaken(&outbox.pool, [1; 32], 20).await.unwrap();
    transactions::note_overtaken(&outbox.pool, [1; 32], 22).await.unwrap();
    assert_eq!(outbox.unsettled().await[0].overtaken_block, Some(20), "the first look counts");
    transactions::abandon(&outbox.pool, [1; 32], "stolen").await.unwrap();
    assert_eq!(outbox.writes(batch, &transaction(2, 6, 10)).await, Written::Ahead);
    assert_eq!(outbox.states(batch).await, [(1, Abandoned), (2, Signed)]);
    let anchor = Anchor { tx_hash: [1; 32], block_number: 7, block_hash: [5; 32], gas: None };
    batches::complete(&outbox.pool, batch, &anchor).await.unwrap();
    assert_eq!(outbox.states(batch).await, [(1, Confirmed), (2, Signed)], "the other nonce must still be used up");
    let left: Vec<_> =
        outbox.unsettled().await.iter().map(|tracked| (tracked.transaction.nonce, tracked.need)).collect();
    assert_eq!(left, [(6, Need::Settled)], "by whatever transaction: its batch needs none");
}

#[tokio::test]
async fn a_batch_with_a_transaction_that_may_land_is_not_abandoned() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    assert_eq!(outbox.writes(batch, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(batches::abandon(&outbox.pool, batch, "a bit is set").await.unwrap(), None);
    transactions::landed(&outbox.pool, [1; 32], Reverted, block(8)).await.unwrap();
    assert_eq!(batches::abandon(&outbox.pool, batch, "a bit is set").await.unwrap(), None, "its block may go");
    transactions::abandon(&outbox.pool, [1; 32], "refused").await.unwrap();
    assert_eq!(batches::abandon(&outbox.pool, batch, "a bit is set").await.unwrap(), Some(1));
}

#[tokio::test]
async fn given_nonces_are_those_of_every_batch_that_has_landed_or_may() {
    let outbox = Outbox::new().await;
    let (first, second) = (outbox.batch().await, outbox.batch().await);
    assert_eq!(outbox.writes(first, &transaction(1, 5, 10)).await, Written::Ahead);
    assert_eq!(outbox.writes(second, &transaction(2, 6, 10)).await, Written::Ahead);
    let given = async |next| {
        let mut given = transactions::given_nonces(&outbox.pool, &ACCOUNT, next).await.unwrap();
        given.sort_unstable();
        given
    };
    assert_eq!(given(0).await, [5, 6]);
    let anchor = Anchor { tx_hash: [1; 32], block_number: 7, block_hash: [5; 32], gas: None };
    batches::complete(&outbox.pool, first, &anchor).await.unwrap();
    assert_eq!(given(5).await, [5, 6], "a node that is behind has not seen it");
    assert_eq!(given(6).await, [6]);
    transactions::abandon(&outbox.pool, [2; 32], "stolen").await.unwrap();
    assert!(given(6).await.is_empty());
}

#[tokio::test]
async fn a_filler_confirms_nothing_and_ends_when_it_is_deep() {
    let outbox = Outbox::new().await;
    let batch = outbox.batch().await;
    assert_eq!(outbox.writes(batch, &transaction(1, 6, 10)).await, Written::Ahead);
    let filler = transaction(2, 5, 10);
    let written = transactions::write_ahead(&outbox.pool, batch, Purpose::Filler, &filler).await.unwrap();
    assert_eq!(written, Written::Ahead);
    assert_eq!(outbox.states(batch).await, [(1, Signed)], "not one of the batch's own");
    assert_eq!(outbox.unsettled().await[0].purpose, Purpose::Filler);
    transactions::landed(&outbox.pool, [2; 32], Mined, block(8)).await.unwrap();
    transactions::filler_is_deep(&outbox.pool, [2; 32]).await.unwrap();
    assert_eq!(outbox.unsettled().await.len(), 1);
    assert!(outbox.unsettled().await.iter().all(|tracked| tracked.purpose == Purpose::Batch));
}
