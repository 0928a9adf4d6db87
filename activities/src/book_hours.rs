//! `book_hours`: what is metered by the hour goes into the ledger; what is of no use any more is forgotten.

use std::sync::Arc;

use anyhow::Context as _;
use store::usage::hours;
use store::{PgPool, accounts};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};

/// After an hour's end, for what the API's processes have counted and not told yet. What comes later is a row of its own.
const MARGIN_SECONDS: f64 = 300.0;
/// After which the counts of an hour are forgotten. Longer than any process of the API tells of it.
const FORGOTTEN_AFTER_DAYS: i32 = 30;
/// After which notices of the billing system are forgotten. Longer than a month stays open for finance.
const NOTICES_FORGOTTEN_AFTER_DAYS: i32 = 90;

pub struct BookHours {
    pub pool: PgPool,
}

#[activities]
impl BookHours {
    #[activity(name = "book_hours")]
    pub async fn book_hours(self: Arc<Self>, _ctx: ActivityContext) -> Result<u32, ActivityError> {
        Ok(self.book().await?)
    }
}

impl BookHours {
    /// Books what is stored and what was called, each whatever becomes of the other. Tells how many rows.
    ///
    /// # Errors
    /// The database is away, or has no time for one of them. What was booked is not booked again.
    pub async fn book(&self) -> anyhow::Result<u32> {
        let stored = hours::snapshot_storage(&self.pool).await.context("what is stored was not booked");
        let called = hours::book_calls(&self.pool, MARGIN_SECONDS).await.context("calls were not booked");
        let booked = stored? + called?;
        hours::forget_calls(&self.pool, FORGOTTEN_AFTER_DAYS).await?;
        accounts::notices::forget(&self.pool, NOTICES_FORGOTTEN_AFTER_DAYS).await?;
        Ok(u32::try_from(booked).unwrap_or(u32::MAX))
    }
}
