//! A place for one stack: its folder, its ports, and how it is started there.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use serde::Deserialize;
use sqlx::Connection;
use sqlx::postgres::PgConnection;
use tempfile::TempDir;

use super::network_keys::{NETWORK_KEYS, make_network_keys};
use super::program::Run;

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_zama-jobs");
const ENGINES: &str = "postgres,temporal,anvil";
/// What plain jobs need.
const PLAIN: &str = "postgres,temporal,anvil,lago,worker,api";
/// The same but for the worker, which the test starts by itself.
const WITHOUT_WORKER: &str = "postgres,temporal,anvil,lago,api";
/// Those of `zama-jobs dev`, and two for more processes of the API.
pub const PORTS_A_STACK: u16 = 14;
/// Many stacks share a machine: a request waits longer for its turn at the database than it would in production.
const PATIENT_POOL: (&str, &str) = ("ZAMA__DATABASE__ACQUIRE_TIMEOUT_SECONDS", "10");
/// Folders of stacks are named by this and the process that made them.
const PREFIX: &str = "zama-jobs-test-";

/// One object of `dev status --json`.
#[derive(Debug, Deserialize)]
pub struct PartStatus {
    pub name: String,
    pub pid: Option<i32>,
    pub address: String,
    pub healthy: bool,
    pub restarts: u32,
}

/// Where one stack lives. The folder goes with it, but a failed test's logs are kept beside the build.
pub struct Place {
    folder: TempDir,
    pub port_base: u16,
    /// Nobody else takes these ports, not even while the stack is down.
    _reservation: TcpListener,
    only: Option<&'static str>,
    pub settings: Vec<(&'static str, &'static str)>,
    /// Who runs the stack, when it is not the tests' own user.
    user: Option<User>,
}

impl Place {
    /// For a stack of foreign programs only.
    pub fn engines() -> Self {
        Self::only(ENGINES)
    }

    /// For these parts.
    pub fn only(parts: &'static str) -> Self {
        Self::make(Some(parts), &[])
    }

    /// For a stack of foreign programs that is not root's: `nobody`'s, when the tests run as root. Everything it needs
    /// but the engines lies in the place then.
    pub fn unprivileged() -> Self {
        let mut place = Self::engines();
        if Uid::effective().is_root() {
            let nobody = User::from_name("nobody").unwrap().unwrap();
            chown(place.folder.path(), Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();
            let program = place.path("zama-jobs");
            fs::hard_link(PROGRAM, &program).or_else(|_| fs::copy(PROGRAM, &program).map(drop)).unwrap();
            if std::env::var_os("ZAMA_TOOLS_DIR").is_none() {
                // Its default is another one without root.
                place.settings.push(("ZAMA_TOOLS_DIR", "/var/lib/zama-jobs/tools"));
            }
            place.user = Some(nobody);
        }
        place
    }

    pub fn user(&self) -> Option<&User> {
        self.user.as_ref()
    }

    /// For everything that plain jobs need, with settings of its own.
    pub fn whole(settings: &[(&'static str, &'static str)]) -> Self {
        Self::make(Some(PLAIN), settings)
    }

    /// For everything that plain jobs need but the worker.
    pub fn without_worker(settings: &[(&'static str, &'static str)]) -> Self {
        Self::make(Some(WITHOUT_WORKER), settings)
    }

    /// For everything, with a copy of the stacks' network keys.
    pub fn encrypted(settings: &[(&'static str, &'static str)]) -> Self {
        make_network_keys();
        let seed = [("ZAMA__DEVELOPMENT__KMS_SEED_DIR", NETWORK_KEYS)];
        Self::make(None, &[settings, &seed].concat())
    }

    fn make(only: Option<&'static str>, settings: &[(&'static str, &'static str)]) -> Self {
        remove_leftovers();
        let folder = tempfile::Builder::new().prefix(&format!("{PREFIX}{}-", std::process::id())).tempdir().unwrap();
        // When the tests run as root, PostgreSQL's user must pass through.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (port_base, _reservation) = reserve_ports();
        let settings = [&[PATIENT_POOL], settings].concat();
        Self { folder, port_base, _reservation, only, settings, user: None }
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
        self.run(&["dev", "status", "--json"]).document()
    }

    pub fn status_exit_code(&self) -> Option<i32> {
        self.run(&["dev", "status", "--json"]).code
    }

    /// `zama-jobs …` about the stack at this place.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::of(Command::new(PROGRAM).args(arguments).arg("--data-dir").arg(self.data_dir()))
    }

    pub fn part(&self, name: &str) -> PartStatus {
        self.status().into_iter().find(|part| part.name == name).unwrap()
    }

    pub fn kill_9(&self, part: &PartStatus) {
        self.signal(part, Signal::SIGKILL);
    }

    pub fn signal(&self, part: &PartStatus, signal: Signal) {
        kill(Pid::from_raw(part.pid.unwrap()), signal).unwrap();
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

    /// Where the schema's owner connects: for what no process can.
    pub fn owner_url(&self) -> String {
        self.env("ZAMA__DATABASE__MIGRATION_URL")
    }

    pub fn sql(&self, statements: &'static str) {
        block_on(async {
            let mut connection = PgConnection::connect(&self.owner_url()).await.unwrap();
            sqlx::raw_sql(statements).execute(&mut connection).await.unwrap();
        });
    }

    pub fn sql_value(&self, query: &'static str) -> String {
        block_on(async {
            let mut connection = PgConnection::connect(&self.owner_url()).await.unwrap();
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

    /// Where the node keeps the chain.
    pub fn chain_file(&self) -> PathBuf {
        self.data_dir().join("anvil/state.json")
    }

    /// The newest block in the node's file, which is written again and again.
    pub fn written_block(&self) -> Option<u64> {
        let state: serde_json::Value = serde_json::from_slice(&fs::read(self.chain_file()).ok()?).ok()?;
        let number = &state["best_block_number"];
        number.as_u64().or_else(|| quantity(number))
    }

    /// `zama-jobs dev`, at this place.
    pub fn command(&self) -> Command {
        let mut command = self.starts("dev");
        command.arg("--ready-file").arg(self.path("ready.json"));
        command
    }

    /// `zama-jobs demo`, at this place.
    pub fn demo(&self) -> Command {
        self.starts("demo")
    }

    fn starts(&self, what: &str) -> Command {
        let own = self.path("zama-jobs");
        let mut command = Command::new(if self.user.is_some() { own.as_path() } else { Path::new(PROGRAM) });
        // Processes are killed here, machines are not; many stacks share one disk.
        command.args([what, "--no-fsync", "--port-base", &self.port_base.to_string()]);
        if let Some(parts) = self.only {
            command.args(["--only", parts]);
        }
        command.envs(self.settings.iter().copied());
        command.arg("--data-dir").arg(self.data_dir());
        command.arg("--env-file").arg(self.path("dev.env"));
        command.current_dir(self.folder.path());
        command
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if std::thread::panicking() {
            // The folder itself goes with the next tests of the same run, to whom it is a leftover.
            let kept = Path::new(env!("CARGO_TARGET_TMPDIR")).join("failed-stacks").join(self.port_base.to_string());
            let _ = fs::remove_dir_all(&kept);
            let _ = fs::create_dir_all(&kept);
            for log in fs::read_dir(self.data_dir().join("logs")).into_iter().flatten().flatten() {
                let _ = fs::copy(log.path(), kept.join(log.file_name()));
            }
            eprintln!("the stack's logs are kept in {}", kept.display());
        }
    }
}

/// Folders of test processes that are gone: those of shared stacks and of killed runs.
fn remove_leftovers() {
    for entry in fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name();
        let maker = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.split_once('-')?.0.parse::<u32>().ok());
        if maker.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

/// The first of a run of free ports, below the range that the kernel hands out by itself, and what keeps it from others:
/// the port after the last.
fn reserve_ports() -> (u16, TcpListener) {
    const FIRST: u16 = 20_000;
    const BASES: u16 = 850;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % u32::from(BASES)).unwrap();
    for _ in 0..BASES {
        let base = FIRST + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % BASES * (PORTS_A_STACK + 1);
        let Ok(reservation) = TcpListener::bind(("127.0.0.1", base + PORTS_A_STACK)) else { continue };
        if (base..base + PORTS_A_STACK).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            return (base, reservation);
        }
    }
    panic!("no free ports");
}

/// A number as Ethereum's JSON-RPC writes it.
pub fn quantity(value: &serde_json::Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}
