//! The ends of a month and of a tenant, as finance and operators bring them about: by commands.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};
use store::usage;

use super::months::{self, fixed, last_month, midnight, sent};
use super::program::Run;
use crate::stage::{Stage, acme, this_month};

/// Tenant, metric, ledger, waiting, events and billed of each line, whatever form it is printed in.
fn lines(form: &str, run: &Run) -> Vec<[String; 6]> {
    match form {
        "json" => of_json(&run.json()),
        "csv" => of_csv(&run.stdout),
        _ => of_table(&run.stdout),
    }
}

/// `-` is a sum that is not known yet.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or("-").to_owned()
}

fn of_json(found: &Value) -> Vec<[String; 6]> {
    let mut lines = Vec::new();
    for tenant in found["tenants"].as_array().unwrap() {
        for line in tenant["lines"].as_array().unwrap() {
            let [metric, ledger, waiting, events, billed] =
                ["metric", "ledger", "waiting", "events", "billed"].map(|name| text(&line[name]));
            lines.push([text(&tenant["tenant"]), metric, ledger, waiting, events, billed]);
        }
    }
    lines
}

fn of_csv(text: &str) -> Vec<[String; 6]> {
    let mut rows = text.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let head = rows.next().unwrap();
    let line = |row: Vec<&str>| {
        ["tenant", "metric", "ledger", "waiting", "events", "billed"].map(|name| {
            let place = head.iter().position(|column| *column == name).unwrap();
            if row[place].is_empty() { "-".to_owned() } else { row[place].to_owned() }
        })
    };
    rows.map(line).collect()
}

fn of_table(text: &str) -> Vec<[String; 6]> {
    let lines = text.lines().skip(1).filter(|line| !line.contains("rows wait for their delivery"));
    let cells = |line: &str| -> [String; 6] {
        let cells: Vec<String> = line.split_whitespace().take(6).map(str::to_owned).collect();
        cells.try_into().unwrap()
    };
    lines.map(cells).collect()
}

impl Stage {
    async fn reconciles(&self, month: &str, more: &[&str]) -> Run {
        self.runs(&[["billing", "reconcile", "--month", month].as_slice(), more].concat()).await
    }

    /// What each form tells, which is the same, and how the command ended.
    async fn is_told_alike(&self, month: &str, code: i32) -> Vec<[String; 6]> {
        let mut forms = Vec::new();
        for form in ["table", "json", "csv"] {
            forms.push(lines(form, &self.reconciles(month, &["--format", form]).await.ends(code)));
        }
        assert!(forms.iter().all(|form| *form == forms[0]), "{forms:#?}");
        forms.remove(0)
    }
}

#[tokio::test]
async fn a_month_is_closed_and_what_lago_lost_of_it_is_billed_in_the_next_one() {
    let stage = months::stage().await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let moment = midnight() - TimeDelta::seconds(9);
    let (kept, lost) = (fixed(&stage, "kept", 3, moment).await, fixed(&stage, "lost", 11, moment).await);
    stage.lago.send(&[sent(&kept, 3, moment)]).await.unwrap();
    usage::delivered(stage.pool(), &[kept, lost]).await.unwrap();

    let (month, open) = (last_month().to_string(), this_month().to_string());
    for invoices in [1, 0] {
        let closed = stage.runs(&["billing", "close-month", &month]).await.ends(0);
        assert_eq!(closed.stdout, format!("{invoices} invoices made for {month}\n"));
    }
    let told = stage.runs(&["--json", "billing", "close-month", &month]).await.ends(0).json();
    assert_eq!(told, json!({ "month": month, "invoices_made": 0 }));
    stage.runs(&["billing", "close-month", &open]).await.ends(1);

    let line = ["acme", "compute_units", "14", "0", "3", "3"].map(str::to_owned);
    assert_eq!(stage.is_told_alike(&month, 9).await, [line]);
    let table = stage.reconciles(&month, &[]).await.ends(9);
    assert!(table.stdout.contains("DRIFT: 1 missing (lost:compute_units:0 …)"), "{table:#?}");

    let repaired = stage.reconciles(&month, &["--repair"]).await.ends(0);
    assert!(
        repaired.stderr.contains("sent again: 0; booked anew: 1; delivered: 1; left for a person: 0\n"),
        "{repaired:#?}"
    );
    let line = ["acme", "compute_units", "3", "0", "3", "3"].map(str::to_owned);
    assert_eq!(stage.is_told_alike(&month, 0).await, [line], "the second look");
    stage.delivers().await;
    assert_eq!(stage.is_told_alike(&open, 0).await.len(), 7, "every metric of the plan");
    assert_eq!((stage.billed(last_month()).await, stage.billed(this_month()).await), ("3".into(), "11".into()));
}

#[tokio::test]
async fn what_lago_lost_of_the_open_month_is_sent_again_by_command() {
    let stage = Stage::new().await;
    stage.delivery().ensure_account("acme", &acme()).await.unwrap();
    let lost = stage.used("lost", 11, Utc::now() - TimeDelta::seconds(2)).await;
    let ids = [lost];
    usage::freeze(stage.pool(), &ids, chrono::DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(stage.pool(), &ids).await.unwrap();
    let month = this_month().to_string();
    stage.reconciles(&month, &[]).await.ends(9);
    let repaired = stage.reconciles(&month, &["--repair"]).await.ends(0);
    assert!(
        repaired.stderr.contains("sent again: 1; booked anew: 0; delivered: 0; left for a person: 0\n"),
        "{repaired:#?}"
    );
    let again = stage.reconciles(&month, &["--repair"]).await.ends(0);
    assert!(!again.stderr.contains("sent again"), "nothing is left to repair: {again:#?}");
    assert_eq!(stage.billed(this_month()).await, "11");
}

#[tokio::test]
async fn a_tenant_that_is_closed_by_command_ends_in_lago_after_its_last_row() {
    let stage = Stage::new().await;
    stage.used("first", 4, Utc::now() - TimeDelta::seconds(3)).await;
    stage.delivers().await;
    stage.used("last", 10, Utc::now() - TimeDelta::seconds(2)).await;
    stage.runs(&["tenants", "close", "acme"]).await.ends(1);
    stage.runs_and_answers(&["tenants", "close", "acme"], "no").await.ends(1);
    assert_eq!(stage.outbox.count("SELECT count(*) FROM tenants WHERE closed_at IS NOT NULL").await, 0);

    let closed = stage.runs(&["--json", "tenants", "close", "acme", "--yes"]).await.ends(0).json();
    assert_eq!(closed["tenant"], "acme");
    let delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0, "a row is due");
    assert!(stage.lago.subscription(&acme()).await.unwrap().is_some());
    stage.delivers().await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    assert_eq!(stage.lago.subscription(&acme()).await.unwrap(), None);

    let invoices = stage.lago.invoices(&acme()).await.unwrap();
    assert_eq!(invoices.len(), 1, "{invoices:?}");
    let invoice = stage.lago.invoice(invoices[0].lago_id.as_ref().unwrap()).await.unwrap().unwrap();
    let fee = invoice.fees.iter().find(|fee| fee.code == "compute_units").unwrap();
    assert_eq!(fee.units.to_string(), "14", "the last row is on the last invoice");
    let again = stage.runs(&["--json", "tenants", "close", "acme", "--yes"]).await.ends(0).json();
    assert_eq!(again, closed, "since the first time");
    assert_eq!(delivery.settle_accounts().await.unwrap(), 0);
    stage.reconciles(&this_month().to_string(), &[]).await.ends(0);
}

#[tokio::test]
async fn in_a_closed_tenant_nothing_is_changed_and_nothing_is_added_to_it() {
    let stage = Stage::new().await;
    stage.runs(&["tenants", "create", "acme", "--admin", "amy"]).await.ends(0);
    let client = stage.runs(&["--json", "clients", "create", "--tenant", "acme", "--user", "amy"]).await.ends(0).json();
    stage.runs(&["tenants", "close", "acme", "--yes"]).await.ends(0);
    let rotated = stage.runs(&["clients", "rotate", client["client_id"].as_str().unwrap()]).await.ends(1);
    assert!(rotated.stderr.contains("or its tenant is closed"), "{rotated:#?}");
    for command in [
        &["policy", "set", "acme", "--plan", "enterprise"][..],
        &["policy", "set", "acme", "--credits", "required"],
        &["policy", "new-key", "acme"],
        &["chain", "confirm-failed", "acme", "on"],
        &["credits", "top-up", "acme", "--amount", "5", "--key", "late"],
        &["clients", "create", "--tenant", "acme", "--user", "amy"],
        &["login-code", "--tenant", "acme", "--user", "amy"],
        &["token", "--tenant", "acme", "--user", "bob", "--role", "admin"],
        &["token", "--tenant", "acme", "--user", "amy", "--role", "admin"],
        &["tenants", "create", "acme", "--admin", "bob", "--api-key"],
    ] {
        let refused = stage.runs(command).await.ends(1);
        assert!(refused.stderr.contains("acme is closed since "), "{refused:#?}");
        assert_eq!(refused.stdout, "", "{command:?}");
    }
    for nothing in [
        "SELECT count(*) FROM tenants WHERE plan <> 'team' OR credits_enforced OR confirm_failed",
        "SELECT count(*) FROM request_keys",
        "SELECT count(*) FROM credit_top_ups",
        "SELECT count(*) - 1 FROM oauth_clients",
        "SELECT count(*) FROM oauth_clients WHERE previous_secret_hash IS NOT NULL",
        "SELECT count(*) FROM login_codes",
        "SELECT count(*) FROM users WHERE id <> 'amy' OR submitter IS NOT NULL",
        "SELECT count(*) FROM api_keys",
    ] {
        assert_eq!(stage.outbox.count(nothing).await, 0, "{nothing}");
    }
}

#[tokio::test]
async fn a_closed_tenant_is_shown_as_such_with_what_becomes_of_its_account() {
    let stage = Stage::new().await;
    let delivery = stage.delivery();
    assert_eq!(delivery.settle_accounts().await.unwrap(), 1);
    stage.used("last", 10, Utc::now() - TimeDelta::seconds(2)).await;
    let billing = async |tenant: &str| {
        let shown = stage.runs(&["tenants", "show", tenant]).await.ends(0).stdout;
        let line = shown.lines().find_map(|line| line.strip_prefix("billing")).expect("a line about billing");
        (shown.contains("\nclosed since 2"), line.trim().to_owned())
    };
    assert_eq!(billing("acme").await, (false, "customer and subscription are there".to_owned()));
    stage.runs(&["tenants", "create", "unused"]).await.ends(0);
    for tenant in ["acme", "unused"] {
        stage.runs(&["tenants", "close", tenant, "--yes"]).await.ends(0);
    }
    let ending = "the reporter ends the subscription once all that was used is booked and delivered";
    assert_eq!(billing("acme").await, (true, ending.to_owned()));
    let unmade = "no account: one is made only if something that was used is still to be billed";
    assert_eq!(billing("unused").await, (true, unmade.to_owned()));

    stage.delivers().await;
    assert_eq!(delivery.settle_accounts().await.unwrap(), 2);
    let (is_closed, ended) = billing("acme").await;
    assert!(is_closed && ended.starts_with("the subscription was ended at 2"), "{ended}");
    let never = "no account: the tenant was closed before one was made";
    assert_eq!(billing("unused").await, (true, never.to_owned()));

    let since = stage.runs(&["--json", "tenants", "close", "acme", "--yes"]).await.ends(0).json();
    let shown = stage.runs(&["--json", "tenants", "show", "acme"]).await.ends(0).json();
    assert_eq!((&shown["closed_at"], &shown["billing_ready"]), (&since["closed_at"], &json!(false)));
    let listed = stage.runs(&["--json", "tenants", "list"]).await.ends(0).json();
    assert_eq!(listed["data"][0], shown);
    let list = stage.runs(&["tenants", "list"]).await.ends(0).stdout;
    assert_eq!(list.lines().filter(|line| line.contains(" closed since 2")).count(), 2, "{list}");
}
