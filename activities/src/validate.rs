//! `validate`: checks that the reference leads to a job, and begins it; of an encrypted job also that what it refers to
//! is there and its tenant's own. It never reads a ciphertext.

use std::sync::Arc;

use anyhow::Result;
use jobs::fhe::{EncryptedDataUrl, KeyMode};
use jobs::submission::JobType;
use jobs::{ErrorCode, JobId};
use store::PgPool;
use store::cancel::WorkflowRun;
use store::client_keys::{self, KeyStatus};
use store::transition::{self, Begun, Ending, Units};
use temporalio_macros::activities;
use temporalio_sdk::activities::{ActivityContext, ActivityError};
use workflows::activities::{JobRef, Step};

use crate::fhe::read_request;

/// Runs as a local activity: one marker in the history.
pub struct Validate {
    pub pool: PgPool,
    /// Origin under which clients reach the API: URLs of our own blobs begin with it.
    pub public_url: String,
}

#[activities]
impl Validate {
    #[activity(name = "validate")]
    pub async fn validate(self: Arc<Self>, ctx: ActivityContext, job: JobRef) -> Result<Step, ActivityError> {
        let info = ctx.info();
        let run = info.workflow_id.clone().zip(info.workflow_run_id.clone());
        let run = run.map(|(workflow_id, run_id)| WorkflowRun { workflow_id, run_id });
        let begun = transition::begin(&self.pool, job.job_id, run.as_ref()).await?;
        match begun {
            Begun { step: Step::Compute, job_type: JobType::FheCompute } => Ok(self.refer(job.job_id).await?),
            Begun { step, .. } => Ok(step),
        }
    }

    /// Follows an encrypted job's references; one that leads nowhere ends the job.
    async fn refer(&self, job: JobId) -> Result<Step> {
        let Some((code, detail)) = self.astray(job).await? else { return Ok(Step::Compute) };
        let ending = Ending::Failed { code, detail };
        Ok(transition::conclude(&self.pool, job, &ending, Units::NONE).await?)
    }

    async fn astray(&self, job: JobId) -> Result<Option<(ErrorCode, String)>> {
        let invalid = |detail: &str| Ok(Some((ErrorCode::JobValidationFailed, detail.to_owned())));
        let stored = store::fhe::load(&self.pool, job).await?;
        let Some(request) = read_request(&stored.payload) else {
            return invalid("The payload is not one of an encrypted job.");
        };
        match request.data(&self.public_url) {
            Err(reason) => return invalid(&format!("encrypted_data_url {reason}.")),
            Ok(EncryptedDataUrl::Blob(sha256)) => {
                if store::blobs::find(&self.pool, &stored.tenant, sha256).await?.is_none() {
                    return invalid("encrypted_data_url names no blob of yours.");
                }
            }
            Ok(EncryptedDataUrl::Remote(_)) => {}
        }
        if let (KeyMode::Client, Some(id)) = (request.key.mode, request.key.key_id) {
            let mismatch = |detail: &str| Ok(Some((ErrorCode::KeyMismatch, detail.to_owned())));
            match client_keys::find(&self.pool, &stored.tenant, id.0).await? {
                None => return mismatch("There is no such key of yours."),
                Some(key) if key.status == KeyStatus::Refused => return mismatch("The key was refused."),
                Some(_) => {}
            }
        }
        Ok(None)
    }
}
