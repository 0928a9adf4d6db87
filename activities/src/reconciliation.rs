//! Reads ledger and billing system of a month side by side, and mends what can be mended without a person.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use anyhow::{Context, Result};
use billing::reconciliation::{Billed, Closed, LedgerRow, Line, RowState, compare};
use billing::{Decimal, Delivery, ExternalId, FeeKind, LagoClient, LagoError, Metric, RecordedEvent, UsageEvent};
use chrono::{DateTime, Datelike as _, Months, NaiveDate, NaiveTime, Utc};
use serde::Serialize;
use store::PgPool;
use store::usage::corrections::{self, Anew};
use store::usage::periods::{self, PeriodRow, Span};

/// Rows of a tenant that the billing system is asked for by themselves: more are delivered within no reading.
const SECOND_LOOKS: usize = 1000;

/// A calendar month in UTC, which is a billing period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Month(NaiveDate);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(moment: DateTime<Utc>) -> Self {
        let day = moment.date_naive();
        Self(day.with_day(1).unwrap_or(day))
    }

    #[must_use]
    pub fn before(self) -> Self {
        Self(self.0.checked_sub_months(Months::new(1)).unwrap_or(self.0))
    }

    fn span(self) -> Span {
        let midnight = |day: NaiveDate| day.and_time(NaiveTime::MIN).and_utc();
        let next = self.0.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
        Span { from: midnight(self.0), until: midnight(next) }
    }
}

impl fmt::Display for Month {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.format("%Y-%m"))
    }
}

impl Serialize for Month {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl FromStr for Month {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let day = (text.len() == 7).then(|| format!("{text}-01").parse().ok()).flatten();
        day.map(Self).ok_or_else(|| format!("{text:?} is no month: YYYY-MM"))
    }
}

/// What was found of a tenant.
#[derive(Clone, Debug, Serialize)]
pub struct TenantReport {
    pub tenant: String,
    pub month: Month,
    /// Rows of the tenant that were never sent.
    pub waiting: u64,
    /// By metric.
    pub lines: Vec<Line>,
}

impl TenantReport {
    #[must_use]
    pub fn has_drifted(&self) -> bool {
        self.lines.iter().any(Line::has_drifted)
    }
}

/// What became of the rows that a repair looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Sent again.
    pub sent: usize,
    /// Booked anew, because their period is closed.
    pub booked_anew: usize,
    /// What a person must look at: events of another content, or that nobody here knows.
    pub left: usize,
}

/// The way to both books.
#[derive(Clone)]
pub struct Reconciler {
    pub pool: PgPool,
    pub lago: Arc<LagoClient>,
}

impl Reconciler {
    /// Compares a month of all tenants that the billing system knows, or of one.
    ///
    /// # Errors
    /// Database or billing system away.
    pub async fn all(&self, month: Month, only: Option<&str>) -> Result<Vec<TenantReport>> {
        let mut reports = Vec::new();
        for tenant in store::tenants::list(&self.pool).await? {
            let name = tenant.id.as_str();
            if !tenant.billing_ready || only.is_some_and(|only| only != name) {
                continue;
            }
            reports.push(self.tenant(name, month).await.with_context(|| format!("usage of {name}"))?);
        }
        Ok(reports)
    }

    async fn tenant(&self, tenant: &str, month: Month) -> Result<TenantReport> {
        let (account, span) = (ExternalId::parse(tenant)?, month.span());
        // Rows last: whatever the billing system has was a row by then.
        let mut billed = self.billed(&account, span).await?;
        let events = self.lago.events(&account, span.from, span.until).await?;
        let after = self.billed(&account, span).await?;
        (billed.units_before, billed.units, billed.closed) = (billed.units, after.units, after.closed);
        let rows = periods::rows(&self.pool, tenant, span).await?;
        let mut rows = rows.iter().map(ledger_row).collect::<Result<Vec<_>>>()?;
        self.look_again(&mut rows, &events).await?;
        let lines = compare(&rows, &events, &billed);
        let waiting = periods::unsent(&self.pool, tenant).await?;
        Ok(TenantReport { tenant: tenant.to_owned(), month, waiting, lines })
    }

    /// Rows that were delivered after the events were read are, for this comparison, still on their way.
    async fn look_again(&self, rows: &mut [LedgerRow], events: &[RecordedEvent]) -> Result<()> {
        let received: BTreeSet<&str> = events.iter().map(|event| event.transaction_id.as_str()).collect();
        let lacking = rows.iter_mut().filter(|row| row.state == RowState::Delivered);
        for row in lacking.filter(|row| !received.contains(row.id.as_str())).take(SECOND_LOOKS) {
            if self.lago.get_event(&row.id).await?.is_some() {
                row.state = RowState::Waiting;
            }
        }
        Ok(())
    }

    async fn billed(&self, account: &ExternalId, span: Span) -> Result<Billed> {
        let mut billed = Billed::default();
        let mut units: BTreeMap<String, Decimal> = BTreeMap::new();
        let mut is_known = false;
        for invoice in self.lago.invoices_of(account, span.from, span.until).await? {
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
            match self.lago.current_usage(account).await {
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

    /// Sends again what the billing system lacks, and books anew what it can bill no more.
    ///
    /// # Errors
    /// Database or billing system away.
    pub async fn repair(&self, reports: &[TenantReport]) -> Result<Repaired> {
        let mut repaired = Repaired::default();
        for report in reports.iter().filter(|report| report.has_drifted()) {
            let account = ExternalId::parse(&report.tenant)?;
            let open_from = match self.lago.current_usage(&account).await {
                Ok(usage) => Some(usage.from),
                Err(LagoError::Rejected { status: 404 | 405, .. }) => None,
                Err(error) => return Err(error.into()),
            };
            let rows = periods::rows(&self.pool, &report.tenant, report.month.span()).await?;
            for line in &report.lines {
                repaired.left += line.foreign.len() + line.differing.len();
                let is = |ids: &[String], row: &&PeriodRow| ids.contains(&row.id);
                let (mut again, mut anew) = (Vec::new(), Vec::new());
                for row in rows.iter().filter(|row| is(&line.missing, row)) {
                    let is_open = open_from.is_some_and(|from| from <= row.billed_at);
                    if is_open { again.push(self.event(row, &account)?) } else { anew.push(row) }
                }
                anew.extend(rows.iter().filter(|row| is(&line.too_late, row)));
                let outcomes = self.lago.send(&again).await?;
                let sent = outcomes.iter().filter(|outcome| **outcome == Delivery::Delivered).count();
                repaired.sent += sent;
                repaired.left += again.len() - sent;
                for row in anew {
                    let reason = "no invoice of its period has it";
                    let booked = corrections::book_anew(&self.pool, &row.id, Anew::Delivered, reason).await?;
                    repaired.booked_anew += usize::from(booked);
                }
            }
        }
        Ok(repaired)
    }

    fn event(&self, row: &PeriodRow, account: &ExternalId) -> Result<UsageEvent> {
        let gas = row.gas.map(Into::into);
        let row = ledger_row(row)?;
        Ok(UsageEvent {
            transaction_id: row.id,
            external_subscription_id: account.clone(),
            code: row.metric,
            timestamp: row.timestamp,
            value: row.units,
            gas,
        })
    }
}

fn add(units: &mut BTreeMap<String, Decimal>, metric: &str, more: &Decimal) {
    let sum = units.remove(metric).unwrap_or_else(Decimal::zero) + more;
    units.insert(metric.to_owned(), sum);
}

fn ledger_row(row: &PeriodRow) -> Result<LedgerRow> {
    let metric: Metric = row.metric.parse().map_err(anyhow::Error::msg)?;
    let state = match (row.is_out, row.is_delivered) {
        (true, _) => RowState::Out,
        (false, true) => RowState::Delivered,
        (false, false) => RowState::Waiting,
    };
    Ok(LedgerRow {
        id: row.id.clone(),
        metric,
        units: metric.quantity(row.units).to_string().parse()?,
        timestamp: row.billed_at.timestamp(),
        state,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_a_calendar_month_of_utc() {
        let month: Month = "2026-12".parse().unwrap();
        assert_eq!(month.span().until, "2027-01-01T00:00:00Z".parse::<DateTime<Utc>>().unwrap());
        assert_eq!(Month::of("2026-12-31T23:59:59.9Z".parse().unwrap()), month);
        assert_eq!("2027-01".parse::<Month>().unwrap().before(), month);
        assert_eq!(month.to_string(), "2026-12");
        assert!(["", "2026", "2026-13", "2026-1", "26-12-01"].iter().all(|text| text.parse::<Month>().is_err()));
    }
}
