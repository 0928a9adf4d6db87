//! The plain job: the factors of a number that everybody may see.

use anyhow::{Context, Result};
use jobs::wire::Job;
use serde_json::json;

use super::story::Story;
use crate::output;

/// Two 60-bit primes: 1152921504606846883 and 1152921504606846869.
const NUMBER: &str = "1329227995784915642319506138910959327";

pub(super) async fn show(story: &Story<'_>) -> Result<()> {
    output::line(format_args!("\nA plain job: the prime factors of {NUMBER}"))?;
    let body = json!({
        "type": "compute",
        "payload": {"algorithm": "prime_factorization", "input": {"number": NUMBER}, "parameters": {"timeout": 300}},
        "priority": "normal",
        "use_fhe": false
    });
    let submitted = story.zama.submit(&body, None, None).await?;
    output::line(format_args!("  accepted as {} (idempotency key {})", submitted.job_id(), submitted.key))?;
    let job = story.follow(submitted.job_id()).await?;
    tell_result(&job)?;
    story.tell_confirmation(&job)?;
    story.tell_receipt(&job).await?;
    story.tell_usage(job.job_id).await
}

fn tell_result(job: &Job) -> Result<()> {
    let result = job.result.as_ref().context("the job has no result")?;
    output::line(format_args!("\nResult\n  {}", result.value.as_ref().context("the result is not inline")?))?;
    output::line(format_args!("  SHA-256 {}", result.hash))?;
    Ok(())
}
