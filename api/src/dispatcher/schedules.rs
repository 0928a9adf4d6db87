//! Looking after the schedule of the reconciliation: made at the first start, and put right when settings changed.

use std::time::Duration;

use temporal::Engine;
use tokio_util::sync::CancellationToken;

use super::Policy;

/// Between two looks at a schedule that is right: somebody may have deleted it.
const PAUSE: Duration = Duration::from_secs(600);

pub(super) async fn run(engine: Engine, policy: Policy, stop: CancellationToken) {
    loop {
        let pause = match engine.ensure_reconciliation(policy.reconcile_every).await {
            Ok(()) => PAUSE,
            Err(error) if error.is_unavailable() => {
                tracing::debug!(%error, "the schedule could not be looked after");
                policy.sweep
            }
            Err(error) => {
                tracing::warn!(%error, "the schedule cannot be looked after: nobody compares ledger and billing system");
                policy.sweep
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
    }
}
