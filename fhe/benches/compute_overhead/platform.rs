//! The platform's side: the child process of an FHE worker.

use std::io::{BufReader, BufWriter, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use fhe::child::frames;
use fhe::child::protocol::{Blob, Done, Event, KeyMode, LoadKey, Request, Run};
use fhe::keys::NetworkKeys;

use crate::Fault;
use crate::measured::{Ours, processor, seconds};
use crate::task::{Task, origin};

/// As `fhe.checkpoint_pbs` has it by default.
pub(crate) const CHECKPOINT_PBS: u64 = 1000;
/// As `fhe.child_memory_mib` has it by default.
const CHILD_MEMORY: u64 = 6 << 30;

/// The real child process, as an FHE worker runs it.
pub(crate) struct Platform {
    process: Child,
    to: BufWriter<ChildStdin>,
    from: BufReader<ChildStdout>,
    key_id: [u8; 32],
}

impl Platform {
    pub(crate) fn start(program: &str, keys: &NetworkKeys) -> Result<Self, Fault> {
        let mut process = Command::new(program)
            .arg("fhe-child")
            .args(["--parent", &std::process::id().to_string(), "--memory-bytes", &CHILD_MEMORY.to_string()])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let to = BufWriter::new(process.stdin.take().ok_or("no pipe")?);
        let from = BufReader::new(process.stdout.take().ok_or("no pipe")?);
        let mut platform = Self { process, to, from, key_id: keys.id().0 };
        let began = Instant::now();
        platform.ask(&Request::LoadKey(LoadKey {
            mode: KeyMode::Network,
            key_id: platform.key_id,
            evaluation_key: Blob(keys.evaluation_key.clone()),
            public_key: Some(Blob(keys.public_key.clone())),
            crs: Some(Blob(keys.crs.clone())),
        }))?;
        match platform.hear()? {
            Event::KeyLoaded => eprintln!("the child has loaded its keys in {:.2} s", seconds(began.elapsed())),
            other => return Err(format!("the key was not loaded: {other:?}").into()),
        }
        Ok(platform)
    }

    pub(crate) fn run(&mut self, task: Task, blob: &[u8]) -> Result<Ours, Fault> {
        let origin = origin();
        let run = Run {
            job_id: [1; 16],
            tenant: origin.tenant,
            submitter: origin.submitter,
            mode: KeyMode::Network,
            key_id: self.key_id,
            payload: task.payload(),
            inputs: Blob(blob.to_vec()),
            checkpoint: None,
            checkpoint_pbs: CHECKPOINT_PBS,
            fhe_unit_ceiling: None,
        };
        let asked = Instant::now();
        self.ask(&Request::Run(Box::new(run)))?;
        let child = self.process.id();
        let (mut ready, mut worked) = (asked, Duration::ZERO);
        loop {
            match self.hear()? {
                // While inputs are made ready, and once more when they are.
                Event::Progress { step: 0, .. } => (ready, worked) = (Instant::now(), processor(child)?),
                Event::Prepared(_) | Event::Progress { .. } | Event::Checkpoint(_) => {}
                Event::Done(Done { result, .. }) => {
                    return Ok(Ours {
                        compute: ready.elapsed(),
                        processor: processor(child)? - worked,
                        whole: asked.elapsed(),
                        result: result.0,
                    });
                }
                other => return Err(format!("the job was not done: {other:?}").into()),
            }
        }
    }

    fn ask(&mut self, request: &Request) -> Result<(), Fault> {
        Ok(frames::write(&mut self.to, request)?)
    }

    fn hear(&mut self) -> Result<Event, Fault> {
        Ok(frames::read(&mut self.from)?.ok_or("the child is gone")?)
    }

    pub(crate) fn end(mut self) -> Result<(), Fault> {
        self.to.flush()?;
        drop(self.to);
        self.process.wait()?;
        Ok(())
    }
}
