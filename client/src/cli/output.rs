//! Where output goes: results to stdout, as text or JSON; messages and errors to stderr.

use std::io::{ErrorKind, Write};

use jobs::wire::{Job, Problem};
use serde::Serialize;

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::paint::{Paint, tame};
use super::table::pairs;
use crate::encrypted::EncryptedError;
use crate::error::ClientError;

/// The two streams of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Output {
    json: bool,
    /// Colours of stdout.
    pub paint: Paint,
    messages: Paint,
}

impl Output {
    pub fn new(json: bool) -> Self {
        Self { json, paint: Paint::of(&std::io::stdout()), messages: Paint::of(&std::io::stderr()) }
    }

    /// Prints a result: the document for programs, or what `text` makes of it for people.
    pub fn result(self, document: &impl Serialize, text: impl FnOnce(Paint) -> String) -> Result<(), CliError> {
        if !self.json {
            return self.bytes(text(self.paint).as_bytes());
        }
        let mut json = serde_json::to_string_pretty(document).map_err(|error| stdout_error(error.into()))?;
        json.push('\n');
        self.bytes(json.as_bytes())
    }

    pub fn job(self, job: &Job) -> Result<(), CliError> {
        self.result(job, |paint| card::job(job, paint))
    }

    pub fn is_json(self) -> bool {
        self.json
    }

    /// Bytes as they are. A reader that went away has seen enough.
    pub fn bytes(self, bytes: &[u8]) -> Result<(), CliError> {
        let mut stdout = std::io::stdout().lock();
        match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
            Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(stdout_error(error)),
            _ => Ok(()),
        }
    }

    /// A message for whoever watches.
    pub fn notice(self, text: &str) {
        to_stderr(&format!("{text}\n"));
    }

    /// Tells an error: to people always, to programs with `--json`.
    pub fn failure(self, error: &CliError) -> Exit {
        to_stderr(&failure_text(error, self.messages));
        if self.json {
            // A stdout that fails has been told on stderr.
            let _ = self.result(&error.to_json(), |_| String::new());
        }
        error.exit()
    }
}

fn stdout_error(source: std::io::Error) -> CliError {
    CliError::Write { target: "stdout".to_owned(), source }
}

/// Nobody is left to be told that stderr is gone.
pub(super) fn to_stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

fn failure_text(error: &CliError, paint: Paint) -> String {
    let mut text = match error.client() {
        Some(ClientError::Problem(problem)) => problem_text(problem, paint),
        _ => format!("{} {}\n", paint.bad("error:"), tame(&error.to_string())),
    };
    if let CliError::Submission { key, source } = error
        && source.status().is_none_or(|status| status >= 500)
    {
        text.push_str(&format!(
            "  It is not known whether the job was accepted. The same command with --idempotency-key {key}\n  \
             makes no second one.\n"
        ));
    }
    if let CliError::Encrypted(error) = error
        && let EncryptedError::OtherSubmitter { owner, signer, .. } = &**error
    {
        text.push_str(&format!(
            "  The job belongs to {owner}; you signed as {signer}, who has no access to its result.\n"
        ));
    }
    text
}

/// A refusal in full: title, detail, each wrong field, and where to read on.
fn problem_text(problem: &Problem, paint: Paint) -> String {
    let title = paint.strong(&tame(&problem.title));
    let mut text = format!("{} {title} ({} {})\n", paint.bad("error:"), problem.status, problem.code);
    text.push_str(&format!("  {}\n", tame(&problem.detail)));
    let fields: Vec<_> =
        problem.errors.iter().map(|field| (shown_pointer(&field.pointer), tame(&field.reason))).collect();
    text.push_str(&indented(&pairs(&fields)));
    let links = [("request", tame(&problem.request_id)), ("see", tame(&problem.problem_type))];
    text.push_str(&paint.faint(indented(&pairs(&links)).trim_end_matches('\n')));
    text.push('\n');
    text
}

/// The empty pointer is the whole document.
fn shown_pointer(pointer: &str) -> String {
    if pointer.is_empty() { "(body)".to_owned() } else { tame(pointer) }
}

fn indented(lines: &str) -> String {
    lines.lines().map(|line| format!("  {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use jobs::{ErrorCode, FieldError, IdempotencyKey};

    use super::*;

    fn problem(errors: Vec<FieldError>) -> Problem {
        Problem {
            problem_type: "https://api.example.com/docs/errors/JOB_VALIDATION_FAILED".to_owned(),
            title: "The job is not valid".to_owned(),
            status: 400,
            detail: "2 fields are wrong".to_owned(),
            instance: "/v1/jobs".to_owned(),
            code: ErrorCode::JobValidationFailed,
            request_id: "0197-request".to_owned(),
            timestamp: chrono::DateTime::UNIX_EPOCH,
            errors,
        }
    }

    #[test]
    fn a_problem_shows_all_that_helps() {
        let errors = vec![
            FieldError::new("/payload/input/number", "must be an integer"),
            FieldError::new("", "is \u{1b}[2Jbad"),
        ];
        let error = CliError::Client(ClientError::Problem(Box::new(problem(errors))));
        let expected = "\
error: The job is not valid (400 JOB_VALIDATION_FAILED)
  2 fields are wrong
  /payload/input/number  must be an integer
  (body)                 is  [2Jbad
  request  0197-request
  see      https://api.example.com/docs/errors/JOB_VALIDATION_FAILED
";
        assert_eq!(failure_text(&error, Paint::plain()), expected);
        let json = error.to_json();
        assert_eq!(json["error"]["problem"]["errors"][0]["pointer"], "/payload/input/number");
        assert_eq!((&json["error"]["kind"], &json["error"]["exit_code"]), (&"problem".into(), &3.into()));
    }

    #[test]
    fn a_lost_submission_names_its_key() {
        let key: IdempotencyKey = "my-key".parse().unwrap();
        let lost = |source| failure_text(&CliError::Submission { source, key: key.clone() }, Paint::plain());
        assert!(lost(ClientError::Transport("reset".to_owned())).contains("--idempotency-key my-key"));
        let refused = ClientError::Problem(Box::new(problem(Vec::new())));
        assert!(!lost(refused).contains("--idempotency-key"), "a refused submission made no job");
    }
}
