//! Events reach Lago once, whatever is wrong with their neighbours.

use crate::harness::{Standin, acme, event, id, now, raw};
use billing::{Catalogue, Delivery, Metric, UsageEvent, setup};
use serde_json::json;

fn compute(count: usize, prefix: &str) -> Vec<UsageEvent> {
    (0..count).map(|number| event(&format!("{prefix}{number}:compute_units:0"), Metric::ComputeUnits, "1")).collect()
}

#[tokio::test]
async fn sending_again_delivers_again_and_counts_once() {
    let lago = Standin::with_acme("developer").await;
    let events = compute(3, "job");
    for _ in 0..2 {
        assert_eq!(lago.client.send(&events).await.unwrap(), vec![Delivery::Delivered; 3]);
    }
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await, ("3".to_owned(), 3, 0));
}

#[tokio::test]
async fn gas_is_seen_beside_the_units_and_nothing_is_billed_by_it() {
    let lago = Standin::with_acme("developer").await;
    let units = event("job:chain_confirmations:0", Metric::ChainConfirmations, "1");
    let confirmation = UsageEvent { gas: Some(69_146_i64.into()), ..units };
    for _ in 0..2 {
        assert_eq!(lago.client.send(std::slice::from_ref(&confirmation)).await.unwrap(), [Delivery::Delivered]);
    }
    let (_, recorded) = lago.call("GET", "events/job:chain_confirmations:0", json!(null)).await;
    assert_eq!(recorded["event"]["properties"], json!({ "value": "1", "gas": "69146" }));
    let (units, events, _) = lago.usage_of(Metric::ChainConfirmations).await;
    assert_eq!((units.as_str(), events), ("1", 1));
}

#[tokio::test]
async fn more_than_a_batch_with_known_events_in_between_arrives_whole() {
    let lago = Standin::with_acme("developer").await;
    let events = compute(250, "job");
    let known: Vec<_> = events.iter().step_by(7).cloned().collect();
    lago.client.send(&known).await.unwrap();
    assert_eq!(lago.client.send(&events).await.unwrap(), vec![Delivery::Delivered; 250]);
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "250");
}

#[tokio::test]
async fn a_bad_event_goes_to_the_dead_letters_and_its_neighbours_arrive() {
    let lago = Standin::with_acme("developer").await;
    let mut events = compute(5, "job");
    lago.client.send(&events[1..2]).await.unwrap();
    events[3].transaction_id.clear();
    let outcomes = lago.client.send(&events).await.unwrap();
    assert!(
        matches!(&outcomes[3], Delivery::DeadLetter { reason } if reason.contains("value_is_mandatory")),
        "{outcomes:?}"
    );
    for index in [0, 1, 2, 4] {
        assert_eq!(outcomes[index], Delivery::Delivered, "event {index}");
    }
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "4");
}

#[tokio::test]
async fn an_event_given_twice_in_one_call_is_sent_once() {
    let lago = Standin::with_acme("developer").await;
    let one = event("job:compute_units:0", Metric::ComputeUnits, "2");
    let outcomes = lago.client.send(&[one.clone(), one.clone(), one]).await.unwrap();
    assert_eq!(outcomes, vec![Delivery::Delivered; 3]);
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "2");
}

#[tokio::test]
async fn without_a_subscription_nothing_is_sent_for_it_and_others_are_not_held_up() {
    let lago = Standin::with_acme("developer").await;
    let mut events = compute(2, "job");
    events[0].external_subscription_id = id("nobody");
    assert_eq!(lago.client.send(&events).await.unwrap(), [Delivery::NoSubscription, Delivery::Delivered]);
    assert_eq!(lago.client.get_event(&events[0].transaction_id).await.unwrap(), None);
    assert!(lago.client.subscription(&acme()).await.unwrap().is_some());
    assert_eq!(lago.client.subscription(&id("nobody")).await.unwrap(), None);
}

#[tokio::test]
async fn an_event_before_the_subscription_is_not_lost_in_silence() {
    let lago = Standin::with_acme("developer").await;
    let mut early = event("early:compute_units:0", Metric::ComputeUnits, "1");
    early.timestamp -= 3600;
    assert_eq!(lago.client.send(&[early.clone()]).await.unwrap(), [Delivery::BeforeStart]);
    assert_eq!(lago.client.get_event(&early.transaction_id).await.unwrap(), None, "it was not sent");
}

#[tokio::test]
async fn an_event_is_found_under_its_transaction_id() {
    let lago = Standin::with_acme("developer").await;
    let sent = event("0192-a/b c?:storage_gb_hours:0", Metric::StorageGbHours, "0.125");
    lago.send(sent.clone()).await;
    let found = lago.client.get_event(&sent.transaction_id).await.unwrap().expect("the event was sent");
    assert_eq!(found.value, Some(sent.value));
    assert_eq!(found.code, "storage_gb_hours");
    assert_eq!(found.timestamp.timestamp(), sent.timestamp);
}

#[tokio::test]
async fn a_batch_is_refused_whole_and_by_index_as_lago_does() {
    let lago = Standin::with_acme("developer").await;
    let ts = json!(now().timestamp());
    let batch = |events| json!({ "events": events });
    assert_eq!(lago.call("POST", "events/batch", batch(json!([raw("a", ts.clone())]))).await.0, 200);

    let mixed = json!([raw("b", ts.clone()), raw("a", ts.clone()), raw("c", json!("soon")), raw("", ts.clone())]);
    let (status, body) = lago.call("POST", "events/batch", batch(mixed)).await;
    assert_eq!(status, 422);
    let expected = json!({ "status": 422, "error": "Unprocessable Entity", "code": "validation_errors",
        "error_details": { "2": { "timestamp": ["invalid_format"] }, "3": { "transaction_id": ["value_is_mandatory"] } } });
    assert_eq!(body, expected);

    let twice = json!([raw("b", ts.clone()), raw("a", ts.clone()), raw("b", ts.clone())]);
    let (status, body) = lago.call("POST", "events/batch", batch(twice)).await;
    let duplicate = json!({ "transaction_id": ["value_already_exist"] });
    assert_eq!((status, &body["error_details"]), (422, &json!({ "1": duplicate, "2": duplicate })));
    assert_eq!(lago.call("GET", "events/b", json!(null)).await.0, 404, "a refused batch leaves nothing behind");

    let (status, body) = lago.call("POST", "events", json!({ "event": raw("a", ts.clone()) })).await;
    assert_eq!((status, &body["error_details"]), (422, &duplicate));

    let many: Vec<_> = (0..101).map(|number| raw(&format!("m{number}"), ts.clone())).collect();
    assert_eq!(
        lago.call("POST", "events/batch", batch(json!(many))).await.1["error_details"],
        json!({ "events": ["too_many_events"] })
    );
    assert_eq!(
        lago.call("POST", "events/batch", batch(json!([]))).await.1["error_details"],
        json!({ "events": ["no_events"] })
    );
}

/// Lago takes the events of a metric that goes with it, and keeps their ids.
#[tokio::test]
async fn a_removed_metric_takes_its_events_along_and_what_comes_later_counts_once_it_is_back() {
    let lago = Standin::with_acme("developer").await;
    let before = event("before:compute_units:0", Metric::ComputeUnits, "3");
    lago.send(before.clone()).await;
    lago.send(event("other:api_calls:0", Metric::ApiCalls, "5")).await;
    assert_eq!(lago.call("DELETE", "billable_metrics/compute_units", json!(null)).await.0, 200);
    assert_eq!(lago.client.get_event(&before.transaction_id).await.unwrap(), None);
    lago.send(before.clone()).await;
    assert_eq!(lago.client.get_event(&before.transaction_id).await.unwrap(), None, "a duplicate of what is gone");
    lago.send(event("after:compute_units:0", Metric::ComputeUnits, "4")).await;
    let usage = lago.client.current_usage(&acme()).await.unwrap();
    assert!(usage.lines.iter().all(|line| line.metric != "compute_units"), "nothing is billed: {usage:?}");
    assert_eq!(lago.usage_of(Metric::ApiCalls).await.0, "5");

    let lago = lago.crash_and_restart().await;
    setup(&lago.client, &Catalogue::standard()).await.unwrap();
    assert_eq!(lago.usage_of(Metric::ComputeUnits).await.0, "4");
}

#[tokio::test]
async fn lago_answers_success_for_a_subscription_and_a_code_that_it_does_not_know() {
    let lago = Standin::with_acme("developer").await;
    let mut stray = raw("stray", json!(now().timestamp()));
    stray["external_subscription_id"] = json!("nobody");
    stray["code"] = json!("no_such_metric");
    let (status, body) = lago.call("POST", "events", json!({ "event": stray })).await;
    assert_eq!((status, &body["event"]["lago_subscription_id"]), (200, &json!(null)));
}
