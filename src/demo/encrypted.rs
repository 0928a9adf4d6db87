//! The encrypted job: statistics of numbers that nobody but their owner ever sees.

use std::time::Instant;

use anyhow::{Context, Result, ensure};
use client::{ClearValue, EncryptedJob, NetworkKey, Opened, Retrieve, Submitter, unwatched};
use jobs::wire::Job;

use super::story::{PATIENCE, Story, TENANT};
use crate::output;

/// What the owner knows.
const VALUES: [u8; 16] = [12, 200, 7, 91, 33, 150, 64, 64, 255, 0, 18, 77, 140, 5, 101, 42];

pub(super) async fn show(story: &Story<'_>) -> Result<()> {
    let submitter = story.wiring.submitter_key.as_deref().context("there is no submitter's key")?;
    let submitter = Submitter::from_hex(submitter)?;
    output::line(format_args!("\nAn encrypted job: statistics of {} numbers, computed on ciphertexts", VALUES.len()))?;
    output::line(format_args!("  the numbers (they stay here): {VALUES:?}"))?;
    let job = compute(story, &submitter).await?;
    tell_ciphertext(&job)?;
    story.tell_confirmation(&job)?;
    story.tell_receipt(&job).await?;
    let opened = retrieve(story, &submitter, &job).await?;
    compare(&opened)?;
    story.tell_usage(job.job_id).await
}

async fn compute(story: &Story<'_>, submitter: &Submitter) -> Result<Box<Job>> {
    let zama = &story.zama;
    let began = Instant::now();
    let key: NetworkKey = Box::pin(zama.network_key(&story.trust()?, None, &unwatched())).await?;
    let id = &key.info().key_id;
    output::line(format_args!("  network key {id}, signed by the key manager, in {}", seconds(began)))?;

    let began = Instant::now();
    let values = VALUES.map(ClearValue::U8).to_vec();
    let inputs = key.encrypt(values, submitter.origin(TENANT)).await?;
    output::line(format_args!("  encrypted and proved in {}: {} bytes", seconds(began), inputs.bytes().len()))?;

    let began = Instant::now();
    let job = EncryptedJob::new("encrypted_statistical_analysis");
    let submitted = zama.submit_encrypted(&job, inputs, None).await?;
    output::line(format_args!("  uploaded and accepted in {} as {}", seconds(began), submitted.job_id()))?;
    story.follow(submitted.job_id()).await
}

fn tell_ciphertext(job: &Job) -> Result<()> {
    let result = job.result.as_ref().context("the job has no result")?;
    output::line(format_args!("\nResult, as the service has it\n  {} bytes of ciphertext", result.size))?;
    output::line(format_args!("  SHA-256 {}", result.hash))?;
    Ok(())
}

async fn retrieve(story: &Story<'_>, submitter: &Submitter, job: &Job) -> Result<Opened> {
    let began = Instant::now();
    let retrieve = Retrieve::new(story.trust()?).patient(PATIENCE);
    let opened = Box::pin(story.zama.retrieve(job.job_id, submitter, retrieve)).await?;
    let took = seconds(began);
    output::line(format_args!("\nResult, as its owner reads it (signed for, decrypted, sealed and opened in {took})"))?;
    let key_manager = opened.key_manager().context("nobody signed the answer")?;
    output::line(format_args!("  signed by the key manager {key_manager}, as the registry pins it"))?;
    Ok(opened)
}

/// # Errors
/// A number is not the one that the clear computation gives.
fn compare(opened: &Opened) -> Result<()> {
    let outputs = opened.outputs()?;
    let expected = in_clear(&VALUES);
    ensure!(outputs.len() == expected.len(), "the result has {} outputs, not {}", outputs.len(), expected.len());
    for (output, (name, clear)) in outputs.iter().zip(expected) {
        let equal = output.name == name && output.value == clear;
        let verdict = if equal { "= in the clear" } else { "WRONG" };
        output::line(format_args!("  {:<9} {:>6}  {verdict}", output.name, output.value))?;
        ensure!(equal, "{} is {}, but in the clear {name} is {clear}", output.name, output.value);
    }
    Ok(())
}

/// The same statistics without encryption, in the result's order. Mean and variance (of the population) are rounded down.
fn in_clear(values: &[u8]) -> [(&'static str, u64); 6] {
    let count = values.len() as u64;
    let sum: u64 = values.iter().copied().map(u64::from).sum();
    let squares: u64 = values.iter().map(|value| u64::from(*value).pow(2)).sum();
    let extreme = |value: Option<&u8>| value.copied().map_or(0, u64::from);
    [
        ("count", count),
        ("sum", sum),
        ("mean", sum / count),
        ("min", extreme(values.iter().min())),
        ("max", extreme(values.iter().max())),
        ("variance", (count * squares - sum * sum) / (count * count)),
    ]
}

fn seconds(since: Instant) -> String {
    format!("{:.1} s", since.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_clear_answer_is_the_textbooks() {
        let expected = [("count", 4), ("sum", 10), ("mean", 2), ("min", 1), ("max", 4), ("variance", 1)];
        assert_eq!(in_clear(&[1, 2, 3, 4]), expected);
    }
}
