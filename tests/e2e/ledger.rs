//! The ledger and the audit log by the hands that the stack's own processes have: what they wrote stays.

use sqlx::{Connection, PgConnection};

use crate::harness::{Stack, factor};

const INSUFFICIENT_PRIVILEGE: &str = "42501";

/// The variable as a running part has it, whatever the environment file says.
fn variable(stack: &Stack, part: &str, name: &str) -> String {
    let pid = stack.place.part(part).pid.unwrap();
    let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment);
    // Of one that is there twice programs see the last.
    let mut values = environment.split('\0').filter_map(|variable| variable.strip_prefix(name)?.strip_prefix('='));
    values.next_back().unwrap_or_else(|| panic!("{part} has no {name}")).to_owned()
}

#[tokio::test]
async fn no_process_can_take_back_what_it_wrote() {
    let stack = Stack::shared();
    let zama = stack.tenant();
    let id = zama.submit(&factor(91)).await.id;
    zama.job(id).completes().await;
    for part in ["api", "worker"] {
        assert_eq!(variable(stack, part, "ZAMA__DATABASE__MIGRATION_URL"), "", "{part} knows the schema's owner");
        let mut connection =
            PgConnection::connect(&variable(stack, part, "ZAMA__DATABASE__URL")).await.expect("the part's own way in");
        for statement in [
            "UPDATE usage_ledger SET units = 0",
            "DELETE FROM usage_ledger",
            "TRUNCATE usage_ledger",
            "ALTER TABLE usage_ledger DISABLE TRIGGER USER",
            "DROP TRIGGER usage_ledger_fixed ON usage_ledger",
            "SET session_replication_role = replica",
            "UPDATE audit_log SET entry = '{}'",
            "DELETE FROM audit_log",
            "ALTER TABLE audit_log DISABLE TRIGGER USER",
            "SET ROLE zama",
        ] {
            let refused = sqlx::query(statement).execute(&mut connection).await.expect_err(statement);
            let code = refused.as_database_error().and_then(|error| error.code());
            assert_eq!(code.as_deref(), Some(INSUFFICIENT_PRIVILEGE), "{part}: {statement}: {refused}");
        }
        // Nor is a row taken out of billing where its delivery is noted.
        let void = "UPDATE usage_ledger SET voided = true WHERE tenant = $1";
        let refused = sqlx::query(void).bind(&zama.tenant).execute(&mut connection).await.expect_err(void);
        assert!(refused.to_string().contains("does not cancel out"), "{part}: {refused}");
    }
    zama.all_complete_confirmed_and_billed_once(&[id]).await;
}

#[test]
fn migrations_run_as_the_owner_and_where_the_processes_are() {
    let stack = Stack::shared();
    let done = stack.runs(&["migrate"], &[]).ends(0);
    assert_eq!(done.stdout, "the schema is up to date\n", "as often as one likes");
    let as_a_process = stack.runs(&["migrate"], &[("ZAMA__DATABASE__MIGRATION_URL", "")]).ends(1);
    assert!(as_a_process.stderr.contains("permission denied"), "{as_a_process:?}");
    let elsewhere = format!("{}/postgres", stack.place.owner_url().strip_suffix("/zama").unwrap());
    let two = stack.runs(&["migrate"], &[("ZAMA__DATABASE__MIGRATION_URL", &elsewhere)]).ends(1);
    assert!(two.stderr.contains("two databases"), "{two:?}");
}
