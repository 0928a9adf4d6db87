//! A whole stack that serves, and what stands in its database.

use std::net::Ipv4Addr;
use std::process::{Command, Output};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use sqlx::postgres::{PgArguments, PgConnection, PgRow};
use sqlx::query::Query;
use sqlx::{Connection, Postgres};

use super::dev::Dev;
use super::fhe::CHECKPOINTS_OFTEN;
use super::outage::Outage;
use super::patience::eventually;
use super::place::{PROGRAM, Place};
use super::process::descendants;
use super::seed;
use super::zama::Zama;

/// Longer than any test: a computation with this pause never ends by itself.
const FOR_EVER: &[(&str, &str)] =
    &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000"), ("ZAMA__WORKER__MAX_COMPUTE", "64")];

/// A computation that works for longer than any test, without a pause: only the algorithm itself can end it.
pub const BUSY: &[(&str, &str)] =
    &[("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_MS", "3600000"), ("ZAMA__DEVELOPMENT__COMPUTE_PAUSE_AT", "busy")];

/// Hundreds who ask at once wait for their turn at the database, however busy the machine is, for almost as long as the
/// harness's client waits for an answer: with the default of three seconds some would be told 503 there.
pub const CROWD: [(&str, &str); 2] =
    [("ZAMA__DATABASE__ACQUIRE_TIMEOUT_SECONDS", "50"), ("ZAMA__API__REQUEST_TIMEOUT_SECONDS", "55")];

/// All tests of a process ask from one address, some of them all at once; and none waits for an hour.
const PATIENT: &[(&str, &str)] =
    &[("ZAMA__AUTH__TOKEN_REQUESTS_PER_MINUTE", "0"), ("ZAMA__METERING__HOURS_SECONDS", "5"), CROWD[0], CROWD[1]];

/// The reporter's first turn leaves young rows alone, and its next is after any test: what is billed, the jobs' own
/// workflows have billed.
pub const NO_REPORTER: (&str, &str) = ("ZAMA__METERING__REPORTER_SECONDS", "3600");

/// The user of a token unless another one is named.
pub const USER: &str = "developer";

/// Another company's host, for `encrypted_data_url`.
pub const FOREIGN_HOST: &str = "blobs.example.test";
const FOREIGN_AUTHORITY: (&str, &str) = (
    "ZAMA__DEVELOPMENT__FETCH_AUTHORITY_FILE",
    concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certificates/authority.pem"),
);

/// Where that host is: a loopback address for each test process, since only two ports are fetched from.
pub fn foreign_address() -> Ipv4Addr {
    let [.., high, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, 77, high, low)
}

pub struct Stack {
    // Dropped before the place in which it runs.
    dev: Dev,
    pub place: Place,
    pub api: String,
    pub rpc: String,
    pub registry: String,
    pub lago: String,
    pub lago_key: String,
    pub temporal: String,
    /// As the stack's processes connect.
    database: String,
    /// As the schema's owner.
    owner: String,
}

impl Stack {
    /// One stack for all tests of the process that disturb nothing; ends with the process.
    pub fn shared() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::with(PATIENT))
    }

    /// As [`Stack::shared`], but no computation ends unless something ends it.
    pub fn endless() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| Self::with(FOR_EVER))
    }

    /// A stack of the test's own, to be disturbed.
    pub fn own() -> Self {
        Self::with(&[])
    }

    pub fn with(settings: &[(&'static str, &'static str)]) -> Self {
        Self::sown(Place::whole(settings))
    }

    /// One stack with key manager and FHE worker for all tests of the process that disturb nothing.
    pub fn encrypted() -> &'static Self {
        static STACK: OnceLock<Stack> = OnceLock::new();
        STACK.get_or_init(|| {
            let hosts: &'static str = format!("{FOREIGN_HOST}={}", foreign_address()).leak();
            let foreign = ("ZAMA__DEVELOPMENT__FETCH_HOSTS", hosts);
            Self::encrypted_with(&[CHECKPOINTS_OFTEN, foreign, FOREIGN_AUTHORITY])
        })
    }

    pub fn encrypted_with(settings: &[(&'static str, &'static str)]) -> Self {
        Self::at(Place::encrypted(settings))
    }

    /// A stack whose worker the test starts by itself.
    pub fn without_worker() -> Self {
        Self::sown(Place::without_worker(&[]))
    }

    fn sown(place: Place) -> Self {
        seed::sow(&place);
        Self::at(place)
    }

    /// A stack that accepts jobs and runs none, with settings of its own.
    pub fn api_alone(settings: &[(&'static str, &'static str)]) -> Self {
        Self::at(Place::without_worker(settings))
    }

    fn at(place: Place) -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let dev = Dev::start(&place);
        Self {
            dev,
            api: place.env("ZAMA_API"),
            rpc: place.env("ZAMA_RPC"),
            registry: place.env("ZAMA_REGISTRY"),
            lago: place.env("ZAMA_LAGO_URL"),
            lago_key: place.env("ZAMA_LAGO_KEY"),
            temporal: place.env("ZAMA_TEMPORAL"),
            database: place.env("ZAMA_DATABASE_URL"),
            owner: place.owner_url(),
            place,
        }
    }

    /// A client of a new tenant.
    pub fn tenant(&self) -> Zama<'_> {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let tenant = format!("tenant-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let token = self.token(&tenant, USER, "developer");
        Zama::new(self, tenant, token)
    }

    /// A user of a tenant that tests share: a computing process, which loads keys for seconds, serves one tenant alone.
    pub fn user_of(&self, tenant: &str, user: &str) -> Zama<'_> {
        Zama::new(self, tenant.to_owned(), self.token(tenant, user, "developer"))
    }

    /// An admin of the same tenant, who sees what belongs to no job, too.
    pub fn admin_of(&self, developer: &Zama<'_>) -> Zama<'_> {
        let tenant = developer.tenant.clone();
        let token = self.token(&tenant, "amy", "admin");
        Zama::new(self, tenant, token)
    }

    fn token(&self, tenant: &str, user: &str, role: &str) -> String {
        let mut command = Command::new(PROGRAM);
        command.args(["token", "--tenant", tenant, "--user", user, "--role", role, "--ttl", "12h"]);
        command.env("ZAMA__DATABASE__URL", &self.database);
        command.env("ZAMA__API__PUBLIC_URL", &self.api);
        command.env("ZAMA__AUTH__SIGNING_KEY_FILE", self.place.data_dir().join("token-signing.pem"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Runs `zama-jobs policy` as the stack's operator.
    pub fn policy(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(PROGRAM);
        command.arg("policy").args(arguments).env("ZAMA__DATABASE__URL", &self.database);
        command.output().unwrap()
    }

    /// What the worker tells of itself now; none while it does not run.
    pub async fn gauge(&self, name: &str) -> Option<f64> {
        let url = format!("http://127.0.0.1:{}/metrics", self.place.port_base + 9);
        let text = reqwest::get(url).await.ok()?.text().await.ok()?;
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
    }

    /// Address of the codec server, which is no part of the environment file.
    pub fn codec(&self) -> String {
        format!("http://127.0.0.1:{}", self.place.port_base + 1)
    }

    /// Stops a part without ending it, until the answer is dropped or [`Outage::over`].
    pub fn stops(&self, part: &str) -> Outage {
        Outage::begin(self.place.part(part).pid.unwrap())
    }

    /// How many lines of a part's log say both.
    pub fn says_of(&self, part: &str, what: &str, of: &str) -> usize {
        let log = self.place.data_dir().join(format!("logs/{part}.log"));
        std::fs::read_to_string(log).unwrap().lines().filter(|line| line.contains(what) && line.contains(of)).count()
    }

    /// A number from the first line of a part's log that says both.
    pub fn figure_of(&self, part: &str, what: &str, of: &str, figure: &str) -> Option<f64> {
        let log = self.place.data_dir().join(format!("logs/{part}.log"));
        let log = std::fs::read_to_string(log).unwrap();
        let line = log.lines().find(|line| line.contains(what) && line.contains(of))?;
        // It may be in the middle of being written.
        serde_json::from_str::<serde_json::Value>(line).ok()?[figure].as_f64()
    }

    /// How often a part's log says something.
    pub fn says(&self, part: &str, what: &str) -> usize {
        let log = self.place.data_dir().join(format!("logs/{part}.log"));
        std::fs::read_to_string(log).unwrap().matches(what).count()
    }

    /// kill -9; the supervisor starts the part again.
    pub fn kills(&self, part: &str) {
        self.place.kill_9(&self.place.part(part));
    }

    /// kill -9 of `zama-jobs dev` itself, and a new start at the same place.
    pub fn dies_and_starts_again(&mut self) {
        self.dies_and_starts_again_after(|_| ());
    }

    /// As [`Stack::dies_and_starts_again`], with something that happens to the place while nothing runs.
    pub fn dies_and_starts_again_after(&mut self, happens: impl FnOnce(&Place)) {
        let processes = descendants(self.dev.pid());
        self.dev.signal(Signal::SIGKILL);
        assert_eq!(self.dev.exit_code(), None);
        eventually("every process of the killed stack is gone", || processes.iter().all(|process| !process.is_alive()));
        happens(&self.place);
        self.dev = Dev::start(&self.place);
    }

    /// Executes a statement as the schema's owner, for what no client and no process can do.
    pub async fn execute(&self, statement: Query<'_, Postgres, PgArguments>) -> u64 {
        let mut connection = PgConnection::connect(&self.owner).await.unwrap();
        statement.execute(&mut connection).await.unwrap().rows_affected()
    }

    pub async fn rows(&self, query: Query<'_, Postgres, PgArguments>) -> Vec<PgRow> {
        let mut connection = PgConnection::connect(&self.owner).await.unwrap();
        query.fetch_all(&mut connection).await.unwrap()
    }
}
