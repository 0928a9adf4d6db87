//! How the parts are. They are looked at in the background, so that any number of questions costs nothing, and an answer
//! never waits for a part that does not answer.

mod engine;
mod probe;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use futures::future::join_all;
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

pub use engine::{Encrypted, database_probe, engine_probes};
pub use probe::{Probe, Sight};

/// How long a part may take to answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the service is made of, as its operators see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PartName {
    Database,
    /// Temporal.
    Workflows,
    /// Who runs workflows and confirms.
    WorkerJobs,
    /// Who computes on plain inputs.
    WorkerCompute,
    /// Who computes on ciphertexts.
    WorkerFhe,
    /// The EVM node and the registry.
    Chain,
    /// Lago.
    Billing,
    KeyManager,
}

/// How a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum PartStatus {
    Ok,
    Unavailable,
    /// It was not looked at yet, or what would tell of it does not answer.
    Unknown,
    /// This installation does without it.
    Off,
}

/// A part as it was seen last.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    pub status: PartStatus,
    /// Since when it is so, as far as this process saw it.
    pub since: DateTime<Utc>,
    /// What is wrong; null when nothing is.
    #[schema(example = "Temporal does not answer.")]
    pub detail: Option<String>,
}

/// All parts, and how to look at them.
pub struct Health {
    probes: Vec<Probe>,
    seen: Mutex<BTreeMap<PartName, Part>>,
    /// When the process began to look.
    began: DateTime<Utc>,
}

impl Health {
    /// Knows nothing yet. A part without a probe is off.
    #[must_use]
    pub fn new(probes: Vec<Probe>) -> Self {
        let began = now();
        let unknown = |probe: &Probe| {
            let detail = Some("It was not looked at yet.".to_owned());
            (probe.part(), Part { status: PartStatus::Unknown, since: began, detail })
        };
        let seen = Mutex::new(probes.iter().map(unknown).collect());
        Self { probes, seen, began }
    }

    /// Looks at every part once, at all of them at the same time.
    pub async fn look(&self) {
        join_all(self.probes.iter().map(|probe| self.look_through(probe))).await;
    }

    /// Looks at each part again and again, until `stop`.
    pub async fn watch(&self, stop: CancellationToken) {
        join_all(self.probes.iter().map(async |probe| {
            while !stop.is_cancelled() {
                self.look_through(probe).await;
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(probe.every()) => {}
                }
            }
        }))
        .await;
    }

    /// A part as it was seen last.
    pub(crate) fn part(&self, part: PartName) -> Part {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let off = || Part { status: PartStatus::Off, since: self.began, detail: None };
        seen.get(&part).cloned().unwrap_or_else(off)
    }

    async fn look_through(&self, probe: &Probe) {
        let sight = match tokio::time::timeout(PATIENCE, probe.look()).await {
            Ok(sight) => sight,
            Err(_) => Sight::Unavailable("It does not answer in time.".to_owned()),
        };
        self.note(probe.part(), sight);
    }

    fn note(&self, part: PartName, sight: Sight) {
        let (status, detail) = match sight {
            Sight::Ok => (PartStatus::Ok, None),
            Sight::Unavailable(detail) => (PartStatus::Unavailable, Some(detail)),
            Sight::Unknown(detail) => (PartStatus::Unknown, Some(detail)),
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let before = seen.get(&part);
        let changed = before.is_none_or(|before| before.status != status);
        let since = before.filter(|_| !changed).map_or_else(now, |before| before.since);
        if changed {
            match status {
                PartStatus::Unavailable => tracing::warn!(?part, detail, "a part is unavailable"),
                _ => tracing::info!(?part, ?status, "a part is seen otherwise"),
            }
        }
        seen.insert(part, Part { status, since, detail });
    }
}

fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A probe that sees one thing after another, the last for ever.
    fn seeing(part: PartName, sights: Vec<Sight>) -> (Probe, Arc<AtomicUsize>) {
        let looks = Arc::new(AtomicUsize::new(0));
        let count = looks.clone();
        let probe = Probe::new(part, Duration::from_millis(1), move || {
            let sight = sights[count.fetch_add(1, Ordering::Relaxed).min(sights.len() - 1)].clone();
            async move { sight }
        });
        (probe, looks)
    }

    fn away() -> Sight {
        Sight::Unavailable("It is away.".to_owned())
    }

    #[tokio::test]
    async fn the_time_is_that_of_the_change() {
        let (probe, _) = seeing(PartName::Chain, vec![Sight::Ok, away(), away(), Sight::Ok]);
        let health = Health::new(vec![probe]);
        let first = health.part(PartName::Chain);
        assert_eq!((first.status, first.detail.is_some()), (PartStatus::Unknown, true));
        let mut seen = Vec::new();
        for _ in 0..4 {
            health.look().await;
            seen.push(health.part(PartName::Chain));
            while now() == seen.last().map_or(first.since, |part| part.since) {
                tokio::task::yield_now().await;
            }
        }
        let told: Vec<_> = seen.iter().map(|part| (part.status, part.detail.is_some())).collect();
        let (ok, away) = ((PartStatus::Ok, false), (PartStatus::Unavailable, true));
        assert_eq!(told, [ok, away, away, ok]);
        assert!(seen[0].since < seen[1].since && seen[2].since < seen[3].since);
        assert_eq!(seen[1].since, seen[2].since, "it is away since it went away");
        assert_eq!(health.part(PartName::Billing).status, PartStatus::Off, "nobody looks at it");
    }

    #[tokio::test]
    async fn one_that_hangs_is_unavailable_and_delays_no_other() {
        let hangs = Probe::new(PartName::Billing, Duration::from_secs(5), std::future::pending);
        let (sound, _) = seeing(PartName::Chain, vec![Sight::Ok]);
        let health = Health::new(vec![hangs, sound]);
        health.look().await;
        assert_eq!(health.part(PartName::Billing).status, PartStatus::Unavailable);
        assert_eq!(health.part(PartName::Chain).status, PartStatus::Ok);
    }

    #[tokio::test]
    async fn it_looks_again_until_it_is_told_to_stop() {
        let (probe, looks) = seeing(PartName::Chain, vec![Sight::Ok, away()]);
        let health = Arc::new(Health::new(vec![probe]));
        let stop = CancellationToken::new();
        let watch = tokio::spawn({
            let (health, stop) = (health.clone(), stop.clone());
            async move { health.watch(stop).await }
        });
        while looks.load(Ordering::Relaxed) < 3 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(health.part(PartName::Chain).status, PartStatus::Unavailable);
        stop.cancel();
        watch.await.unwrap();
    }
}
