//! How a subscription ends, and what is only taken back.

use billing::{Catalogue, change_plan, end_tenant, ensure_tenant, setup};
use chrono::{DateTime, Duration, SubsecRound, Utc};
use serde_json::{Value, json};

use crate::harness::{Standin, acme, id, now};

/// Acme's subscription of a status; the answer's status beside it.
async fn of_status(lago: &Standin, status: &str) -> (u16, Value) {
    let (code, body) = lago.call("GET", &format!("subscriptions/acme?status={status}"), json!(null)).await;
    (code, body["subscription"].clone())
}

fn moment(of: &Value) -> DateTime<Utc> {
    of.as_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_cheaper_plan_that_was_taken_back_is_cancelled_and_no_end() {
    let lago = Standin::with_acme("team").await;
    let active = of_status(&lago, "active").await.1;
    let before = now().trunc_subsecs(0);
    change_plan(&lago.client, &acme(), &id("developer")).await.unwrap();
    let pending = of_status(&lago, "pending").await.1;
    change_plan(&lago.client, &acme(), &id("team")).await.unwrap();

    assert_eq!(of_status(&lago, "pending").await.0, 404);
    assert_eq!(of_status(&lago, "terminated").await.0, 404, "nothing has ended");
    let cancelled = of_status(&lago, "canceled").await.1;
    assert_eq!((&cancelled["lago_id"], &cancelled["plan_code"]), (&pending["lago_id"], &json!("developer")));
    assert_eq!((&cancelled["started_at"], &cancelled["terminated_at"]), (&json!(null), &json!(null)));
    assert!(moment(&cancelled["canceled_at"]) >= before, "{cancelled}");

    end_tenant(&lago.client, &acme()).await.unwrap();
    let ended = of_status(&lago, "terminated").await.1;
    assert_eq!(ended["lago_id"], active["lago_id"]);
    let later = now() + Duration::hours(1);
    let end = lago.client.subscription_end(&acme(), later).await.unwrap();
    assert_eq!(end, Some(moment(&ended["terminated_at"])));

    let lago = lago.crash_and_restart().await;
    assert_eq!(of_status(&lago, "canceled").await, (200, cancelled));
    assert_eq!(of_status(&lago, "terminated").await, (200, ended));
}

#[tokio::test]
async fn of_several_that_ended_the_last_is_told() {
    let lago = Standin::start().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    ensure_tenant(&lago.client, &acme(), &id("developer"), now() - Duration::hours(1)).await.unwrap();
    change_plan(&lago.client, &acme(), &id("team")).await.unwrap();
    let first = of_status(&lago, "terminated").await.1;
    assert_eq!((&first["plan_code"], &first["canceled_at"]), (&json!("developer"), &json!(null)));
    end_tenant(&lago.client, &acme()).await.unwrap();
    assert_eq!(of_status(&lago, "terminated").await.1["plan_code"], "team");
    // One that begins again does not hide it.
    ensure_tenant(&lago.client, &acme(), &id("developer"), now()).await.unwrap();
    assert_eq!(of_status(&lago, "terminated").await.1["plan_code"], "team");
    assert_eq!(of_status(&lago, "active").await.1["plan_code"], "developer");
}

#[tokio::test]
async fn a_journal_from_before_subscriptions_could_be_cancelled_is_read() {
    let lago = Standin::with_acme("team").await;
    let active = of_status(&lago, "active").await;
    let lago = lago
        .restart_on(|bytes| {
            let text = String::from_utf8(std::mem::take(bytes)).unwrap();
            let older = text.replace("\"canceled_at\":null,", "\"ending_at\":null,");
            assert_ne!(older, text, "it is in the journal now");
            *bytes = older.into_bytes();
        })
        .await;
    assert_eq!(of_status(&lago, "active").await, active);
}
