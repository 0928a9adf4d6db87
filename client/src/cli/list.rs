//! `list`: the tenant's jobs, newest first.

use chrono::Utc;
use clap::Args;
use jobs::JobStatus;
use jobs::submission::JobType;
use jobs::wire::{Job, JobPage};

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::moment::Moment;
use super::paint::{Paint, tame};
use super::table::Table;
use crate::listing::JobFilter;

/// Jobs on a page when all of them are read.
const FULL_PAGE: u32 = 100;

/// What `list` takes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only jobs in this status (PENDING, PROCESSING, CONFIRMING, COMPLETED, FAILED, CANCELLED)
    #[arg(long, value_parser = status)]
    status: Option<JobStatus>,
    /// Only jobs of this type (compute, fhe_compute)
    #[arg(long = "type", value_name = "TYPE")]
    job_type: Option<JobType>,
    /// Only jobs created later than this: a time, or how long ago (2h, 2026-01-31T12:00:00Z)
    #[arg(long, value_name = "TIME")]
    created_after: Option<Moment>,
    /// Only jobs created before this: a time, or how long ago
    #[arg(long, value_name = "TIME")]
    created_before: Option<Moment>,
    /// Only jobs of this EVM address
    #[arg(long, value_name = "ADDRESS")]
    submitter: Option<String>,
    /// Jobs on the page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Read on from the page before
    #[arg(long)]
    cursor: Option<String>,
    /// Every page to the end
    #[arg(long, conflicts_with_all = ["limit", "cursor"])]
    all: bool,
}

/// A status in any case.
fn status(text: &str) -> Result<JobStatus, String> {
    text.to_uppercase().parse()
}

pub(super) async fn list(session: &Session, args: ListArgs) -> Result<Exit, CliError> {
    let client = session.client()?;
    let now = Utc::now();
    let mut filter = JobFilter {
        status: args.status,
        job_type: args.job_type,
        created_after: args.created_after.map(|moment| moment.before(now)),
        created_before: args.created_before.map(|moment| moment.before(now)),
        submitter: args.submitter,
        cursor: args.cursor,
        limit: Some(if args.all { FULL_PAGE } else { args.limit }),
    };
    let mut page = client.list(&filter).await?;
    while args.all && page.next_cursor.is_some() {
        filter.cursor = page.next_cursor.take();
        let next = client.list(&filter).await?;
        page.data.extend(next.data);
        (page.next_cursor, page.has_more) = (next.next_cursor, next.has_more);
    }
    session.output.result(&page, |paint| table(&page.data, paint))?;
    if !session.output.is_json() {
        announce(session, &page);
    }
    Ok(Exit::Success)
}

fn announce(session: &Session, page: &JobPage) {
    if page.data.is_empty() {
        session.output.notice("no jobs");
    }
    if let Some(cursor) = &page.next_cursor {
        session.output.notice(&format!("more: --cursor {}", tame(cursor)));
    }
}

fn table(jobs: &[Job], paint: Paint) -> String {
    if jobs.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["JOB", "STATUS", "PROGRESS", "ALGORITHM", "PRIORITY", "CREATED"]);
    for job in jobs {
        let progress = if job.status.is_terminal() { String::new() } else { format!("{:.0} %", job.progress.percent) };
        table.row(vec![
            job.job_id.to_string(),
            job.status.to_string(),
            progress,
            tame(&job.algorithm),
            job.priority.to_string(),
            card::time(job.created_at),
        ]);
    }
    table.render(|row, column, cell| match (row, column) {
        (None, _) => paint.strong(cell),
        (Some(row), 1) => paint.status(jobs[row].status, cell),
        _ => cell.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn ids_are_whole_and_columns_align() {
        let text = table(&[sample::job("COMPLETED"), sample::job("PROCESSING")], Paint::plain());
        let expected = "\
JOB                                   STATUS      PROGRESS  ALGORITHM            PRIORITY  CREATED
019cebab-804e-7c41-9b5e-3f2a8d6c1e07  COMPLETED             prime_factorization  normal    2026-03-14 09:26:50Z
019cebab-804e-7c41-9b5e-3f2a8d6c1e07  PROCESSING  40 %      prime_factorization  normal    2026-03-14 09:26:50Z
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_status_is_read_in_any_case() {
        assert_eq!(status("completed"), Ok(JobStatus::Completed));
        assert!(status("done").unwrap_err().contains("PENDING"));
    }
}
