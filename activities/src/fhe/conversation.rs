//! What worker and child say to each other, from a request to its end.

use std::time::Duration;

use anyhow::{Result, bail};
use fhe::child::protocol::{Blob, Checkpoint, Done, Event, KeyMode, LoadKey, Prepared, Refusal, Request, Run};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::process::Child;

/// Most time for loading or checking a key, which takes seconds.
pub const KEY_TIME: Duration = Duration::from_secs(180);
/// Longest text of a child that is shown to anybody, in characters.
const MAX_DETAIL: usize = 500;

/// Where the child is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    LoadingKeys,
    Reading,
    Computing,
}

/// How a request ended.
#[derive(Debug)]
pub enum Ended<T> {
    Done(T),
    /// The client's fault.
    Refused {
        reason: Refusal,
        detail: String,
    },
    /// The child could not go on, and said so.
    Failed {
        detail: String,
    },
    /// As it was asked, or killed because it did not answer.
    Stopped,
    /// The child is dead.
    Died {
        phase: Phase,
        how: String,
    },
}

/// Who hears what happens while a program runs.
pub trait Listener {
    /// The inputs are read and the program is compiled.
    fn prepared(&mut self, prepared: &Prepared) -> impl Future<Output = ()> + Send;
    /// So many bootstrappings are done.
    fn progress(&mut self, step: u32, pbs: u64);
    /// The execution can go on from here.
    fn checkpoint(&mut self, checkpoint: Checkpoint) -> impl Future<Output = ()> + Send;
}

impl Child {
    /// Whether it holds a key.
    #[must_use]
    pub fn holds(&self, mode: KeyMode, key_id: [u8; 32]) -> bool {
        let held = match mode {
            KeyMode::Network => self.keys.network,
            KeyMode::Client => self.keys.client,
        };
        held == Some(key_id)
    }

    /// Loads a key, unless it is told to stop or takes longer than `limit`: the child is then killed.
    ///
    /// # Errors
    /// The child answers something else.
    pub async fn load_key(
        mut self,
        key: LoadKey,
        stop: &CancellationToken,
        limit: Duration,
    ) -> Result<(Option<Self>, Ended<()>)> {
        let (mode, key_id) = (key.mode, key.key_id);
        self.send(&Request::LoadKey(key)).await?;
        let (child, ended) = self.answer(Phase::LoadingKeys, stop, limit).await?;
        let child = child.map(|mut child| {
            if matches!(ended, Ended::Done(Event::KeyLoaded)) {
                match mode {
                    KeyMode::Network => child.keys.network = Some(key_id),
                    KeyMode::Client => child.keys.client = Some(key_id),
                }
            }
            child
        });
        Ok((
            child,
            ended.map(|event| match event {
                Event::KeyLoaded => Ok(()),
                other => unexpected(&other),
            })?,
        ))
    }

    /// Checks a client's evaluation key and tells its id, unless it is told to stop or takes longer than `limit`: the
    /// child is then killed.
    ///
    /// # Errors
    /// The child answers something else.
    pub async fn check_key(
        mut self,
        evaluation_key: Vec<u8>,
        stop: &CancellationToken,
        limit: Duration,
    ) -> Result<(Option<Self>, Ended<[u8; 32]>)> {
        self.send(&Request::CheckKey { evaluation_key: Blob(evaluation_key) }).await?;
        let (child, ended) = self.answer(Phase::Reading, stop, limit).await?;
        Ok((
            child,
            ended.map(|event| match event {
                Event::KeyChecked { key_id } => Ok(key_id),
                other => unexpected(&other),
            })?,
        ))
    }

    /// One answer to one request. What it does meanwhile cannot be interrupted: a child that is not waited for is
    /// dropped, and so killed.
    async fn answer(
        mut self,
        phase: Phase,
        stop: &CancellationToken,
        limit: Duration,
    ) -> Result<(Option<Self>, Ended<Event>)> {
        let event = tokio::select! {
            event = self.next() => event,
            () = stop.cancelled() => return Ok((None, Ended::Stopped)),
            () = sleep(limit) => {
                let how = format!("it did not answer within {} seconds and was killed", limit.as_secs());
                return Ok((None, Ended::Died { phase, how }));
            }
        };
        let ended = match event {
            None => return Ok((None, Ended::Died { phase, how: self.end().await })),
            Some(Event::Refused { reason, detail }) => Ended::Refused { reason, detail: cut(detail) },
            Some(Event::Failed { detail }) => Ended::Failed { detail: cut(detail) },
            Some(event) => Ended::Done(event),
        };
        self.idle = true;
        Ok((Some(self), ended))
    }

    /// Runs a program to its end, or until it is told to stop; a child that has not stopped `grace` later is killed.
    /// The child comes back if it can serve another.
    ///
    /// # Errors
    /// The child answers out of turn.
    pub async fn run(
        mut self,
        run: Run,
        stop: &CancellationToken,
        grace: Duration,
        listener: &mut impl Listener,
    ) -> Result<(Option<Self>, Ended<(Prepared, Done)>)> {
        self.send(&Request::Run(Box::new(run))).await?;
        let mut prepared: Option<Prepared> = None;
        let mut stopping: Option<Instant> = None;
        let ended = loop {
            let event = tokio::select! {
                event = self.next() => event,
                () = stop.cancelled(), if stopping.is_none() => {
                    stopping = Some(Instant::now() + grace);
                    self.send(&Request::Stop).await?;
                    continue;
                }
                () = sleep_until(stopping.unwrap_or_else(Instant::now)), if stopping.is_some() => {
                    tracing::warn!(child.pid = self.pid(), "the computing process does not stop; killing it");
                    return Ok((None, Ended::Stopped));
                }
            };
            match event {
                None => {
                    let phase = if prepared.is_some() { Phase::Computing } else { Phase::Reading };
                    return Ok((None, Ended::Died { phase, how: self.end().await }));
                }
                Some(Event::Prepared(told)) if prepared.is_none() => {
                    listener.prepared(&told).await;
                    prepared = Some(told);
                }
                Some(Event::Progress { step, pbs }) => listener.progress(step, pbs),
                Some(Event::Checkpoint(checkpoint)) => listener.checkpoint(checkpoint).await,
                Some(Event::Stopped) if stopping.is_some() => {
                    self.idle = true;
                    return Ok((Some(self), Ended::Stopped));
                }
                Some(Event::Done(done)) => match prepared {
                    Some(prepared) => break Ended::Done((prepared, done)),
                    None => bail!("the computing process has a result before it has a program"),
                },
                Some(Event::Refused { reason, detail }) => break Ended::Refused { reason, detail: cut(detail) },
                Some(Event::Failed { detail }) => break Ended::Failed { detail: cut(detail) },
                Some(other) => bail!("the computing process answers out of turn: {}", name(&other)),
            }
        };
        // A wish to stop that crossed this answer has none of its own.
        self.idle = true;
        Ok((Some(self), ended))
    }
}

impl<T> Ended<T> {
    fn map<U>(self, done: impl FnOnce(T) -> Result<U>) -> Result<Ended<U>> {
        Ok(match self {
            Self::Done(value) => Ended::Done(done(value)?),
            Self::Refused { reason, detail } => Ended::Refused { reason, detail },
            Self::Failed { detail } => Ended::Failed { detail },
            Self::Stopped => Ended::Stopped,
            Self::Died { phase, how } => Ended::Died { phase, how },
        })
    }
}

/// What the child says goes to clients, into the database and into histories: not more of it than they need.
fn cut(mut detail: String) -> String {
    if let Some((end, _)) = detail.char_indices().nth(MAX_DETAIL) {
        detail.truncate(end);
        detail.push('…');
    }
    detail
}

fn unexpected<T>(event: &Event) -> Result<T> {
    bail!("the computing process answers out of turn: {}", name(event))
}

/// Events hold ciphertexts: a log gets their names.
fn name(event: &Event) -> &'static str {
    match event {
        Event::KeyLoaded => "key_loaded",
        Event::KeyChecked { .. } => "key_checked",
        Event::Prepared(_) => "prepared",
        Event::Progress { .. } => "progress",
        Event::Checkpoint(_) => "checkpoint",
        Event::Done(_) => "done",
        Event::Stopped => "stopped",
        Event::Refused { .. } => "refused",
        Event::Failed { .. } => "failed",
    }
}
