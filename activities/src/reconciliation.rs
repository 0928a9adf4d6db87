//! Reads ledger and billing system of a month side by side, and mends what can be mended without a person.

mod bills;
mod month;
mod outage;
mod pass;
mod repair;
mod subscription;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, Result};
use billing::reconciliation::{Billed, Invoicing, LedgerRow, Line, RowState, compare};
use billing::{Catalogue, ExternalId, LagoClient, Patience};
use serde::Serialize;
use store::PgPool;
use store::tenants::Tenant;
use store::usage::periods::{self, PeriodRow, Span, Standing};

use crate::billing_delivery::{BillingDelivery, Unsubscribed, measured};

pub use month::Month;
pub use outage::reason;
pub use repair::Repaired;

/// A row that waits for longer is on its way no more: the reporter looks twice a minute.
pub const OVERDUE_AFTER: Duration = Duration::from_secs(3600);

/// With which the billing system's books are read: of thousands of pages some meet its limit of requests, or are lost.
pub const PATIENCE: Patience = Patience { repeats: 4, pause: Duration::from_secs(1), longest: Duration::from_secs(60) };

/// What is late.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// Rows that wait for longer disagree.
    pub delivered_within: Duration,
    /// So long after the end of a month, or of a subscription, a final invoice reaches it.
    pub invoiced_within: Duration,
}

/// What was found of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct TenantReport {
    pub tenant: String,
    pub month: Month,
    /// Whether its customer and subscription were made in the billing system: they are before its first row is sent.
    pub has_account: bool,
    /// Rows that wait for their delivery, of the month and of those before, and those that were delivered while the books
    /// were read.
    pub waiting: u64,
    /// By metric.
    pub lines: Vec<Line>,
    /// Whether what is over of the month has its invoice.
    pub invoice: Invoicing,
    /// Why no subscription bills the whole month, of one that is to have one: then its plan's own fee is lost, too.
    pub unsubscribed: Option<Unsubscribed>,
    /// Why the tenant's books could not be read; then nothing is known of them.
    pub unread: Option<String>,
}

impl TenantReport {
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        self.drifting() > 0
    }

    /// How much disagrees: metrics, the month itself where no invoice bills its end, and the account where no subscription
    /// bills it.
    #[must_use]
    pub fn drifting(&self) -> usize {
        let lines = self.lines.iter().filter(|line| line.has_drifted()).count();
        lines + usize::from(self.invoice == Invoicing::Uninvoiced) + usize::from(self.unsubscribed.is_some())
    }

    fn unread(tenant: &Tenant, month: Month, error: &anyhow::Error) -> Self {
        Self {
            tenant: tenant.id.as_str().to_owned(),
            month,
            has_account: tenant.billing_ready,
            waiting: 0,
            lines: Vec::new(),
            invoice: Invoicing::NotDue,
            unsubscribed: None,
            unread: Some(outage::reason(error)),
        }
    }

    /// Whether there is anything to tell.
    fn is_of_use(&self) -> bool {
        self.has_account || self.waiting > 0 || !self.lines.is_empty() || self.unread.is_some()
    }
}

/// The way to both books.
#[derive(Clone)]
pub struct Reconciler {
    delivery: Arc<BillingDelivery>,
    /// The same way to the billing system, for reading.
    lago: LagoClient,
    /// What was agreed on.
    catalogue: Arc<Catalogue>,
    deadlines: Deadlines,
}

impl Reconciler {
    #[must_use]
    pub fn new(delivery: Arc<BillingDelivery>, deadlines: Deadlines, patience: Patience) -> Self {
        let lago = delivery.lago.patient(patience);
        Self { delivery, lago, catalogue: Arc::new(Catalogue::standard()), deadlines }
    }

    /// Compares a month of all tenants, or of one, each by itself. One that used nothing and that the billing system does not
    /// know is left out; one whose books could not be read says why.
    ///
    /// # Errors
    /// The database is away, and with it the list of tenants.
    pub async fn all(&self, month: Month, only: Option<&str>) -> Result<Vec<TenantReport>> {
        let mut pass = self.pass(month);
        let mut reports = Vec::new();
        for tenant in store::tenants::list(self.pool()).await? {
            if only.is_none_or(|only| only == tenant.id.as_str()) {
                reports.extend(pass.read(&tenant).await);
            }
        }
        Ok(reports)
    }

    /// Tenants by name, behind `after`, whose months from `first` to `last` are compared without anybody's asking for them.
    ///
    /// A tenant that ended before these months is left out as long as the ledger has nothing of it in them and nothing of it
    /// waits: then the billing system has nothing of ours there. What it has of a stranger's it bills under an active
    /// subscription alone, so that a tenant that has one again is compared as any other; one list names them all, a hundred
    /// a call. An event that is billed by nothing, as there is no subscription, [`Self::all`] names.
    ///
    /// # Errors
    /// Database or billing system away.
    pub(crate) async fn to_compare(&self, first: Month, last: Month, after: Option<&str>) -> Result<Vec<Tenant>> {
        let subscribed = self.lago.active_subscriptions().await.context("the subscriptions cannot be listed")?;
        let span = Span { from: first.span().from, until: last.span().until };
        Ok(store::tenants::to_compare(self.pool(), span, after, &subscribed).await?)
    }

    async fn tenant(&self, tenant: &Tenant, month: Month) -> Result<TenantReport> {
        let (name, span) = (tenant.id.as_str(), month.span());
        // What is delivered from now on may be none of the events: the next reading has it. An account is noted before
        // its first row is sent, so that one that is not there yet has no rows from before.
        let since = periods::clock(self.pool()).await?;
        let has_account = store::tenants::find(self.pool(), name).await?.is_some_and(|tenant| tenant.billing_ready);
        // Rows last: whatever the billing system has was a row by then.
        let (events, billed) = if has_account {
            Box::pin(self.received(&ExternalId::parse(name)?, span)).await?
        } else {
            (Vec::new(), Billed::default())
        };
        let mut found = periods::rows(self.pool(), name, span, since, self.overdue_seconds()).await?;
        found.extend(periods::overdue(self.pool(), name, span.until, self.overdue_seconds()).await?);
        found.extend(periods::refused(self.pool(), name, span).await?);
        let rows = found.iter().map(ledger_row).collect::<Result<Vec<_>>>()?;
        let lines = compare(&rows, &events, &billed);
        let arriving = found.iter().filter(|row| row.standing == Standing::Arriving).count() as u64;
        let waiting = periods::waiting(self.pool(), name, span.until).await? + arriving;
        let unsubscribed = if has_account { Box::pin(self.unsubscribed(tenant, span)).await? } else { None };
        let (tenant, invoice) = (name.to_owned(), billed.invoice);
        Ok(TenantReport { tenant, month, has_account, waiting, lines, invoice, unsubscribed, unread: None })
    }

    fn pool(&self) -> &PgPool {
        &self.delivery.pool
    }

    fn overdue_seconds(&self) -> f64 {
        self.deadlines.delivered_within.as_secs_f64()
    }
}

fn ledger_row(row: &PeriodRow) -> Result<LedgerRow> {
    let (metric, units) = measured(&row.metric, row.units)?;
    let state = match row.standing {
        Standing::Delivered => RowState::Delivered,
        Standing::Waiting | Standing::Arriving => RowState::Waiting,
        Standing::Overdue => RowState::Overdue,
        Standing::Refused => RowState::Refused,
        Standing::Out => RowState::Out,
    };
    Ok(LedgerRow {
        id: row.id.clone(),
        metric,
        units,
        timestamp: row.billed_at.map(|billed_at| billed_at.timestamp()),
        state,
    })
}
