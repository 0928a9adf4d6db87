//! One job: read its inputs, compile its algorithm, execute it and tell how far it is.

use std::io::Write;
use std::time::{Duration, Instant};

use super::frames::FrameError;
use super::inbox::Stop;
use super::keyring::{Keyring, Loaded};
use super::protocol::{Blob, Done, Event, Prepared, Refusal, Run};
use super::{Compile, CompileError, Compiled, Events};
use crate::execution::{Execution, program_hash};
use crate::inputs::{self, InputError, Origin, Received, Seeds};
use crate::keys::KeyId;

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
    match Job::prepare(run, keys, compile) {
        Ok(job) => job.execute(stop, events),
        Err(last) => Ok(last),
    }
}

/// A job whose inputs were taken.
struct Job {
    execution: Execution,
    prepared: Prepared,
    /// Bootstrappings of each step.
    step_pbs: Vec<u64>,
    checkpoint_pbs: u64,
}

impl Job {
    fn prepare(run: Run, keys: &Keyring, compile: &Compile<'_>) -> Result<Self, Event> {
        let key_id = KeyId(run.key_id);
        let key = keys.find(run.mode, key_id).ok_or_else(|| failed("the key is not loaded"))?;
        let origin = Origin { tenant: run.tenant, submitter: run.submitter };
        let received = receive(&run.inputs.0, &key, &origin).map_err(refused)?;
        let Compiled { program, step_pbs } = compile(&run.payload, received.types()).map_err(|error| match error {
            CompileError::Payload(detail) => failed(&detail),
            CompileError::Inputs(detail) => Event::Refused { reason: Refusal::InputsUnfit, detail },
        })?;
        if step_pbs.len() != program.steps.len() {
            return Err(failed("the price does not cover each step"));
        }
        let prepared = Prepared {
            input_types: received.types().to_vec(),
            inputs_hash: received.hash(),
            program_hash: program_hash(&program),
            steps: program.steps.len() as u32,
            pbs: step_pbs.iter().sum(),
        };
        let seeds = Seeds {
            job_id: run.job_id,
            inputs_hash: prepared.inputs_hash,
            program_hash: prepared.program_hash,
            key_id,
        };
        let inputs = received.into_inputs(key.evaluation(), &seeds).map_err(refused)?;
        let mut execution =
            Execution::new(key.evaluation(), program, inputs).map_err(|error| failed(&error.to_string()))?;
        if let Some(checkpoint) = &run.checkpoint {
            // One of an older build, whose programs differ, is worth nothing, and the job starts anew.
            let _ = execution.restore(checkpoint);
        }
        Ok(Self { execution, prepared, step_pbs, checkpoint_pbs: run.checkpoint_pbs.max(1) })
    }

    fn execute<W: Write>(mut self, stop: &Stop, events: &mut Events<W>) -> Result<Event, FrameError> {
        events.send(&Event::Prepared(self.prepared.clone()))?;
        let mut pbs: u64 = self.step_pbs[..self.execution.position()].iter().sum();
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
                events.send(&Event::Checkpoint(self.execution.checkpoint()))?;
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
