//! Every route of the stand-in; a file a resource.

mod customers;
mod events;
mod invoices;
mod metrics;
mod plans;
mod subscriptions;
mod taxes;
mod webhook_endpoints;

use axum::http::{Method, Uri};
use axum::routing::{get, post};
use axum::{Router, middleware};

use super::answer::Refusal;
use super::keeper::Keeper;
use super::{gate, page};

pub(super) fn router(keeper: Keeper, api_key: String) -> Router {
    let require_key = middleware::from_fn_with_state(api_key, gate::require_key);
    // What Lago does by its clock, which the stand-in leaves to a command.
    let own =
        Router::new().route("/close", post(invoices::close)).with_state(keeper.clone()).layer(require_key.clone());
    let api = Router::new()
        // What is sold
        .route("/billable_metrics", get(metrics::list).post(metrics::create))
        .route("/billable_metrics/{code}", get(metrics::show).put(metrics::update))
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
        .route("/invoices/{id}", get(invoices::show))
        .route("/webhook_endpoints", get(webhook_endpoints::list).post(webhook_endpoints::create))
        .fallback(not_implemented)
        .method_not_allowed_fallback(not_implemented)
        .with_state(keeper)
        .layer(require_key);
    Router::new()
        .route("/", get(page::home))
        .route("/health", get(page::health))
        .nest("/stand-in", own)
        .nest("/api/v1", api)
        .layer(middleware::from_fn(gate::name_itself))
}

async fn not_implemented(method: Method, uri: Uri) -> Refusal {
    Refusal::NotImplemented(format!("{method} {}", uri.path()))
}
