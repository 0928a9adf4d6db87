//! Batches that cannot go on for a reason of their own: each rests, ever longer, and holds up no other.

use std::collections::HashMap;
use std::time::Duration;

use store::batches::OpenBatch;
use tokio::time::Instant;
use uuid::Uuid;

use super::diagnosis::Diagnosis;

/// The first rest; each further one is twice as long ...
const FIRST_REST: Duration = Duration::from_secs(1);
/// ... up to this, so that what an operator mended goes on soon.
const LONGEST_REST: Duration = Duration::from_secs(30);

struct Refusal {
    why: String,
    rest: Duration,
    until: Instant,
}

/// What this process knows of such batches; another process finds out by itself.
#[derive(Default)]
pub(super) struct Refusals(HashMap<Uuid, Refusal>);

impl Refusals {
    /// Notes why a batch cannot go on.
    pub(super) fn note(&mut self, batch: &OpenBatch, diagnosis: Diagnosis, error: &anyhow::Error, now: Instant) {
        let why = format!("{error:#}");
        let before = self.0.get(&batch.id);
        if before.is_none_or(|before| before.why != why) {
            let reason = diagnosis.label();
            tracing::error!(batch.id = %batch.id, batch.jobs = batch.job_count, reason, error = why, "the batch cannot go on");
        }
        metrics::counter!("zama_batch_refusals_total", "reason" => diagnosis.label()).increment(1);
        let rest = before.map_or(FIRST_REST, |before| (before.rest * 2).min(LONGEST_REST));
        self.0.insert(batch.id, Refusal { why, rest, until: now + rest });
    }

    /// How many batches cannot go on.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// The batch goes on.
    pub(super) fn forget(&mut self, batch: Uuid) {
        if self.0.remove(&batch).is_some() {
            tracing::info!(batch.id = %batch, "the batch goes on");
        }
    }

    /// Batches that cannot go on.
    pub(super) fn batches(&self) -> impl Iterator<Item = Uuid> {
        self.0.keys().copied()
    }

    /// Forgets all but these: the others went on without this process.
    pub(super) fn keep(&mut self, open: &[Uuid]) {
        self.0.retain(|batch, _| open.contains(batch));
    }

    /// Batches that are left alone for now.
    pub(super) fn resting(&self, now: Instant) -> Vec<Uuid> {
        self.0.iter().filter(|(_, refusal)| refusal.until > now).map(|(batch, _)| *batch).collect()
    }

    /// In words, for operators.
    pub(super) fn told(&self) -> Option<String> {
        let (batch, refusal) = self.0.iter().next()?;
        let others = match self.0.len() - 1 {
            0 => String::new(),
            others => format!(" (and {others} more)"),
        };
        Some(format!("batch {batch}: {}{others}", refusal.why))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch() -> OpenBatch {
        OpenBatch {
            id: Uuid::new_v4(),
            root: [1; 32],
            entries: serde_json::Value::Null,
            job_count: 1,
            from_block: 0,
            sealed_at: chrono::Utc::now(),
            was_sent: false,
        }
    }

    #[test]
    fn a_batch_that_another_process_took_further_is_told_no_more() {
        let (mut refusals, [gone, stays]) = (Refusals::default(), [batch(), batch()]);
        for bad in [&gone, &stays] {
            refusals.note(bad, Diagnosis::Paused, &anyhow::anyhow!("paused"), Instant::now());
        }
        assert_eq!(refusals.batches().count(), 2);
        refusals.keep(&[stays.id]);
        assert_eq!((refusals.count(), refusals.batches().next()), (1, Some(stays.id)));
    }

    #[test]
    fn a_batch_that_reverts_rests_alone_and_ever_longer() {
        let (mut refusals, bad, now) = (Refusals::default(), batch(), Instant::now());
        let refuse = |refusals: &mut Refusals, at| {
            refusals.note(&bad, Diagnosis::Paused, &anyhow::anyhow!("paused"), at);
        };
        refuse(&mut refusals, now);
        assert_eq!(refusals.resting(now), [bad.id]);
        let later = now + FIRST_REST;
        assert!(refusals.resting(later).is_empty(), "it is tried again");
        refuse(&mut refusals, later);
        assert_eq!(refusals.resting(later + FIRST_REST), [bad.id], "twice as long");
        assert!(refusals.told().is_some_and(|told| told.contains(&bad.id.to_string())));
        assert_eq!(refusals.count(), 1);
        refusals.forget(bad.id);
        assert_eq!(refusals.told(), None);
    }
}
