//! Keeps the parts running: starts each when what it needs serves, starts it again with back-off when it dies,
//! stops all in reverse order.

use std::fs::{self, OpenOptions};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::board::Board;
use super::data_dir::DataDir;
use super::part::{Identity, Part, PartName};
use super::progress::{Event, Progress};
use super::spawner;

const FIRST_BACK_OFF: Duration = Duration::from_millis(500);
const LONGEST_BACK_OFF: Duration = Duration::from_secs(30);
/// A part that ran this long starts again with the shortest back-off.
const STEADY_AFTER: Duration = Duration::from_secs(60);
const PROBE_PAUSE: Duration = Duration::from_millis(50);
const LOG_LINES_SHOWN: usize = 5;

/// What every part's task shares.
#[derive(Clone)]
struct Ground {
    data: DataDir,
    board: Board,
    http: reqwest::Client,
    progress: Progress,
    /// This binary, found once: it may be replaced by a build while it runs.
    executable: PathBuf,
}

struct Running {
    name: PartName,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// Owns the running parts, in the order in which they were started.
pub struct Supervisor {
    ground: Ground,
    running: Vec<Running>,
}

impl Supervisor {
    /// # Errors
    /// The own executable cannot be found or no HTTP client be made.
    pub fn new(data: DataDir, board: Board, progress: Progress) -> Result<Self> {
        let executable = std::env::current_exe().context("Failed to find this program")?;
        let http = reqwest::Client::builder().no_proxy().build().context("Failed to make an HTTP client")?;
        Ok(Self { ground: Ground { data, board, http, progress, executable }, running: Vec::new() })
    }

    /// Starts parts, each as soon as those it depends on serve; parts that are not running are not waited for.
    ///
    /// # Errors
    /// A part died or stayed mute at its first start; the message ends with its last log lines.
    pub async fn start(&mut self, mut parts: Vec<Part>) -> Result<()> {
        while !parts.is_empty() {
            let waiting: Vec<PartName> = parts.iter().map(|part| part.name).collect();
            let (now, later): (Vec<Part>, Vec<Part>) =
                parts.into_iter().partition(|part| !part.depends_on.iter().any(|name| waiting.contains(name)));
            if now.is_empty() {
                bail!("the parts {waiting:?} wait for each other");
            }
            let starts = now.into_iter().map(|part| self.launch(part)).collect::<Vec<_>>();
            futures::future::try_join_all(starts.into_iter().map(|start| async {
                start.await.unwrap_or_else(|_| Err(anyhow!("the part was stopped while it started")))
            }))
            .await?;
            parts = later;
        }
        Ok(())
    }

    /// Stops every part, the last one first.
    pub async fn stop(&mut self) {
        while let Some(running) = self.running.pop() {
            running.stop.cancel();
            if let Err(error) = running.task.await {
                tracing::error!("the keeper of {} failed: {error}", running.name);
            }
        }
    }

    fn launch(&mut self, part: Part) -> oneshot::Receiver<Result<()>> {
        let (ready, first) = oneshot::channel();
        let stop = CancellationToken::new();
        let name = part.name;
        self.ground.board.add(&part);
        let keeper = Keeper { part, ground: self.ground.clone(), stop: stop.clone() };
        let task = tokio::spawn(keeper.keep(ready));
        self.running.push(Running { name, stop, task });
        first
    }
}

/// A program tied to this process's life, its output in a file; a part, or a short-lived helper such as initdb.
pub struct Tied<'a> {
    pub program: &'a Path,
    pub args: &'a [String],
    pub env: &'a [(String, String)],
    pub identity: Option<Identity>,
    pub death_signal: Signal,
    pub log: &'a Path,
}

impl Tied<'_> {
    /// Starts it in the data folder, through `executable spawn`.
    ///
    /// # Errors
    /// The log cannot be opened or the program not be started.
    pub async fn start(&self, executable: &Path, data: &DataDir) -> Result<Child> {
        let open = OpenOptions::new().create(true).append(true).open(self.log);
        let output = open.with_context(|| format!("Failed to open {}", self.log.display()))?;
        let mut command = Command::new(executable);
        command.args(["spawn", "--parent", &std::process::id().to_string()]);
        command.args(["--death-signal", self.death_signal.as_str()]);
        if let Some(identity) = self.identity {
            command.args(["--uid", &identity.uid.to_string(), "--gid", &identity.gid.to_string()]);
        }
        command.arg("--").arg(self.program).args(self.args);
        command.env_clear().envs(self.env.iter().map(|(key, value)| (key, value)));
        command.current_dir(data.path()).stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output);
        // A group of its own: Ctrl-C in the terminal reaches only this process, which stops the parts in order.
        command.process_group(0);
        spawner::start(command).await
    }
}

/// One part's task.
struct Keeper {
    part: Part,
    ground: Ground,
    stop: CancellationToken,
}

/// How one run of a part ended.
enum End {
    Stopped,
    Died(String),
}

impl Keeper {
    async fn keep(self, ready: oneshot::Sender<Result<()>>) {
        let mut first_start = Some(ready);
        let mut restarts = 0;
        let mut back_off = FIRST_BACK_OFF;
        if let Err(error) = self.rotate_log() {
            tracing::warn!("{error:#}");
        }
        loop {
            let began = Instant::now();
            let end = self.run_once(began, restarts, &mut first_start).await;
            self.ground.board.set_pid(self.part.name, None);
            let how = match end {
                End::Stopped => return,
                End::Died(how) => how,
            };
            if let Some(first_start) = first_start.take() {
                let _ = first_start.send(Err(self.failed_start(&how)));
                return;
            }
            if began.elapsed() > STEADY_AFTER {
                back_off = FIRST_BACK_OFF;
            }
            let log = self.log_file();
            (self.ground.progress)(&Event::Died { name: self.part.name, how, again_in: back_off, log });
            tokio::select! {
                () = self.stop.cancelled() => return,
                () = sleep(back_off) => {}
            }
            back_off = LONGEST_BACK_OFF.min(back_off * 2);
            restarts = self.ground.board.count_restart(self.part.name);
        }
    }

    async fn run_once(&self, began: Instant, restarts: u32, first: &mut Option<oneshot::Sender<Result<()>>>) -> End {
        let part = &self.part;
        if let Err(error) = self.prepare() {
            return End::Died(format!("{error:#}"));
        }
        let tied = Tied {
            program: &part.program,
            args: &part.args,
            env: &part.env,
            identity: part.identity,
            death_signal: part.death_signal,
            log: &self.log_file(),
        };
        let mut child = match tied.start(&self.ground.executable, &self.ground.data).await {
            Ok(child) => child,
            Err(error) => return End::Died(format!("{error:#}")),
        };
        self.ground.board.set_pid(part.name, child.id());
        tokio::select! {
            exit = child.wait() => return End::Died(describe(exit)),
            () = self.stop.cancelled() => return self.stop_child(child).await,
            () = sleep(part.start_timeout), if first.is_some() => {
                let _ = self.stop_child(child).await;
                return End::Died(format!("it did not serve within {} s", part.start_timeout.as_secs()));
            }
            () = self.until_ready() => {
                let took = began.elapsed();
                (self.ground.progress)(&Event::Ready { name: part.name, address: part.address, took, restarts });
                if let Some(first) = first.take() {
                    let _ = first.send(Ok(()));
                }
            }
        }
        tokio::select! {
            exit = child.wait() => End::Died(describe(exit)),
            () = self.stop.cancelled() => self.stop_child(child).await,
        }
    }

    fn prepare(&self) -> Result<()> {
        let Some(before_start) = self.part.before_start else { return Ok(()) };
        if let Some(text) = before_start(&self.ground.data)? {
            (self.ground.progress)(&Event::Notice { name: self.part.name, text });
        }
        Ok(())
    }

    async fn until_ready(&self) {
        while self.part.probe.ask(&self.ground.http).await.is_err() {
            sleep(PROBE_PAUSE).await;
        }
    }

    async fn stop_child(&self, mut child: Child) -> End {
        let mut how = "stopped";
        send(&child, self.part.stop_signal);
        if timeout(self.part.stop_timeout, child.wait()).await.is_err() {
            send(&child, Signal::SIGKILL);
            let _ = child.wait().await;
            how = "killed: it did not stop in time";
        }
        (self.ground.progress)(&Event::Stopped { name: self.part.name, how });
        End::Stopped
    }

    fn log_file(&self) -> PathBuf {
        self.ground.data.log_file(self.part.name)
    }

    /// Keeps the log of the stack's previous run beside this one's.
    fn rotate_log(&self) -> Result<()> {
        let log = self.log_file();
        if log.exists() {
            fs::rename(&log, log.with_added_extension("1")).context("Failed to keep the previous log")?;
        }
        Ok(())
    }

    fn failed_start(&self, how: &str) -> anyhow::Error {
        let log = self.log_file();
        let text = fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let last = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n    ");
        anyhow!("{} did not start: {how}; see {}\n    {last}", self.part.name, log.display())
    }
}

fn send(child: &Child, signal: Signal) {
    // A child that was not waited for yet keeps its pid, so this cannot meet a stranger.
    if let Some(pid) = child.id().and_then(|pid| i32::try_from(pid).ok()) {
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

fn describe(exit: std::io::Result<ExitStatus>) -> String {
    match exit {
        Ok(status) => match status.signal() {
            Some(signal) => format!("signal {signal}"),
            None => format!("exit code {}", status.code().unwrap_or_default()),
        },
        Err(error) => error.to_string(),
    }
}
