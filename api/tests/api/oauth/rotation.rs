//! Rotation of the signing keys: nobody is thrown out by it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use api::token::{KeyState, list_keys, rotate_keys, withdraw_key};
use tokio_util::sync::CancellationToken;

use super::{access_token, refresh_token};
use crate::app::{TestApp, keys_secret};

fn kid(token: &str) -> String {
    jsonwebtoken::decode_header(token).unwrap().kid.unwrap()
}

impl TestApp {
    async fn rotates(&self, published_for: Duration) -> String {
        rotate_keys(&self.pool, &keys_secret(), published_for).await.unwrap().kid
    }

    async fn published(&self) -> BTreeSet<String> {
        let set = self.send(crate::app::Call::get("/.well-known/jwks.json")).await.expect(200);
        set["keys"].as_array().unwrap().iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn a_key_is_published_signs_and_is_kept_until_its_last_token_is_over() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let first = app.token_of(&program).await;
    let second = app.rotates(Duration::from_secs(600)).await;
    app.tokens.look().await.unwrap();
    assert!(app.published().await.contains(&second), "published before it signs");
    assert_eq!(kid(&app.token_of(&program).await), kid(&first), "it does not sign yet");

    app.sql("UPDATE token_keys SET signs_from = now() WHERE signs_from > now()").await;
    app.tokens.look().await.unwrap();
    let next = app.token_of(&program).await;
    assert_eq!(kid(&next), second);
    assert!(app.published().await.contains(&kid(&first)), "its tokens live on");
    app.whoami(&first).await.expect(200);
    app.whoami(&next).await.expect(200);
    let states = async || list_keys(&app.pool).await.unwrap().iter().map(|key| key.state).collect::<Vec<_>>();
    assert_eq!(states().await, [KeyState::Retiring, KeyState::Signs]);

    app.sql("UPDATE token_keys SET signs_from = signs_from - interval '1 hour'").await;
    app.tokens.look().await.unwrap();
    assert!(!app.published().await.contains(&kid(&first)));
    assert_eq!(api::token::retire_keys(&app.pool).await.unwrap(), 1);
    assert_eq!(states().await, [KeyState::Signs]);
    app.whoami(&first).await.problem("INVALID_TOKEN");
    app.whoami(&next).await.expect(200);
}

#[tokio::test]
async fn a_key_that_nobody_has_met_is_looked_for() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let second = app.beside();
    second.whoami(&app.token_of(&program).await).await.expect(200);
    app.rotates(Duration::ZERO).await;
    app.tokens.look().await.unwrap();
    let token = app.token_of(&program).await;
    // The other process looks again, at most once a second.
    let began = Instant::now();
    while second.whoami(&token).await.status != 200 {
        assert!(began.elapsed() < Duration::from_secs(30));
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_person_stays_logged_in_through_rotations() {
    let app = TestApp::new().await;
    let mut tokens = app.logged_in("ada").await;
    for _ in 0..3 {
        let key = app.rotates(Duration::ZERO).await;
        app.tokens.look().await.unwrap();
        let next = app.refresh(&refresh_token(&tokens)).await.expect(200);
        assert_eq!(kid(&access_token(&next)), key);
        for tokens in [&tokens, &next] {
            app.whoami(&access_token(tokens)).await.expect(200);
        }
        tokens = next;
    }
}

#[tokio::test]
async fn a_withdrawn_key_is_out_with_its_tokens() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let leaked = app.token_of(&program).await;
    app.rotates(Duration::ZERO).await;
    assert!(withdraw_key(&app.pool, &kid(&leaked)).await.unwrap());
    assert!(!withdraw_key(&app.pool, &kid(&leaked)).await.unwrap(), "it is gone");
    app.tokens.look().await.unwrap();
    app.whoami(&leaked).await.problem("INVALID_TOKEN");
    app.whoami(&app.token_of(&program).await).await.expect(200);
}

#[tokio::test]
async fn a_key_that_somebody_wrote_into_the_database_is_none() {
    let app = TestApp::new().await;
    let program = app.program("robot").await;
    let good = app.token_of(&program).await;
    let strangers = api::token::KeysSecret::new("another installation's".to_owned());
    let added = rotate_keys(&app.pool, &strangers, Duration::ZERO).await.unwrap();
    app.tokens.look().await.unwrap();
    assert!(!app.published().await.contains(&added.kid));
    assert_eq!(kid(&app.token_of(&program).await), kid(&good));
}

/// Two processes, programs that fetch tokens from the one and use them at the other, and a rotation again and again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_load_no_valid_token_is_refused() {
    let app = Arc::new(TestApp::new().await);
    let nodes = [app.clone(), Arc::new(app.beside())];
    let program = app.program("robot").await;
    let (stop, over) = (CancellationToken::new(), Arc::new(AtomicBool::new(false)));
    let watches: Vec<_> = nodes
        .iter()
        .map(|node| {
            let (tokens, stop) = (node.tokens.clone(), stop.clone());
            tokio::spawn(async move { tokens.watch(stop).await })
        })
        .collect();
    let used = Arc::new(AtomicU32::new(0));
    let clients: Vec<_> = (0..4)
        .map(|at| {
            let (nodes, program, over, used) = (nodes.clone(), program.clone(), over.clone(), used.clone());
            tokio::spawn(async move {
                let (mut kids, mut oldest) = (BTreeSet::new(), None);
                while !over.load(Ordering::Relaxed) {
                    let token = nodes[at % 2].token_of(&program).await;
                    kids.insert(kid(&token));
                    let oldest = oldest.get_or_insert_with(|| token.clone());
                    for node in &nodes {
                        node.whoami(&token).await.expect(200);
                        node.whoami(oldest).await.expect(200);
                    }
                    used.fetch_add(1, Ordering::Relaxed);
                }
                kids
            })
        })
        .collect();
    let mut added = BTreeSet::new();
    for _ in 0..3 {
        // Far longer than a process takes to see it.
        let key = app.rotates(Duration::from_secs(2)).await;
        added.insert(key.clone());
        let before = used.load(Ordering::Relaxed);
        let began = Instant::now();
        while kid(&nodes[0].token_of(&program).await) != key || used.load(Ordering::Relaxed) < before + 8 {
            assert!(began.elapsed() < Duration::from_secs(60), "the key signs");
            tokio::task::yield_now().await;
        }
    }
    over.store(true, Ordering::Relaxed);
    let mut seen = BTreeSet::new();
    for client in clients {
        seen.extend(client.await.expect("no token was refused"));
    }
    assert!(seen.is_superset(&added), "each key signed: {seen:?} {added:?}");
    stop.cancel();
    for watch in watches {
        watch.await.unwrap();
    }
}
