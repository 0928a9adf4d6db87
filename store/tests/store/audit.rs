//! The audit log: an entry stands and falls with its transaction, a chain has one end however many append, and nothing of it
//! can be changed unseen.

use futures::future::join_all;
use jobs::audit::{Broken, Head, Walk};
use jobs::{Role, TenantId, UserId};
use serde_json::json;
use sqlx::{Executor as _, PgPool};
use store::audit::{Filter, Note, Place, append, catch_up, chain_all, head, page};
use store::users::{self, Put, Removed};

use crate::database::TestDatabase;
use crate::outbox::note_of;

struct Log {
    pool: PgPool,
    tenant: TenantId,
    _database: TestDatabase,
}

impl Log {
    async fn new() -> Self {
        let database = TestDatabase::create().await;
        let (pool, tenant) = (database.pool.clone(), "acme".parse().unwrap());
        for tenant in [&tenant, &"globex".parse().unwrap()] {
            store::tenants::ensure_tenant(&pool, tenant, "default").await.unwrap();
        }
        Self { pool, tenant, _database: database }
    }

    async fn of_entries(count: usize) -> Self {
        let log = Self::new().await;
        for number in 0..count {
            append(&log.pool, &log.note(number)).await.unwrap();
        }
        catch_up(&log.pool, &log.tenant).await.unwrap();
        log
    }

    fn note(&self, number: usize) -> Note {
        Note::by_operator(&self.tenant, "test", format!("/{number}"), json!({"number": number}))
    }

    /// What whoever reads all of it finds.
    async fn verdict(&self) -> Result<Head, Broken> {
        let mut walk = Walk::default();
        let place = Place::OldestFirst { after: 0 };
        for stored in page(&self.pool, &self.tenant, Filter::default(), place, 10_000).await.unwrap() {
            walk.step(&stored.entry)?;
        }
        walk.finish(head(&self.pool, &self.tenant).await.unwrap())
    }

    /// Somebody with every right does this, with the triggers taken away.
    async fn tampered(&self, sql: &'static str) {
        for disable in ["ALTER TABLE audit_log DISABLE TRIGGER USER", "ALTER TABLE audit_heads DISABLE TRIGGER USER"] {
            self.pool.execute(disable).await.unwrap();
        }
        let touched = sqlx::query(sql).execute(&self.pool).await.unwrap();
        assert!(touched.rows_affected() > 0, "{sql}");
    }
}

#[tokio::test]
async fn a_chain_has_one_end_however_many_append_and_chain_at_once() {
    let log = Log::new().await;
    let globex: TenantId = "globex".parse().unwrap();
    let appends = join_all((0..60).map(|number| {
        let note = if number % 3 == 0 { note_of(&globex) } else { log.note(number) };
        let pool = log.pool.clone();
        async move { append(&pool, &note).await.unwrap() }
    }));
    let chainers = join_all((0..6).map(|_| async {
        for _ in 0..10 {
            chain_all(&log.pool).await.unwrap();
        }
    }));
    tokio::join!(appends, chainers);
    for tenant in [&log.tenant, &globex] {
        catch_up(&log.pool, tenant).await.unwrap();
    }
    assert_eq!(log.verdict().await.unwrap().seq, 40);
    assert_eq!(head(&log.pool, &globex).await.unwrap().seq, 20);
    let left: i64 = sqlx::query_scalar("SELECT count(*) FROM audit_notes").fetch_one(&log.pool).await.unwrap();
    assert_eq!(left, 0);
    catch_up(&log.pool, &log.tenant).await.unwrap();
    assert_eq!(log.verdict().await.unwrap().seq, 40, "with nothing new it stays as it is");
}

/// What waits for a lock of the chain waits for no request: nobody who notes takes it.
#[tokio::test]
async fn noting_waits_for_nobody_who_chains() {
    let log = Log::of_entries(1).await;
    let mut chaining = store::begin(&log.pool).await.unwrap();
    sqlx::query("SELECT 1 FROM audit_heads FOR UPDATE").execute(&mut *chaining).await.unwrap();
    append(&log.pool, &log.note(1)).await.unwrap();
    assert_eq!(chain_all(&log.pool).await.unwrap(), 0, "and nobody who only looks waits either");
    chaining.rollback().await.unwrap();
    assert_eq!(chain_all(&log.pool).await.unwrap(), 1);
}

#[tokio::test]
async fn an_entry_stands_and_falls_with_what_it_tells_of() {
    let log = Log::new().await;
    let amy: UserId = "amy".parse().unwrap();
    let made = users::put(&log.pool, &log.tenant, &amy, Role::Admin, &log.note(0)).await.unwrap();
    assert!(matches!(made, Put::Created(_)));
    let lowered = users::put(&log.pool, &log.tenant, &amy, Role::Developer, &log.note(1)).await.unwrap();
    assert_eq!(lowered, Put::LastAdmin);
    assert_eq!(users::remove(&log.pool, &log.tenant, &amy, &log.note(2)).await.unwrap(), Removed::LastAdmin);
    let nobody = "nobody".parse().unwrap();
    assert_eq!(users::remove(&log.pool, &log.tenant, &nobody, &log.note(3)).await.unwrap(), Removed::Missing);
    catch_up(&log.pool, &log.tenant).await.unwrap();
    assert_eq!(log.verdict().await.unwrap().seq, 1, "only what was done");
}

#[tokio::test]
async fn nothing_of_it_is_changed_or_removed() {
    let log = Log::of_entries(3).await;
    append(&log.pool, &log.note(3)).await.unwrap();
    for sql in [
        "UPDATE audit_log SET entry = '{}'",
        "DELETE FROM audit_log WHERE seq = 3",
        "TRUNCATE audit_log",
        "UPDATE audit_heads SET seq = 2",
        "UPDATE audit_heads SET hash = hash",
        "DELETE FROM audit_heads",
        "TRUNCATE audit_heads",
        "UPDATE audit_notes SET entry = '{}'",
        "TRUNCATE audit_notes",
    ] {
        let refused = sqlx::query(sql).execute(&log.pool).await.expect_err(sql).to_string();
        assert!(refused.contains("append-only"), "{sql}: {refused}");
    }
    catch_up(&log.pool, &log.tenant).await.unwrap();
    assert_eq!(log.verdict().await.unwrap().seq, 4);
}

#[tokio::test]
async fn what_somebody_with_every_right_does_shows() {
    let cases = [
        (
            "UPDATE audit_log SET entry = replace(entry, '\"number\":1', '\"number\":7') WHERE seq = 2",
            Broken::Changed { seq: 2 },
        ),
        (
            "UPDATE audit_log SET entry = replace(entry, '\"number\":1', '\"number\":7'),
                    hash = sha256(convert_to(replace(entry, '\"number\":1', '\"number\":7'), 'UTF8')) WHERE seq = 2",
            Broken::Unlinked { seq: 3 },
        ),
        ("UPDATE audit_log SET entry = '{\"action\":\"x\"}' WHERE seq = 2", Broken::NoEntry { expected: 2 }),
        ("DELETE FROM audit_log WHERE seq = 1", Broken::Missing { expected: 1, found: 2 }),
        ("DELETE FROM audit_log WHERE seq = 3", Broken::Missing { expected: 3, found: 4 }),
        ("DELETE FROM audit_log WHERE seq = 5", Broken::CutOff { expected: 5, found: 4 }),
        ("DELETE FROM audit_log", Broken::CutOff { expected: 5, found: 0 }),
        (
            "UPDATE audit_log a SET entry = b.entry, hash = b.hash FROM audit_log b WHERE a.seq + b.seq = 5
                AND a.seq IN (2, 3) AND b.seq IN (2, 3)",
            Broken::Missing { expected: 2, found: 3 },
        ),
    ];
    for (sql, expected) in cases {
        let log = Log::of_entries(5).await;
        assert_eq!(log.verdict().await.unwrap().seq, 5);
        log.tampered(sql).await;
        assert_eq!(log.verdict().await, Err(expected), "{sql}");
    }
}

#[tokio::test]
async fn pages_go_in_both_orders_and_are_filtered() {
    let log = Log::of_entries(5).await;
    append(&log.pool, &Note::by_operator(&log.tenant, "another", "/".to_owned(), json!({}))).await.unwrap();
    append(&log.pool, &note_of(&"globex".parse().unwrap())).await.unwrap();
    assert_eq!(chain_all(&log.pool).await.unwrap(), 2);
    let numbers = async |filter, place, limit| {
        let found = page(&log.pool, &log.tenant, filter, place, limit).await.unwrap();
        found.into_iter().map(|stored| stored.seq).collect::<Vec<_>>()
    };
    let all = Filter::default();
    assert_eq!(numbers(all, Place::OldestFirst { after: 2 }, 3).await, [3, 4, 5]);
    assert_eq!(numbers(all, Place::NewestFirst { before: None }, 2).await, [6, 5]);
    assert_eq!(numbers(all, Place::NewestFirst { before: Some(3) }, 9).await, [2, 1]);
    let action = Filter { action: Some("another"), ..all };
    assert_eq!(numbers(action, Place::OldestFirst { after: 0 }, 9).await, [6]);
    assert_eq!(numbers(Filter { user: Some("amy"), ..all }, Place::OldestFirst { after: 0 }, 9).await, [0; 0]);
}
