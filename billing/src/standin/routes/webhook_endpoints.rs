//! `/webhook_endpoints`: kept and listed; the stand-in sends no webhooks.

use axum::body::Bytes;
use axum::extract::{Query, State};
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::standin::answer::{Paging, Refusal, rooted};
use crate::standin::keeper::{Answer, Keeper};
use crate::standin::period::iso;
use crate::standin::records::{Record, WebhookEndpoint};

const ROOT: &str = "webhook_endpoint";

#[derive(Deserialize)]
struct Input {
    webhook_url: Option<String>,
    signature_algo: Option<String>,
    name: Option<String>,
}

pub(super) async fn create(State(keeper): State<Keeper>, body: Bytes) -> Answer {
    let input: Input = rooted(&body, ROOT)?;
    keeper
        .change(move |book, now| {
            let url = input.webhook_url.unwrap_or_default();
            if !(url.starts_with("http://") || url.starts_with("https://")) {
                return Err(Refusal::field("webhook_url", "url_invalid"));
            }
            if book.webhook_endpoints.iter().any(|endpoint| endpoint.webhook_url == url) {
                return Err(Refusal::field("webhook_url", "value_already_exist"));
            }
            let endpoint = WebhookEndpoint {
                id: Uuid::now_v7(),
                webhook_url: url,
                signature_algo: input.signature_algo.unwrap_or_else(|| "jwt".to_owned()),
                name: input.name,
                created_at: now,
            };
            let answer = json!({ ROOT: view(&endpoint) });
            Ok((vec![Record::WebhookEndpoint(endpoint)], answer))
        })
        .await
}

pub(super) async fn list(State(keeper): State<Keeper>, Query(paging): Query<Paging>) -> Answer {
    keeper
        .read(move |book, _| Ok(paging.answer("webhook_endpoints", book.webhook_endpoints.iter().map(view).collect())))
        .await
}

fn view(endpoint: &WebhookEndpoint) -> Value {
    json!({
        "lago_id": endpoint.id,
        "lago_organization_id": Uuid::nil(),
        "webhook_url": endpoint.webhook_url,
        "signature_algo": endpoint.signature_algo,
        "name": endpoint.name,
        "event_types": null,
        "created_at": iso(endpoint.created_at),
    })
}
