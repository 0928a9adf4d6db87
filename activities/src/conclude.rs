//! `conclude`: ends a job that has no result, billing what was done unless the fault is ours.

use std::sync::Arc;

use jobs::JobId;
use jobs::algorithm::{Input, payload_units, units_done};
use jobs::submission::JobType;
use store::compute::{self, ComputeJob};
use store::fhe::attempts::{self, WorkDone};
use store::transition::{self, Ending, Units};
use store::{PgPool, StoreError};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::{Conclusion, Reason, Step};

pub struct Conclude {
    pub pool: PgPool,
}

#[activities]
impl Conclude {
    #[activity(name = "conclude")]
    pub async fn conclude(
        self: Arc<Self>,
        _ctx: ActivityContext,
        conclusion: Conclusion,
    ) -> Result<Step, ActivityError> {
        let ending = match conclusion.reason {
            Reason::Cancelled => Ending::Cancelled,
            Reason::Failed { code, detail } => Ending::Failed { code, detail },
        };
        Ok(end(&self.pool, conclusion.job_id, &ending).await?)
    }
}

/// Ends a job that has no result, for what was done.
pub(crate) async fn end(pool: &PgPool, id: JobId, ending: &Ending) -> Result<Step, StoreError> {
    let job = compute::load(pool, id).await?;
    let units = match job.job_type {
        JobType::Compute => Units::plain(done(&job)),
        JobType::FheCompute => encrypted_done(&job, attempts::work_done(pool, id).await?),
    };
    transition::conclude(pool, id, ending, units).await
}

/// Units of a computation that was cut short: the payload's, and the share of the execution's that was done.
fn done(job: &ComputeJob) -> u64 {
    let execution = read_input(&job.payload).map_or(0, |input| input.execution_units());
    // Progress is between 0 and 100; what is not a whole percent is given away.
    let percent = job.progress_percent.clamp(0.0, 100.0) as u8;
    payload_units(job.payload.len()) + units_done(execution, percent)
}

/// The same of an encrypted job: carrying payload and inputs, and the bootstrappings that were done.
fn encrypted_done(job: &ComputeJob, work: WorkDone) -> Units {
    let inputs = usize::try_from(work.input_bytes).unwrap_or(usize::MAX);
    Units {
        compute: payload_units(job.payload.len()) + payload_units(inputs),
        fhe: jobs::fhe::units::units_done(work.pbs),
    }
}

/// The input of a stored payload, which admission has checked.
pub(crate) fn read_input(payload: &str) -> Option<Input> {
    let payload: serde_json::Value = serde_json::from_str(payload).ok()?;
    let algorithm = payload.get("algorithm")?.as_str()?.parse().ok()?;
    Input::parse(algorithm, payload.get("input")).ok()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jobs::JobStatus;

    /// A job of one unit for its payload and 64 for its execution.
    pub(crate) fn job(progress_percent: f32) -> ComputeJob {
        ComputeJob {
            tenant: "acme".into(),
            job_type: JobType::Compute,
            status: JobStatus::Processing,
            payload:
                r#"{"algorithm":"prime_factorization","input":{"number":"340282366920938463463374607431768211455"}}"#
                    .into(),
            timeout_seconds: 300,
            deadline: None,
            cancel_requested: true,
            progress_percent,
            ceiling: None,
        }
    }

    #[test]
    fn half_of_the_work_is_half_of_the_units() {
        let [none, half, all] = [0.0, 50.9, 100.0].map(|percent| done(&job(percent)));
        assert_eq!(none, 1, "carrying the payload was done");
        assert_eq!(all - none, 64);
        assert_eq!(half - none, 32);
    }

    #[test]
    fn an_encrypted_job_pays_for_what_was_carried_and_bootstrapped() {
        let units = |input_bytes, pbs| encrypted_done(&job(0.0), WorkDone { input_bytes, pbs });
        assert_eq!(units(0, 0), Units { compute: 1, fhe: 0 });
        assert_eq!(units(2_049, 299), Units { compute: 4, fhe: 2 });
    }
}
