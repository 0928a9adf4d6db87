//! What keeps transactions from landing, in words for operators.

use std::fmt;

use alloy::primitives::utils::format_units;
use chain::ChainError;

use super::super::sending::Offer;

/// A reason for which transactions wait that no batch has of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Fees should be raised, and the cap leaves no room. Both in wei for a unit of gas.
    AtCap { cap: u128, base_fee: u128 },
    /// The node does not take a transaction that was written down.
    Refused { nonce: u64, message: String },
    /// Fees should be raised, and the account cannot pay them.
    CannotPay { nonce: u64, why: String },
    /// A confirmed transaction of ours is unknown to the node, whose chain is shorter than it was.
    NodeForgot { nonce: u64 },
}

impl Trouble {
    /// Of what a node said to the transaction of a nonce.
    pub(super) fn of(nonce: u64, offer: &Offer) -> Option<Self> {
        match offer {
            Offer::Taken | Offer::NonceUsed => None,
            Offer::Outbid(error) | Offer::Refused(error) => {
                let message = match error {
                    ChainError::Rejected { message, .. } => message.clone(),
                    error => error.to_string(),
                };
                Some(Self::Refused { nonce, message })
            }
        }
    }

    /// Whether it is the same in other numbers, which move with each block.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::AtCap { cap, .. }, Self::AtCap { cap: other, .. }) => cap == other,
            (Self::CannotPay { nonce, .. }, Self::CannotPay { nonce: other, .. }) => nonce == other,
            (one, other) => one == other,
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtCap { cap, base_fee } => write!(
                f,
                "transactions wait at chain.fee_cap_gwei ({} gwei); the base fee is {} gwei",
                gwei(*cap),
                gwei(*base_fee)
            ),
            Self::Refused { nonce, message } => {
                write!(f, "the node refuses the transaction of nonce {nonce}: {message}")
            }
            Self::CannotPay { nonce, why } => {
                write!(f, "the transaction of nonce {nonce} waits, and its fees cannot be raised: {why}")
            }
            Self::NodeForgot { nonce } => {
                write!(f, "the node does not know nonce {nonce}, which was confirmed: its chain is shorter than it was")
            }
        }
    }
}

fn gwei(wei: u128) -> String {
    let text = format_units(wei, "gwei").unwrap_or_else(|_| wei.to_string());
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trouble_is_told_once_while_its_numbers_move() {
        let at = |cap, base_fee| Trouble::AtCap { cap, base_fee };
        assert!(at(5, 6).is_as(&at(5, 7)));
        assert!(!at(5, 6).is_as(&at(4, 6)));
        assert!(!at(5, 6).is_as(&Trouble::NodeForgot { nonce: 1 }));
        let poor = |why: &str| Trouble::CannotPay { nonce: 7, why: why.to_owned() };
        assert!(poor("cannot pay 2 ETH").is_as(&poor("cannot pay 3 ETH")));
        let told = at(300_000_000_000, 1_500_000_000).to_string();
        assert_eq!(told, "transactions wait at chain.fee_cap_gwei (300 gwei); the base fee is 1.5 gwei");
    }
}
