//! One job as people read it.

use chrono::{DateTime, Utc};
use jobs::wire::{Confirmation, Job};

use super::moment::spoken;
use super::paint::{Paint, tame};
use super::table::pairs;

/// Most characters of an inline result that the card shows; `result` prints all of it.
const MAX_VALUE: usize = 400;

/// Every part of a job that is known, one a line.
pub(super) fn job(job: &Job, paint: Paint) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    lines.push(("Job", paint.strong(&job.job_id.to_string())));
    lines.push(("Status", paint.status(job.status, job.status.as_str())));
    lines.push(("Algorithm", format!("{} ({})", tame(&job.algorithm), job.job_type)));
    lines.push(("Priority", job.priority.to_string()));
    if !job.status.is_terminal() {
        lines.push(("Progress", progress(job)));
    }
    if let Some(error) = &job.error {
        lines.push(("Error", format!("{} {}", paint.bad(error.code.as_str()), tame(&error.detail))));
        lines.push(("See", tame(&error.problem_type)));
    }
    lines.push(("Created", time(job.created_at)));
    if let Some(started) = job.started_at {
        lines.push(("Started", format!("{} (after {})", time(started), spoken(started - job.created_at))));
    }
    match (job.completed_at, job.estimated_completion) {
        (Some(ended), _) => {
            lines.push(("Ended", format!("{} (took {})", time(ended), spoken(ended - job.created_at))));
        }
        (None, Some(expected)) => lines.push(("Expected", time(expected))),
        (None, None) => {}
    }
    if let Some(deadline) = job.deadline {
        lines.push(("Deadline", time(deadline)));
    }
    if let Some(result) = &job.result {
        match &result.value {
            Some(value) => lines.push(("Result", shortened(&value.to_string()))),
            None => lines.push(("Result", format!("{} bytes of {}", result.size, tame(&result.media_type)))),
        }
        lines.push(("Result hash", result.hash.to_string()));
    }
    if let Some(confirmation) = &job.blockchain_confirmation {
        lines.extend(on_chain(confirmation, paint));
    }
    if !job.usage.is_empty() {
        let usage: Vec<String> = job.usage.iter().map(|(metric, units)| format!("{} {units}", tame(metric))).collect();
        lines.push(("Usage", usage.join(", ")));
    }
    pairs(&lines)
}

/// Percent, stage and detail in one line.
pub(super) fn progress(job: &Job) -> String {
    let parts = [job.progress.stage.as_str(), job.progress.detail.as_str()];
    let words: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(tame).collect();
    format!("{:.0} %  {}", job.progress.percent, words.join(": ")).trim_end().to_owned()
}

fn on_chain(confirmation: &Confirmation, paint: Paint) -> Vec<(&'static str, String)> {
    let place =
        format!("chain {}, registry {}, index {}", confirmation.chain_id, confirmation.registry, confirmation.index);
    let mut lines = vec![("On chain", place)];
    if let (Some(block), Some(tx)) = (confirmation.block_number, confirmation.tx_hash) {
        let depth = if confirmation.finalized { "finalized" } else { "not finalized yet" };
        lines.push(("Transaction", format!("{tx} in block {block} {}", paint.faint(&format!("({depth})")))));
    }
    lines
}

/// UTC, to the second, with its zone.
pub(super) fn time(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%d %H:%M:%SZ").to_string()
}

fn shortened(text: &str) -> String {
    let text = tame(text);
    if text.chars().count() <= MAX_VALUE {
        return text;
    }
    let head: String = text.chars().take(MAX_VALUE).collect();
    format!("{head}… (all of it: zama-jobs result)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_completed_job_shows_result_and_confirmation() {
        let text = job(&sample::job("COMPLETED"), Paint::plain());
        let expected = "\
Job          019cebab-804e-7c41-9b5e-3f2a8d6c1e07
Status       COMPLETED
Algorithm    prime_factorization (compute)
Priority     normal
Created      2026-03-14 09:26:50Z
Started      2026-03-14 09:26:51Z (after 1.0 s)
Ended        2026-03-14 09:26:54Z (took 4.5 s)
Result       {\"number\":\"104729\"}
Result hash  0x1111111111111111111111111111111111111111111111111111111111111111
On chain     chain 31337, registry 0x5FbDB2315678afecb367f032d93F642f64180aa3, index 7
Transaction  0x3333333333333333333333333333333333333333333333333333333333333333 in block 12 (not finalized yet)
Usage        compute_units 2, jobs_submitted 1
";
        assert_eq!(text, expected);
    }

    #[test]
    fn a_running_job_shows_its_progress() {
        let text = job(&sample::job("PROCESSING"), Paint::plain());
        assert!(text.contains("Progress   40 %  elliptic curves: curve 17\n"), "{text}");
        assert!(!text.contains("Result"), "{text}");
    }

    #[test]
    fn a_failed_job_shows_why_and_where_to_read_on() {
        let text = job(&sample::job("FAILED"), Paint::plain());
        assert!(text.contains("Error      COMPUTE_TIMEOUT took more than 1 s\n"), "{text}");
        assert!(text.contains("See        http://127.0.0.1/docs/errors/COMPUTE_TIMEOUT\n"), "{text}");
    }

    #[test]
    fn a_long_value_is_cut() {
        assert!(shortened(&"9".repeat(5_000)).chars().count() < MAX_VALUE + 50);
    }
}
