//! Billing: usage events to Lago, the price list that Lago is given, and a stand-in for Lago on a developer's machine.
//!
//! There is no database here: ledger rows come in as values, and what became of them goes out as values.
//! Money and units are whole numbers and decimals.

#![deny(clippy::float_arithmetic)]

mod catalogue;
mod client;
pub mod conformance;
mod decimal;
mod delivery;
mod error;
mod event;
mod identity;
mod invoice;
mod metric;
mod notice;
mod patience;
mod pricing;
mod query;
pub mod reconciliation;
mod setup;
pub mod standin;
mod subscription_state;
mod tenant;
mod usage;
mod wallet;

pub use catalogue::{Catalogue, ChargeTerms, PlanTerms, Price, TaxTerms, Tier};
pub use client::LagoClient;
pub use decimal::{Decimal, NotDecimal};
pub use delivery::{Delivery, LARGEST_BATCH};
pub use error::LagoError;
pub use event::{RecordedEvent, UsageEvent};
pub use identity::{ExternalId, Origin};
pub use invoice::{BilledPeriod, Fee, FeeKind, ISSUED_WITHIN_DAYS, WholeInvoice};
pub use metric::{FIELD, Metric};
pub use notice::{NOTICE_ALGORITHM, NoticeKey};
pub use patience::Patience;
pub use pricing::PriceBook;
pub use setup::{Change, Entry, Kind, Report, plan, setup};
pub use subscription_state::{SubscriptionState, ended_in};
pub use tenant::{Subscribed, Subscription, change_plan, end_tenant, ensure_tenant};
pub use usage::{CurrentUsage, Invoice, UsageLine};
pub use wallet::{
    Direction, NewWallet, TOP_UP_KEY, TopUp, TransactionKind, TransactionStatus, Wallet, WalletId, WalletStatus,
    WalletTransaction,
};
