//! The webhook endpoint in Lago: its address, how it is signed, and what it hears.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use super::{Change, Mode, after_update, differing_fields, only_seen};
use crate::{LagoClient, LagoError, NOTICE_ALGORITHM};

#[derive(Deserialize)]
struct List {
    webhook_endpoints: Vec<Value>,
}

#[derive(Deserialize)]
struct Answer {
    webhook_endpoint: Value,
}

/// Another algorithm, and no notice would be believed; fewer event types, and some would never be told.
pub(super) async fn ensure(client: &LagoClient, url: &str, mode: Mode) -> Result<Change, LagoError> {
    let wanted = json!({ "webhook_url": url, "signature_algo": NOTICE_ALGORITHM, "event_types": null });
    // As a list: a null might be taken for nothing said.
    let said = json!({ "webhook_url": url, "signature_algo": NOTICE_ALGORITHM, "event_types": ["*"] });
    let body = json!({ "webhook_endpoint": said });
    let list: Option<List> = client.find(&["webhook_endpoints"]).await?;
    let known = list.into_iter().flat_map(|list| list.webhook_endpoints).find(|known| known["webhook_url"] == url);
    let Some(found) = known else {
        if mode == Mode::Look {
            return Ok(Change::Missing);
        }
        client.post::<_, IgnoredAny>(&["webhook_endpoints"], &body).await?;
        return Ok(Change::Created);
    };
    let before = differences(&wanted, &found);
    if let Some(seen) = only_seen(&before, mode) {
        return Ok(seen);
    }
    let id = found["lago_id"].as_str().ok_or_else(|| LagoError::Unexpected("an endpoint without an id".to_owned()))?;
    let updated: Answer = client.put(&["webhook_endpoints", id], &body).await?;
    Ok(after_update(before, differences(&wanted, &updated.webhook_endpoint)))
}

/// Everything is told where no event types are named, whether Lago says so by null, by `*` or not at all.
fn differences(wanted: &Value, found: &Value) -> Vec<String> {
    let mut found = found.clone();
    if found["event_types"] == json!(["*"]) {
        found["event_types"] = Value::Null;
    }
    differing_fields(wanted, &found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_that_hears_everything_is_the_same_however_lago_says_so() {
        let wanted = json!({ "webhook_url": "https://zama.example", "signature_algo": "jwt", "event_types": null });
        let differing = |more: Value| {
            let mut found = json!({ "lago_id": "1", "webhook_url": "https://zama.example", "signature_algo": "jwt" });
            found.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            differences(&wanted, &found)
        };
        for same in [json!({}), json!({ "event_types": null }), json!({ "event_types": ["*"] })] {
            assert_eq!(differing(same), Vec::<String>::new());
        }
        // Nothing at all is told.
        assert_eq!(differing(json!({ "event_types": [] })), ["event_types"]);
        assert_eq!(differing(json!({ "event_types": ["invoice.created"] })), ["event_types"]);
        assert_eq!(differing(json!({ "signature_algo": "hmac" })), ["signature_algo"]);
    }
}
