//! What the stand-in tells by webhook: which changes are news, as what they are told, and how they are sent and signed.
//!
//! Lago tells of more: of what its clock does (ends of subscriptions and wallets in time), of payments by providers, of
//! credit notes, coupons and e-mails. `events.errors` comes hourly there, and at once here.

mod courier;
mod happening;
mod notice;
mod signing;

pub(super) use courier::Courier;
pub(super) use happening::notices_of;
pub(super) use notice::{Notice, Subject};
pub(super) use signing::SigningKey;
