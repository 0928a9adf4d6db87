//! `/invoices`: there are none as long as the stand-in closes no period.

use axum::extract::{Path, Query, State};

use crate::standin::answer::{Paging, Refusal};
use crate::standin::keeper::{Answer, Keeper};

pub(super) async fn list(State(keeper): State<Keeper>, Query(paging): Query<Paging>) -> Answer {
    keeper.read(move |_, _| Ok(paging.answer("invoices", Vec::new()))).await
}

pub(super) async fn show(Path(_): Path<String>) -> Refusal {
    Refusal::NotFound("invoice")
}
