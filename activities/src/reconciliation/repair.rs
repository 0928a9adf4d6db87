//! What is mended without a person: sent again, booked anew, delivered.

use anyhow::{Context, Result};
use billing::reconciliation::{Invoicing, Line};
use billing::{Delivery, ExternalId, UsageEvent};
use jobs::TenantId;
use serde::Serialize;
use serde_json::{Value, json};
use store::audit::{self, Draft, NAMED_ROWS, Note, USAGE};
use store::usage;
use store::usage::corrections::{self, Anew};

use super::{Reconciler, TenantReport};
use crate::billing_delivery::{Unsubscribed, event};

/// What the audit log calls it: nobody repairs but by the command.
const AUDITED_AS: &str = "billing reconcile --repair";

/// Rows of a tenant that are read at once to be delivered ...
const ROWS: i64 = 1000;
/// ... and how often at most: a tenant that goes on using more is left to the reporter.
const ROUNDS: u32 = 1000;

/// What became of the rows that a repair looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Repaired {
    /// Sent again.
    pub sent: usize,
    /// Booked anew, because their period is closed.
    pub booked_anew: usize,
    /// Delivered, after they had waited; whoever had no account was given one.
    pub delivered: usize,
    /// What a person must look at: events of another content, or that nobody here knows, dead letters, rows that cannot be
    /// delivered, lines at another price than the list's, months without their invoice, and accounts without a subscription.
    pub left: usize,
    /// Tenants whose repair was stopped by an error; what was done of it before is counted.
    pub stopped: usize,
}

/// What no repair does anything about: dead letters, prices, and invoices and subscriptions that lack.
fn left_for_a_person(report: &TenantReport) -> usize {
    let of_line = |line: &Line| line.dead_letters.len() + line.priced_otherwise.len();
    let uninvoiced = usize::from(report.invoice == Invoicing::Uninvoiced);
    let unsubscribed = usize::from(report.unsubscribed.is_some());
    report.lines.iter().map(of_line).sum::<usize>() + uninvoiced + unsubscribed
}

impl Reconciler {
    /// Sends again what the billing system lacks, books anew what it can bill no more, and delivers what waits: of each tenant
    /// by itself. What stops the repair of one is logged, and the next comparison names what is left.
    pub async fn repair(&self, reports: &[TenantReport]) -> Repaired {
        let mut repaired = Repaired::default();
        for report in reports.iter().filter(|report| report.has_drifted()) {
            repaired.left += left_for_a_person(report);
            // Nothing can be sent before somebody has said that its account is to be made anew.
            if report.unsubscribed == Some(Unsubscribed::Unknown) {
                continue;
            }
            if report.has_account
                && let Err(error) = Box::pin(self.mend(report, &mut repaired)).await
            {
                tracing::warn!(tenant.id = report.tenant, error = format!("{error:#}"), "the repair was stopped");
                repaired.stopped += 1;
                continue;
            }
            match Box::pin(self.deliver(report)).await {
                Ok(delivered) => repaired.delivered += delivered,
                // One whose rows cannot be delivered does not hold back the others; the next comparison names them.
                Err(error) => {
                    let left = report.lines.iter().map(|line| line.overdue.len()).sum::<usize>();
                    tracing::warn!(tenant.id = report.tenant, error = format!("{error:#}"), "its rows wait on");
                    repaired.left += left;
                }
            }
        }
        repaired
    }

    async fn mend(&self, report: &TenantReport, repaired: &mut Repaired) -> Result<()> {
        let account = ExternalId::parse(&report.tenant)?;
        let open_from = self.delivery.open_from(&report.tenant).await?;
        let audit = Draft::by_operator(AUDITED_AS, json!({ "month": report.month.to_string() }));
        for line in &report.lines {
            repaired.left += line.foreign.len() + line.differing.len();
            let (mut again, mut anew) = (Vec::new(), Vec::new());
            for row in usage::of_ids(self.pool(), &line.missing).await? {
                match row.billed_at {
                    Some(billed_at) if open_from.is_some_and(|from| from <= billed_at) => {
                        again.push(event(&row, &account, billed_at)?);
                    }
                    _ => anew.push(row),
                }
            }
            anew.extend(usage::of_ids(self.pool(), &line.too_late).await?);
            self.note_sent(report, &again).await?;
            let outcomes = self.lago.send(&again).await?;
            let sent = outcomes.iter().filter(|outcome| **outcome == Delivery::Delivered).count();
            repaired.sent += sent;
            repaired.left += again.len() - sent;
            for row in anew {
                // It may have arrived, or been invoiced, since the books were read.
                let billed_at = row.billed_at.context("the row was never sent")?;
                if self.delivery.fate(&account, &row.id, billed_at).await?.is_in_time() {
                    continue;
                }
                let reason = "no invoice of its period has it";
                let booked =
                    corrections::book_anew(self.pool(), &row.id, Anew::Delivered, reason, Some(&audit)).await?;
                repaired.booked_anew += usize::from(booked);
            }
        }
        Ok(())
    }

    /// Writes down what is about to be sent again: no transaction of ours does it.
    async fn note_sent(&self, report: &TenantReport, events: &[UsageEvent]) -> Result<()> {
        for events in events.chunks(NAMED_ROWS) {
            let ids: Vec<&str> = events.iter().map(|event| event.transaction_id.as_str()).collect();
            let about = json!({ "month": report.month.to_string(), "sent_again": ids.join(" ") });
            self.note(report, about).await?;
        }
        Ok(())
    }

    async fn note(&self, report: &TenantReport, about: Value) -> Result<()> {
        let tenant: TenantId = report.tenant.parse().context("the tenant's name is none")?;
        audit::append(self.pool(), &Note::by_operator(&tenant, AUDITED_AS, USAGE.to_owned(), about)).await?;
        Ok(())
    }

    /// Delivers what waits of a tenant, what was just booked anew too; tells of how many rows.
    async fn deliver(&self, report: &TenantReport) -> Result<usize> {
        let mut delivered = 0;
        let mut before = Vec::new();
        for _ in 0..ROUNDS {
            let due = usage::due_for_tenant(self.pool(), &report.tenant, ROWS).await?;
            let ids: Vec<String> = due.iter().map(|row| row.id.clone()).collect();
            // What neither arrives nor is refused is tried once.
            if ids.is_empty() || ids == before {
                break;
            }
            delivered += usize::try_from(self.delivery.deliver(due).await?).unwrap_or(usize::MAX);
            before = ids;
        }
        if delivered > 0 {
            let about = json!({ "month": report.month.to_string(), "delivered": delivered });
            self.note(report, about).await?;
        }
        Ok(delivered)
    }
}
