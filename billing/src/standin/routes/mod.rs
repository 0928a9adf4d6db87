//! Every route of the stand-in; a file a resource.

mod customers;
mod events;
mod invoices;
mod metrics;
mod plans;
mod subscriptions;
mod taxes;
mod views;
mod wallet_transactions;
mod wallets;
mod webhook_endpoints;
mod webhooks;

use axum::http::{Method, Uri};
use axum::routing::{get, post};
use axum::{Router, middleware};

use serde_json::{Map, Value};

use super::answer::Refusal;
use super::keeper::Keeper;
use super::{gate, page};

pub(super) use views::view_of;

pub(super) fn router(keeper: Keeper, api_key: String) -> Router {
    let require_key = middleware::from_fn_with_state(api_key, gate::require_key);
    // What Lago does by its clock, which the stand-in leaves to a command.
    let own =
        Router::new().route("/close", post(invoices::close)).with_state(keeper.clone()).layer(require_key.clone());
    let api = Router::new()
        // What is sold
        .route("/billable_metrics", get(metrics::list).post(metrics::create))
        .route("/billable_metrics/{code}", get(metrics::show).put(metrics::update).delete(metrics::destroy))
        .route("/plans", get(plans::list).post(plans::create))
        .route("/plans/{code}", get(plans::show).put(plans::update))
        .route("/taxes", get(taxes::list).post(taxes::create))
        .route("/taxes/{code}", get(taxes::show).put(taxes::update))
        // Who buys it
        .route("/customers", get(customers::list).post(customers::create))
        .route("/customers/{external_id}", get(customers::show))
        .route("/customers/{external_id}/current_usage", get(customers::current_usage))
        .route("/subscriptions", get(subscriptions::list).post(subscriptions::create))
        .route("/subscriptions/{external_id}", get(subscriptions::show).delete(subscriptions::terminate))
        // What was used and billed
        .route("/events", get(events::list).post(events::create))
        .route("/events/batch", post(events::batch))
        .route("/events/{transaction_id}", get(events::show))
        .route("/invoices", get(invoices::list))
        .route("/invoices/{id}", get(invoices::show).put(invoices::update))
        .route("/invoices/{id}/download", post(invoices::download))
        .route("/invoices/{id}/download_pdf", post(invoices::download))
        // What was paid in advance
        .route("/wallets", get(wallets::list).post(wallets::create))
        .route("/wallets/{id}", get(wallets::show).put(wallets::update).delete(wallets::terminate))
        .route("/wallets/{id}/wallet_transactions", get(wallet_transactions::list))
        .route("/wallet_transactions", post(wallet_transactions::create))
        .route("/wallet_transactions/{id}", get(wallet_transactions::show))
        // What is told
        .route("/webhook_endpoints", get(webhook_endpoints::list).post(webhook_endpoints::create))
        .route(
            "/webhook_endpoints/{id}",
            get(webhook_endpoints::show).put(webhook_endpoints::update).delete(webhook_endpoints::destroy),
        )
        .route("/webhooks/public_key", get(webhooks::public_key))
        .route("/webhooks/json_public_key", get(webhooks::json_public_key))
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        .with_state(keeper.clone())
        .layer(require_key);
    // The address of a PDF is secret, and needs no key: so it is with Lago's.
    let documents = Router::new().route("/{token}/{name}", get(invoices::document)).with_state(keeper);
    Router::new()
        .route("/", get(page::home))
        .nest(invoices::DOCUMENTS, documents)
        .route("/health", get(page::health))
        .nest("/stand-in", own)
        .nest("/api/v1", api)
        .layer(middleware::from_fn(gate::name_itself))
}

async fn not_implemented(method: Method, uri: Uri) -> Refusal {
    Refusal::NotImplemented(format!("{method} {}", uri.path()))
}

/// Refuses what Lago would heed and the stand-in would ignore.
fn unknown_to(what: &str, fields: &[&str], sent: &Map<String, Value>) -> Result<(), Refusal> {
    let is_said = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::Object(members) => members.values().any(|member| !member.is_null() && *member != Value::Array(vec![])),
        _ => true,
    };
    match fields.iter().find(|field| sent.get(**field).is_some_and(is_said)) {
        Some(field) => Err(Refusal::NotImplemented(format!("{field} of {what}"))),
        None => Ok(()),
    }
}
