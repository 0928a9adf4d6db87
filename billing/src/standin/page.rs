//! The page for people who open the stand-in in a browser, and its health.

use axum::Json;
use axum::response::Html;
use serde_json::{Value, json};

use super::LAGO_VERSION;

pub(super) async fn home() -> Html<String> {
    Html(format!(
        "<!doctype html><meta charset=\"utf-8\"><title>Lago stand-in</title>\
         <h1>Lago stand-in</h1>\
         <p><strong>This is not Lago.</strong> It is a part of Zama Jobs that answers, on a developer's machine, \
         the calls that Zama Jobs makes to Lago, as Lago {LAGO_VERSION} without a licence would. Nobody owes what its \
         invoices say, and nobody has paid for its prepaid credits.</p>\
         <p>What it cannot do it refuses with 501. Whether it answers as Lago does is found out by \
         <code>zama-jobs billing conformance</code>, which asks either.</p>\
         <p>The API is under <code>/api/v1</code> and needs the API key.</p>"
    ))
}

pub(super) async fn health() -> Json<Value> {
    Json(json!({ "message": "Success", "stand_in": "zama-jobs", "version": LAGO_VERSION }))
}
