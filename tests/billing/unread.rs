//! A billing system that answers for some tenants, or only now and then: what can be read is compared, and the rest is told.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use activities::reconciliation::TenantReport;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use billing::ExternalId;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use store::usage;

use crate::stage::{ACME, PATIENCE, Stage, this_month};
use crate::unreliable::{Forward, LARGEST, serve};

/// A tenant that is read before acme.
pub const ABEL: &str = "abel";

/// A call, and how often its path was asked for before.
pub struct Asked<'a> {
    pub method: &'a Method,
    pub path: &'a str,
    body: &'a str,
    before: usize,
}

impl Asked<'_> {
    pub fn names(&self, tenant: &str) -> bool {
        self.path.contains(tenant) || self.body.contains(tenant)
    }
}

/// What is answered in the stand-in's place.
pub type Refuses = fn(&Asked<'_>) -> Option<Response>;

/// A way to the stand-in that remembers what was asked.
#[derive(Clone)]
struct Way {
    forward: Forward,
    refuses: Refuses,
    asked: Arc<Mutex<HashMap<String, usize>>>,
}

/// The way, and where it begins.
pub struct Watched {
    pub origin: String,
    way: Way,
}

impl Watched {
    pub async fn before(origin: &str, refuses: Refuses) -> Self {
        let way = Way { forward: Forward::to(origin), refuses, asked: Arc::default() };
        Self { origin: serve(Router::new().fallback(pass).with_state(way.clone())).await, way }
    }

    /// The paths that were asked for, each with how often.
    pub fn asked(&self) -> HashMap<String, usize> {
        self.way.asked.lock().unwrap().clone()
    }
}

async fn pass(State(way): State<Way>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().to_string());
    let body = axum::body::to_bytes(request.into_body(), LARGEST).await.unwrap();
    let before = {
        let mut asked = way.asked.lock().unwrap();
        let times = asked.entry(path.clone()).or_default();
        *times += 1;
        *times - 1
    };
    let text = String::from_utf8_lossy(&body).into_owned();
    let refused = (way.refuses)(&Asked { method: &method, path: &path, body: &text, before });
    match refused {
        Some(refused) => refused,
        None => way.forward.pass(method, &path, body).await,
    }
}

impl Stage {
    /// Another tenant, which has an account and usage of a moment ago that nobody has sent.
    pub async fn has_abel(&self) -> String {
        for insert in [
            "INSERT INTO tenants (id, plan, created_at) VALUES ('abel', 'team', now() - interval '1 minute')",
            "INSERT INTO usage_ledger (id, tenant, metric, segment, units, occurred_at)
             VALUES ('of-abel:compute_units:0', 'abel', 'compute_units', '0', 4, now() - interval '2 seconds')",
        ] {
            self.outbox.execute(insert).await;
        }
        self.delivery().ensure_account(ABEL, &ExternalId::parse(ABEL).unwrap()).await.unwrap();
        "of-abel:compute_units:0".to_owned()
    }

    /// From now on everything goes this way.
    pub async fn is_watched(&mut self, refuses: Refuses) -> Watched {
        let way = Watched::before(&self.origin, refuses).await;
        self.origin.clone_from(&way.origin);
        way
    }

    async fn reports(&self) -> Vec<TenantReport> {
        self.reconciler().all(this_month(), None).await.unwrap()
    }
}

fn busy() -> Option<Response> {
    Some((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, "0")]).into_response())
}

#[tokio::test]
async fn one_tenant_that_cannot_be_read_is_told_with_what_was_found_of_the_others() {
    let mut stage = Stage::new().await;
    stage.has_abel().await;
    stage.used("one", 3, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.is_watched(|asked| asked.names(ABEL).then(|| (StatusCode::FORBIDDEN, "not this one").into_response())).await;

    let reason = "Lago refused the request with 403: not this one";
    let table = stage.runs(&["billing", "reconcile"]).await.ends(1);
    assert!(table.stdout.contains(&format!("could not be read: {reason}\n")), "{table:#?}");
    assert!(table.stdout.lines().any(|line| line.starts_with("acme ") && line.ends_with("  ok")), "{table:#?}");
    assert!(table.stderr.contains("and of which nothing is known: 1\n"), "{table:#?}");
    let csv = stage.runs(&["billing", "reconcile", "--format", "csv"]).await.ends(1);
    assert!(csv.stdout.contains(&format!("\n{},{ABEL},,,,,,,,,,,,true,,{reason},,,,,\n", this_month())), "{csv:#?}");
    let json = stage.runs(&["--json", "billing", "reconcile"]).await.ends(1).json();
    assert_eq!((&json["unread"], &json["drifting"]), (&json!(1), &json!(0)));
    assert_eq!((&json["tenants"][0]["tenant"], &json["tenants"][0]["unread"]), (&json!(ABEL), &json!(reason)));
    assert_eq!((&json["tenants"][1]["tenant"], &json["tenants"][1]["unread"]), (&json!(ACME), &json!(null)));
    stage.runs(&["billing", "reconcile", "--tenant", ACME]).await.ends(0);
}

#[tokio::test]
async fn a_tenant_whose_repair_fails_holds_back_nobody() {
    let mut stage = Stage::new().await;
    let of_abel = stage.has_abel().await;
    stage.delivery().ensure_account(ACME, &crate::stage::acme()).await.unwrap();
    let of_acme = stage.used("lost", 11, Utc::now() - TimeDelta::seconds(2)).await;
    // Delivered as we know, and not there.
    let lost = [of_abel, of_acme];
    usage::freeze(stage.pool(), &lost, DateTime::UNIX_EPOCH).await.unwrap();
    usage::delivered(stage.pool(), &lost).await.unwrap();
    let refuses: Refuses = |asked| {
        let is_refused = asked.method == Method::POST && asked.names(ABEL);
        is_refused.then(|| StatusCode::FORBIDDEN.into_response())
    };
    stage.is_watched(refuses).await;

    let repaired = stage.runs(&["billing", "reconcile", "--repair"]).await.ends(1);
    let told = "sent again: 1; booked anew: 0; delivered: 0; left for a person: 0\n\
                tenants whose repair was stopped by an error, which was logged: 1\n";
    assert!(repaired.stderr.contains(told), "{repaired:#?}");
    assert!(repaired.stderr.contains("the repair was stopped"), "why: {repaired:#?}");
    assert!(repaired.stdout.contains("DRIFT: 1 missing (of-abel:compute_units:0 …)\n"), "{repaired:#?}");
    stage.agrees(this_month()).await;
    assert_eq!(stage.billed(this_month()).await, "11");
}

#[tokio::test]
async fn a_page_that_lago_has_no_time_for_is_asked_for_again_and_the_others_are_not() {
    let mut stage = Stage::new().await;
    super::faults::used_by_jobs(&stage, &[ACME], 1..=60).await;
    stage.delivers().await;
    let busy_at_first: Refuses = |asked| if asked.before == 0 { busy() } else { None };
    let way = stage.is_watched(busy_at_first).await;
    stage.agrees(this_month()).await;
    let asked = way.asked();
    let pages: Vec<_> = asked.iter().filter(|(path, _)| path.starts_with("/api/v1/events?")).collect();
    assert!(pages.len() == 3 && pages.iter().all(|(_, times)| **times == 2), "240 events: {asked:#?}");

    stage.is_watched(|_| busy()).await;
    let unread = stage.report(this_month()).await.unread;
    assert_eq!(unread.as_deref(), Some("Lago is unavailable: too many requests (429)"));
}

#[tokio::test]
async fn when_three_tenants_in_a_row_are_out_of_reach_the_others_are_not_asked_for() {
    let mut stage = Stage::new().await;
    stage
        .outbox
        .execute(
            "INSERT INTO tenants (id, plan, billing_ready_at)
             SELECT 'tenant-' || n, 'team', now() FROM generate_series(1, 5) AS n",
        )
        .await;
    let way = stage.is_watched(|_| Some(StatusCode::SERVICE_UNAVAILABLE.into_response())).await;
    let reasons: Vec<String> = stage.reports().await.into_iter().filter_map(|report| report.unread).collect();
    let is_asked: Vec<bool> = reasons.iter().map(|reason| !reason.starts_with("not asked: ")).collect();
    assert_eq!(is_asked, [true, true, true, false, false], "{reasons:#?}");
    let asked = way.asked();
    let times = usize::try_from(PATIENCE.repeats).unwrap() + 1;
    assert!(asked.len() == 3 && asked.values().all(|asked| *asked == times), "{asked:#?}");
}

#[tokio::test]
async fn invoices_are_read_once_and_no_further_back_than_the_month() {
    let mut stage = Stage::new().await;
    stage.used("before", 10, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    let way = stage.is_watched(|_| None).await;
    stage.agrees(this_month()).await;
    let asked = way.asked();
    let of_invoices = |start: &str| asked.iter().filter(|(path, _)| path.starts_with(start)).collect::<Vec<_>>();
    let (lists, wholes) = (of_invoices("/api/v1/invoices?"), of_invoices("/api/v1/invoices/"));
    assert!(wholes.len() == 1 && *wholes[0].1 == 1, "{asked:#?}");
    assert!(lists.len() == 1 && *lists[0].1 == 2 && lists[0].0.contains("issuing_date_from="), "{asked:#?}");
}

/// As between the end of a month and its invoice: nothing is open, and the plan was changed within it.
#[tokio::test]
async fn the_invoice_of_a_changed_plan_does_not_say_what_the_month_bills() {
    let mut stage = Stage::new().await;
    stage.used("before", 10, Utc::now() - TimeDelta::seconds(2)).await;
    stage.delivers().await;
    stage.moves_to("enterprise").await;
    assert_eq!(stage.delivery().settle_accounts().await.unwrap(), 1);
    stage.used("after", 7, Utc::now()).await;
    stage.delivers().await;
    stage.is_past_the_last_row().await;
    let nothing_is_open: Refuses =
        |asked| asked.path.contains("/current_usage").then(|| StatusCode::METHOD_NOT_ALLOWED.into_response());
    stage.is_watched(nothing_is_open).await;
    assert_eq!(stage.billed(this_month()).await, "nothing", "that is known");
    stage.agrees(this_month()).await;

    stage.is_ended_by_hand().await;
    assert_eq!(stage.billed(this_month()).await, "17", "the rest is invoiced, and nothing is to come");
    stage.agrees_by_metric(this_month()).await;
}
