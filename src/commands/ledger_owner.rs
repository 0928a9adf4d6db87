//! At a start in production: whether this process connects as a role that could rewrite the usage ledger.

use std::time::Duration;

use settings::{Deployment, Settings};
use store::{PgPool, roles};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Until a database that is away is asked again.
const AGAIN: Duration = Duration::from_secs(30);

/// Warns once if it is so, as soon as the database answers. A small installation may want it; then the warning is all.
pub(super) fn watch(settings: &Settings, pool: &PgPool, stop: CancellationToken) {
    if settings.environment != Deployment::Production {
        return;
    }
    let pool = pool.clone();
    tokio::spawn(async move {
        loop {
            match roles::owns_the_ledger(&pool).await {
                Ok(true) => {
                    tracing::warn!(
                        "the role of database.url owns the usage ledger and can rewrite it: set database.migration_url"
                    );
                    return;
                }
                Ok(false) => return,
                // Whoever serves tells that the database is away.
                Err(error) => tracing::debug!(%error, "who owns the usage ledger is not known yet"),
            }
            if stop.run_until_cancelled(sleep(AGAIN)).await.is_none() {
                return;
            }
        }
    });
}
