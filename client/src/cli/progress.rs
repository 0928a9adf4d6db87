//! A job's progress on stderr: a bar on a terminal, else a line for each change of stage.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use jobs::JobStatus;
use jobs::wire::{self, Job};

use super::card;
use super::output::to_stderr;
use super::paint::tame;

/// Steps of the bar: tenths of a percent.
const STEPS: u64 = 1_000;
const BAR: &str = "{spinner} {bar:30} {percent:>3} %  {wide_msg} {elapsed}";
const SPINNER: &str = "{spinner} {wide_msg} {elapsed}";
const TICK: Duration = Duration::from_millis(100);

/// Shows one job until it is dropped or finished.
pub(super) enum Progress {
    Bar(ProgressBar),
    Lines { last: Option<(JobStatus, String)> },
}

impl Progress {
    pub fn start() -> Self {
        if !std::io::stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::new(STEPS);
        bar.enable_steady_tick(TICK);
        Self::Bar(bar)
    }

    pub fn show(&mut self, job: &Job) {
        match self {
            Self::Bar(bar) => {
                if job.status == JobStatus::Processing {
                    bar.set_style(style(BAR));
                    // The cast saturates, and a percent is within 0 to 100 anyway.
                    bar.set_position((job.progress.percent * 10.0) as u64);
                } else {
                    bar.set_style(style(SPINNER));
                }
                bar.set_message(message(job));
            }
            Self::Lines { last } => {
                let now = (job.status, job.progress.stage.clone());
                if last.as_ref() != Some(&now) {
                    to_stderr(&format!("{}\n", line(job)));
                    *last = Some(now);
                }
            }
        }
    }

    pub fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are fixed; a wrong one costs its looks, not the wait.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

fn message(job: &Job) -> String {
    let waiting = match job.status {
        JobStatus::Pending => "waiting to start",
        JobStatus::Confirming => wire::Progress::CONFIRMING,
        JobStatus::Processing | JobStatus::Completed | JobStatus::Failed | JobStatus::Cancelled => "",
    };
    let parts = [waiting, job.progress.stage.as_str(), job.progress.detail.as_str()];
    let mut words: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).map(tame).collect();
    words.dedup();
    words.join(": ")
}

fn line(job: &Job) -> String {
    match job.status {
        JobStatus::Processing => format!("{} {}", job.status, card::progress(job)),
        _ => format!("{} {}", job.status, message(job)).trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn lines_name_status_and_stage() {
        assert_eq!(line(&sample::job("PROCESSING")), "PROCESSING 40 %  elliptic curves: curve 17");
        let mut pending = sample::job("PENDING");
        pending.progress.stage = String::new();
        pending.progress.detail = String::new();
        assert_eq!(line(&pending), "PENDING waiting to start");
    }

    #[test]
    fn the_templates_are_valid() {
        for template in [BAR, SPINNER] {
            assert!(ProgressStyle::with_template(template).is_ok(), "{template}");
        }
    }
}
