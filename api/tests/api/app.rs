//! The server in this process on a database of its own, and the verbs of a test: who asks, what is asked, and what a
//! worker would do meanwhile.

mod billing;
mod documented;
mod encrypted;
mod gate;
mod health;
mod key_manager;
mod keys;
mod requests;
mod socket;
mod work;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use api::dispatcher;
use api::health::Health;
use api::token::external::ExternalIssuers;
use api::token::{Authority, AuthorityConfig, Credential, KeysSecret, Principal, Role, Scopes, TokenIssuer};
use api::{ApiState, CallMeter, Gate, GatePolicy, NetworkKeys, Notices, Retirements, Storage, Turns, router};
use axum::Router;
use blobs::BlobStore;
use retrieval::Domain;
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use store::uploads::{Quota, Quotas};

use crate::database::TestDatabase;

pub use billing::{INVOICE, OF_NO_PERIOD, OF_TWO_PERIODS, TestBilling, signature};
pub use encrypted::{Owner, result_bytes};
pub use gate::{Hands, REQUEST_KEY_SECRET, by_operator, draft_by_operator, policy};
pub use health::Parts;
pub use key_manager::{CRS, PUBLIC_KEY, Seen};
pub use keys::Key;
pub use requests::{Call, job};
pub use socket::{Listening, until_closed, wide_door};
pub use work::{GAS, RESULT};

/// Origin that links and problem types begin with.
pub const PUBLIC_URL: &str = "https://zama.test";
pub const ISSUER: &str = "https://issuer.test";
pub const AUDIENCE: &str = "zama-jobs";
pub const MAX_BODY_BYTES: usize = 1 << 20;

/// What retrievals are signed for.
pub const DOMAIN: Domain = Domain { chain_id: 31337, registry: alloy::primitives::Address::repeat_byte(0x5f) };

/// More than any test stores.
const PLENTY: Quotas =
    Quotas { blobs: Quota { count: 100, bytes: 1 << 30 }, client_keys: Quota { count: 100, bytes: 1 << 30 } };

/// How often tests' servers look at keys and revocations once they are told to watch them.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What the issuer's keys are stored under.
pub fn keys_secret() -> KeysSecret {
    KeysSecret::new("a secret of the tests' own, nobody else's".to_owned())
}

/// What tests set differently.
struct Setup {
    request_timeout: Duration,
    quotas: Quotas,
    gate: GatePolicy,
    retirements: Retirements,
    external: ExternalIssuers,
    unseen: Duration,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            request_timeout: Duration::from_secs(30),
            quotas: PLENTY,
            gate: policy(),
            retirements: Retirements::default(),
            external: ExternalIssuers::default(),
            unseen: Duration::ZERO,
        }
    }
}

pub struct TestApp {
    pub pool: PgPool,
    pub router: Router,
    pub blobs: BlobStore,
    /// What reached the key manager.
    pub seen: Arc<Seen>,
    pub health: Arc<Health>,
    pub gate: Arc<Gate>,
    /// What calls were counted.
    pub calls: Arc<CallMeter>,
    /// The billing system.
    pub lago: Arc<TestBilling>,
    /// Of the clock by which rates go.
    pub hands: Hands,
    /// How the parts are when they are looked at.
    pub parts: Parts,
    /// Private key of the tokens that tests are given, PKCS#8 in PEM.
    pub key_file: PathBuf,
    /// The issuer behind the OAuth endpoints; its keys stand in the database.
    pub tokens: Arc<Authority>,
    /// Other issuers.
    pub external: Arc<ExternalIssuers>,
    issuer: TokenIssuer,
    // Held so that what handlers send to the dispatcher is kept and not refused.
    _mailbox: dispatcher::Mailbox,
    folder: tempfile::TempDir,
    _database: Option<TestDatabase>,
}

/// A registered user with a token.
#[derive(Clone, Debug)]
pub struct User {
    pub address: [u8; 20],
    pub token: String,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with_timeout(Duration::from_secs(30)).await
    }

    pub async fn with_timeout(request_timeout: Duration) -> Self {
        Self::set_up(Setup { request_timeout, ..Setup::default() }).await
    }

    pub async fn with_quotas(quotas: Quotas) -> Self {
        Self::set_up(Setup { quotas, ..Setup::default() }).await
    }

    /// One that looks for this long at least for what a caller does not see.
    pub async fn with_unseen(unseen: Duration) -> Self {
        Self::set_up(Setup { unseen, ..Setup::default() }).await
    }

    pub async fn with_policy(gate: GatePolicy) -> Self {
        Self::set_up(Setup { gate, ..Setup::default() }).await
    }

    pub async fn with_retirements(retirements: Retirements) -> Self {
        Self::set_up(Setup { retirements, ..Setup::default() }).await
    }

    pub async fn with_issuers(external: ExternalIssuers) -> Self {
        Self::set_up(Setup { external, ..Setup::default() }).await
    }

    async fn set_up(setup: Setup) -> Self {
        let database = TestDatabase::create().await;
        let app = Self::build(database.pool.clone(), setup, Some(database));
        app.health.look().await;
        app
    }

    /// A second process on the same database. Tokens that tests are given are the first one's alone.
    pub fn beside(&self) -> Self {
        Self::build(self.pool.clone(), Setup::default(), None)
    }

    /// The same, where tokens of other issuers are accepted.
    pub fn beside_with(&self, external: ExternalIssuers) -> Self {
        Self::build(self.pool.clone(), Setup { external, ..Setup::default() }, None)
    }

    /// A server whose database is away: nothing listens on the port.
    pub fn without_database() -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("postgres://zama@{}/zama", listener.local_addr().unwrap());
        drop(listener);
        let short = Duration::from_millis(300);
        let connections = store::Connections { max: 4, acquire_timeout: short, statement_timeout: short };
        let pool = store::connect(&url, &connections).unwrap();
        Self::build(pool, Setup::default(), None)
    }

    fn build(pool: PgPool, setup: Setup, database: Option<TestDatabase>) -> Self {
        let key_file = std::env::temp_dir().join(format!("zama-api-test-{}/key.pem", uuid::Uuid::new_v4()));
        let issuer = TokenIssuer::from_file_or_create(&key_file, ISSUER, AUDIENCE).expect("a key is made");
        let (dispatcher, mailbox) = dispatcher::channel();
        let folder = tempfile::tempdir().unwrap();
        let blobs = BlobStore::in_folder(&folder.path().join("blobs")).unwrap();
        let seen = Arc::new(Seen::default());
        let parts = Parts::default();
        let health = Arc::new(parts.health(&pool));
        let hands = Hands::default();
        let gate = Arc::new(Gate::new(setup.gate, hands.meters()));
        let config = AuthorityConfig {
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            keys_secret: keys_secret(),
            key_file: Some(key_file.clone()),
            look_every: LOOK_EVERY,
        };
        let external = Arc::new(setup.external);
        let tokens = Arc::new(Authority::new(pool.clone(), config).expect("the key is read"));
        let calls = Arc::new(CallMeter::default());
        let lago = Arc::new(TestBilling::default());
        let router = router(ApiState {
            pool: pool.clone(),
            dispatcher,
            blobs: blobs.clone(),
            storage: Storage::new(setup.quotas),
            ledger_turns: Turns::default(),
            network_keys: Some(NetworkKeys::new(seen.clone())),
            domain: DOMAIN,
            tokens: tokens.clone(),
            external: external.clone(),
            gate: gate.clone(),
            retirements: setup.retirements,
            notices: Some(Notices::of(lago.clone())),
            calls: calls.clone(),
            public_url: PUBLIC_URL.to_owned(),
            max_body_bytes: MAX_BODY_BYTES,
            request_timeout: setup.request_timeout,
            unseen: setup.unseen,
            health: health.clone(),
            prometheus: api::recorder(),
        });
        Self {
            pool,
            router,
            blobs,
            seen,
            health,
            gate,
            calls,
            lago,
            hands,
            parts,
            key_file,
            tokens,
            external,
            issuer,
            _mailbox: mailbox,
            folder,
            _database: database,
        }
    }

    /// A user of tenant `acme`.
    pub async fn developer(&self, name: &str) -> User {
        self.user("acme", name, Role::Developer).await
    }

    pub async fn user(&self, tenant: &str, name: &str, role: Role) -> User {
        let (tenant_id, user_id) = (tenant.parse().unwrap(), name.parse().unwrap());
        // An address is one user's.
        let digest = Sha256::digest(format!("{tenant}/{name}"));
        let address = std::array::from_fn(|at| digest[at]);
        store::tenants::ensure_tenant(&self.pool, &tenant_id, "development").await.unwrap();
        store::tenants::ensure_user(&self.pool, &tenant_id, &user_id, role.as_str(), address).await.unwrap();
        let token = self.token(tenant, name, role, role.scopes());
        User { address, token }
    }

    /// A token, whether or not there is such a user.
    pub fn token(&self, tenant: &str, name: &str, role: Role, scopes: Scopes) -> String {
        let (tenant, user) = (tenant.parse().unwrap(), name.parse().unwrap());
        let principal = Principal { tenant, user, role, scopes, credential: Credential::AccessToken };
        self.issuer.issue(&principal, Duration::from_secs(600)).expect("it is issued")
    }
}

impl TestApp {
    /// The blob store is gone: a file stands where its folder was.
    pub fn lose_blobs(&self) {
        let folder = self.folder.path().join("blobs");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::write(&folder, b"not a folder").unwrap();
    }

    /// Files in the blob store, half ones included.
    pub fn stored_files(&self) -> usize {
        fn count(folder: &std::path::Path) -> usize {
            let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
            entries.map(|entry| entry.unwrap().path()).map(|path| if path.is_dir() { count(&path) } else { 1 }).sum()
        }
        count(self.folder.path())
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(self.key_file.parent().expect("a folder of its own"));
    }
}
