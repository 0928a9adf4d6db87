//! The child process: started with nothing in its hands, killed when its handle is dropped.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc as threads;
use std::time::Duration;

use anyhow::{Context, Result};
use fhe::child::protocol::{Event, Request};
use nix::sys::prctl::set_dumpable;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::children::ChildOptions;
use super::codec;

/// Events that may wait to be looked at: a checkpoint takes 200 MB.
const EVENTS: usize = 1;
/// Requests that may wait to be written.
const REQUESTS: usize = 4;
/// How long a dying child may take until the kernel says how it died.
const LAST_BREATH: Duration = Duration::from_secs(2);

/// A running child. Dropped, it is killed.
pub struct Child {
    process: tokio::process::Child,
    pid: u32,
    requests: mpsc::Sender<Vec<u8>>,
    events: mpsc::Receiver<Event>,
    /// What it holds.
    pub(super) keys: LoadedKeys,
    /// Whether it waits for a request: one that was left in the middle of something is of no more use.
    pub(super) idle: bool,
    _forking_thread: threads::Sender<()>,
}

/// Ids of the keys that a child has loaded.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct LoadedKeys {
    pub(super) network: Option<[u8; 32]>,
    pub(super) client: Option<[u8; 32]>,
}

impl Child {
    /// Starts a child: the program alone, an empty environment, three pipes.
    ///
    /// # Errors
    /// The program cannot be started.
    pub(super) async fn start(options: &ChildOptions) -> Result<Self> {
        // A child of the same user could read our environment and memory through /proc, and so the keys that sign.
        set_dumpable(false).context("Failed to close this process to others of its user")?;
        let (mut process, forking_thread) = fork(command(options)).await?;
        let pid = process.id().context("the child ended at once")?;
        let stdin = process.stdin.take().context("the child has no standard input")?;
        let stdout = process.stdout.take().context("the child has no standard output")?;
        let stderr = process.stderr.take().context("the child has no standard error")?;
        let (requests, to_write) = mpsc::channel(REQUESTS);
        let (heard, events) = mpsc::channel(EVENTS);
        tokio::spawn(write(stdin, to_write));
        tokio::spawn(listen(stdout, heard, pid));
        tokio::spawn(log(stderr, pid));
        tracing::info!(child.pid = pid, "the computing process runs");
        let keys = LoadedKeys::default();
        Ok(Self { process, pid, requests, events, keys, idle: true, _forking_thread: forking_thread })
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Hands a request over to be written. That the child is dead is seen by [`Child::next`].
    pub(super) async fn send(&mut self, request: &Request) -> Result<()> {
        self.idle = false;
        let frame = codec::encode(request).context("a request is too long for a frame")?;
        drop(self.requests.send(frame).await);
        Ok(())
    }

    /// What the child tells next; `None` when it is dead, or speaks another language. Nothing is lost when this is
    /// dropped half-way.
    pub(super) async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Whether it can take another request.
    pub(super) fn is_usable(&mut self) -> bool {
        self.idle && matches!(self.process.try_wait(), Ok(None))
    }

    /// Ends the child and tells how it ended.
    pub(super) async fn end(mut self) -> String {
        if let Ok(Ok(status)) = timeout(LAST_BREATH, self.process.wait()).await {
            return told(status);
        }
        // It lives on without its pipes.
        match self.process.kill().await {
            Ok(()) => "it closed its pipe and was killed".to_owned(),
            Err(error) => format!("it closed its pipe: {error}"),
        }
    }
}

fn told(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.signal(), status.code()) {
        (Some(signal), _) => format!("signal {signal}"),
        (None, Some(code)) => format!("exit code {code}"),
        (None, None) => "no status".to_owned(),
    }
}

fn command(options: &ChildOptions) -> Command {
    let mut command = Command::new(&options.program);
    command
        .arg("fhe-child")
        .args(["--parent", &std::process::id().to_string()])
        .args(["--memory-bytes", &options.memory_bytes.to_string()])
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// Forks on a thread that lives as long as the sender: the kernel sends the parent-death signal, for which the child
/// asks, when the thread that forked it ends.
async fn fork(mut command: Command) -> Result<(tokio::process::Child, threads::Sender<()>)> {
    let (reply, answer) = oneshot::channel();
    let (holder, held) = threads::channel::<()>();
    let runtime = Handle::current();
    std::thread::Builder::new()
        .name("fhe-child".to_owned())
        .spawn(move || {
            let forked = {
                let _runtime = runtime.enter();
                command.spawn()
            };
            // Nobody waits any more: the child is dropped, and so killed.
            drop(reply.send(forked));
            let _ = held.recv();
        })
        .context("Failed to start a thread")?;
    let process = answer.await.context("the forking thread died")?.context("Failed to start the computing process")?;
    Ok((process, holder))
}

async fn write(mut stdin: impl AsyncWrite + Unpin, mut frames: mpsc::Receiver<Vec<u8>>) {
    while let Some(frame) = frames.recv().await {
        // A child that is dead is noticed by its silence.
        if stdin.write_all(&frame).await.and(stdin.flush().await).is_err() {
            return;
        }
    }
}

async fn listen(mut stdout: impl AsyncRead + Unpin, events: mpsc::Sender<Event>, pid: u32) {
    loop {
        match codec::read_event(&mut stdout).await {
            Ok(Some(event)) => {
                if events.send(event).await.is_err() {
                    return;
                }
            }
            Ok(None) => return,
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return,
            Err(error) => {
                tracing::error!(child.pid = pid, %error, "the computing process speaks another language");
                return;
            }
        }
    }
}

/// What the child says on standard error: panics, above all.
async fn log(mut stderr: impl AsyncRead + Unpin, pid: u32) {
    let mut chunk = vec![0; 4096];
    while let Ok(length @ 1..) = stderr.read(&mut chunk).await {
        let said = String::from_utf8_lossy(&chunk[..length]);
        tracing::warn!(child.pid = pid, said = said.trim_end(), "from the computing process");
    }
}
