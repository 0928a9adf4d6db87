//! Workflow starts a second while the outbox drains a backlog, against bare starts by the SDK's client alone at the same
//! kind of server, in turns within one run. No worker runs meanwhile: a start is all that is measured.

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on says where")]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use futures::{StreamExt, stream};
use sqlx::Row;
use temporalio_client::{
    Client, ClientOptions, Connection, ConnectionOptions, Url, WorkflowIdConflictPolicy, WorkflowIdReusePolicy,
    WorkflowStartOptions, errors::WorkflowStartError,
};
use workflows::{JobInput, JobWorkflow, task_queue};

use harness::{Stack, factor};

#[path = "../tests/harness/mod.rs"]
mod harness;

const JOBS: usize = 1_000;
const TURNS: usize = 5;
/// `dispatcher.concurrency` of the default configuration.
const IN_FLIGHT: usize = 32;
const MUST_REACH: f64 = 0.80;
/// Looks take from the database what they measure; a run lasts seconds.
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let turns: Vec<Turn> = (0..TURNS).map(|number| runtime.block_on(turn(number))).collect();
    let middle = |what: fn(&Turn) -> f64| median(turns.iter().map(what).collect());
    let ratio = middle(|turn| turn.ours / turn.bare);
    println!(
        "starts while draining a backlog of {JOBS}: ours {:.0}/s, bare client {:.0}/s, ratio {ratio:.2} (must reach \
         {MUST_REACH:.2}); medians of {TURNS} turns",
        middle(|turn| turn.ours),
        middle(|turn| turn.bare),
    );
    if ratio < MUST_REACH { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Starts a second.
struct Turn {
    bare: f64,
    ours: f64,
}

/// Each begins on servers of its own: tasks that no worker takes slow down those that come after. They take turns to be
/// first.
async fn turn(number: usize) -> Turn {
    let turn = if number.is_multiple_of(2) {
        let bare = bare(&Stack::own()).await;
        Turn { bare, ours: ours(&Stack::own()).await }
    } else {
        let ours = ours(&Stack::own()).await;
        Turn { bare: bare(&Stack::own()).await, ours }
    };
    eprintln!("turn {number}: bare {:.0}/s, ours {:.0}/s, ratio {:.2}", turn.bare, turn.ours, turn.ours / turn.bare);
    turn
}

async fn client(stack: &Stack) -> Client {
    let url: Url = format!("http://{}", stack.temporal).parse().unwrap();
    let connection = Connection::connect(ConnectionOptions::new(url).build()).await.unwrap();
    Client::new(connection, ClientOptions::new("zama-jobs").build()).unwrap()
}

/// As many starts as fast as they go, at a server that has just come back, as ours meets it.
async fn bare(stack: &Stack) -> f64 {
    let _idle = stack.stops("worker");
    let client = client(stack).await;
    stack.stops("temporal").over();
    let mut attempt = 0_usize;
    while start(&client, format!("first/{attempt}")).await.is_err() {
        attempt += 1;
        tokio::time::sleep(BETWEEN_LOOKS).await;
    }
    let began = Instant::now();
    let starts = stream::iter(0..JOBS).map(async |number| start(&client, format!("bare/{number}")).await.unwrap());
    starts.buffer_unordered(IN_FLIGHT).collect::<()>().await;
    rate(JOBS, began.elapsed())
}

async fn start(client: &Client, workflow_id: String) -> Result<(), WorkflowStartError> {
    let input = JobInput {
        job_id: jobs::JobId::generate(),
        job_type: jobs::submission::JobType::Compute,
        compute_queue: task_queue::COMPUTE.to_owned(),
        algorithm: "prime_factorization".to_owned(),
        timeout_seconds: 300,
        deadline_ms: None,
        request_id: String::new(),
    };
    let options = WorkflowStartOptions::new(task_queue::JOBS, workflow_id)
        .id_reuse_policy(WorkflowIdReusePolicy::RejectDuplicate)
        .id_conflict_policy(WorkflowIdConflictPolicy::Fail)
        .build();
    client.start_workflow(JobWorkflow::run, input, options).await.map(drop)
}

/// A backlog that grew while Temporal was away, from the first start to the last.
async fn ours(stack: &Stack) -> f64 {
    let _idle = stack.stops("worker");
    let zama = stack.tenant();
    let away = stack.stops("temporal");
    let numbers = stream::iter((1_000_003_u64..).take(JOBS));
    numbers
        .map(async |number| _ = zama.submit(&factor(number)).await)
        .buffer_unordered(IN_FLIGHT)
        .collect::<()>()
        .await;
    let backlog = waiting(stack).await;
    away.over();
    let mut left = backlog;
    while left == backlog {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        left = waiting(stack).await;
    }
    let began = Instant::now();
    let first = left;
    while left > 0 {
        tokio::time::sleep(BETWEEN_LOOKS).await;
        left = waiting(stack).await;
    }
    rate(first, began.elapsed())
}

async fn waiting(stack: &Stack) -> usize {
    let rows = stack.rows(sqlx::query("SELECT count(*) FROM job_starts")).await;
    usize::try_from(rows[0].get::<i64, _>(0)).unwrap()
}

#[allow(clippy::cast_precision_loss, reason = "counts of some thousands")]
fn rate(count: usize, time: Duration) -> f64 {
    count as f64 / time.as_secs_f64()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
