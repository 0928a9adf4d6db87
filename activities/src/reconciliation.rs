//! Reads ledger and billing system of a month side by side, and mends what can be mended without a person.

mod month;
mod repair;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use billing::reconciliation::{Billed, Closed, LedgerRow, Line, RowState, compare};
use billing::{Decimal, ExternalId, FeeKind, LagoClient, LagoError, Metric, RecordedEvent};
use chrono::Utc;
use serde::Serialize;
use store::PgPool;
use store::tenants::Tenant;
use store::usage::periods::{self, PeriodRow, Span, Standing};

use crate::billing_delivery::BillingDelivery;

pub use month::Month;
pub use repair::Repaired;

/// A row that waits for longer is on its way no more: the reporter looks twice a minute.
pub const OVERDUE_AFTER: Duration = Duration::from_secs(3600);

/// Rows of a tenant that the billing system is asked for by themselves: more are delivered within no reading.
const SECOND_LOOKS: usize = 1000;

/// What was found of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct TenantReport {
    pub tenant: String,
    pub month: Month,
    /// Whether the billing system has its customer and subscription: they are made before its first row is sent.
    pub has_account: bool,
    /// Rows that wait for their delivery, of the month and of those before.
    pub waiting: u64,
    /// By metric.
    pub lines: Vec<Line>,
}

impl TenantReport {
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        self.lines.iter().any(Line::has_drifted)
    }

    /// Whether there is anything to tell.
    fn is_of_use(&self) -> bool {
        self.has_account || self.waiting > 0 || !self.lines.is_empty()
    }
}

/// The way to both books.
#[derive(Clone)]
pub struct Reconciler {
    pub delivery: Arc<BillingDelivery>,
    /// Rows that wait for longer disagree.
    pub overdue_after: Duration,
}

impl Reconciler {
    /// Compares a month of all tenants, or of one. One that used nothing and that the billing system does not know is
    /// left out.
    ///
    /// # Errors
    /// Database or billing system away.
    pub async fn all(&self, month: Month, only: Option<&str>) -> Result<Vec<TenantReport>> {
        let mut reports = Vec::new();
        for tenant in store::tenants::list(self.pool()).await? {
            let name = tenant.id.as_str();
            if only.is_some_and(|only| only != name) {
                continue;
            }
            let report = self.tenant(&tenant, month).await.with_context(|| format!("usage of {name}"))?;
            if report.is_of_use() {
                reports.push(report);
            }
        }
        Ok(reports)
    }

    async fn tenant(&self, tenant: &Tenant, month: Month) -> Result<TenantReport> {
        let (name, span) = (tenant.id.as_str(), month.span());
        // Rows last: whatever the billing system has was a row by then.
        let (events, billed) = if tenant.billing_ready {
            self.received(&ExternalId::parse(name)?, span).await?
        } else {
            Default::default()
        };
        let mut found = periods::rows(self.pool(), name, span, self.overdue_seconds()).await?;
        found.extend(periods::overdue(self.pool(), name, span.until, self.overdue_seconds()).await?);
        found.extend(periods::refused(self.pool(), name, span).await?);
        let mut rows = found.iter().map(ledger_row).collect::<Result<Vec<_>>>()?;
        self.look_again(&mut rows, &events).await?;
        let lines = compare(&rows, &events, &billed);
        let waiting = periods::waiting(self.pool(), name, span.until).await?;
        Ok(TenantReport { tenant: name.to_owned(), month, has_account: tenant.billing_ready, waiting, lines })
    }

    /// The billing system's events of an account, and what it bills, before and after they were read.
    async fn received(&self, account: &ExternalId, span: Span) -> Result<(Vec<RecordedEvent>, Billed)> {
        let mut billed = self.billed(account, span).await?;
        let events = self.lago().events(account, span.from, span.until).await?;
        let after = self.billed(account, span).await?;
        (billed.units_before, billed.units, billed.closed) = (billed.units, after.units, after.closed);
        Ok((events, billed))
    }

    /// Rows that were delivered after the events were read are, for this comparison, still on their way.
    async fn look_again(&self, rows: &mut [LedgerRow], events: &[RecordedEvent]) -> Result<()> {
        let received: BTreeSet<&str> = events.iter().map(|event| event.transaction_id.as_str()).collect();
        let lacking = rows.iter_mut().filter(|row| row.state == RowState::Delivered);
        for row in lacking.filter(|row| !received.contains(row.id.as_str())).take(SECOND_LOOKS) {
            if self.lago().get_event(&row.id).await?.is_some() {
                row.state = RowState::Waiting;
            }
        }
        Ok(())
    }

    async fn billed(&self, account: &ExternalId, span: Span) -> Result<Billed> {
        let mut billed = Billed::default();
        let mut units: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut is_known = false;
        for invoice in self.lago().invoices_of(account, span.from, span.until).await? {
            is_known = true;
            for period in &invoice.periods {
                let (first, last) = (period.from.timestamp(), period.to.timestamp());
                billed.closed.push(Closed { first, last, at: invoice.created_at.timestamp() });
            }
            for fee in invoice.fees.iter().filter(|fee| fee.kind == FeeKind::Charge) {
                add(&mut units, &fee.code, &fee.units);
            }
        }
        if Utc::now() < span.until {
            match self.lago().current_usage(account).await {
                Ok(usage) => {
                    is_known = true;
                    usage.lines.iter().for_each(|line| add(&mut units, &line.metric, &line.units));
                }
                // Its subscription has ended: what there is, is invoiced.
                Err(LagoError::Rejected { status: 404 | 405, .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        billed.units = is_known.then_some(units);
        Ok(billed)
    }

    fn pool(&self) -> &PgPool {
        &self.delivery.pool
    }

    fn lago(&self) -> &LagoClient {
        &self.delivery.lago
    }

    fn overdue_seconds(&self) -> f64 {
        self.overdue_after.as_secs_f64()
    }
}

fn add(units: &mut BTreeMap<String, Decimal>, metric: &str, more: &Decimal) {
    let sum = units.remove(metric).unwrap_or_else(Decimal::zero) + more;
    units.insert(metric.to_owned(), sum);
}

fn ledger_row(row: &PeriodRow) -> Result<LedgerRow> {
    let metric: Metric = row.metric.parse().map_err(anyhow::Error::msg)?;
    let state = match row.standing {
        Standing::Delivered => RowState::Delivered,
        Standing::Waiting => RowState::Waiting,
        Standing::Overdue => RowState::Overdue,
        Standing::Refused => RowState::Refused,
        Standing::Out => RowState::Out,
    };
    Ok(LedgerRow {
        id: row.id.clone(),
        metric,
        units: metric.quantity(row.units).to_string().parse()?,
        timestamp: row.billed_at.map(|billed_at| billed_at.timestamp()),
        state,
    })
}
