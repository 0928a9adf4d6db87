//! `usage`: what was metered, in total and row by row.

use chrono::{DateTime, Utc};
use clap::Args;
use jobs::JobId;
use jobs::wire::JobUsageState;

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::moment::Moment;
use super::paint::{Paint, tame};
use super::table::{Table, pairs};
use crate::usage::{Usage, UsageFilter};

/// What `usage` takes.
#[derive(Args, Debug)]
pub struct UsageArgs {
    /// Only rows of this job
    #[arg(long, value_name = "ID")]
    job: Option<JobId>,
    /// Only what was used since: a time, or how long ago (30d, 2026-01-31T12:00:00Z), at most 366 days; without it, and
    /// without a job, since the month began (UTC)
    #[arg(long, value_name = "TIME")]
    from: Option<Moment>,
    /// Only what was used before this: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    until: Option<Moment>,
    /// Only rows that are billed as of this time or later, at most 366 days; with --billed-until an invoice's
    #[arg(long, value_name = "TIME")]
    billed_from: Option<Moment>,
    /// Only rows that are billed as of a time before this
    #[arg(long, value_name = "TIME")]
    billed_until: Option<Moment>,
    /// Rows at most; the totals of the first page count all of them
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// Read on from the page before
    #[arg(long)]
    cursor: Option<String>,
}

pub(super) async fn usage(session: &Session, args: &UsageArgs) -> Result<Exit, CliError> {
    let now = Utc::now();
    let filter = UsageFilter {
        job_id: args.job,
        from: args.from.map(|moment| moment.before(now)),
        until: args.until.map(|moment| moment.before(now)),
        billed_from: args.billed_from.map(|moment| moment.before(now)),
        billed_until: args.billed_until.map(|moment| moment.before(now)),
        cursor: args.cursor.clone(),
        limit: Some(args.limit),
    };
    let usage = session.client()?.usage(&filter).await?;
    session.output.result(&usage, |paint| text(&usage, paint))?;
    if usage.data.is_empty() {
        session.output.notice(&format!("nothing was metered{}", since(&usage)));
    }
    if let Some(cursor) = usage.next_cursor.as_ref().filter(|_| !session.output.is_json()) {
        session.output.notice(&format!("more: --cursor {}", tame(cursor)));
    }
    Ok(Exit::Success)
}

fn text(usage: &Usage, paint: Paint) -> String {
    if usage.data.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["OCCURRED", "METRIC", "UNITS", "BILLING", "ROW"]);
    for row in &usage.data {
        // An older service does not tell it.
        let billing = row.state.map_or("-", JobUsageState::as_str);
        let (metric, id) = (tame(&row.metric), tame(&row.id));
        table.row(vec![card::time(row.occurred_at), metric, row.units.to_string(), billing.to_owned(), id]);
    }
    let rows = table.render(|row, _, cell| if row.is_none() { paint.strong(cell) } else { cell.to_owned() });
    let Some(totals) = &usage.totals else { return rows };
    let totals: Vec<(String, String)> =
        totals.iter().map(|(metric, units)| (tame(metric), units.to_string())).collect();
    let head = format!("TOTALS{}", since(usage));
    format!("{}\n{}\n{rows}", paint.strong(&head), pairs(&totals))
}

/// Since when it was looked, where that is not always.
fn since(usage: &Usage) -> String {
    let told = |what: &str, from: Option<DateTime<Utc>>| {
        from.map_or_else(String::new, |from| format!("{what} since {}", card::time(from)))
    };
    told("", usage.from) + &told(", billed", usage.billed_from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_go_before_the_rows() {
        let usage: Usage = serde_json::from_value(serde_json::json!({
            "totals": {"compute_units": 2, "jobs_submitted": 1},
            "data": [{
                "id": "019cebab:compute_units:0.1", "job_id": null, "metric": "compute_units", "units": -1,
                "occurred_at": "2026-03-15T09:26:54.120Z", "billed_at": null, "delivered_at": null,
                "reason": "r", "state": "taken_back", "corrects": "019cebab:compute_units:0"
            }, {
                "id": "019cebab:compute_units:0", "job_id": null, "metric": "compute_units", "units": 2,
                "occurred_at": "2026-03-14T09:26:54.120Z", "billed_at": null, "delivered_at": null, "state": "due"
            }, {
                "id": "019cebab:jobs_submitted:0", "job_id": null, "metric": "jobs_submitted", "units": 1,
                "occurred_at": "2026-03-14T09:26:53.120Z", "billed_at": null, "delivered_at": null
            }],
            "next_cursor": null, "has_more": false
        }))
        .unwrap();
        let expected = "\
TOTALS
compute_units   2
jobs_submitted  1

OCCURRED              METRIC          UNITS  BILLING     ROW
2026-03-15 09:26:54Z  compute_units   -1     taken_back  019cebab:compute_units:0.1
2026-03-14 09:26:54Z  compute_units   2      due         019cebab:compute_units:0
2026-03-14 09:26:53Z  jobs_submitted  1      -           019cebab:jobs_submitted:0
";
        assert_eq!(text(&usage, Paint::plain()), expected);
        let of_a_month = Usage { from: Some("2026-03-01T00:00:00Z".parse().unwrap()), ..usage.clone() };
        let told = text(&of_a_month, Paint::plain());
        assert_eq!(told, expected.replacen("TOTALS", "TOTALS since 2026-03-01 00:00:00Z", 1));
        let billed = Usage { billed_from: of_a_month.from, ..usage.clone() };
        assert!(text(&billed, Paint::plain()).starts_with("TOTALS, billed since 2026-03-01 00:00:00Z\n"));
        let (_, rows) = expected.split_once("\n\n").unwrap();
        assert_eq!(text(&Usage { totals: None, ..usage }, Paint::plain()), rows, "behind a cursor");
    }
}
