//! Tenants whose account was made, and that Lago does not bill all the same: it is asked, whatever we noted of them.

use activities::billing_delivery::Unsubscribed;
use billing::{Catalogue, setup};
use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::program::Run;
use crate::stage::{ACME, Stage, acme, this_month};

const CHECK: [&str; 3] = ["billing", "setup", "--check"];
const SETUP: [&str; 2] = ["billing", "setup"];
const RECONCILE: [&str; 2] = ["billing", "reconcile"];

impl Stage {
    /// With acme's account, of which nothing was used.
    async fn with_an_account() -> Self {
        let stage = Self::new().await;
        stage.runs(&["billing", "setup", "--yes"]).await.ends(0);
        stage.is_sound().await;
        stage
    }

    /// Neither of the two finds anything.
    async fn is_sound(&self) {
        self.runs(&CHECK).await.ends(0);
        self.runs(&RECONCILE).await.ends(0);
    }

    /// From now on Lago is one that has the price list, and nothing else.
    async fn has_an_emptied_lago(&mut self) {
        self.goes_on_with(|_| String::new()).await;
        setup(&self.lago, &Catalogue::standard()).await.unwrap();
    }

    async fn is_subscribed(&self) -> bool {
        self.lago.subscription(&acme()).await.unwrap().is_some()
    }
}

/// What is told of acme's account on a line.
fn account(text: &str) -> &str {
    let start = format!("{:<17}{ACME:<23} ", "account");
    text.lines().find_map(|line| line.strip_prefix(start.as_str())).unwrap_or_else(|| panic!("no account: {text}"))
}

/// The whole report of one tenant that is the only one.
fn only(run: &Run) -> Value {
    let found = run.json();
    assert_eq!((&found["drifting"], found["tenants"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{found:#}");
    found["tenants"][0].clone()
}

#[tokio::test]
async fn a_subscription_that_was_ended_is_a_drift_also_where_nothing_was_used_and_is_left_to_a_person() {
    let stage = Stage::with_an_account().await;
    stage.is_ended_by_hand().await;

    let check = stage.runs(&CHECK).await.ends(9);
    let told = account(&check.stdout);
    assert!(told.starts_with("has no active subscription: it was ended in Lago at 2"), "{told}");
    assert!(told.ends_with("; make it anew there, or close the tenant"), "{told}");
    // There is nothing to ask for: set-up makes none anew.
    let set_up = stage.runs(&SETUP).await.ends(9);
    assert_eq!(account(&set_up.stdout), told);
    assert!(set_up.stderr.ends_with("0 tenants have a customer and a subscription\n"), "{set_up:#?}");

    let table = stage.runs(&RECONCILE).await.ends(9);
    let drift = "DRIFT: the account has no active subscription: it was ended in the billing system at 2";
    assert!(table.stdout.lines().any(|line| line.starts_with("acme ") && line.contains(drift)), "{table:#?}");
    assert!(table.stderr.contains("or close the tenant: zama-jobs tenants close acme\n"), "{table:#?}");
    let csv = stage.runs(&[&RECONCILE[..], &["--format", "csv"]].concat()).await.ends(9);
    assert!(csv.stdout.lines().any(|line| line.ends_with(",true,true,,,,,,ended")), "{csv:#?}");
    let json = only(&stage.runs(&["--json", "billing", "reconcile", "--repair"]).await.ends(9));
    assert_eq!(json["unsubscribed"]["why"], "ended");
    assert!(!stage.is_subscribed().await, "nor does a repair make one anew");
    let repaired = stage.runs(&[&RECONCILE[..], &["--repair"]].concat()).await.ends(9);
    assert!(repaired.stderr.contains("left for a person: 1\n"), "{repaired:#?}");

    stage.is_subscribed_by_hand(None).await;
    stage.is_sound().await;
}

#[tokio::test]
async fn the_months_before_the_end_are_not_told_and_neither_is_a_tenant_that_is_closed() {
    let stage = Stage::since(Utc::now() - TimeDelta::days(70)).await;
    stage.delivery().ensure_account(ACME, &acme()).await.unwrap();
    stage.is_ended_by_hand().await;
    let unsubscribed = async |month| stage.report(month).await.unsubscribed;
    assert!(matches!(unsubscribed(this_month()).await, Some(Unsubscribed::Ended { at: Some(_) })));
    assert_eq!(unsubscribed(this_month().before()).await, None, "it had one to the end of that month");

    stage.runs(&["tenants", "close", ACME, "--yes"]).await.ends(0);
    assert_eq!(unsubscribed(this_month()).await, None);
    assert!(stage.delivery().all_unsubscribed().await.unwrap().is_empty());
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1, "what is not there is ended");
    assert_eq!(unsubscribed(this_month()).await, None);
}

/// It bills by itself from its day on, as finance wanted.
#[tokio::test]
async fn a_subscription_that_is_to_begin_is_no_drift() {
    let stage = Stage::with_an_account().await;
    stage.is_ended_by_hand().await;
    stage.is_subscribed_by_hand(Some((Utc::now() + TimeDelta::days(3)).to_rfc3339())).await;
    assert!(!stage.is_subscribed().await);
    stage.is_sound().await;
}

#[tokio::test]
async fn where_lago_was_emptied_accounts_are_made_anew_once_somebody_says_yes() {
    let mut stage = Stage::new().await;
    stage.used("sent", 5, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.agrees(this_month()).await;
    stage.has_an_emptied_lago().await;

    let lost = "has no active subscription: Lago knows none of it any more; to be created anew";
    assert_eq!(account(&stage.runs(&CHECK).await.ends(9).stdout), lost);
    let found = stage.runs(&["--json", "billing", "reconcile"]).await.ends(9).json();
    assert_eq!(found["tenants"][0]["unsubscribed"], json!({ "why": "unknown" }), "{found:#}");
    let repaired = stage.runs(&[&RECONCILE[..], &["--repair"]].concat()).await.ends(9);
    let nothing = "sent again: 0; booked anew: 0; delivered: 0; left for a person: 1\n";
    assert!(repaired.stderr.contains(nothing), "{repaired:#?}");
    assert!(repaired.stderr.contains("or have it made anew: zama-jobs billing setup\n"), "{repaired:#?}");
    let unasked = stage.runs(&SETUP).await.ends(10);
    assert_eq!(account(&unasked.stderr), lost);
    assert!(!stage.is_subscribed().await);

    let agreed = stage.runs_and_answers(&SETUP, "yes").await.ends(0);
    assert_eq!(account(&agreed.stdout), "created");
    assert!(agreed.stderr.ends_with("1 tenants have a customer and a subscription\n"), "{agreed:#?}");
    let subscription = stage.lago.subscription(&acme()).await.unwrap().expect("a subscription");
    assert_eq!(subscription.plan, "team");
    stage.runs(&CHECK).await.ends(0);
    // What it had of the open month is sent again.
    let repaired = stage.runs(&[&RECONCILE[..], &["--repair"]].concat()).await.ends(0);
    assert!(repaired.stderr.contains("sent again: 1; booked anew: 0; "), "{repaired:#?}");
    assert_eq!(stage.billed(this_month()).await, "5");
}
