//! The application's role: it does all that the store does, and can take back nothing of what is append-only.

use jobs::{ErrorCode, Step};
use sqlx::{AssertSqlSafe, PgPool};
use store::admission::Admitted;
use store::audit;
use store::batches::{self, Anchor};
use store::jobs::Reader;
use store::roles::{self, KEPT};
use store::transition::{self, Ending, Units};
use store::usage;
use store::usage::corrections::{self, Anew, Corrected, Correction};
use store::usage::dead_letters::{self, Which};

use crate::outbox::{New, Outbox, draft, note_of};

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The SQLSTATE with which a statement is refused.
async fn refusal(pool: &PgPool, statement: &'static str) -> String {
    let refused = sqlx::query(statement).execute(pool).await.expect_err(statement);
    let code = refused.as_database_error().and_then(|error| error.code().map(|code| code.into_owned()));
    code.unwrap_or_else(|| panic!("{statement}: {refused}"))
}

#[tokio::test]
async fn what_is_append_only_is_neither_changed_nor_removed_nor_unprotected() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let job = outbox.confirming().await;
    let acme = "acme".parse().unwrap();
    audit::catch_up(&outbox.pool, &acme).await.unwrap();
    audit::append(&outbox.pool, &note_of(&acme)).await.unwrap();
    let all = "SELECT md5(string_agg(t, '|' ORDER BY t)) FROM (
                   SELECT u::text AS t FROM usage_ledger u UNION ALL SELECT a::text FROM audit_log a
                   UNION ALL SELECT h::text FROM audit_heads h UNION ALL SELECT n::text FROM audit_notes n) AS rows";
    let state = async || sqlx::query_scalar::<_, String>(all).fetch_one(&owner.pool).await.unwrap();
    let before = state().await;
    for statement in [
        "UPDATE usage_ledger SET units = 0",
        "UPDATE usage_ledger SET tenant = 'other'",
        "UPDATE usage_ledger SET occurred_at = now()",
        "UPDATE usage_ledger SET billed_at = now(), units = 0",
        "DELETE FROM usage_ledger",
        "TRUNCATE usage_ledger",
        "TRUNCATE jobs CASCADE",
        "ALTER TABLE usage_ledger DISABLE TRIGGER USER",
        "ALTER TABLE usage_ledger DISABLE TRIGGER usage_ledger_fixed",
        "ALTER TABLE usage_ledger ADD COLUMN note text",
        "ALTER TABLE usage_ledger OWNER TO CURRENT_USER",
        "DROP TRIGGER usage_ledger_fixed ON usage_ledger",
        "DROP TRIGGER usage_ledger_kept ON usage_ledger",
        "DROP TRIGGER usage_ledger_voids ON usage_ledger",
        "DROP TABLE usage_ledger CASCADE",
        "DROP FUNCTION usage_ledger_is_append_only CASCADE",
        "CREATE OR REPLACE FUNCTION usage_ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'",
        "CREATE TRIGGER mine BEFORE INSERT ON usage_ledger FOR EACH ROW EXECUTE FUNCTION return_units()",
        "CREATE RULE mine AS ON INSERT TO usage_ledger DO INSTEAD NOTHING",
        "CREATE TABLE mine (id text)",
        "SET session_replication_role = replica",
        "UPDATE audit_log SET entry = '{}'",
        "DELETE FROM audit_log",
        "TRUNCATE audit_log",
        "ALTER TABLE audit_log DISABLE TRIGGER USER",
        "DELETE FROM audit_heads",
        "UPDATE audit_heads SET tenant = 'other'",
        "ALTER TABLE audit_heads DISABLE TRIGGER USER",
        "UPDATE audit_notes SET entry = '{}'",
        "TRUNCATE audit_notes",
        "DELETE FROM credit_top_ups",
        "UPDATE credit_top_ups SET amount_cents = 1",
        "INSERT INTO chain_transaction_moves VALUES ('FINALIZED', 'SIGNED')",
        "DELETE FROM chain_transaction_moves",
        "SELECT * FROM _sqlx_migrations",
    ] {
        assert_eq!(refusal(&outbox.pool, statement).await, INSUFFICIENT_PRIVILEGE, "{statement}");
    }
    // Who owns it all may be none of the application's.
    let become_it = format!("SET ROLE {}", roles::session(&owner.pool).await.unwrap().role);
    let refused = sqlx::query(AssertSqlSafe(become_it)).execute(&outbox.pool).await.expect_err("SET ROLE");
    assert!(refused.to_string().contains("permission denied"), "{refused}");
    assert_eq!(state().await, before);
    assert_eq!(outbox.usage(job).await.len(), 2, "and it is read");
}

#[tokio::test]
async fn a_job_goes_all_its_way_under_the_application_s_role() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let job = outbox.confirming().await;
    outbox.started(job, "run-1").await;
    let (batch, _) = outbox.seal(9).await.unwrap();
    let anchor = Anchor { tx_hash: [4; 32], block_number: 7, block_hash: [5; 32], gas: None };
    assert_eq!(batches::complete(&outbox.pool, batch, &anchor).await.unwrap().len(), 1);
    assert_eq!(outbox.count("SELECT count(*) FROM job_reservations").await, 0);

    // Delivered, refused and tried again, corrected, booked anew.
    let rows = usage::due_for_job(&outbox.pool, job).await.unwrap();
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    assert_eq!(ids.len(), 4, "{ids:?}");
    assert_eq!(usage::freeze(&outbox.pool, &ids, chrono::Utc::now()).await.unwrap().len(), 4);
    let (refused, delivered) = ids.split_first().unwrap();
    usage::delivered(&outbox.pool, delivered).await.unwrap();
    usage::dead(&outbox.pool, refused, "422: no").await.unwrap();
    assert_eq!(dead_letters::retry(&outbox.pool, Which::All, &draft()).await.unwrap(), std::slice::from_ref(refused));
    assert!(corrections::book_anew(&outbox.pool, refused, Anew::Waiting, "its period is over", None).await.unwrap());
    let units = format!("{job}:compute_units:0");
    let open_from = Some(chrono::DateTime::UNIX_EPOCH);
    let correction = Correction { row: &units, units: -1, reason: "counted twice", open_from };
    let corrected = corrections::correct(&outbox.pool, correction, &draft()).await.unwrap();
    assert!(matches!(corrected, Corrected::Booked(_)), "{corrected:?}");

    // One that fails, and one that its owner does not want any more.
    let failing = outbox.job().await;
    outbox.begin(failing).await;
    let ending = Ending::Failed { code: ErrorCode::DeadlineExceeded, detail: "late".to_owned() };
    let ended = transition::conclude(&outbox.pool, failing, &ending, Units::plain(1)).await.unwrap();
    assert!(matches!(ended, Step::Ended(_)), "{ended:?}");
    let unwanted = outbox.job().await;
    outbox.cancel(unwanted).await;
    assert!(matches!(outbox.admit(New { key: "k", ..New::default() }).await.1, Admitted::New { .. }));
    assert!(matches!(outbox.admit(New { key: "k", ..New::default() }).await.1, Admitted::Replayed { .. }));

    let acme = "acme".parse().unwrap();
    audit::catch_up(&outbox.pool, &acme).await.unwrap();
    let written = audit::head(&outbox.pool, &acme).await.unwrap().seq;
    assert_eq!(written, 7, "four admissions, a wish to cancel, a dead letter tried again and a correction");
    let reader = Reader { tenant: &acme, user: None };
    let of_all = usage::list(&outbox.pool, reader, &usage::UsageFilter::default(), None, 99).await.unwrap();
    assert_eq!(of_all.len(), 4 + 2 + 1 + 3 + 1, "of the first, booked anew, corrected; admitted; failed");
}

/// A migration that makes a table of which nothing may be removed has to say so in [`KEPT`].
#[tokio::test]
async fn the_list_of_what_is_append_only_is_the_schema_s() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let guarded = "SELECT DISTINCT c.relname::text FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
                     JOIN pg_proc p ON p.oid = t.tgfoid
                    WHERE p.proname LIKE '%append_only%' OR (t.tgtype & 8) <> 0 AND t.tgname LIKE '%_stay'";
    let guarded: Vec<String> = sqlx::query_scalar(guarded).fetch_all(&owner.pool).await.unwrap();
    assert!(guarded.len() >= 5, "{guarded:?}");
    for table in guarded {
        assert!(KEPT.iter().any(|(kept, _)| *kept == table), "{table} is append-only and not in KEPT");
    }
    for (table, _) in KEPT {
        let there: bool =
            sqlx::query_scalar("SELECT to_regclass($1) IS NOT NULL").bind(table).fetch_one(&owner.pool).await.unwrap();
        assert!(there, "{table} is in KEPT and nowhere else");
    }
    let too_much = "SELECT c.relname::text FROM pg_class c
                     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
                       AND has_table_privilege(c.oid, 'TRUNCATE, TRIGGER, REFERENCES')";
    let too_much: Vec<String> = sqlx::query_scalar(too_much).fetch_all(&outbox.pool).await.unwrap();
    assert_eq!(too_much, [""; 0]);
}

#[tokio::test]
async fn rights_follow_the_schema_and_are_given_as_often_as_one_likes() {
    let owner = Outbox::new().await;
    let outbox = owner.as_application().await;
    let role = roles::session(&outbox.pool).await.unwrap().role;
    owner.execute("CREATE TABLE later (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, word text)").await;
    let insert = "INSERT INTO later (word) VALUES ('w')";
    assert_eq!(refusal(&outbox.pool, insert).await, INSUFFICIENT_PRIVILEGE);
    // What somebody gave it by hand is taken away again.
    let too_much = format!("GRANT DELETE, UPDATE (units) ON usage_ledger TO {role}");
    sqlx::query(AssertSqlSafe(too_much)).execute(&owner.pool).await.unwrap();
    let both = tokio::join!(roles::grant(&owner.pool, &role), roles::grant(&owner.pool, &role));
    both.0.unwrap();
    both.1.unwrap();
    outbox.execute(insert).await;
    for statement in ["DELETE FROM usage_ledger", "UPDATE usage_ledger SET units = 0"] {
        assert_eq!(refusal(&outbox.pool, statement).await, INSUFFICIENT_PRIVILEGE, "{statement}");
    }
    outbox.job().await;
}

#[tokio::test]
async fn who_owns_the_ledger_and_who_is_where_is_told() {
    let (owner, stranger) = (Outbox::new().await, Outbox::new().await);
    let outbox = owner.as_application().await;
    assert!(roles::owns_the_ledger(&owner.pool).await.unwrap());
    assert!(!roles::owns_the_ledger(&outbox.pool).await.unwrap());
    let owning = roles::session(&owner.pool).await.unwrap();
    let serving = roles::session(&outbox.pool).await.unwrap();
    assert_ne!(owning.role, serving.role);
    assert!(owning.shares_database_with(&serving));
    assert!(!owning.shares_database_with(&roles::session(&stranger.pool).await.unwrap()));
}
