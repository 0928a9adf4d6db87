//! A PostgreSQL database of a test's own, migrated; it is gone when the test is over.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, PgPool};
use tokio::sync::OnceCell;

/// Names the PostgreSQL that the databases are made in; `tools/with-postgres.sh` sets it.
const VARIABLE: &str = "ZAMA_TEST_DATABASE_URL";

const CONNECTIONS: u32 = 8;

pub struct TestDatabase {
    pub pool: PgPool,
    server: PgConnectOptions,
    name: String,
    /// The role that [`TestDatabase::application`] made.
    role: OnceCell<String>,
}

impl TestDatabase {
    pub async fn create() -> Self {
        let server = server();
        let template = TEMPLATE.get_or_init(|| migrated(&server)).await;
        let name = made(&server, template).await;
        Self { pool: pool(&server, &name), server, name, role: OnceCell::new() }
    }

    /// Without a schema.
    #[allow(dead_code, reason = "not every test binary migrates")]
    pub async fn empty() -> Self {
        let server = server();
        let name = made(&server, "template0").await;
        Self { pool: pool(&server, &name), server, name, role: OnceCell::new() }
    }

    /// For a pool of a test's own.
    #[allow(dead_code, reason = "not every test binary wants another pool")]
    pub fn options(&self) -> PgConnectOptions {
        self.server.clone().database(&self.name)
    }

    /// As the processes connect: a role of this database's own, which owns nothing. It is gone with the database.
    #[allow(dead_code, reason = "most tests connect as the owner")]
    pub async fn application(&self) -> PgConnectOptions {
        let role = self.role.get_or_init(|| self.make_role()).await;
        self.options().username(role).password(role)
    }

    async fn make_role(&self) -> String {
        let role = format!("zama_app_{}", uuid::Uuid::new_v4().simple());
        // Who makes it may end its sessions, too.
        let make = format!("CREATE ROLE {role} LOGIN PASSWORD '{role}'; GRANT {role} TO CURRENT_USER");
        admin(&self.server, &make).await.expect("the test's PostgreSQL makes roles");
        store::roles::grant(&self.pool, &role).await.expect("the owner gives rights");
        role
    }
}

fn server() -> PgConnectOptions {
    let url = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!("{VARIABLE} is not set: run `tools/with-postgres.sh cargo test --workspace` or `make test`")
    });
    PgConnectOptions::from_str(&url).expect("a PostgreSQL URL")
}

/// Migrated once: a copy of it takes a tenth of the migrations' time. It stays as long as its server.
static TEMPLATE: OnceCell<String> = OnceCell::const_new();

async fn migrated(server: &PgConnectOptions) -> String {
    let name = made(server, "template0").await;
    let pool = pool(server, &name);
    store::migrate(&pool).await.expect("the migrations apply");
    // A database that somebody is connected to is not copied.
    pool.close().await;
    name
}

async fn made(server: &PgConnectOptions, template: &str) -> String {
    let name = format!("zama_test_{}", uuid::Uuid::new_v4().simple());
    // Files are copied and not logged: nobody recovers it.
    let create = format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY");
    admin(server, &create).await.expect("the test's PostgreSQL makes databases");
    name
}

fn pool(server: &PgConnectOptions, database: &str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(Duration::from_secs(30))
        .connect_lazy_with(server.clone().database(database))
}

async fn admin(server: &PgConnectOptions, statement: &str) -> sqlx::Result<()> {
    let mut connection = PgConnection::connect_with(server).await?;
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut connection).await?;
    connection.close().await
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let server = self.server.clone();
        let mut statements = vec![format!("DROP DATABASE {} WITH (FORCE)", self.name)];
        statements.extend(self.role.get().map(|role| format!("DROP ROLE {role}")));
        // Drop cannot wait, and the test's runtime may be ending: a thread with a runtime of its own does it.
        let cleaner = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            for statement in statements {
                if let Err(error) = runtime.block_on(admin(&server, &statement)) {
                    eprintln!("{statement}: {error}");
                }
            }
        });
        let _ = cleaner.join();
    }
}
