//! A place for one stack (folder, ports), the stack as a child process, and eyes for its processes.

use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::Deserialize;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

const PROGRAM: &str = env!("CARGO_BIN_EXE_zama-jobs");
const ENGINES: &str = "postgres,temporal,anvil";
const PORTS_A_STACK: u16 = 12;
const PATIENCE: Duration = Duration::from_secs(60);

/// One object of `dev status --json`.
#[derive(Debug, Deserialize)]
pub struct PartStatus {
    pub name: String,
    pub pid: Option<i32>,
    #[expect(dead_code, reason = "its presence is what the test checks")]
    address: String,
    pub healthy: bool,
    pub restarts: u32,
}

/// Where one stack lives.
pub struct Place {
    folder: TempDir,
    pub port_base: u16,
}

impl Place {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // When the tests run as root, PostgreSQL's user must pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        Self { folder, port_base: free_port_base() }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn data_dir(&self) -> PathBuf {
        self.path("data")
    }

    /// A value of the environment file, as sh reads it.
    pub fn env(&self, key: &str) -> String {
        let script = format!(". {}; printf %s \"${key}\"", self.path("dev.env").display());
        String::from_utf8(Command::new("sh").args(["-euc", &script]).output().unwrap().stdout).unwrap()
    }

    pub fn status(&self) -> Vec<PartStatus> {
        serde_json::from_slice(&self.run_status().stdout).unwrap()
    }

    pub fn status_exit_code(&self) -> Option<i32> {
        self.run_status().status.code()
    }

    pub fn part(&self, name: &str) -> PartStatus {
        self.status().into_iter().find(|part| part.name == name).unwrap()
    }

    pub fn kill_9(&self, part: &PartStatus) {
        kill(Pid::from_raw(part.pid.unwrap()), Signal::SIGKILL).unwrap();
    }

    /// What a start that must fail says: exactly one line.
    pub fn refused_start(&self, env: &[(&str, &Path)]) -> String {
        let output = self.command().envs(env.iter().copied()).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(output.stdout.is_empty(), "{}", String::from_utf8_lossy(&output.stdout));
        said
    }

    pub fn sql(&self, statements: &'static str) {
        block_on(async {
            let mut connection = PgConnection::connect(&self.env("ZAMA_DATABASE_URL")).await.unwrap();
            sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        });
    }

    pub fn sql_value(&self, query: &'static str) -> String {
        block_on(async {
            let mut connection = PgConnection::connect(&self.env("ZAMA_DATABASE_URL")).await.unwrap();
            sqlx::query_scalar(query).fetch_one(&mut connection).await.unwrap()
        })
    }

    pub fn rpc(&self, method: &str, params: &serde_json::Value) -> serde_json::Value {
        let question = serde_json::json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let answer: serde_json::Value = block_on(async {
            let request = reqwest::Client::new().post(self.env("ZAMA_RPC")).json(&question);
            request.send().await.unwrap().json().await.unwrap()
        });
        answer["result"].clone()
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        command.args(["dev", "--only", ENGINES, "--port-base", &self.port_base.to_string()]);
        command.arg("--data-dir").arg(self.data_dir());
        command.arg("--env-file").arg(self.path("dev.env"));
        command.arg("--ready-file").arg(self.path("ready.json"));
        command.current_dir(self.folder.path());
        command
    }

    fn run_status(&self) -> Output {
        let mut command = Command::new(PROGRAM);
        command.args(["dev", "status", "--json", "--data-dir"]).arg(self.data_dir());
        command.output().unwrap()
    }
}

/// A stack that runs; killed with the test when that fails.
pub struct Dev {
    child: Child,
    told: PathBuf,
}

impl Dev {
    /// Starts a stack and does not wait.
    pub fn begin(place: &Place) -> Self {
        let told = place.path("told.txt");
        let output = File::create(&told).unwrap();
        let mut command = place.command();
        command.stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        Self { child: command.spawn().unwrap(), told }
    }

    /// Starts a stack and waits until it says that it is ready.
    pub fn start(place: &Place) -> Self {
        let ready = place.path("ready.json");
        let _ = fs::remove_file(&ready);
        let mut dev = Self::begin(place);
        eventually("the stack is ready", || {
            let ended = dev.child.try_wait().unwrap();
            assert!(ended.is_none(), "the stack ended: {}", dev.told());
            ready.exists()
        });
        dev
    }

    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id()).unwrap()
    }

    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end; none when a signal was the end.
    pub fn exit_code(&mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// Stops it as Ctrl-C does and answers everything that it printed.
    pub fn stop(mut self) -> String {
        self.signal(Signal::SIGINT);
        assert_eq!(self.exit_code(), Some(0), "{}", self.told());
        self.told()
    }

    fn told(&self) -> String {
        let mut text = String::new();
        File::open(&self.told).unwrap().read_to_string(&mut text).unwrap();
        text
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// One process, told from a later one with the same pid by its start.
#[derive(Debug)]
#[expect(dead_code, reason = "the name is shown when a process is left behind")]
pub struct Process {
    pid: i32,
    name: String,
    started: String,
}

impl Process {
    pub fn is_alive(&self) -> bool {
        stat(self.pid).is_some_and(|stat| stat.started == self.started && stat.state != "Z")
    }
}

/// All processes below one, at any depth.
pub fn descendants(ancestor: i32) -> Vec<Process> {
    let everyone: Vec<(i32, Stat)> = fs::read_dir("/proc")
        .unwrap()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, stat(pid)?)))
        .collect();
    let mut below = vec![ancestor];
    let mut found = Vec::new();
    while let Some(parent) = below.pop() {
        for (pid, stat) in everyone.iter().filter(|(_, stat)| stat.parent == parent) {
            below.push(*pid);
            found.push(Process { pid: *pid, name: stat.name.clone(), started: stat.started.clone() });
        }
    }
    found
}

struct Stat {
    name: String,
    state: String,
    parent: i32,
    started: String,
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (name, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        name: name.to_owned(),
        state: fields.first()?.to_string(),
        parent: fields.get(1)?.parse().ok()?,
        started: fields.get(19)?.to_string(),
    })
}

/// Waits until a condition holds.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < PATIENCE, "not within {} s: {what}", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// The first of a run of free ports, below the range that the kernel hands out by itself.
fn free_port_base() -> u16 {
    const FIRST: u16 = 20_000;
    const BASES: u16 = 900;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(BASES)).unwrap();
    for _ in 0..BASES {
        let base = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % BASES * PORTS_A_STACK;
        if (base..base + PORTS_A_STACK).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return base;
        }
    }
    panic!("no free ports");
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
