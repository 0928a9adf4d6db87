//! PostgreSQL's own needs: a cluster made once, an unprivileged user when we are root, a role and a database.

use std::fs::{self, DirBuilder, File};
use std::io::{ErrorKind, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;
use nix::unistd::{Uid, User};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};

use super::data_dir::{DataDir, require_reachable, write_private};
use super::part::{Identity, PartName};
use super::parts::{Site, engine_environment};
use super::supervisor::Tied;

/// The major version of the pinned package; a cluster of another one cannot be opened.
const MAJOR_VERSION: &str = "18";
const SUPERUSER: &str = "postgres";
const DATABASE: &str = "zama";

/// A role of our own, with its password: development only, as in config.default.toml.
pub struct Role {
    name: &'static str,
    password: &'static str,
    rights: &'static str,
}

/// Owns database and schema: migrations connect as it. It may make databases and roles, for tests.
pub const OWNER: Role = Role { name: "zama", password: "zama", rights: "CREATEDB CREATEROLE" };
/// What our own processes connect as.
pub const APPLICATION: Role = Role { name: "zama_app", password: "zama_app", rights: "NOCREATEDB NOCREATEROLE" };

/// The user that PostgreSQL runs as: it refuses to run as root.
///
/// # Errors
/// We are root and there is no such user.
pub fn identity(user: &str) -> Result<Option<Identity>> {
    if !Uid::effective().is_root() {
        return Ok(None);
    }
    let found = User::from_name(user).with_context(|| format!("Failed to look up user {user}"))?;
    let Some(found) = found else {
        bail!("PostgreSQL must not run as root and there is no user {user}; name another with --postgres-user");
    };
    if found.uid.is_root() {
        bail!("PostgreSQL must not run as root; name another user with --postgres-user");
    }
    Ok(Some(Identity { uid: found.uid.as_raw(), gid: found.gid.as_raw() }))
}

/// Where the cluster lies.
pub fn cluster(data: &DataDir) -> PathBuf {
    data.join("postgres/cluster")
}

/// What a commit survives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The end of any process, and of the machine.
    PowerCuts,
    /// The end of any process: what tests ask for, many at once on one disk.
    Processes,
}

impl Durability {
    /// As PostgreSQL's setting.
    pub fn setting(self) -> &'static str {
        match self {
            Self::PowerCuts => "fsync=on",
            Self::Processes => "fsync=off",
        }
    }
}

/// Makes the cluster on first use, and checks on later ones that it can be opened.
///
/// # Errors
/// A folder closed to PostgreSQL's user, a cluster of another version or user, or initdb failed.
pub async fn ensure_cluster(site: &Site<'_>) -> Result<()> {
    let Site { data, engines, .. } = site;
    let home = data.join("postgres");
    if let Some(identity) = site.postgres_user {
        require_reachable(data.path(), identity)?;
        require_reachable(engines.postgres.parent().unwrap_or(&engines.postgres), identity)?;
    }
    let cluster = cluster(data);
    match fs::read_to_string(cluster.join("PG_VERSION")) {
        Ok(version) if version.trim() == MAJOR_VERSION => return Ok(()),
        Ok(version) => bail!(
            "{} was made by PostgreSQL {}, this is {MAJOR_VERSION}; choose another --data-dir",
            cluster.display(),
            version.trim()
        ),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("Failed to read {}", cluster.display())),
    }

    DirBuilder::new().recursive(true).mode(0o700).create(&home).context("Failed to make PostgreSQL's folder")?;
    // A cluster appears whole: initdb works beside it, and what an interrupted one left is thrown away.
    let fresh = home.join("cluster.new");
    if fresh.exists() {
        fs::remove_dir_all(&fresh).context("Failed to remove an unfinished cluster")?;
    }
    let password_file = home.join("superuser");
    write_private(&password_file, &superuser_password(data)?)?;
    if let Some(identity) = site.postgres_user {
        for path in [&home, &password_file] {
            chown(path, Some(identity.uid), Some(identity.gid)).context("Failed to give PostgreSQL its folder")?;
        }
    }
    initdb(site, &fresh, &password_file).await?;
    fs::remove_file(&password_file).context("Failed to remove initdb's password file")?;
    fs::rename(&fresh, &cluster).context("Failed to put the cluster in its place")
}

async fn initdb(site: &Site<'_>, cluster: &Path, password_file: &Path) -> Result<()> {
    let Site { data, engines, postgres_user: identity, durability, .. } = *site;
    let log = data.join("logs/initdb.log");
    let mut args = vec![
        format!("--pgdata={}", cluster.display()),
        format!("--username={SUPERUSER}"),
        format!("--pwfile={}", password_file.display()),
        "--auth=scram-sha-256".to_owned(),
        "--locale=C".to_owned(),
        "--encoding=UTF8".to_owned(),
        "--no-instructions".to_owned(),
    ];
    if durability == Durability::Processes {
        args.push("--no-sync".to_owned());
    }
    let env = engine_environment(data);
    let tied =
        Tied { program: &engines.initdb, args: &args, env: &env, identity, death_signal: Signal::SIGKILL, log: &log };
    let executable = std::env::current_exe().context("Failed to find this program")?;
    let status = tied.start(&executable, data).await?.wait().await.context("Failed to wait for initdb")?;
    if !status.success() {
        bail!("{} could not be made: initdb ended with {status}; see {}", PartName::Postgres, log.display());
    }
    Ok(())
}

/// The superuser's password: made at random once, readable by our user alone.
fn superuser_password(data: &DataDir) -> Result<String> {
    let file = data.join("postgres-superuser");
    if let Ok(password) = fs::read_to_string(&file) {
        return Ok(password);
    }
    let mut bytes = [0_u8; 24];
    File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut bytes)).context("No random bytes")?;
    let password: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    write_private(&file, &password)?;
    Ok(password)
}

/// The URL under which a role reaches the database.
pub fn url(role: &Role, address: SocketAddr) -> String {
    format!("postgres://{}:{}@{address}/{DATABASE}", role.name, role.password)
}

/// Makes roles and database unless they are there; neither role is a superuser. A cluster from when there was the owner
/// alone gets the other one: its database and tables are the owner's already.
///
/// # Errors
/// PostgreSQL refuses.
pub async fn ensure_database(data: &DataDir, address: SocketAddr) -> Result<()> {
    let options = PgConnectOptions::new()
        .host(&address.ip().to_string())
        .port(address.port())
        .username(SUPERUSER)
        .password(&superuser_password(data)?)
        .database("postgres");
    let mut connection: PgConnection =
        options.connect().await.context("Failed to connect as PostgreSQL's superuser")?;
    for role in [&OWNER, &APPLICATION] {
        ensure_role(&mut connection, role).await.with_context(|| format!("Failed to make role {}", role.name))?;
    }
    let database: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(DATABASE)
        .fetch_optional(&mut connection)
        .await?;
    if database.is_none() {
        let create = format!("CREATE DATABASE {DATABASE} OWNER {}", OWNER.name);
        sqlx::query(AssertSqlSafe(create)).execute(&mut connection).await.context("Failed to create the database")?;
    }
    connection.close().await.context("Failed to close the connection")
}

async fn ensure_role(connection: &mut PgConnection, role: &Role) -> Result<()> {
    let Role { name, password, rights } = role;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_roles WHERE rolname = $1")
        .bind(*name)
        .fetch_optional(&mut *connection)
        .await?;
    let verb = if found.is_none() { "CREATE" } else { "ALTER" };
    let statement = format!("{verb} ROLE {name} LOGIN NOSUPERUSER {rights} PASSWORD '{password}'");
    sqlx::query(AssertSqlSafe(statement)).execute(connection).await?;
    Ok(())
}
