//! GET /v1/audit

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use jobs::UserId;
use jobs::audit::{ChainedEntry, Head};
use serde::Serialize;
use serde_json::Value;
use store::audit::{self, Filter};
use utoipa::{IntoParams, ToSchema};

use super::{chain_of, example};
use crate::ApiState;
use crate::errors;
use crate::policy::cursor::{Binding, Place};
use crate::policy::problem::Problem;
use crate::policy::query::Parameters;
use crate::token::{Principal, Scope};

const MAX_PAGE: i64 = 100;
const DEFAULT_PAGE: i64 = 20;
/// Longest name of an action.
const MAX_ACTION: usize = 64;

errors!(Errors: Token, InvalidRequest);

/// A page of the audit log.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// In the order that was asked for.
    #[schema(value_type = Vec<ChainedEntry>)]
    pub data: Vec<Value>,
    /// Pass as `cursor` to read on; null on the last page.
    pub next_cursor: Option<String>,
    pub has_more: bool,
    /// The newest entry of the whole chain, as it is kept apart from the entries: whoever keeps it sees later whether what
    /// was there then is there still.
    pub head: Head,
}

#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code)]
struct Query {
    /// Only entries of this action: the operation's id in this document, or an operator's command.
    #[param(example = "create_api_key", max_length = 64)]
    action: Option<String>,
    /// Only entries of this user.
    #[param(example = "ada")]
    user: Option<String>,
    /// `asc`: the oldest first; `desc`: the newest first.
    #[param(inline, default = "desc")]
    order: Option<Order>,
    /// The log of the tenant's sandbox, in which its test keys act.
    #[param(default = false)]
    test_mode: Option<bool>,
    /// `next_cursor` of the page before, with the same filters.
    #[param(min_length = 1, pattern = "^[A-Za-z0-9_-]+$")]
    cursor: Option<String>,
    /// At most this many entries.
    #[param(minimum = 1, maximum = 100, default = 20)]
    limit: Option<i64>,
}

#[derive(Clone, Copy, Debug, ToSchema)]
#[schema(rename_all = "lowercase")]
enum Order {
    Asc,
    Desc,
}

/// Where a page ends.
struct Seq(i64);

impl Place for Seq {
    fn to_bytes(&self) -> Vec<u8> {
        self.0.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(i64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

/// Read the audit log
///
/// Every call that changed something in the tenant, every decryption and every attempt at one, refusals that show an
/// attack, and what operators did. Entries are never changed; each holds the hash of the one before, so that a change shows:
/// `zama-jobs audit verify`. What was done a moment ago is there.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "list_audit", tag = "identity", params(Query),
    security(("bearer" = ["jobs:admin"])),
    responses(
        (status = 200, description = "A page of entries.", body = AuditPage,
         example = json!({"data": [example()], "next_cursor": null, "has_more": false,
                          "head": {"seq": 7, "hash": format!("0x{}", "2e".repeat(32))}})),
        Errors
    )
)]
pub async fn list(
    State(state): State<Arc<ApiState>>,
    principal: Principal,
    mut query: Parameters,
) -> Result<Json<AuditPage>, Problem> {
    principal.require(Scope::JobsAdmin)?;
    let tenant = chain_of(&principal, &mut query);
    let action = query.take("action", |text| match text.len() {
        1..=MAX_ACTION => Ok(text.to_owned()),
        _ => Err(format!("must have 1 to {MAX_ACTION} characters")),
    });
    let user = query.take("user", |text| text.parse::<UserId>().map_err(|error| error.to_string()));
    let order = query.take("order", |text| match text {
        "asc" => Ok(Order::Asc),
        "desc" => Ok(Order::Desc),
        _ => Err("must be asc or desc".to_owned()),
    });
    let order = order.unwrap_or(Order::Desc);
    let binding = Binding::of("audit", (&tenant, &action, &user, order));
    let after = query.take("cursor", |text| binding.read::<Seq>(text)).map(|Seq(seq)| seq);
    let limit = query.take_integer("limit", 1..=MAX_PAGE, DEFAULT_PAGE);
    query.close()?;

    audit::catch_up(&state.pool, &tenant).await?;
    let filter = Filter { action: action.as_deref(), user: user.as_ref().map(UserId::as_str) };
    let place = match order {
        Order::Asc => audit::Place::OldestFirst { after: after.unwrap_or_default() },
        Order::Desc => audit::Place::NewestFirst { before: after },
    };
    // Before the entries: none of those that it counts is missing among them.
    let head = audit::head(&state.pool, &tenant).await?;
    // One more than asked for tells whether there is a next page.
    let mut entries = audit::page(&state.pool, &tenant, filter, place, limit + 1).await?;
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = entries.len() > wanted;
    entries.truncate(wanted);
    let next_cursor = entries.last().filter(|_| has_more).map(|last| binding.cursor(&Seq(last.seq)));
    let data = entries.into_iter().map(|stored| stored.entry).collect();
    Ok(Json(AuditPage { data, next_cursor, has_more, head }))
}
