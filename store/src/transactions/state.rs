//! The state machine of a transaction that we signed. The database has the same table of moves and refuses any other.
//!
//! ```text
//!            ┌────────────────── a block that held it is gone ──────────────────┐
//!            v                                                                  │
//! SIGNED ──> SENT ──> MINED ──> CONFIRMED ──> FINALIZED                         │
//!    │        │                                                                 │
//!    ├────────┼──> REVERTED   mined, and refused by the registry ──┐            │
//!    ├────────┼──> REPLACED   another one of ours has the nonce ───┤ ───────────┘
//!    └────────┴──> ABANDONED  its nonce leads nowhere, for good <──┘
//! ```
//! ABANDONED is as final as N blocks are: whatever a chain brings back is MINED or REVERTED again, under its own batch.

use std::fmt;
use std::str::FromStr;

/// Where a transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TransactionState {
    /// Written down; no node is known to have it.
    Signed,
    /// A node took it, and may have dropped it since.
    Sent,
    /// In a block, and it did what it should.
    Mined,
    /// So deep in the chain that its batch counts as confirmed.
    Confirmed,
    /// The chain will not take it back.
    Finalized,
    /// In a block, and refused there.
    Reverted,
    /// Another transaction of ours with its nonce is in a block.
    Replaced,
    /// Its nonce was used by a stranger, or it reverted, N blocks deep.
    Abandoned,
}

use TransactionState::{Abandoned, Confirmed, Finalized, Mined, Replaced, Reverted, Sent, Signed};

/// All states, in the order of a transaction's life.
pub const ALL: [TransactionState; 8] = [Signed, Sent, Mined, Confirmed, Finalized, Reverted, Replaced, Abandoned];

/// The one table of allowed moves: (left, entered). The same rows stand in `chain_transaction_moves`.
pub const MOVES: [(TransactionState, TransactionState); 23] = [
    (Signed, Sent),
    (Signed, Mined),
    (Signed, Reverted),
    (Signed, Replaced),
    (Signed, Abandoned),
    (Sent, Mined),
    (Sent, Reverted),
    (Sent, Replaced),
    (Sent, Abandoned),
    (Mined, Confirmed),
    (Mined, Sent),
    (Confirmed, Finalized),
    (Confirmed, Sent),
    (Finalized, Sent),
    (Reverted, Sent),
    (Reverted, Abandoned),
    (Replaced, Sent),
    (Replaced, Mined),
    (Replaced, Reverted),
    (Replaced, Abandoned),
    (Abandoned, Sent),
    (Abandoned, Mined),
    (Abandoned, Reverted),
];

impl TransactionState {
    /// Whether the table allows the move.
    #[must_use]
    pub fn may_become(self, next: Self) -> bool {
        MOVES.contains(&(self, next))
    }

    /// Whether something may still happen to it without a reorganisation of N blocks.
    #[must_use]
    pub fn is_live(self) -> bool {
        matches!(self, Signed | Sent | Mined | Reverted)
    }

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Signed => "SIGNED",
            Sent => "SENT",
            Mined => "MINED",
            Confirmed => "CONFIRMED",
            Finalized => "FINALIZED",
            Reverted => "REVERTED",
            Replaced => "REPLACED",
            Abandoned => "ABANDONED",
        }
    }
}

impl fmt::Display for TransactionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for TransactionState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        ALL.into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| format!("is not one of {}", ALL.map(Self::as_str).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_signed_again_and_only_what_is_deep_is_final() {
        assert!(ALL.into_iter().all(|state| !state.may_become(Signed)));
        let before = |entered| ALL.into_iter().filter(move |state| state.may_become(entered)).collect::<Vec<_>>();
        assert_eq!(before(Confirmed), [Mined]);
        assert_eq!(before(Finalized), [Confirmed]);
        assert!(!before(Abandoned).contains(&Mined), "what is in a block is not given up");
    }

    #[test]
    fn whatever_a_chain_takes_back_may_land_again() {
        for state in [Mined, Confirmed, Finalized, Reverted, Replaced, Abandoned] {
            assert!(state.may_become(Sent), "{state}");
        }
    }

    #[test]
    fn names_round_trip() {
        for state in ALL {
            assert_eq!(state.as_str().parse(), Ok(state));
        }
        assert!("sent".parse::<TransactionState>().is_err());
    }
}
