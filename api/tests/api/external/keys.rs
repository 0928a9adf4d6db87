//! The keys of an issuer over time: rotated, withdrawn, and away.

use std::time::Duration;

use api::token::external::{ExternalIssuers, Reach, Scheme, Times};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{ALWAYS, Manner, ONCE, Provider, ProviderKey, REACH, config, corp};
use crate::app::{ISSUER, TestApp};

async fn app_of(provider: &Provider, reach: Reach, times: Times) -> TestApp {
    let app =
        TestApp::with_issuers(ExternalIssuers::new(&[config("corp", provider)], ISSUER, reach, times).unwrap()).await;
    store::tenants::ensure_tenant(&app.pool, &"acme".parse().unwrap(), "development").await.unwrap();
    app
}

#[tokio::test]
async fn a_new_key_is_found_when_its_first_token_comes() {
    let (corp, app) = corp(ALWAYS).await;
    let old = corp.token(&json!({}));
    app.whoami(&old).await.expect(200);
    let (first, second) = (corp.key(), ProviderKey::new("second"));
    corp.publishes(&[&first, &second]);
    app.whoami(&corp.token(&json!({}))).await.expect(200);
    app.whoami(&old).await.expect(200);
    assert_eq!(corp.reads(), 2, "a key that is known is not looked for");
    // Withdrawn: out with the next look.
    corp.publishes(&[&second]);
    app.whoami(&ProviderKey::new("third").sign(&corp.claims(&json!({})))).await.problem("INVALID_TOKEN");
    app.whoami(&old).await.problem("INVALID_TOKEN");
    app.whoami(&corp.token(&json!({}))).await.expect(200);
}

#[tokio::test]
async fn keys_are_read_again_without_being_asked_for() {
    let provider = Provider::start().await;
    let times = Times { refresh: Duration::from_millis(20), ..ONCE };
    let app = app_of(&provider, REACH, times).await;
    let stop = CancellationToken::new();
    let (watching, external) = (stop.clone(), app.external.clone());
    let watch = tokio::spawn(async move { external.watch(watching).await });
    let old = provider.token(&json!({}));
    let withdrawn = async {
        app.whoami(&old).await.expect(200);
        provider.publishes(&[&ProviderKey::new("second")]);
        while app.whoami(&old).await.status == 200 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), withdrawn).await.expect("the old key is forgotten");
    app.whoami(&provider.token(&json!({}))).await.expect(200);
    stop.cancel();
    watch.await.unwrap();
}

#[tokio::test]
async fn an_issuer_that_is_away_costs_nobody_anything_whose_key_is_known() {
    let (corp, app) = corp(ALWAYS).await;
    let token = corp.token(&json!({}));
    app.whoami(&token).await.expect(200);
    for manner in [Manner::Fails, Manner::Garbage, Manner::AsAnother, Manner::Redirects, Manner::Endless] {
        corp.is(manner);
        app.whoami(&ProviderKey::new("new").sign(&corp.claims(&json!({})))).await.problem("INVALID_TOKEN");
        app.whoami(&token).await.expect(200);
    }
    corp.is(Manner::Well);
    corp.publishes(&[&corp.key(), &ProviderKey::new("new")]);
    app.whoami(&corp.token(&json!({}))).await.expect(200);
}

#[tokio::test]
async fn an_issuer_that_was_never_reached_makes_nobody_wait_and_nobody_valid() {
    for manner in [Manner::Fails, Manner::Garbage, Manner::AsAnother, Manner::Redirects, Manner::Endless, Manner::Hangs]
    {
        let provider = Provider::start().await;
        provider.is(manner);
        let timeout = if let Manner::Hangs = manner { Duration::from_secs(1) } else { REACH.timeout };
        let app = app_of(&provider, Reach { timeout, ..REACH }, ONCE).await;
        let token = provider.token(&json!({}));
        app.whoami(&token).await.problem("SERVICE_UNAVAILABLE");
        // The next one does not wait for it again, and others are served as ever.
        app.whoami(&token).await.problem("SERVICE_UNAVAILABLE");
        assert!(provider.reads() <= 1, "{manner:?}");
        let ada = app.developer("ada").await;
        app.whoami(&ada.token).await.expect(200);
    }
}

#[tokio::test]
async fn keys_are_not_believed_for_ever() {
    let provider = Provider::start().await;
    let app = app_of(&provider, REACH, Times { stale: Duration::ZERO, ..ALWAYS }).await;
    app.whoami(&provider.token(&json!({}))).await.problem("SERVICE_UNAVAILABLE");
    assert_eq!(provider.reads(), 1);
}

#[tokio::test]
async fn outside_of_development_nothing_is_fetched_over_plain_http() {
    let provider = Provider::start().await;
    let app = app_of(&provider, Reach { scheme: Scheme::Https, ..REACH }, ALWAYS).await;
    app.whoami(&provider.token(&json!({}))).await.problem("SERVICE_UNAVAILABLE");
    assert_eq!(provider.reads(), 0);
}
