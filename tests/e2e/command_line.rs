//! The commands of `zama-jobs` that ask the API, run as people and scripts run them: what goes to stdout, what to
//! stderr, and the exit code.

use std::net::TcpListener;

use jobs::receipt::Receipt;
use jobs::wire::{Job, JobPage};
use jobs::{ErrorCode, JobId, JobStatus};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::harness::{Run, Stack, Zama, factor};

/// What a person sees of a command that does as it was told: stdout and stderr.
fn person(zama: &Zama<'_>, arguments: &[&str]) -> (String, String) {
    let run = zama.runs(arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    (run.stdout, run.stderr)
}

/// What a script reads of it: stdout as one document, and what was said beside it.
fn script<T: DeserializeOwned>(zama: &Zama<'_>, arguments: &[&str]) -> (T, String) {
    let run = with_json(zama, arguments);
    assert_eq!(run.code, Some(0), "{arguments:?}: {run:?}");
    (run.document(), run.stderr)
}

fn with_json(zama: &Zama<'_>, arguments: &[&str]) -> Run {
    zama.runs(&[arguments, &["--json"]].concat())
}

/// The value that stands behind a label, a line each.
fn line<'a>(text: &'a str, label: &str) -> &'a str {
    let value = text.lines().find_map(|line| line.strip_prefix(label)?.strip_prefix("  "));
    value.unwrap_or_else(|| panic!("no {label} in {text}")).trim()
}

#[tokio::test]
async fn each_command_answers_people_and_scripts() {
    let zama = Stack::shared().tenant();
    let submit = ["submit", "prime_factorization", "--number", "91", "--idempotency-key", "from-a-shell"];
    let (shown, said) = person(&zama, &submit);
    let id = line(&shown, "Job");
    assert_eq!(line(&shown, "Idempotency key"), "from-a-shell");
    assert_eq!(said, format!("follow it with: zama-jobs wait {id}\n"));
    let (again, said) = script::<Value>(&zama, &submit);
    assert_eq!((&again["job_id"], &again["idempotency_replayed"]), (&json!(id), &json!(true)), "{again:#}");
    assert_eq!(said, "");

    let (job, said) = script::<Job>(&zama, &["wait", id]);
    assert_eq!((job.job_id.to_string().as_str(), job.status), (id, JobStatus::Completed));
    assert!(!said.is_empty(), "its progress is told");
    let result = job.result.as_ref().unwrap();
    let (shown, _) = person(&zama, &["wait", id]);
    assert_eq!(line(&shown, "Status"), "COMPLETED");

    let (shown, said) = person(&zama, &["status", id]);
    assert_eq!((line(&shown, "Job"), line(&shown, "Status")), (id, "COMPLETED"));
    assert_eq!(line(&shown, "Result"), result.value.as_ref().unwrap().to_string());
    assert_eq!(said, "");
    let (seen, said) = script::<Job>(&zama, &["status", id]);
    assert_eq!((seen.job_id, seen.result.unwrap().hash), (job.job_id, result.hash));
    assert_eq!(said, "");

    lists(&zama, job.job_id);

    let stays = "the job is COMPLETED already: it stays so\n";
    let (shown, said) = person(&zama, &["cancel", id]);
    assert_eq!((line(&shown, "Status"), said.as_str()), ("COMPLETED", stays));
    let (seen, said) = script::<Job>(&zama, &["cancel", id]);
    assert_eq!((seen.status, said.as_str()), (JobStatus::Completed, stays));

    let (bytes, said) = person(&zama, &["result", id]);
    assert_eq!(Sha256::digest(bytes.as_bytes()).as_slice(), result.hash.0.as_slice(), "the bytes alone: {bytes:?}");
    assert!(said.ends_with("checked\n"), "{said}");
    let (document, _) = script::<Value>(&zama, &["result", id]);
    assert_eq!(document["hash"], json!(result.hash));
    assert_eq!(Some(&document["value"]), result.value.as_ref());

    let (printed, said) = person(&zama, &["receipt", id]);
    let receipt: Receipt = serde_json::from_str(&printed).unwrap();
    assert_eq!((receipt.leaf.result_hash, said.as_str()), (result.hash, ""));
    assert_eq!(with_json(&zama, &["receipt", id]).stdout, printed);

    measures(&zama, id);

    let (shown, said) = person(&zama, &["whoami"]);
    assert_eq!((line(&shown, "Tenant"), line(&shown, "Role")), (zama.tenant.as_str(), "developer"));
    assert_eq!(said, "");
    let (me, _) = script::<Value>(&zama, &["whoami"]);
    assert_eq!((&me["tenant"], &me["submitter"]), (&json!(zama.tenant), &json!(job.submitter)));
}

fn lists(zama: &Zama<'_>, id: JobId) {
    let (shown, said) = person(zama, &["list"]);
    let mut rows = shown.lines();
    assert!(rows.next().unwrap().starts_with("JOB "), "{shown}");
    assert!(rows.next().unwrap().starts_with(&format!("{id}  COMPLETED ")), "{shown}");
    assert_eq!((rows.next(), said.as_str()), (None, ""));
    let (page, said) = script::<JobPage>(zama, &["list", "--status", "completed", "--created-after", "1h"]);
    assert_eq!(page.data.iter().map(|job| job.job_id).collect::<Vec<_>>(), [id]);
    assert_eq!((page.has_more, page.next_cursor, said.as_str()), (false, None, ""));

    assert_eq!(person(zama, &["list", "--status", "failed"]), (String::new(), "no jobs\n".to_owned()));
    let (none, said) = script::<JobPage>(zama, &["list", "--status", "failed"]);
    assert!(none.data.is_empty() && said.is_empty(), "{said}");
}

fn measures(zama: &Zama<'_>, id: &str) {
    let (shown, said) = person(zama, &["usage", "--job", id]);
    assert!(shown.starts_with("TOTALS\n"), "{shown}");
    assert_eq!((line(&shown, "compute_units"), said.as_str()), ("2", ""));
    assert!(shown.contains(&format!("  {id}:compute_units:0\n")), "{shown}");
    let (usage, said) = script::<Value>(zama, &["usage", "--job", id]);
    let totals = json!({"chain_confirmations": 1, "compute_units": 2, "jobs_completed": 1, "jobs_submitted": 1});
    assert_eq!((&usage["totals"], said.as_str()), (&totals, ""));
    assert_eq!(usage["data"].as_array().unwrap().len(), 4, "{usage:#}");
}

/// Exit code 3. A script finds the whole problem on stdout, a person its text on stderr.
#[tokio::test]
async fn a_refusal_is_told_to_both() {
    let zama = Stack::shared().tenant();
    let unknown = JobId::generate().to_string();
    for command in ["status", "wait", "cancel", "result", "receipt"] {
        let run = zama.runs(&[command, &unknown]);
        assert_eq!((run.code, run.stdout.as_str()), (Some(3), ""), "{command}: {run:?}");
        assert!(run.stderr.contains("(404 JOB_NOT_FOUND)"), "{command}: {run:?}");

        let run = with_json(&zama, &[command, &unknown]);
        assert_eq!(run.code, Some(3), "{command}: {run:?}");
        assert!(run.stderr.contains("(404 JOB_NOT_FOUND)"), "{command}: {run:?}");
        let error = &run.document::<Value>()["error"];
        assert_eq!((&error["kind"], &error["exit_code"]), (&json!("problem"), &json!(3)), "{command}: {run:?}");
        assert_eq!(error["problem"]["code"], "JOB_NOT_FOUND", "{command}: {run:?}");
    }
}

/// Exit code 4.
#[tokio::test]
async fn a_job_that_failed_ends_the_wait_for_it() {
    let zama = Stack::endless().tenant();
    let submit = ["submit", "prime_factorization", "--number", "91", "--timeout", "1s", "--wait"];
    let run = zama.runs(&submit);
    assert_eq!(run.code, Some(4), "{run:?}");
    assert_eq!(line(&run.stdout, "Status"), "FAILED");
    assert!(line(&run.stdout, "Error").starts_with("COMPUTE_TIMEOUT "), "{run:?}");
    assert!(run.stderr.contains(" accepted, idempotency key "), "{run:?}");

    let run = with_json(&zama, &["wait", line(&run.stdout, "Job")]);
    assert_eq!(run.code, Some(4), "{run:?}");
    let job: Job = run.document();
    assert_eq!((job.status, job.error.unwrap().code), (JobStatus::Failed, ErrorCode::ComputeTimeout));
    assert_eq!(zama.runs(&["status", &job.job_id.to_string()]).code, Some(0), "looking at it is no failure");
}

/// Exit code 5.
#[tokio::test]
async fn a_job_that_was_cancelled_ends_the_wait_for_it() {
    let zama = Stack::endless().tenant();
    let job = zama.submit(&factor(91)).await;
    job.reaches(JobStatus::Processing).await;
    let id = job.id.to_string();
    let (shown, said) = person(&zama, &["cancel", &id]);
    assert_eq!((line(&shown, "Job"), said.as_str()), (id.as_str(), "the job will be cancelled in a moment\n"));

    let run = zama.runs(&["wait", &id]);
    assert_eq!((run.code, line(&run.stdout, "Status")), (Some(5), "CANCELLED"), "{run:?}");
    let run = with_json(&zama, &["wait", &id]);
    assert_eq!((run.code, run.document::<Job>().status), (Some(5), JobStatus::Cancelled), "{run:?}");
}

/// Exit code 6. The job goes on.
#[tokio::test]
async fn a_wait_that_is_too_short_says_how_to_go_on() {
    let zama = Stack::endless().tenant();
    let job = zama.submit(&factor(91)).await;
    let id = job.id.to_string();
    let run = zama.runs(&["wait", &id, "--max-wait", "1s"]);
    assert_eq!((run.code, line(&run.stdout, "Job")), (Some(6), id.as_str()), "{run:?}");
    assert!(run.stderr.ends_with(&format!("; wait on with: zama-jobs wait {id}\n")), "{run:?}");

    let run = with_json(&zama, &["wait", &id, "--max-wait", "1s"]);
    assert_eq!(run.code, Some(6), "{run:?}");
    assert!(!run.document::<Job>().status.is_terminal(), "{run:?}");
    job.cancel().await;
}

/// Exit code 1, and what a client must know that cannot know whether its job was accepted.
#[tokio::test]
async fn an_api_that_does_not_answer_leaves_the_key_to_repeat_with() {
    let zama = Stack::shared().tenant();
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let submit = ["submit", "prime_factorization", "--number", "91", "--api", &format!("http://{nobody}")];
    let run = with_json(&zama, &submit);
    assert_eq!(run.code, Some(1), "{run:?}");
    let error = &run.document::<Value>()["error"];
    assert_eq!((&error["kind"], &error["exit_code"]), (&json!("transport"), &json!(1)), "{run:?}");
    let key = error["idempotency_key"].as_str().unwrap();
    assert!(run.stderr.contains(&format!("The same command with --idempotency-key {key}\n")), "{run:?}");
}

/// Exit code 2: nothing was asked of anybody.
#[tokio::test]
async fn a_command_line_that_is_wrong_is_told_on_stderr_alone() {
    let zama = Stack::shared().tenant();
    for wrong in [&["status", "nonsense"][..], &["submit", "prime_factorization"], &["list", "--limit", "0"]] {
        let run = zama.runs(wrong);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{wrong:?}: {run:?}");
        assert!(!run.stderr.is_empty(), "{wrong:?}");
    }
}
