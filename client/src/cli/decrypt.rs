//! `decrypt`: fetches an encrypted job's result, checks where it comes from, and opens it here.

use std::path::PathBuf;
use std::time::Duration;

use alloy::primitives::B256;
use clap::Args;
use jobs::{JobId, JobStatus};

use super::dev_env::DevEnv;
use super::error::CliError;
use super::exit::Exit;
use super::follow::watch;
use super::globals::Session;
use super::inputs::read_source;
use super::moment::duration;
use super::paint::{Paint, tame};
use super::secrets::{own_key, recipient, submitter};
use super::table::pairs;
use super::trust_args::TrustArgs;
use super::working::Working;
use crate::encrypted::{Opened, Output, Retrieve, Trust};
use crate::transport::Client;
use crate::wait::Waited;

/// How long the key manager may take to see what the API sees already, with --wait.
const SETTLING: Duration = Duration::from_secs(120);

/// What `decrypt` takes.
#[derive(Args, Debug)]
pub struct DecryptArgs {
    /// Id of the job.
    pub id: JobId,
    /// File with the submitter's key, 0x-hex [default: ZAMA_SUBMITTER_KEY, the variable or of .zama/dev.env]
    #[arg(long, value_name = "FILE")]
    submitter_key: Option<PathBuf>,
    /// Private P-256 key (PEM) to seal to [default: one that is made for this request alone]
    #[arg(long, value_name = "FILE", conflicts_with = "client_key")]
    sealing_key: Option<PathBuf>,
    /// The job's receipt, as its owner handed it over; - for stdin [default: the API's, for jobs of your own tenant]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["client_key", "wait"])]
    receipt: Option<String>,
    /// The result is under this key of your own
    #[arg(long, value_name = "FILE", conflicts_with_all = ["submitter_key", "key_manager"])]
    client_key: Option<PathBuf>,
    /// Id of that key, where its evaluation key is not at hand
    #[arg(long, value_name = "0xHASH", requires = "client_key")]
    key_id: Option<B256>,
    #[command(flatten)]
    trust: TrustArgs,
    /// Wait until the result can be had
    #[arg(long)]
    wait: bool,
    /// With --wait: give up after this time (90s, 10m); the job goes on
    #[arg(long, value_name = "TIME", value_parser = duration, requires = "wait")]
    max_wait: Option<Duration>,
}

pub(super) async fn decrypt(session: &Session, args: &DecryptArgs) -> Result<Exit, CliError> {
    let way = Way::of(session, args)?;
    let client = session.client()?;
    if args.wait {
        let waited = watch(&client, args.id, args.max_wait).await?;
        let job = waited.job();
        if matches!(waited, Waited::TimedOut(_)) || job.status != JobStatus::Completed {
            session.output.job(job)?;
            return Ok(Exit::of_waited(&waited));
        }
    }
    let opened = open(&client, args, way).await?;
    session.output.result(&opened, |paint| text(&opened.outputs().unwrap_or_default(), paint))?;
    session.output.notice(&assurance(&opened));
    Ok(Exit::Success)
}

/// Everything that only this machine knows.
enum Way {
    Network { submitter: crate::Submitter, retrieve: Retrieve },
    Own { key: crate::OwnKey, trust: Trust },
}

impl Way {
    /// Whatever is wrong on this side is said before anything is asked.
    fn of(session: &Session, args: &DecryptArgs) -> Result<Self, CliError> {
        if let Some(file) = &args.client_key {
            return Ok(Self::Own { key: own_key(file, args.key_id)?, trust: args.trust.resolve(DevEnv::find)? });
        }
        let mut retrieve = Retrieve::new(args.trust.require(DevEnv::find)?);
        if args.wait {
            retrieve = retrieve.patient(args.max_wait.unwrap_or(SETTLING));
        }
        if let Some(file) = &args.receipt {
            let receipt = serde_json::from_slice(&read_source(file)?);
            let fault = |error| CliError::usage(format!("{file} is not a receipt: {error}"));
            retrieve = retrieve.with_receipt(receipt.map_err(fault)?);
        }
        if let Some(file) = &args.sealing_key {
            retrieve = retrieve.sealed_to(recipient(file)?);
        }
        Ok(Self::Network { submitter: submitter(session, args.submitter_key.as_deref())?, retrieve })
    }
}

async fn open(client: &Client, args: &DecryptArgs, way: Way) -> Result<Opened, CliError> {
    let _working = Working::start("fetching, checking and opening the result");
    Ok(match way {
        Way::Network { submitter, retrieve } => Box::pin(client.retrieve(args.id, &submitter, retrieve)).await?,
        Way::Own { key, trust } => Box::pin(client.decrypt(args.id, &key, &trust)).await?,
    })
}

fn text(outputs: &[Output], paint: Paint) -> String {
    let lines: Vec<(String, String)> = outputs
        .iter()
        .map(|output| {
            let value = output.value.as_str().map_or_else(|| output.value.to_string(), str::to_owned);
            (tame(&output.name), paint.strong(&tame(&value)))
        })
        .collect();
    pairs(&lines)
}

/// What was checked, and what was not.
fn assurance(opened: &Opened) -> String {
    let hash = opened.result_hash();
    let chain = match opened.report() {
        None => format!("result {hash} was not checked against any chain"),
        Some(_) => format!("result {hash} is confirmed by the registry {}", opened.registry()),
    };
    match opened.key_manager() {
        Some(key_manager) => format!("{chain}; opened and signed by the key manager {key_manager}"),
        None => chain,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn outputs_stand_in_their_order() {
        let output = |name: &str, value| Output { name: name.to_owned(), value };
        let outputs =
            [output("sum", json!("18446744073709551615")), output("above", json!(true)), output("m", json!(3))];
        assert_eq!(text(&outputs, Paint::plain()), "sum    18446744073709551615\nabove  true\nm      3\n");
    }
}
