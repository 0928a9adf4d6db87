//! One job: read its inputs, compile its algorithm, execute it and tell how far it is.

use std::io::Write;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use jobs::fhe::lifetimes::Lifetimes;
use jobs::usage::{Excess, Units};

use super::frames::FrameError;
use super::inbox::Stop;
use super::keyring::{Keyring, Loaded};
use super::protocol::{Blob, Checkpoint, Done, Event, MAX_CHECKPOINT, Prepared, Refusal, Run};
use super::{Compile, CompileError, Compiled, Events};
use crate::execution::{Execution, program_hash};
use crate::inputs::{self, InputError, Origin, Received, Seeds};
use crate::keys::KeyId;
use crate::profile;

/// Progress is told as often as this, or after each operation if they take longer.
const PROGRESS_PERIOD: Duration = Duration::from_millis(250);

/// Runs the job; the last event is returned, the others are sent.
pub(super) fn run<W: Write>(
    run: Run,
    keys: &Keyring,
    compile: &Compile<'_>,
    stop: &Stop,
    events: &mut Events<W>,
) -> Result<Event, FrameError> {
    let task = match Task::read(run, keys, compile) {
        Ok(task) => task,
        Err(last) => return Ok(last),
    };
    events.send(&Event::Prepared(task.prepared.clone()))?;
    match task.make_ready(stop, events)? {
        Ok(job) => job.execute(stop, events),
        Err(last) => Ok(last),
    }
}

/// A job whose inputs were read and verified.
struct Task<'a> {
    key: Loaded<'a>,
    received: Received,
    seeds: Seeds,
    compiled: Compiled,
    prepared: Prepared,
    checkpoint: Option<Checkpoint>,
    checkpoint_pbs: u64,
}

impl<'a> Task<'a> {
    /// The error is the event that goes out instead.
    #[allow(clippy::result_large_err, reason = "made once a job, and sent at once")]
    fn read(run: Run, keys: &'a Keyring, compile: &Compile<'_>) -> Result<Self, Event> {
        let key_id = KeyId(run.key_id);
        let key = keys.find(run.mode, key_id).ok_or_else(|| failed("the key is not loaded"))?;
        let origin = Origin { tenant: run.tenant, submitter: run.submitter };
        let received = receive(&run.inputs.0, &key, &origin).map_err(refused)?;
        let compiled = compile(&run.payload, received.types()).map_err(|error| match error {
            CompileError::Payload(detail) => failed(&detail),
            CompileError::Inputs(detail) => Event::Refused { reason: Refusal::InputsUnfit, detail },
        })?;
        if compiled.step_pbs.len() != compiled.program.steps.len() {
            return Err(failed("the price does not cover each step"));
        }
        let pbs = compiled.input_pbs + compiled.step_pbs.iter().sum::<u64>();
        if let Some(excess) = excess(pbs, run.fhe_unit_ceiling) {
            return Err(Event::Refused { reason: Refusal::TooDear, detail: excess.to_string() });
        }
        let prepared = Prepared {
            input_types: received.types().to_vec(),
            inputs_hash: received.hash(),
            program_hash: program_hash(&compiled.program),
            profile: profile::pin().clone(),
            steps: compiled.program.steps.len() as u32,
            pbs,
        };
        let seeds = Seeds {
            job_id: run.job_id,
            inputs_hash: prepared.inputs_hash,
            program_hash: prepared.program_hash,
            key_id,
        };
        let checkpoint_pbs = run.checkpoint_pbs.max(1);
        Ok(Self { key, received, seeds, compiled, prepared, checkpoint: run.checkpoint, checkpoint_pbs })
    }

    /// Makes values of the inputs that the program reads; inside, why there are none.
    fn make_ready<W: Write>(self, stop: &Stop, events: &mut Events<W>) -> Result<Result<Job, Event>, FrameError> {
        let Compiled { program, input_pbs, step_pbs } = self.compiled;
        let Some(lifetimes) = Lifetimes::of(&program) else { return Ok(Err(failed("the program is malformed"))) };
        let mut told = Ok(());
        let mut making = |pbs: u64| {
            told = events.send(&Event::Progress { step: 0, pbs: pbs.min(input_pbs) });
            if told.is_err() || stop.is_asked() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let key = self.key.evaluation();
        let made = self.received.into_wanted(key, &self.seeds, &|value| lifetimes.is_used(value), &mut making);
        told?;
        let inputs = match made {
            Ok(Some(inputs)) => inputs,
            Ok(None) => return Ok(Err(Event::Stopped)),
            Err(error) => return Ok(Err(refused(error))),
        };
        let mut execution = match Execution::new(key, program, inputs) {
            Ok(execution) => execution,
            Err(error) => return Ok(Err(failed(&error.to_string()))),
        };
        if let Some(checkpoint) = &self.checkpoint {
            // One of an older build, whose programs differ, is worth nothing, and the job starts anew.
            let _ = execution.restore(checkpoint);
        }
        Ok(Ok(Job { execution, input_pbs, step_pbs, checkpoint_pbs: self.checkpoint_pbs }))
    }
}

/// A job that can be executed.
struct Job {
    execution: Execution,
    /// Bootstrappings of the inputs.
    input_pbs: u64,
    /// Bootstrappings of each step.
    step_pbs: Vec<u64>,
    checkpoint_pbs: u64,
}

impl Job {
    fn execute<W: Write>(mut self, stop: &Stop, events: &mut Events<W>) -> Result<Event, FrameError> {
        let mut pbs = self.input_pbs + self.step_pbs[..self.execution.position()].iter().sum::<u64>();
        let mut kept = pbs;
        let mut told = Instant::now();
        events.send(&self.progress(pbs))?;
        while !self.execution.is_complete() {
            if stop.is_asked() {
                return Ok(Event::Stopped);
            }
            let step = self.execution.position();
            if let Err(error) = self.execution.step() {
                return Ok(failed(&error.to_string()));
            }
            pbs += self.step_pbs[step];
            let complete = self.execution.is_complete();
            if complete || told.elapsed() >= PROGRESS_PERIOD {
                events.send(&self.progress(pbs))?;
                told = Instant::now();
            }
            if !complete && pbs - kept >= self.checkpoint_pbs {
                if let Some(checkpoint) = self.execution.checkpoint(MAX_CHECKPOINT) {
                    events.send(&Event::Checkpoint(checkpoint))?;
                }
                kept = pbs;
            }
        }
        Ok(match self.execution.finish() {
            Ok(outcome) => Event::Done(Done { result: Blob(outcome.result), result_hash: outcome.result_hash }),
            Err(error) => failed(&error.to_string()),
        })
    }

    fn progress(&self, pbs: u64) -> Event {
        Event::Progress { step: self.execution.position() as u32, pbs }
    }
}

/// Where so many bootstrappings cost more than the job may.
fn excess(pbs: u64, fhe_unit_ceiling: Option<u64>) -> Option<Excess> {
    let cost = Units { compute: 0, fhe: jobs::fhe::units::units(pbs) };
    cost.excess(Units { compute: 0, fhe: fhe_unit_ceiling? })
}

fn receive(blob: &[u8], key: &Loaded<'_>, origin: &Origin) -> Result<Received, InputError> {
    match key {
        Loaded::Network(key) => inputs::read_network(blob, &key.public, origin),
        Loaded::Client(key) => inputs::read_client(blob, key),
    }
}

fn refused(error: InputError) -> Event {
    Event::Refused { reason: error.reason, detail: error.detail }
}

fn failed(detail: &str) -> Event {
    Event::Failed { detail: detail.to_owned() }
}
