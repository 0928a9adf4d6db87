//! GET /v1/audit/export

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use jobs::TenantId;
use jobs::audit::Head;
use serde_json::{Value, json};
use store::audit::{self, Filter, Place};
use store::{PgPool, StoreError};
use utoipa::IntoParams;

use super::{chain_of, example};
use crate::ApiState;
use crate::errors;
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

/// Entries that are read at once.
const AT_ONCE: i64 = 500;

const MEDIA_TYPE: &str = "application/x-ndjson";

errors!(Errors: Token, InvalidRequest);

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// The log of the tenant's sandbox, in which its test keys act.
    #[param(default = false)]
    test_mode: Option<bool>,
}

/// What is to be written yet.
struct Export {
    pool: PgPool,
    tenant: TenantId,
    /// The newest entry when the export began: with it the export ends.
    head: Head,
    written: i64,
    is_over: bool,
}

/// Export the audit log
///
/// The whole log as lines of JSON, the oldest entry first, and in the last line its `head`: an export that broke off lacks
/// it. `zama-jobs audit verify --file` checks an export without this service, and `docs/audit.md` says how.
#[utoipa::path(
    get, path = "/v1/audit/export", operation_id = "export_audit", tag = "identity", params(Query),
    security(("bearer" = ["jobs:admin"])),
    responses(
        (status = 200, description = "One entry a line.", body = String, content_type = "application/x-ndjson",
         example = json!(lines_example())),
        Errors
    )
)]
pub async fn export(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Response, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let tenant = chain_of(&principal, &mut query);
    query.close()?;
    audit::catch_up(&state.pool, &tenant).await?;
    let head = audit::head(&state.pool, &tenant).await?;
    let file = format!("attachment; filename=\"audit-{tenant}.ndjson\"");
    let export = Export { pool: state.pool.clone(), tenant, head, written: 0, is_over: false };
    let body = Body::from_stream(stream::try_unfold(export, |export| Box::pin(export.next())));
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE), (header::CONTENT_DISPOSITION, file.as_str())], body).into_response())
}

impl Export {
    /// The next lines, and what is left after them.
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, StoreError> {
        if self.is_over {
            return Ok(None);
        }
        let place = Place::OldestFirst { after: self.written };
        let mut entries = audit::page(&self.pool, &self.tenant, Filter::default(), place, AT_ONCE).await?;
        entries.retain(|stored| stored.seq <= self.head.seq);
        let mut text: String = entries.iter().map(|stored| line(&stored.entry)).collect();
        match entries.last() {
            Some(last) if last.seq < self.head.seq => self.written = last.seq,
            // The end, or what only looks like it: whoever verifies sees which.
            _ => {
                self.is_over = true;
                text += &line(&json!({ "head": self.head }));
            }
        }
        Ok(Some((text.into(), self)))
    }
}

fn line(value: &Value) -> String {
    format!("{value}\n")
}

fn lines_example() -> String {
    line(&example()) + &line(&json!({"head": {"seq": 7, "hash": format!("0x{}", "2e".repeat(32))}}))
}
