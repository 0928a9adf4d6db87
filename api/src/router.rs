//! Every route, grouped by who uses it. Reading it is reading the product.

use std::sync::Arc;

use axum::Router;
use axum::middleware::{from_fn, from_fn_with_state};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ApiState;
use crate::policy::{
    audit_trail, call_metering, cors, framing, gate, observation, problem, request_id, retirement, security_headers,
    time_limit,
};
use crate::routes::{
    api_keys, audit, billing, blobs, credits, docs, errors, fallback, fhe_keys, health, invoices, jobs, limits, livez,
    me, metrics, notifications, oauth, openapi, readyz, submitter, tenants, usage, users, v2,
};

/// The routes with their documentation.
pub(crate) fn documented() -> OpenApiRouter<Arc<ApiState>> {
    OpenApiRouter::with_openapi(crate::openapi::base())
        // Clients: jobs
        .routes(routes!(jobs::submit::submit, jobs::list::list))
        .routes(routes!(jobs::quotes::create::create))
        .routes(routes!(jobs::quotes::get::get))
        .routes(routes!(jobs::get::get))
        .routes(routes!(jobs::cancel::cancel))
        .routes(routes!(jobs::result::result))
        .routes(routes!(jobs::receipt::receipt))
        .routes(routes!(jobs::fhe_result::fhe_result))
        // Clients who look ahead
        .routes(routes!(v2::job::job))
        // Clients: ciphertexts and keys
        .routes(routes!(blobs::list::list, blobs::create::create))
        .routes(routes!(blobs::get::get, blobs::delete::delete))
        .routes(routes!(fhe_keys::list::list, fhe_keys::create::create))
        .routes(routes!(fhe_keys::network::part))
        .routes(routes!(fhe_keys::get::get, fhe_keys::delete::delete))
        // Clients: who they are
        .routes(routes!(me::me))
        .routes(routes!(limits::limits))
        .routes(routes!(notifications::notifications))
        .routes(routes!(submitter::challenge::challenge))
        .routes(routes!(submitter::register::register))
        .routes(routes!(api_keys::list::list, api_keys::create::create))
        .routes(routes!(api_keys::get::get, api_keys::revoke::revoke))
        .routes(routes!(api_keys::rotate::rotate))
        // Admins of a tenant
        .routes(routes!(tenants::get::get, tenants::change::change))
        .routes(routes!(audit::list::list))
        .routes(routes!(audit::export::export))
        .routes(routes!(users::list::list))
        .routes(routes!(users::get::get, users::put::put, users::delete::delete))
        // Clients and people: tokens
        .routes(routes!(oauth::token::token))
        .routes(routes!(oauth::revoke::revoke))
        .routes(routes!(oauth::device::authorization::begin))
        .routes(routes!(oauth::device::show::show))
        .routes(routes!(oauth::device::decision::decide))
        .routes(routes!(oauth::jwks::jwks))
        .routes(routes!(oauth::metadata::metadata))
        // Clients: what it costs
        .routes(routes!(usage::usage))
        .routes(routes!(usage::csv::csv))
        .routes(routes!(invoices::list::list))
        .routes(routes!(invoices::get::get))
        .routes(routes!(invoices::behind::behind))
        .routes(routes!(credits::get::get))
        .routes(routes!(credits::list::list, credits::top_up::top_up))
        .routes(routes!(credits::one::one))
        // The billing system
        .routes(routes!(billing::lago_webhook::hear_lago))
        // Everyone: is it up, how is it used
        .routes(routes!(health::health))
        .routes(routes!(docs::docs))
        .routes(routes!(docs::script))
        .routes(routes!(docs::style))
        .routes(routes!(docs::receipt_schema))
        .routes(routes!(openapi::yaml))
        .routes(routes!(openapi::json))
        .routes(routes!(errors::index))
        .routes(routes!(errors::page))
        // Operators and their machines
        .routes(routes!(livez::livez))
        .routes(routes!(readyz::readyz))
        .routes(routes!(metrics::metrics))
}

/// The whole server.
pub fn router(state: ApiState) -> Router {
    let state = Arc::new(state);
    let (routes, _) = documented().split_for_parts();
    // The last layer is the first to see a request.
    routes
        .fallback(fallback::no_route)
        .method_not_allowed_fallback(fallback::wrong_method)
        .layer(CatchPanicLayer::custom(problem::Problem::from_panic))
        .layer(from_fn_with_state(state.clone(), time_limit::enforce))
        .layer(from_fn_with_state(state.clone(), audit_trail::follow))
        .layer(from_fn(gate::attend))
        .layer(from_fn_with_state(state.clone(), cors::apply))
        .layer(from_fn(framing::refuse))
        .layer(from_fn_with_state(state.clone(), problem::render))
        .layer(from_fn_with_state(state.clone(), call_metering::count))
        .layer(from_fn(observation::record))
        .layer(from_fn_with_state(state.clone(), retirement::announce))
        .layer(from_fn_with_state(state.clone(), security_headers::add))
        .layer(from_fn(request_id::assign))
        .with_state(state)
}
