//! The table of ports, and the check that all of them are free before anything starts.
//!
//! | offset | listener | part |
//! |---|---|---|
//! | 0 | REST API | api |
//! | 1 | codec server for the Temporal UI | api |
//! | 2 | PostgreSQL | postgres |
//! | 3 | Temporal frontend (gRPC) | temporal |
//! | 4 | Temporal UI | temporal |
//! | 5 | Temporal HTTP API | temporal |
//! | 6 | Temporal metrics | temporal |
//! | 7 | JSON-RPC | anvil |
//! | 8 | Lago stand-in | lago |
//! | 9 | /livez and /metrics | worker |
//! | 10 | gRPC | kms |
//! | 11 | /livez and /metrics | worker-fhe |

use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::time::sleep;

use super::part::PartName;

/// First port when `--port-base` is not given.
pub const DEFAULT_BASE: u16 = 7600;
/// Largest base that leaves room for the whole table.
pub const LARGEST_BASE: u16 = u16::MAX - 11;

/// How long a port may take to be free that no process holds.
const CLOSING: Duration = Duration::from_secs(10);

/// Addresses of one stack; all on loopback.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    base: u16,
}

impl Ports {
    pub fn new(base: u16) -> Self {
        Self { base }
    }

    pub fn api(self) -> SocketAddr {
        self.at(0)
    }

    pub fn codec(self) -> SocketAddr {
        self.at(1)
    }

    pub fn postgres(self) -> SocketAddr {
        self.at(2)
    }

    pub fn temporal(self) -> SocketAddr {
        self.at(3)
    }

    pub fn temporal_ui(self) -> SocketAddr {
        self.at(4)
    }

    pub fn temporal_http(self) -> SocketAddr {
        self.at(5)
    }

    pub fn temporal_metrics(self) -> SocketAddr {
        self.at(6)
    }

    pub fn anvil(self) -> SocketAddr {
        self.at(7)
    }

    pub fn lago(self) -> SocketAddr {
        self.at(8)
    }

    pub fn worker(self) -> SocketAddr {
        self.at(9)
    }

    pub fn kms(self) -> SocketAddr {
        self.at(10)
    }

    pub fn worker_fhe(self) -> SocketAddr {
        self.at(11)
    }

    /// Every address on which a part listens.
    fn of(self, part: PartName) -> Vec<SocketAddr> {
        match part {
            PartName::Postgres => vec![self.postgres()],
            PartName::Temporal => {
                vec![self.temporal(), self.temporal_ui(), self.temporal_http(), self.temporal_metrics()]
            }
            PartName::Anvil => vec![self.anvil()],
            PartName::Lago => vec![self.lago()],
            PartName::Kms => vec![self.kms()],
            PartName::Worker => vec![self.worker()],
            PartName::WorkerFhe => vec![self.worker_fhe()],
            PartName::Api => vec![self.api(), self.codec()],
        }
    }

    fn at(self, offset: u16) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.base + offset))
    }

    /// Refuses when a port of these parts is taken, naming the port, the part and, where known, the holder. A port that
    /// nobody is seen to hold is waited for: a process that was killed has no open files any more a while before its
    /// sockets are closed.
    ///
    /// # Errors
    /// The first taken port, as one line.
    pub async fn wait_free(self, parts: &[PartName]) -> Result<()> {
        let began = Instant::now();
        loop {
            match self.taken(parts)? {
                None => return Ok(()),
                Some(taken) if taken.holder.is_some() || began.elapsed() > CLOSING => bail!("{taken}"),
                Some(_) => sleep(Duration::from_millis(50)).await,
            }
        }
    }

    /// The first port of these parts that is taken.
    fn taken(self, parts: &[PartName]) -> Result<Option<Taken>> {
        for part in parts {
            for address in self.of(*part) {
                match TcpListener::bind(address) {
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::AddrInUse => {
                        let port = address.port();
                        return Ok(Some(Taken { part: *part, port, holder: holder(port) }));
                    }
                    Err(error) => {
                        return Err(error).with_context(|| format!("Failed to bind {address} for {part}"));
                    }
                }
            }
        }
        Ok(None)
    }
}

/// A port that somebody else has.
struct Taken {
    part: PartName,
    port: u16,
    holder: Option<String>,
}

impl fmt::Display for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, port, holder } = self;
        let holder = holder.as_deref().unwrap_or("another process");
        write!(f, "port {port} for {part} is taken by {holder}; choose others with --port-base")
    }
}

/// Name and pid of the process that listens on a port, as far as this user may see.
fn holder(port: u16) -> Option<String> {
    let sockets: HashSet<String> = ["/proc/net/tcp", "/proc/net/tcp6"]
        .iter()
        .filter_map(|table| fs::read_to_string(table).ok())
        .flat_map(|table| listening_inodes(&table, port))
        .map(|inode| format!("socket:[{inode}]"))
        .collect();
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(open_files) = fs::read_dir(process.path().join("fd")) else { continue };
        let holds = open_files
            .flatten()
            .filter_map(|file| fs::read_link(file.path()).ok())
            .any(|target| target.to_str().is_some_and(|name| sockets.contains(name)));
        if holds {
            let name = fs::read_to_string(process.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (pid {pid})", name.trim()));
        }
    }
    None
}

/// Inodes of the sockets that listen on a port, from the text of /proc/net/tcp.
fn listening_inodes(table: &str, port: u16) -> Vec<String> {
    const LISTEN: &str = "0A";
    let suffix = format!(":{port:04X}");
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 9 && fields[1].ends_with(&suffix) && fields[3] == LISTEN)
        .map(|fields| fields[9].to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        // A base whose table is free but for the one port that this test takes.
        let (taken, base) = (20_000..LARGEST_BASE)
            .step_by(50)
            .find_map(|base| {
                let ports = Ports::new(base);
                ports.taken(&[PartName::Anvil]).ok()?.is_none().then_some(())?;
                Some((TcpListener::bind(ports.anvil()).ok()?, base))
            })
            .expect("a free port");
        let error = Ports::new(base).taken(&[PartName::Anvil]).expect("it can be asked").expect("taken").to_string();
        assert!(error.contains(&taken.local_addr().expect("bound").port().to_string()), "{error}");
        assert!(error.contains("for anvil"), "{error}");
        assert!(error.contains(&format!("pid {}", std::process::id())), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    #[test]
    fn only_listeners_count_as_holders() {
        let table = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                     0: 0100007F:1DB0 00000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 4711 1\n\
                     1: 0100007F:1DB0 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 0 0 4712 1\n";
        assert_eq!(listening_inodes(table, 7600), ["4711"]);
    }
}
