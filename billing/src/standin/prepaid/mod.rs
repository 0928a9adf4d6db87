//! Prepaid credits: wallets, what adds to them, and what invoices draw from them.
//!
//! As Lago 1.50 without a licence has them. What Lago does in a job right after its answer happens here before the next
//! request, and the answer shows the state before it, as Lago's does.

mod credit;
mod purse;
mod records;

pub(super) use credit::{CREDIT_DIGITS, Credit};
pub(super) use purse::{Bill, Purse};
pub(super) use records::{Kind, LOWEST_PRIORITY, Pair, Status, Wallet, WalletTransaction};
