//! Parts that are as the test says.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use api::health::{Health, PartName, Probe, Sight, database_probe};
use sqlx::PgPool;

/// All are well but those that the test says otherwise of; there is no key manager, and no FHE worker.
#[derive(Clone, Default)]
pub struct Parts {
    troubled: Arc<Mutex<BTreeMap<PartName, Sight>>>,
    looks: Arc<Mutex<u32>>,
}

impl Parts {
    const WATCHED: [PartName; 5] =
        [PartName::Workflows, PartName::WorkerJobs, PartName::WorkerCompute, PartName::Chain, PartName::Billing];

    pub fn are(&self, part: PartName, sight: Sight) {
        self.troubled.lock().unwrap().insert(part, sight);
    }

    /// How often a part was looked at.
    pub fn looks(&self) -> u32 {
        *self.looks.lock().unwrap()
    }

    pub(super) fn health(&self, pool: &PgPool) -> Health {
        let watched = Self::WATCHED.into_iter().map(|part| {
            let parts = self.clone();
            Probe::new(part, Duration::from_secs(1), move || {
                *parts.looks.lock().unwrap() += 1;
                let troubled = parts.troubled.lock().unwrap();
                std::future::ready(troubled.get(&part).cloned().unwrap_or(Sight::Ok))
            })
        });
        Health::new([database_probe(pool)].into_iter().chain(watched).collect())
    }
}
