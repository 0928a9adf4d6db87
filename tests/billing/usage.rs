//! `zama-jobs billing usage`, as finance reads it.

use billing::ExternalId;
use chrono::{Datelike as _, Months, TimeDelta, Utc};
use serde_json::json;

use super::months;
use crate::stage::{ACME, Stage, acme};

/// What the finance guide shows of a month without usage, but for its dates and what it leaves out.
fn guide() -> Vec<&'static str> {
    let guide = include_str!("../../docs/finance.md");
    let (_, example) = guide.split_once("$ zama-jobs billing usage acme\n").expect("an example");
    let shown = example.lines().take_while(|line| !line.starts_with("```")).skip(1);
    shown.filter(|line| line.trim() != "…").collect()
}

#[tokio::test]
async fn an_operator_reads_what_would_be_invoiced_now_and_the_plans_fee_beside_it() {
    let stage = months::stage().await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    let run = stage.runs(&["billing", "usage", ACME]).await.ends(0);
    let guide = guide();
    assert!(guide.len() > 4, "{guide:#?}");
    let missing: Vec<&str> = guide.into_iter().filter(|line| run.stdout.lines().all(|told| told != *line)).collect();
    assert!(missing.is_empty(), "docs/finance.md shows {missing:#?}, and not {run:#?}");

    // 100,000 at 0.00008 and 50,000 at 0.00006, and 20 % tax on it.
    stage.used("computed", 150_000, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    let run = stage.runs(&["billing", "usage", ACME]).await.ends(0);
    let first = Utc::now().date_naive().with_day(1).unwrap();
    let last = first + Months::new(1) - TimeDelta::days(1);
    let expected = format!(
        "\
acme, {first} to {last}
  API calls                         0  package          0.00 EUR
  Chain confirmations               0  volume           0.00 EUR
  Compute units                150000  graduated       11.00 EUR
  FHE compute units                 0  graduated        0.00 EUR
  Jobs completed                    0  volume           0.00 EUR
  Jobs submitted                    0  standard         0.00 EUR
  Storage GB-hours                  0  standard         0.00 EUR
  would be invoiced                                    13.20 EUR  (taxes included)
  and 49.00 EUR a month for the plan team, by the days that it has, without taxes
"
    );
    assert_eq!(run.stdout, expected);

    let told = stage.runs(&["--json", "billing", "usage", ACME]).await.ends(0).json();
    let amounts = [&told["amount_cents"], &told["taxes_amount_cents"], &told["total_amount_cents"]];
    assert_eq!(amounts, [&json!(1_100), &json!(220), &json!(1_320)], "{told:#}");
    let line = told["lines"].as_array().unwrap().iter().find(|line| line["metric"] == "compute_units");
    assert_eq!(line.map(|line| (&line["units"], &line["events_count"])), Some((&json!("150000"), &json!(1))));
}

#[tokio::test]
async fn a_plan_without_a_fee_tells_of_none_and_who_has_no_account_is_refused() {
    let stage = Stage::new().await;
    stage.outbox.execute("INSERT INTO tenants (id, plan) VALUES ('globex', 'developer')").await;
    let unknown = stage.runs(&["billing", "usage", "globex"]).await.ends(1);
    assert!(unknown.stdout.is_empty() && unknown.stderr.contains("has no customer globex: "), "{unknown:#?}");
    stage.delivery().ensure_account("globex", &ExternalId::parse("globex").unwrap()).await.unwrap();
    let run = stage.runs(&["billing", "usage", "globex"]).await.ends(0);
    assert!(run.stdout.starts_with("globex, ") && run.stdout.ends_with("0.00 EUR  (taxes included)\n"), "{run:#?}");
    stage.runs(&["tenants", "close", "globex", "--yes"]).await.ends(0);
    stage.delivery().settle_accounts().await.unwrap();
    let ended = stage.runs(&["billing", "usage", "globex"]).await.ends(1);
    assert!(ended.stderr.contains("globex has no active subscription: "), "{ended:#?}");
}
