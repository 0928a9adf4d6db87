//! Attempts at one job, each counted before it begins: a death of the child begins another from the last checkpoint,
//! until there were too many.

use std::time::Duration;

use anyhow::Result;
use blobs::{BlobHash, MAX_EVALUATION_KEY_BYTES};
use bytes::Bytes;
use fhe::child::protocol::{self, Blob, Checkpoint, Done, LoadKey, Prepared, Refusal, Run};
use jobs::ErrorCode;
use jobs::algorithm::payload_units;
use jobs::fhe::KeyMode;
use jobs::usage::{Excess, Units};
use store::client_keys::{self, KeyStatus};
use store::fhe::attempts::{self, Attempt, Outcome, Token};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::board::{Board, Stage};
use super::{FheCompute, Task, agreement};
use crate::fhe::{Child, Ended, InputSource, InputsRefused, KEY_TIME, Lease, Listener, Phase};
use crate::patience::insist;

/// A job whose attempts died as often fails.
const DEATHS: i64 = 3;
/// Inputs that killed as many children are not valid. One death is forgiven: the kernel or an operator may have done it.
const DEATHS_WHILE_READING: u64 = 2;
/// The longest operation, and the verification of the largest inputs, stay below this.
const GRACE: Duration = Duration::from_secs(20);

/// What became of the work.
pub(super) enum Verdict {
    Computed(Box<Computed>),
    /// The job fails.
    Refused {
        code: ErrorCode,
        detail: String,
    },
    Stopped,
}

/// A result, and what it was computed on.
pub(super) struct Computed {
    pub(super) prepared: Prepared,
    pub(super) result: Bytes,
    pub(super) result_hash: [u8; 32],
    pub(super) key_id: [u8; 32],
    pub(super) input_bytes: usize,
}

/// What every attempt at a job has in common.
struct Setting<'a> {
    task: &'a Task,
    board: &'a Board,
    stop: &'a CancellationToken,
    lease: Lease,
    inputs: Bytes,
    key: Key,
}

/// The key that a job computes under.
#[derive(Clone, Copy)]
struct Key {
    mode: protocol::KeyMode,
    id: [u8; 32],
}

impl FheCompute {
    pub(super) async fn work(&self, task: &Task, board: &Board, stop: &CancellationToken) -> Result<Verdict> {
        let key = match self.key(task).await? {
            Ok(key) => key,
            Err(detail) => return Ok(Verdict::Refused { code: ErrorCode::KeyMismatch, detail }),
        };
        // Before its turn: a slow server keeps nobody from computing.
        let source = InputSource { job: task.id, tenant: &task.job.tenant, user: &task.job.user, url: &task.url };
        let inputs = match stop.run_until_cancelled(Box::pin(self.inputs.read(source))).await {
            None => return Ok(Verdict::Stopped),
            Some(read) => read?,
        };
        let inputs = match inputs {
            Ok(inputs) => inputs,
            Err(InputsRefused::Unfit(detail)) => return Ok(refused(ErrorCode::JobValidationFailed, detail)),
            Err(InputsRefused::Full(detail)) => return Ok(refused(ErrorCode::StorageQuotaExceeded, detail)),
            Err(InputsRefused::Lost(detail)) => {
                tracing::error!(job.id = %task.id, detail, "inputs that were taken are lost");
                return Ok(refused(ErrorCode::InternalError, "The inputs are lost.".to_owned()));
            }
        };
        if let Some(excess) = excess(task, inputs.len()) {
            return Ok(refused(ErrorCode::CostCeilingExceeded, excess.to_string()));
        }
        board.stage(Stage::Waiting);
        let lease = match stop.run_until_cancelled(self.children.lease(&task.job.tenant)).await {
            None => return Ok(Verdict::Stopped),
            Some(lease) => lease?,
        };
        let setting = Setting { task, board, stop, lease, inputs, key };
        while !stop.is_cancelled() {
            let token = Token::random();
            let begin = || attempts::begin(&self.pool, task.id, token, DEATHS);
            let Some(attempt) = insist(|| self.gives_up(stop), begin).await? else {
                return Ok(refused(ErrorCode::ComputeCrashed, crashed()));
            };
            board.attempt(attempt);
            if let Some(verdict) = self.counted(&setting, attempt).await? {
                return Ok(verdict);
            }
        }
        Ok(Verdict::Stopped)
    }

    /// Which key the job computes under, or why there is none.
    async fn key(&self, task: &Task) -> Result<Result<Key, String>> {
        let choice = &task.request.key;
        match (choice.mode, choice.key_id) {
            (KeyMode::Network, id) => {
                let ours = self.network_key.key_id();
                Ok(match id {
                    Some(id) if id.0 != ours => Err("This is not the id of the network's key.".to_owned()),
                    _ => Ok(Key { mode: protocol::KeyMode::Network, id: ours }),
                })
            }
            (KeyMode::Client, None) => Ok(Err("The id of the key is missing.".to_owned())),
            (KeyMode::Client, Some(id)) => {
                let found = client_keys::find(&self.pool, &task.job.tenant, id.0).await?;
                match found.map(|key| (key.status, key.detail)) {
                    Some((KeyStatus::Ready, _)) => Ok(Ok(Key { mode: protocol::KeyMode::Client, id: id.0 })),
                    // Another attempt, when the key's own check is done.
                    Some((KeyStatus::Pending, _)) => anyhow::bail!("evaluation key {id} is not checked yet"),
                    Some((KeyStatus::Refused, detail)) => Ok(Err(format!("The key was refused: {detail}"))),
                    None => Ok(Err("There is no such key.".to_owned())),
                }
            }
        }
    }

    /// One attempt, from its count to its outcome; `None` when another is to follow.
    async fn counted(&self, setting: &Setting<'_>, attempt: Attempt) -> Result<Option<Verdict>> {
        let ended = self.attempt(setting, attempt).await;
        setting.board.stop_clock();
        let done = setting.board.done().map(|(_, done)| done).unwrap_or_default();
        let outcome = match &ended {
            Ok(Ended::Done(_)) => Outcome::Computed,
            Ok(Ended::Refused { .. }) => Outcome::Refused,
            Ok(Ended::Stopped) => Outcome::Stopped,
            // Of what was read before the inputs: not a death that they caused.
            Ok(Ended::Failed { .. } | Ended::Died { phase: Phase::LoadingKeys, .. }) => Outcome::Failed,
            Ok(Ended::Died { .. }) => Outcome::Died,
            Err(_) => Outcome::GivenBack,
        };
        if outcome == Outcome::Computed {
            setting.board.stage(Stage::Storing);
        }
        let end = || attempts::end(&self.pool, attempt, outcome, done);
        insist(|| self.gives_up(setting.stop), end).await?;
        let (job, number) = (setting.task.id, attempt.number());
        metrics::counter!("zama_fhe_attempts_total", "outcome" => format!("{outcome:?}")).increment(1);
        match ended? {
            Ended::Done((prepared, done)) => {
                let (key_id, input_bytes) = (setting.key.id, setting.inputs.len());
                let (result, result_hash) = (Bytes::from(done.result.0), done.result_hash);
                let computed = Computed { prepared, result, result_hash, key_id, input_bytes };
                Ok(Some(Verdict::Computed(Box::new(computed))))
            }
            Ended::Refused { reason, detail } => {
                tracing::info!(job.id = %job, ?reason, detail, "the inputs are refused");
                Ok(Some(refused(code(reason), detail)))
            }
            Ended::Stopped => Ok(Some(Verdict::Stopped)),
            Ended::Failed { detail } => {
                tracing::error!(job.id = %job, attempt = number, detail, "the computing process gave up");
                Ok(None)
            }
            Ended::Died { phase, how } => {
                tracing::error!(job.id = %job, attempt = number, ?phase, how, "the computing process died");
                let deaths = || attempts::deaths_while_reading(&self.pool, job);
                let reading = phase == Phase::Reading
                    && insist(|| self.gives_up(setting.stop), deaths).await? >= DEATHS_WHILE_READING;
                Ok(reading.then(|| {
                    refused(
                        ErrorCode::CiphertextInvalid,
                        "The computing process died while it read the inputs.".to_owned(),
                    )
                }))
            }
        }
    }

    /// Whether nobody waits for the work any more.
    fn gives_up(&self, stop: &CancellationToken) -> bool {
        stop.is_cancelled() || self.stopping.is_cancelled()
    }

    async fn attempt(&self, setting: &Setting<'_>, attempt: Attempt) -> Result<Ended<(Prepared, Done)>> {
        let Setting { task, board, stop, key, .. } = setting;
        let mut child = setting.lease.child().await?;
        if !child.holds(key.mode, key.id) {
            board.stage(Stage::LoadingKeys);
            child = match self.load_key(child, setting).await? {
                Ok(child) => child,
                Err(ended) => return Ok(ended),
            };
        }
        board.stage(Stage::Reading);
        let run = Run {
            job_id: task.id.0.into_bytes(),
            tenant: task.job.tenant.to_string(),
            submitter: task.job.submitter,
            mode: key.mode,
            key_id: key.id,
            payload: task.job.payload.clone(),
            inputs: Blob(setting.inputs.to_vec()),
            checkpoint: self.checkpoints.find(task.id).await?,
            checkpoint_pbs: self.checkpoint_pbs,
            fhe_unit_ceiling: task.job.ceiling.map(|ceiling| ceiling.fhe),
        };
        if let Some(checkpoint) = &run.checkpoint {
            tracing::info!(job.id = %task.id, attempt = attempt.number(), step = checkpoint.step, "resuming");
        }
        let mut reporter = Reporter { compute: self, task, board, attempt, saving: None };
        let (child, ended) = child.run(run, stop, GRACE, &mut reporter).await?;
        reporter.close().await;
        let ended = match ended {
            Ended::Done((prepared, done)) => match agreement::check(&task.request, &prepared, &done.result.0) {
                Ok(()) => Ended::Done((prepared, done)),
                Err(disagreement) => Ended::Failed { detail: format!("the computing process lies: {disagreement}") },
            },
            ended => ended,
        };
        // Who met something that it refused or failed at serves nobody any more.
        if let Some(child) = child.filter(|_| matches!(ended, Ended::Done(_) | Ended::Stopped)) {
            setting.lease.give_back(child);
        }
        Ok(ended)
    }

    /// Loads the job's key into a child, or tells how the attempt ended in it.
    async fn load_key(&self, child: Child, setting: &Setting<'_>) -> Result<Result<Child, Ended<(Prepared, Done)>>> {
        let key = match setting.key.mode {
            protocol::KeyMode::Network => self.network_key.load().await?,
            protocol::KeyMode::Client => {
                let tenant = &setting.task.job.tenant;
                let id = BlobHash(setting.key.id);
                let bytes = match self.blobs.get(tenant, id, MAX_EVALUATION_KEY_BYTES).await {
                    Ok(bytes) => bytes,
                    Err(error) if error.is_unavailable() => return Err(error.into()),
                    // A key that was ready is gone or changed: counted, so that it ends.
                    Err(error) => return Ok(Err(Ended::Failed { detail: format!("the evaluation key: {error}") })),
                };
                let evaluation_key = Blob(bytes.into());
                let (mode, key_id) = (setting.key.mode, setting.key.id);
                LoadKey { mode, key_id, evaluation_key, public_key: None, crs: None }
            }
        };
        let (child, ended) = child.load_key(key, setting.stop, KEY_TIME).await?;
        match (child, ended) {
            (Some(child), Ended::Done(())) => Ok(Ok(child)),
            (_, Ended::Refused { reason, detail }) => Ok(Err(Ended::Refused { reason, detail })),
            (_, Ended::Died { phase, how }) => Ok(Err(Ended::Died { phase, how })),
            (_, Ended::Failed { detail }) => Ok(Err(Ended::Failed { detail })),
            (_, Ended::Stopped | Ended::Done(())) => Ok(Err(Ended::Stopped)),
        }
    }
}

/// Where carrying payload and inputs alone costs more than the job may; what the program costs, the child tells first.
fn excess(task: &Task, input_bytes: usize) -> Option<Excess> {
    task.job.ceiling.and_then(|ceiling| carried(task, input_bytes).excess(ceiling))
}

/// What payload and inputs cost, whatever is computed on them.
pub(super) fn carried(task: &Task, input_bytes: usize) -> Units {
    Units::plain(payload_units(task.job.payload.len()) + payload_units(input_bytes))
}

fn crashed() -> String {
    format!("{DEATHS} attempts at the computation came to no end.")
}

fn refused(code: ErrorCode, detail: String) -> Verdict {
    Verdict::Refused { code, detail }
}

fn code(reason: Refusal) -> ErrorCode {
    match reason {
        Refusal::CiphertextInvalid => ErrorCode::CiphertextInvalid,
        Refusal::KeyMismatch => ErrorCode::KeyMismatch,
        Refusal::InputsUnfit => ErrorCode::JobValidationFailed,
        Refusal::TooDear => ErrorCode::CostCeilingExceeded,
    }
}

/// Hears what the child tells of one attempt.
struct Reporter<'a> {
    compute: &'a FheCompute,
    task: &'a Task,
    board: &'a Board,
    attempt: Attempt,
    saving: Option<JoinHandle<()>>,
}

impl Listener for Reporter<'_> {
    async fn prepared(&mut self, prepared: &Prepared) {
        self.board.prepared(prepared);
        // A database that is away must not stop a computation; a death would then look like one of reading.
        if let Err(error) = attempts::prepared(&self.compute.pool, self.attempt, prepared.pbs).await {
            tracing::warn!(job.id = %self.task.id, %error, "an attempt's progress was not noted");
        }
    }

    fn progress(&mut self, step: u32, pbs: u64) {
        self.board.progress(step, pbs);
    }

    /// Saved beside the computation; one that comes while another is saved is let go.
    async fn checkpoint(&mut self, checkpoint: Checkpoint) {
        if self.saving.as_ref().is_some_and(|saving| !saving.is_finished()) {
            return;
        }
        let (checkpoints, job) = (self.compute.checkpoints.clone(), self.task.id);
        self.saving = Some(tokio::spawn(async move {
            if let Err(error) = checkpoints.save(job, checkpoint).await {
                tracing::warn!(job.id = %job, error = format!("{error:#}"), "a checkpoint was not saved");
            }
        }));
    }
}

impl Reporter<'_> {
    /// Waits for what is being saved, so that nothing is saved after the job's checkpoints were forgotten.
    async fn close(self) {
        if let Some(saving) = self.saving {
            drop(saving.await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_shows_what_is_said() {
        let page = include_str!("../../../docs/errors/COMPUTE_CRASHED.md");
        assert!(page.contains(&format!("\n    \"detail\": \"{}\",\n", crashed())));
    }
}
