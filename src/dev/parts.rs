//! The parts of the stack, as data: what is started, how, and what it waits for.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::signal::Signal;

use super::anvil_state;
use super::data_dir::DataDir;
use super::engines::Engines;
use super::part::{Identity, Part, PartName};
use super::ports::Ports;
use super::postgres::{self, Durability};
use super::probe::Probe;
use super::wiring::Wiring;

/// The chain that anvil serves.
pub const CHAIN_ID: u64 = 31_337;
/// The rules that gas was measured under; anvil's default moves with its versions.
const HARDFORK: &str = "prague";
/// A server of your own reads the same file.
const DYNAMIC_CONFIG: &str = include_str!("../../temporal/dynamicconfig.yaml");
const STOP_TIMEOUT: Duration = Duration::from_secs(15);
const START_TIMEOUT: Duration = Duration::from_secs(90);

/// What the engines' commands are made of.
pub struct Site<'a> {
    pub data: &'a DataDir,
    pub ports: Ports,
    pub engines: &'a Engines,
    /// PostgreSQL's user, when we are root.
    pub postgres_user: Option<Identity>,
    pub durability: Durability,
}

/// What must run before provisioning.
pub fn engines(site: &Site<'_>) -> Vec<Part> {
    vec![postgres_part(site), temporal_part(site), anvil_part(site)]
}

/// Our own processes, which need what provisioning found out; the Lago stand-in is told its key by it, too.
pub fn own(site: &Site<'_>, wiring: &Wiring, executable: &Path) -> Vec<Part> {
    let part = |name, address: SocketAddr, args: &[&str], probe: Probe, depends_on| Part {
        name,
        program: executable.to_owned(),
        args: args.iter().map(|&arg| arg.to_owned()).collect(),
        env: own_environment(site.data, wiring),
        identity: None,
        address,
        probe,
        depends_on,
        stop_signal: Signal::SIGTERM,
        stop_timeout: STOP_TIMEOUT,
        death_signal: Signal::SIGKILL,
        start_timeout: START_TIMEOUT,
        before_start: None,
    };
    let http = |address: SocketAddr, path: &str| Probe::Http { url: format!("http://{address}{path}") };
    let (kms, worker, api) = (site.ports.kms(), site.ports.worker(), site.ports.api());
    let worker_fhe = site.ports.worker_fhe();
    let mut fhe = part(
        PartName::WorkerFhe,
        worker_fhe,
        &["worker", "--queue", "fhe"],
        http(worker_fhe, "/livez"),
        &[PartName::Postgres, PartName::Temporal, PartName::Kms],
    );
    // The two workers share every setting but the address on which they are watched.
    fhe.env.push(("ZAMA__WORKER__METRICS_LISTEN".to_owned(), worker_fhe.to_string()));
    vec![
        part(PartName::Kms, kms, &["kms"], Probe::KeyManager { url: wiring.kms_url() }, &[PartName::Anvil]),
        part(
            PartName::Worker,
            worker,
            &["worker"],
            http(worker, "/livez"),
            &[PartName::Postgres, PartName::Temporal, PartName::Anvil],
        ),
        fhe,
        part(PartName::Api, api, &["api"], http(api, "/readyz"), &[PartName::Postgres, PartName::Temporal]),
    ]
}

/// The stand-in for Lago: an engine in all but that it is our own program.
pub fn lago_standin(site: &Site<'_>, key: &str, executable: &Path) -> Part {
    let address = site.ports.lago();
    let data = site.data.join("lago/data.json");
    Part {
        name: PartName::Lago,
        program: executable.to_owned(),
        args: strings(&["lago-standin", "--listen", &address.to_string(), "--data", &text(&data), "--key", key]),
        env: inherited_environment(site.data),
        identity: None,
        address,
        probe: Probe::Http { url: format!("http://{address}/health") },
        depends_on: &[],
        stop_signal: Signal::SIGTERM,
        stop_timeout: STOP_TIMEOUT,
        death_signal: Signal::SIGKILL,
        start_timeout: START_TIMEOUT,
        before_start: None,
    }
}

fn postgres_part(site: &Site<'_>) -> Part {
    let address = site.ports.postgres();
    let cluster = text(&postgres::cluster(site.data));
    let port = format!("port={}", address.port());
    let mut args = strings(&["-D", &cluster]);
    let settings = [
        "listen_addresses=127.0.0.1",
        &port,
        "unix_socket_directories=",
        "max_connections=200",
        "timezone=UTC",
        "log_timezone=UTC",
        "logging_collector=off",
        site.durability.setting(),
    ];
    args.extend(settings.iter().flat_map(|setting| strings(&["-c", setting])));
    Part {
        name: PartName::Postgres,
        program: site.engines.postgres.clone(),
        args,
        env: engine_environment(site.data),
        identity: site.postgres_user,
        address,
        probe: Probe::Postgres { address },
        depends_on: &[],
        // The fast shutdown: it ends sessions and leaves nothing to recover. The smart one would wait for clients.
        stop_signal: Signal::SIGINT,
        stop_timeout: Duration::from_secs(30),
        death_signal: Signal::SIGINT,
        start_timeout: START_TIMEOUT,
        before_start: None,
    }
}

fn temporal_part(site: &Site<'_>) -> Part {
    let ports = site.ports;
    let address = ports.temporal();
    let port = |address: SocketAddr| address.port().to_string();
    let mut args = strings(&[
        "server",
        "start-dev",
        "--ip",
        &address.ip().to_string(),
        "--port",
        &port(address),
        "--ui-port",
        &port(ports.temporal_ui()),
        "--http-port",
        &port(ports.temporal_http()),
        "--metrics-port",
        &port(ports.temporal_metrics()),
        "--ui-codec-endpoint",
        &format!("http://{}", ports.codec()),
        "--db-filename",
        &text(&site.data.join("temporal/temporal.db")),
        // The default journal halves the start rate.
        "--sqlite-pragma",
        "journal_mode=wal",
        "--sqlite-pragma",
        "synchronous=normal",
        "--log-level",
        "warn",
    ]);
    for (key, value) in dynamic_config(DYNAMIC_CONFIG) {
        args.extend(strings(&["--dynamic-config-value", &format!("{key}={value}")]));
    }
    Part {
        name: PartName::Temporal,
        program: site.engines.temporal.clone(),
        args,
        env: engine_environment(site.data),
        identity: None,
        address,
        // Served through the frontend: it answers when the frontend does.
        probe: Probe::Http { url: format!("http://{}/api/v1/system-info", ports.temporal_http()) },
        depends_on: &[],
        stop_signal: Signal::SIGINT,
        stop_timeout: STOP_TIMEOUT,
        death_signal: Signal::SIGKILL,
        start_timeout: START_TIMEOUT,
        before_start: None,
    }
}

fn anvil_part(site: &Site<'_>) -> Part {
    let address = site.ports.anvil();
    Part {
        name: PartName::Anvil,
        program: site.engines.anvil.clone(),
        args: strings(&[
            "--host",
            &address.ip().to_string(),
            "--port",
            &address.port().to_string(),
            "--chain-id",
            &CHAIN_ID.to_string(),
            "--hardfork",
            HARDFORK,
            "--block-time",
            "1",
            "--state",
            &text(&anvil_state::state_file(site.data)),
            "--state-interval",
            "1",
            "--silent",
        ]),
        env: engine_environment(site.data),
        identity: None,
        address,
        probe: Probe::JsonRpc { url: format!("http://{address}"), chain_id: CHAIN_ID },
        depends_on: &[],
        stop_signal: Signal::SIGINT,
        stop_timeout: STOP_TIMEOUT,
        death_signal: Signal::SIGKILL,
        start_timeout: START_TIMEOUT,
        before_start: Some(anvil_state::restore),
    }
}

/// The environment of a foreign program: none of the caller's settings (PGPORT, TEMPORAL_ADDRESS ...) reach it.
pub fn engine_environment(data: &DataDir) -> Vec<(String, String)> {
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C"), ("TZ", "UTC"), ("HOME", &text(data.path()))]
        .into_iter()
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .chain([marker(data)])
        .collect()
}

/// The caller's environment, so that any setting can be tuned, with the stack's own values on top. The schema's owner is
/// for migrations alone.
fn own_environment(data: &DataDir, wiring: &Wiring) -> Vec<(String, String)> {
    let nobody = ("ZAMA__DATABASE__MIGRATION_URL".to_owned(), String::new());
    inherited_environment(data).into_iter().chain(wiring.settings()).chain([nobody]).collect()
}

fn inherited_environment(data: &DataDir) -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)))
        .chain([marker(data)])
        .collect()
}

/// Tells which stack a process belongs to, for a person who looks at /proc.
fn marker(data: &DataDir) -> (String, String) {
    ("ZAMA_DEV_DATA_DIR".to_owned(), text(data.path()))
}

/// Keys and values of a dynamic config file as plain as ours: one unconditional value a key.
fn dynamic_config(file: &str) -> Vec<(&str, &str)> {
    let mut pairs = Vec::new();
    let mut key = None;
    for line in file.lines().filter(|line| !line.trim_start().starts_with('#')) {
        if let Some(value) = line.trim_start().strip_prefix("- value:") {
            pairs.extend(key.take().map(|key| (key, value.trim())));
        } else if let Some(name) = line.strip_suffix(':') {
            key = Some(name);
        }
    }
    pairs
}

fn strings(items: &[&str]) -> Vec<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// This program, as a command for its own parts.
///
/// # Errors
/// The kernel does not tell.
pub fn own_executable() -> std::io::Result<PathBuf> {
    std::env::current_exe()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_committed_dynamic_config_is_read_whole() {
        let pairs = dynamic_config(DYNAMIC_CONFIG);
        assert_eq!(
            pairs,
            [
                ("matching.numTaskqueueReadPartitions", "1"),
                ("matching.numTaskqueueWritePartitions", "1"),
                ("matching.enableFairness", "true"),
                ("history.transferProcessorMaxPollRPS", "100"),
            ]
        );
    }
}
