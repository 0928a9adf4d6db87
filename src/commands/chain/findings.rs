//! What does not fit together between settings, chain and database: each with what to do about it.

use std::time::Duration;

use ::chain::{ChainView, Code};
use alloy::primitives::utils::format_ether;
use alloy::primitives::{B256, U256};
use chrono::{DateTime, Utc};
use serde::Serialize;
use store::overview::Overview;

/// A job or a transaction that waits longer for its block than this is worth a look.
const PATIENCE: Duration = Duration::from_secs(300);

/// Something that a person must look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// For scripts.
    pub code: &'static str,
    pub what: String,
    pub advice: &'static str,
}

/// What findings are made of; a part that is away is `None` and gives none.
pub(super) struct Look<'a> {
    pub expected_chain: u64,
    /// In wei: `chain.low_balance_eth`, which the batcher's alarm goes by as well.
    pub low_balance: U256,
    pub chain: Option<&'a ChainView>,
    pub database: Option<&'a Overview>,
    /// What the chain says about what the database holds.
    pub anchor: Anchor,
    pub next_index_is_taken: bool,
    pub now: DateTime<Utc>,
}

/// How the block of the newest anchored batch stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    /// There is none, or nobody could be asked.
    Unknown,
    Stands,
    /// The node has another block of its number.
    Replaced,
    /// The node has no block of its number.
    Behind,
}

pub(super) fn findings(look: &Look<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(chain) = look.chain {
        of_chain(look, chain, &mut found);
    }
    if let Some(database) = look.database {
        of_database(look, database, &mut found);
    }
    found
}

fn of_chain(look: &Look<'_>, chain: &ChainView, found: &mut Vec<Finding>) {
    let mut note = |code, what, advice| found.push(Finding { code, what, advice });
    if chain.chain_id != look.expected_chain {
        let what = format!("the node serves chain {}, chain.chain_id is {}", chain.chain_id, look.expected_chain);
        note("wrong_chain", what, "correct chain.rpc_url or chain.chain_id");
    }
    match chain.code {
        Code::Registry { .. } => {}
        Code::Nothing => {
            let what = "there is no contract at chain.registry".to_owned();
            note("no_registry", what, "correct chain.registry, or run `zama-jobs chain deploy`");
        }
        Code::Another { hash } => {
            let what = format!("the code at chain.registry ({hash}) is not this version's ZamaJobsRegistry");
            note("no_registry", what, "correct chain.registry");
        }
    }
    let Some(registry) = chain.registry else { return };
    if registry.is_paused {
        note("paused", "confirmation is paused".to_owned(), "run `zama-jobs chain unpause` when the reason is gone");
    }
    let signer = chain.signer;
    if !registry.signer_confirms {
        let what = format!("{} does not hold CONFIRMER_ROLE", signer.address);
        note("no_role", what, "run `zama-jobs chain grant-role confirmer ADDRESS` as the admin");
    }
    if signer.balance < look.low_balance {
        let (has, wants) = (format_ether(signer.balance), format_ether(look.low_balance));
        let what = format!("{} has {has} ETH, less than chain.low_balance_eth ({wants})", signer.address);
        note("low_balance", what, "send it some");
    }
    if look.anchor == Anchor::Replaced {
        let what = "the block of the newest anchored batch is not in the node's chain".to_owned();
        note("reorganised", what, "a worker anchors it again; if none does, the node may serve another chain");
    }
    if look.anchor == Anchor::Behind {
        let what = "the node does not know the block of the newest anchored batch".to_owned();
        note("node_behind", what, "wait until it has caught up, or ask another node");
    }
    if look.next_index_is_taken {
        let what = "the index that is given next is confirmed on chain already".to_owned();
        note("index_behind", what, "stop the workers of queue jobs and run `zama-jobs chain resync`");
    }
}

fn of_database(look: &Look<'_>, database: &Overview, found: &mut Vec<Finding>) {
    let mut note = |code, what, advice| found.push(Finding { code, what, advice });
    if database.open_elsewhere > 0 {
        let what = format!("{} open batches are for another chain or registry", database.open_elsewhere);
        note("elsewhere", what, "nobody with these settings sends them: set a worker to theirs");
    }
    if let Some(waiting) = &database.oldest_waiting {
        let age = (look.now - waiting.since).to_std().unwrap_or_default();
        if age > PATIENCE {
            let what = format!("job {} has waited {} s for its block", waiting.job, age.as_secs());
            note("waiting_long", what, "look at the workflow zama.jobs/batcher/… and the workers' logs");
        }
    }
    if database.refused > 0 {
        let what = format!("of {} open batches another root has confirmed an index", database.refused);
        let advice = "somebody else confirms with the confirmer's rights: find out who; the batcher gives their jobs new \
                      indices once that is final";
        note("refused", what, advice);
    }
    if let Some(waiting) = &database.waiting_transaction {
        let age = (look.now - waiting.since).to_std().unwrap_or_default();
        if age > PATIENCE {
            let (hash, nonce) = (B256::from(waiting.tx_hash), waiting.nonce);
            let what = format!("transaction {hash} (nonce {nonce}) has waited {} s for its block", age.as_secs());
            note(
                "stuck_transaction",
                what,
                "look at the batcher's details: fees at their cap, or a node that drops it",
            );
        }
    }
    if let Some(highest) = database.highest_index.filter(|highest| *highest >= database.next_index) {
        let what = format!("index {highest} is given, and {} would be given next", database.next_index);
        note("sequence_behind", what, "stop the workers of queue jobs and run `zama-jobs chain resync`");
    }
}

#[cfg(test)]
mod tests {
    use ::chain::{AccountView, Block, RegistryView};
    use alloy::primitives::Address;
    use store::overview::{Batches, WaitingJob, WaitingTransaction};

    use super::*;

    fn block() -> Block {
        Block { number: 7, hash: B256::repeat_byte(7) }
    }

    fn chain() -> ChainView {
        ChainView {
            chain_id: 31337,
            head: block(),
            finalized: None,
            code: Code::Registry { hash: B256::ZERO },
            registry: Some(RegistryView {
                is_paused: false,
                admin: Address::ZERO,
                next_admin: None,
                key_manager: None,
                signer_confirms: true,
                signer_pauses: false,
            }),
            signer: AccountView {
                address: Address::repeat_byte(1),
                balance: U256::from(10_u64).pow(U256::from(18)),
                nonce: 3,
                nonce_pending: 3,
            },
        }
    }

    fn database() -> Overview {
        Overview {
            unsealed: 0,
            oldest_waiting: None,
            sealed: Batches::default(),
            sent: Batches::default(),
            confirmed: Batches::default(),
            finalized: Batches::default(),
            abandoned: Batches { batches: 1, jobs: 2 },
            refused: 0,
            waiting_transaction: None,
            open_elsewhere: 0,
            newest_anchor: None,
            highest_index: Some(4),
            next_index: 5,
        }
    }

    fn codes(chain: &ChainView, database: &Overview, change: impl FnOnce(&mut Look<'_>)) -> Vec<&'static str> {
        let mut look = Look {
            expected_chain: 31337,
            low_balance: U256::from(7_000_u64),
            chain: Some(chain),
            database: Some(database),
            anchor: Anchor::Stands,
            next_index_is_taken: false,
            now: Utc::now(),
        };
        change(&mut look);
        findings(&look).iter().map(|finding| finding.code).collect()
    }

    #[test]
    fn what_fits_together_is_not_found() {
        assert!(codes(&chain(), &database(), |_| ()).is_empty());
        assert!(codes(&chain(), &database(), |look| (look.chain, look.database) = (None, None)).is_empty());
    }

    #[test]
    fn each_trouble_of_the_chain_has_its_finding() {
        let with = |change: fn(&mut ChainView)| {
            let mut view = chain();
            change(&mut view);
            codes(&view, &database(), |_| ())
        };
        assert_eq!(with(|view| view.chain_id = 1), ["wrong_chain"]);
        assert_eq!(with(|view| (view.code, view.registry) = (Code::Nothing, None)), ["no_registry"]);
        let another = Code::Another { hash: B256::ZERO };
        assert_eq!(
            codes(&ChainView { code: another, registry: None, ..chain() }, &database(), |_| ()),
            ["no_registry"]
        );
        assert_eq!(with(|view| view.registry.as_mut().unwrap().is_paused = true), ["paused"]);
        assert_eq!(with(|view| view.registry.as_mut().unwrap().signer_confirms = false), ["no_role"]);
        assert_eq!(with(|view| view.signer.balance = U256::from(6_999_u64)), ["low_balance"]);
        assert!(with(|view| view.signer.balance = U256::from(7_000_u64)).is_empty(), "as the batcher's alarm has it");
    }

    #[test]
    fn each_trouble_between_both_has_its_finding() {
        assert_eq!(codes(&chain(), &database(), |look| look.anchor = Anchor::Replaced), ["reorganised"]);
        assert_eq!(codes(&chain(), &database(), |look| look.anchor = Anchor::Behind), ["node_behind"]);
        assert_eq!(codes(&chain(), &database(), |look| look.next_index_is_taken = true), ["index_behind"]);
    }

    #[test]
    fn each_trouble_of_the_database_has_its_finding() {
        assert_eq!(codes(&chain(), &Overview { open_elsewhere: 1, ..database() }, |_| ()), ["elsewhere"]);
        assert_eq!(codes(&chain(), &Overview { highest_index: Some(5), ..database() }, |_| ()), ["sequence_behind"]);
        assert_eq!(codes(&chain(), &Overview { refused: 1, ..database() }, |_| ()), ["refused"]);
        let since = Utc::now();
        let transaction = Some(WaitingTransaction { tx_hash: [7; 32], nonce: 3, since });
        let stuck = Overview { waiting_transaction: transaction, ..database() };
        assert!(codes(&chain(), &stuck, |look| look.now = since + PATIENCE).is_empty());
        let later = since + PATIENCE + Duration::from_secs(1);
        assert_eq!(codes(&chain(), &stuck, |look| look.now = later), ["stuck_transaction"]);
        let waiting = Some(WaitingJob { job: jobs::JobId::generate(), since });
        let database = Overview { oldest_waiting: waiting, ..database() };
        assert!(codes(&chain(), &database, |look| look.now = since + PATIENCE).is_empty());
        assert_eq!(codes(&chain(), &database, |look| look.now = later), ["waiting_long"]);
    }
}
