//! A stored job as clients see it.

use std::collections::BTreeMap;

use jobs::wire::{Accepted, Confirmation, Job, JobError, JobResult, Links, Progress};
use jobs::{json, submission::JobType};
use store::jobs::{StoredConfirmation, StoredJob, StoredResult};

use crate::ApiState;
use crate::policy::problem::Problem;

/// # Errors
/// A stored value that our own code could not have written.
pub fn present(state: &ApiState, job: StoredJob) -> Result<Job, Problem> {
    let links = state.links(job.id);
    let use_fhe = job.job_type == JobType::FheCompute;
    let result = job.result.map(|result| present_result(result, use_fhe, &links)).transpose()?;
    let confirmation = job.confirmation.map(|confirmation| present_confirmation(&confirmation)).transpose()?;
    let usage: BTreeMap<String, i64> = serde_json::from_value(job.usage).map_err(|error| corrupt(&error))?;
    Ok(Job {
        job_id: job.id,
        job_type: job.job_type,
        algorithm: job.algorithm,
        status: job.status,
        priority: job.priority,
        submitter: job.submitter.into(),
        test_mode: job.test_mode,
        use_fhe,
        content_hash: job.content_hash.into(),
        created_at: job.created_at,
        updated_at: job.updated_at,
        started_at: job.started_at,
        completed_at: job.completed_at,
        deadline: job.deadline,
        estimated_completion: Some(job.estimated_completion),
        progress: Progress {
            // One decimal: what is stored is an f32, whose own digits would look like noise.
            percent: (f64::from(job.progress_percent) * 10.0).round() / 10.0,
            stage: job.progress_stage,
            detail: job.progress_detail,
        },
        error: job.error.map(|(code, detail)| JobError { code, detail, problem_type: state.problem_type(code) }),
        result,
        blockchain_confirmation: confirmation,
        usage,
        billing: None,
        links,
    })
}

/// What a caller may know of a job that it may not read: what its submission was answered, and its state now.
pub fn summarize(state: &ApiState, job: &StoredJob) -> Accepted {
    Accepted {
        job_id: job.id,
        status: job.status,
        created_at: job.created_at,
        estimated_completion: job.estimated_completion,
        links: state.links(job.id),
    }
}

fn present_result(result: StoredResult, use_fhe: bool, links: &Links) -> Result<JobResult, Problem> {
    // A ciphertext means nothing to a reader of JSON.
    let inline = result.inline.filter(|_| !use_fhe && result.media_type == "application/json");
    let value = inline.map(|bytes| json::parse(&bytes)).transpose().map_err(|error| corrupt(&error))?;
    Ok(JobResult {
        hash: result.hash.into(),
        media_type: result.media_type,
        size: result.size,
        url: links.result.clone(),
        value,
    })
}

fn present_confirmation(confirmation: &StoredConfirmation) -> Result<Confirmation, Problem> {
    Ok(Confirmation {
        chain_id: confirmation.chain_id,
        registry: fixed(&confirmation.registry)?.into(),
        index: confirmation.leaf_index,
        merkle_root: fixed(&confirmation.root)?.into(),
        tx_hash: optional(confirmation.tx_hash.as_deref())?.map(Into::into),
        block_number: confirmation.block_number,
        block_hash: optional(confirmation.block_hash.as_deref())?.map(Into::into),
        confirmed_at: confirmation.confirmed_at,
        finalized: confirmation.finalized,
    })
}

fn optional<const N: usize>(column: Option<&[u8]>) -> Result<Option<[u8; N]>, Problem> {
    column.map(fixed).transpose()
}

fn fixed<const N: usize>(column: &[u8]) -> Result<[u8; N], Problem> {
    column.try_into().map_err(|error| corrupt(&error))
}

fn corrupt(error: &dyn std::error::Error) -> Problem {
    Problem::damaged("job", error)
}
