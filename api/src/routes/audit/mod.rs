//! `/v1/audit`: what was done and tried in the tenant's name.

pub mod export;
pub mod list;

use jobs::TenantId;
use serde_json::{Value, json};

use crate::policy::query::Parameters;
use crate::token::Principal;

/// Whose chain is read: the tenant's, or with `test_mode=true` its sandbox's, which nobody could read otherwise, since test
/// keys do not administer.
fn chain_of(principal: &Principal, query: &mut Parameters) -> TenantId {
    let is_test = query.take("test_mode", |text| match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err("must be true or false".to_owned()),
    });
    if is_test.unwrap_or_default() { principal.tenant.sandbox() } else { principal.tenant.clone() }
}

fn example() -> Value {
    json!({
        "tenant": "acme", "seq": 7, "at": "2026-03-14T09:26:53.589123Z", "action": "put_user", "outcome": "done",
        "code": null, "user": "amy", "credential": "access_token", "target": "/v1/users/ada",
        "request_id": "5f0c7a52-9d0e-4b61-8a43-0c1f6d2e9b7a", "address": "203.0.113.5", "detail": {"role": "team_lead"},
        "previous": format!("0x{}", "1f".repeat(32)), "hash": format!("0x{}", "2e".repeat(32))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_an_entry() {
        assert!(serde_json::from_value::<jobs::audit::ChainedEntry>(example()).is_ok());
    }
}
