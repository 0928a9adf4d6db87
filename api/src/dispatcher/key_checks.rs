//! Starting the checks of uploaded keys: woken at once by an upload, and by the sweep for what a dead process left. A
//! pending key is the outbox of its own check.

use std::sync::Arc;

use store::PgPool;
use store::client_keys::{self, PendingKey};
use temporal::Engine;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use workflows::KeyCheckInput;

use super::Policy;

/// Keys claimed in one round.
const ROUND: i64 = 16;
/// A check that has no verdict after this long is started again; one that runs is found running.
const CLAIM_SECONDS: f64 = 60.0;

pub(super) async fn run(pool: PgPool, engine: Engine, policy: Policy, wake: Arc<Notify>, stop: CancellationToken) {
    loop {
        match client_keys::claim(&pool, ROUND, CLAIM_SECONDS).await {
            Ok(keys) => {
                for key in keys {
                    start_key_check(&engine, key).await;
                }
            }
            Err(error) => tracing::debug!(%error, "pending keys could not be read"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = wake.notified() => {}
            () = tokio::time::sleep(policy.sweep) => {}
        }
    }
}

/// One workflow a key, so that a second start finds the first.
async fn start_key_check(engine: &Engine, key: PendingKey) {
    let input = KeyCheckInput { tenant: key.tenant, key_id: key.key_id.into() };
    if let Err(error) = engine.ensure_key_check(input.clone()).await {
        tracing::warn!(tenant.id = %input.tenant, key.id = %input.key_id, %error, "the key's check waits");
    }
}
