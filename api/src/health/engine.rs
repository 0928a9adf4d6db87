//! Looking at the database, at Temporal, and through Temporal at the workers.

use std::sync::Arc;
use std::time::Duration;

use jobs::submission::JobType;
use store::PgPool;
use temporal::Presence;
use workflows::task_queue::Queue;

use super::{PartName, Probe, Sight};

/// The database decides whether requests can be served, so it is looked at often.
const DATABASE_EVERY: Duration = Duration::from_secs(1);
const EVERY: Duration = Duration::from_secs(5);

/// A worker that waits for work asks for it again at least once a minute.
const FRESH: Duration = Duration::from_secs(90);

/// Whether the installation has workers for encrypted jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encrypted {
    Served,
    Off,
}

/// The probe of the database.
#[must_use]
pub fn database_probe(pool: &PgPool) -> Probe {
    let pool = pool.clone();
    Probe::new(PartName::Database, DATABASE_EVERY, move || database(pool.clone()))
}

/// The probes of Temporal and of the workers.
#[must_use]
pub fn engine_probes(pool: &PgPool, presence: Presence, encrypted: Encrypted) -> Vec<Probe> {
    let presence = Arc::new(presence);
    let worker = |part, queue| {
        let (pool, presence) = (pool.clone(), presence.clone());
        Probe::new(part, EVERY, move || worker(pool.clone(), presence.clone(), queue))
    };
    let mut probes = vec![
        Probe::new(PartName::Workflows, EVERY, {
            let presence = presence.clone();
            move || workflows(presence.clone())
        }),
        worker(PartName::WorkerJobs, Queue::Jobs),
        worker(PartName::WorkerCompute, Queue::Compute),
    ];
    if encrypted == Encrypted::Served {
        probes.push(worker(PartName::WorkerFhe, Queue::Fhe));
    }
    probes
}

async fn database(pool: PgPool) -> Sight {
    match store::ping(&pool).await {
        Ok(()) => Sight::Ok,
        Err(error) => {
            tracing::debug!(error = ?error, "the database does not answer");
            Sight::unavailable("The database does not answer.")
        }
    }
}

async fn workflows(presence: Arc<Presence>) -> Sight {
    match presence.namespace().await {
        Ok(()) => Sight::Ok,
        Err(error) => {
            tracing::debug!(%error, "Temporal does not answer");
            Sight::unavailable(if error.is_unavailable() {
                "Temporal does not answer."
            } else {
                "Temporal refuses: its namespace is missing, or closed to us."
            })
        }
    }
}

async fn worker(pool: PgPool, presence: Arc<Presence>, queue: Queue) -> Sight {
    let Ok(idle) = presence.since_last_poll(queue).await else {
        return Sight::unknown("Temporal does not answer.");
    };
    if idle.is_some_and(|idle| idle < FRESH) || is_busy(&pool, queue).await {
        return Sight::Ok;
    }
    Sight::Unavailable(match idle {
        Some(idle) => format!("No worker has asked for work for {} seconds.", idle.as_secs()),
        None => "No worker asks for work.".to_owned(),
    })
}

/// A worker that computes in all its slots asks for no more work, perhaps for minutes: its progress tells of it.
async fn is_busy(pool: &PgPool, queue: Queue) -> bool {
    let job_type = match queue {
        Queue::Jobs => return false,
        Queue::Compute => JobType::Compute,
        Queue::Fhe => JobType::FheCompute,
    };
    store::jobs::is_computing(pool, job_type, FRESH.as_secs_f64()).await.unwrap_or(false)
}
