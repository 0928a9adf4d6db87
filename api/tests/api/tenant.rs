//! The caller's tenant: what it is, and what its admins change.

use api::token::Role;
use serde_json::json;

use crate::app::TestApp;

#[tokio::test]
async fn everybody_reads_it_and_admins_change_it() {
    let app = TestApp::new().await;
    let (ada, amy) = (app.developer("ada").await, app.user("acme", "amy", Role::Admin).await);
    let eve = app.user("globex", "eve", Role::Admin).await;
    let tenant = app.get(&ada, "/v1/tenants/current").await.expect(200);
    let expected = json!({
        "id": "acme", "plan": "development", "test_mode": false, "created_at": tenant["created_at"],
        "settings": {"confirm_failed": false, "requires_credits": false}
    });
    assert_eq!(tenant, expected);
    let change = json!({"settings": {"confirm_failed": true}});
    app.json("PATCH", &ada, "/v1/tenants/current", &change).await.problem("INSUFFICIENT_SCOPE");
    let changed = app.json("PATCH", &amy, "/v1/tenants/current", &change).await.expect(200);
    assert_eq!(changed["settings"]["confirm_failed"], true);
    assert_eq!(app.json("PATCH", &amy, "/v1/tenants/current", &json!({})).await.expect(200), changed);
    assert_eq!(app.get(&ada, "/v1/tenants/current").await.expect(200), changed);
    assert_eq!(app.get(&eve, "/v1/tenants/current").await.expect(200)["settings"]["confirm_failed"], false);

    let refused = app.json("PATCH", &amy, "/v1/tenants/current", &json!({"plan": "enterprise"})).await;
    refused.problem("INVALID_REQUEST");
    assert_eq!(refused.pointers(), ["/plan"]);
}
