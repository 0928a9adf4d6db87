//! The reconciliation: holds ledger and billing system against each other, once. A schedule of Temporal's starts it.

use std::time::Duration;

use temporalio_macros::{workflow, workflow_methods};
use temporalio_workflow::{ActivityOptions, RetryPolicy, WorkflowContext, WorkflowResult};

use crate::activities::{Reconcile, Reconciled};

/// Two months of each tenant are read, a hundred events a call. Where this is too short, the next attempt goes on.
const ATTEMPT: Duration = Duration::from_secs(3600);
/// A worker that is silent for this long is dead, and another goes on behind the last tenant that it told.
const HEARTBEAT_TIMEOUT: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// Tenants that could not be read which the details of a run name of a month: its result names more.
const NAMED: usize = 3;

/// It takes no input, so that the schedule holds no payload that a later codec key could not read.
#[workflow]
#[derive(Default)]
pub struct ReconciliationWorkflow;

impl ReconciliationWorkflow {
    /// The schedule's id, and what the ids of its workflows begin with: the time stands behind it.
    pub const SCHEDULE_ID: &'static str = "zama.jobs/reconciliation";
    /// The workflow that did the same with a timer, for ever, before there was a schedule.
    pub const PERPETUAL_ID: &'static str = "zama.jobs/billing-reconciler";
}

#[workflow_methods]
impl ReconciliationWorkflow {
    #[run]
    pub async fn run(ctx: &mut WorkflowContext<Self>) -> WorkflowResult<Reconciled> {
        ctx.set_current_details("the books are read");
        let found = ctx.execute_activity(Reconcile, (), options()).await?;
        ctx.set_current_details(told(&found));
        Ok(found)
    }
}

/// A line for each month, for people.
fn told(found: &Reconciled) -> String {
    if found.months.is_empty() {
        return "there is no billing system to compare with".to_owned();
    }
    let mut lines = Vec::new();
    for month in &found.months {
        let verdict = match month.drifting {
            0 => "all agree".to_owned(),
            drifting => format!("{drifting} disagree ({})", month.named.join(", ")),
        };
        let (name, tenants, waiting) = (&month.month, month.tenants, month.waiting);
        lines.push(format!("{name}: {tenants} tenants compared, {verdict}, {waiting} rows wait"));
        if month.unread > 0 {
            let named: Vec<&str> = month.unread_named.iter().take(NAMED).map(String::as_str).collect();
            lines.push(format!("{name}: {} tenants could not be read ({})", month.unread, named.join("; ")));
        }
    }
    lines.push(format!("{} dead letters of any month", found.dead_letters));
    lines.join("\n")
}

fn options() -> ActivityOptions {
    ActivityOptions::with_start_to_close_timeout(ATTEMPT)
        .heartbeat_timeout(HEARTBEAT_TIMEOUT)
        .retry_policy(RetryPolicy::builder().maximum_interval(LONGEST_PAUSE).build())
        .build()
}

#[cfg(test)]
mod tests {
    use crate::activities::ReconciledMonth;

    use super::*;

    #[test]
    fn what_was_found_is_told_month_by_month() {
        let open = ReconciledMonth { month: "2026-11".to_owned(), tenants: 3, waiting: 7, ..Default::default() };
        let named = vec!["acme compute_units".to_owned()];
        let before =
            ReconciledMonth { month: "2026-10".to_owned(), tenants: 2, drifting: 1, named, ..Default::default() };
        let unread_named = (1..=4).map(|number| format!("tenant-{number}: it is away")).collect();
        let unread = ReconciledMonth { month: "2026-09".to_owned(), unread: 5, unread_named, ..Default::default() };
        let found = Reconciled { months: vec![open, before, unread], dead_letters: 1 };
        assert_eq!(
            told(&found).lines().collect::<Vec<_>>(),
            [
                "2026-11: 3 tenants compared, all agree, 7 rows wait",
                "2026-10: 2 tenants compared, 1 disagree (acme compute_units), 0 rows wait",
                "2026-09: 0 tenants compared, all agree, 0 rows wait",
                "2026-09: 5 tenants could not be read (tenant-1: it is away; tenant-2: it is away; tenant-3: it is away)",
                "1 dead letters of any month",
            ]
        );
        assert_eq!(told(&Reconciled::default()), "there is no billing system to compare with");
    }
}
