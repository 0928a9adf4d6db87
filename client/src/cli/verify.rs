//! `verify`: checks a receipt without believing the service.

use alloy::primitives::B256;
use chain::verify::{Check, Outcome, Report, Source, Verdict, verify_receipt};
use clap::Args;
use jobs::receipt::Receipt;
use serde_json::json;

use super::chain_args::ChainArgs;
use super::dev_env::DevEnv;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::inputs::read_source;
use super::paint::{Paint, tame};
use super::verify_files::FileArgs;

/// What `verify` takes.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// File with the receipt, or - for stdin.
    receipt: String,
    #[command(flatten)]
    chain: ChainArgs,
    /// Verify without a network against this root of the batch, which you learnt elsewhere; says what stays unchecked
    #[arg(long, value_name = "0xHASH")]
    root: Option<B256>,
    #[command(flatten)]
    files: FileArgs,
}

pub(super) async fn verify(session: &Session, args: &VerifyArgs) -> Result<Exit, CliError> {
    let bytes = read_source(&args.receipt)?;
    let receipt: Receipt = serde_json::from_slice(&bytes)
        .map_err(|error| CliError::usage(format!("{} is not a receipt: {error}", args.receipt)))?;
    let source = source(args, DevEnv::find)?;
    let mut report = Box::pin(verify_receipt(&receipt, &source)).await;
    report.checks.extend(args.files.checks(&receipt)?);
    let verdict = report.verdict();
    // Null where the node gave no answer.
    let verified = match verdict {
        Verdict::Verifies => Some(true),
        Verdict::DoesNotVerify => Some(false),
        Verdict::Unknown => None,
    };
    let document = json!({
        "verified": verified,
        "finalized": report.finalized(),
        "job_id": job_id(&receipt),
        "checks": report.checks,
    });
    session.output.result(&document, |paint| text(&receipt, &report, paint))?;
    Ok(Exit::of_verdict(verdict))
}

/// A root excludes the chain, even where the environment names one.
fn source(args: &VerifyArgs, dev: impl FnOnce() -> Result<Option<DevEnv>, CliError>) -> Result<Source, CliError> {
    if let Some(root) = args.root {
        return Ok(Source::Root { root, registry: args.chain.registry()? });
    }
    let chain = args.chain.resolve(dev)?.ok_or_else(|| {
        CliError::usage("no EVM node to ask: give --rpc URL or set ZAMA_RPC, or give a trusted --root 0x…")
    })?;
    Ok(Source::Rpc { url: chain.url, registry: chain.registry })
}

/// The job's UUID, which the leaf holds left-aligned.
fn job_id(receipt: &Receipt) -> Option<jobs::JobId> {
    let id = receipt.leaf.job_id.as_slice();
    uuid::Uuid::from_slice(&id[..16]).ok().map(jobs::JobId)
}

fn text(receipt: &Receipt, report: &Report, paint: Paint) -> String {
    let width = report.checks.iter().map(|check| check.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for check in &report.checks {
        let mark = match check.outcome {
            Outcome::Passed => paint.good("ok  "),
            Outcome::Failed => paint.bad("FAIL"),
            Outcome::Unanswered => paint.bad("?   "),
            Outcome::NotChecked => paint.faint("-   "),
            Outcome::Pending => paint.strong("wait"),
        };
        text.push_str(&format!("{mark}  {:width$}  {}\n", check.name, tame(&explained(check))));
    }
    let job = job_id(receipt).map(|id| id.to_string()).unwrap_or_default();
    let left: Vec<_> = report.with(Outcome::NotChecked).map(|check| check.name).collect();
    let verdict = match report.verdict() {
        Verdict::Verifies => {
            let how = match report.finalized() {
                Some(false) => "verifies; its block is not final yet",
                None if !left.is_empty() => "verifies against the given root",
                Some(true) | None => "verifies",
            };
            let open = match report.believes_the_registry() {
                true => {
                    format!("\nNot checked: whether {} is your registry; name it with --registry.", receipt.registry)
                }
                false if left.is_empty() => String::new(),
                false => format!("\nNot checked, since only the chain knows: {}.", left.join(", ")),
            };
            paint.good(&format!("The receipt of job {job} {how}.")) + &open
        }
        Verdict::DoesNotVerify => paint.bad(&format!("The receipt of job {job} does not verify.")),
        Verdict::Unknown => paint.bad(&format!("The receipt of job {job} could not be checked.")),
    };
    text + &verdict + "\n"
}

fn explained(check: &Check) -> String {
    match check.outcome {
        Outcome::NotChecked => format!("not checked: {}", check.explanation),
        _ => check.explanation.clone(),
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::Address;
    use jobs::leaf::{Index, Leaf, LeafStatus, salted_content_hash};
    use jobs::merkle::Batch;
    use jobs::receipt::Anchor;
    use sha2::{Digest, Sha256};

    use super::*;
    use crate::cli::Globals;

    fn args() -> VerifyArgs {
        VerifyArgs { receipt: "-".to_owned(), chain: ChainArgs::default(), root: None, files: FileArgs::default() }
    }

    fn dev() -> Result<Option<DevEnv>, CliError> {
        let file = format!("ZAMA_RPC=http://dev\nZAMA_REGISTRY={}\n", Address::repeat_byte(2));
        Ok(DevEnv::parse(&file).ok())
    }

    #[test]
    fn a_given_root_excludes_the_chain() {
        let Ok(Source::Rpc { url, registry }) = source(&args(), dev) else { panic!("the chain") };
        assert_eq!((url.as_str(), registry), ("http://dev", Some(Address::repeat_byte(2))));

        let chain = ChainArgs { rpc: Some("http://mine".to_owned()), registry: None };
        let given = VerifyArgs { chain, ..args() };
        let root = VerifyArgs { root: Some(B256::ZERO), ..given };
        assert!(matches!(source(&root, dev), Ok(Source::Root { registry: None, .. })));
        let chain = ChainArgs { rpc: None, registry: Some(Address::repeat_byte(3).to_string()) };
        let root = VerifyArgs { chain, ..root };
        let Ok(Source::Root { registry, .. }) = source(&root, dev) else { panic!("the root") };
        assert_eq!(registry, Some(Address::repeat_byte(3)), "a registry that was named is compared");
    }

    /// The receipt of a job that is alone in its batch.
    fn receipt(result: &[u8]) -> Receipt {
        let (salt, content_hash) = (B256::repeat_byte(1), B256::repeat_byte(2));
        let leaf = Leaf {
            index: Index::new(9),
            job_id: B256::from("019cebab-804e-7c41-9b5e-3f2a8d6c1e07".parse::<jobs::JobId>().unwrap().to_word()),
            submitter: Address::ZERO,
            result_hash: B256::from_slice(&Sha256::digest(result)),
            status: LeafStatus::Completed,
            content_hash: salted_content_hash(salt, content_hash),
            handle: B256::ZERO,
        };
        let inclusion = Batch::seal(std::slice::from_ref(&leaf)).unwrap().inclusion(0).unwrap();
        let anchor = Anchor {
            chain_id: 31337,
            registry: Address::repeat_byte(0xaa),
            tx_hash: B256::repeat_byte(3),
            block_number: 7,
            block_hash: B256::repeat_byte(4),
        };
        Receipt::of_plain_job(leaf, salt, content_hash, inclusion, anchor)
    }

    /// Exit code of `verify` of a document against `root`, with `result` as the result's file.
    async fn verified(document: &str, root: B256, result: &[u8]) -> Result<Exit, CliError> {
        let folder = tempfile::tempdir().unwrap();
        let (file, result_file) = (folder.path().join("receipt.json"), folder.path().join("result"));
        std::fs::write(&file, document).unwrap();
        std::fs::write(&result_file, result).unwrap();
        let name = file.to_str().unwrap().to_owned();
        let files = FileArgs { result: Some(result_file), ..FileArgs::default() };
        let args = VerifyArgs { receipt: name, root: Some(root), files, ..args() };
        Box::pin(verify(&Session::new(Globals::default()), &args)).await
    }

    #[tokio::test]
    async fn a_receipt_verifies_only_whole() {
        let receipt = receipt(b"result");
        let document = serde_json::to_string(&receipt).unwrap();
        assert_eq!(verified(&document, receipt.root, b"result").await.unwrap(), Exit::Success);
        assert_eq!(verified(&document, B256::ZERO, b"result").await.unwrap(), Exit::NotVerified);
        assert_eq!(verified(&document, receipt.root, b"another").await.unwrap(), Exit::NotVerified);

        let mut forged = receipt.clone();
        forged.leaf.submitter = Address::repeat_byte(6);
        let forged = serde_json::to_string(&forged).unwrap();
        assert_eq!(verified(&forged, receipt.root, b"result").await.unwrap(), Exit::NotVerified);
        assert!(matches!(verified("{}", receipt.root, b"").await, Err(CliError::Usage(_))));
    }

    #[tokio::test]
    async fn a_receipt_that_lacks_a_field_is_refused_by_its_name() {
        let receipt = receipt(b"result");
        for name in ["attestation", "key_hash", "program_hash", "input_hash"] {
            let mut document = serde_json::to_value(&receipt).unwrap();
            document.as_object_mut().unwrap().remove(name);
            let error = verified(&document.to_string(), receipt.root, b"result").await.unwrap_err();
            assert_eq!(error.exit(), Exit::Usage);
            assert!(error.to_string().contains(&format!("is not a receipt: missing field `{name}`")), "{error}");
        }
    }

    #[tokio::test]
    async fn a_node_that_cannot_be_reached_is_no_verdict() {
        let receipt = receipt(b"result");
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), serde_json::to_vec(&receipt).unwrap()).unwrap();
        let at = async |rpc: &str| {
            let chain = ChainArgs { rpc: Some(rpc.to_owned()), registry: None };
            let args = VerifyArgs { receipt: file.path().to_str().unwrap().to_owned(), chain, ..args() };
            Box::pin(verify(&Session::new(Globals::default()), &args)).await
        };
        // Bound and dropped: a port on which nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        assert_eq!(at(&format!("http://127.0.0.1:{port}")).await.unwrap(), Exit::Unchecked);
        assert_eq!(at("not a url").await.unwrap_err().exit(), Exit::Usage);

        let source = Source::Rpc { url: format!("http://127.0.0.1:{port}"), registry: None };
        let report = verify_receipt(&receipt, &source).await;
        let text = text(&receipt, &report, Paint::plain());
        assert!(text.contains("?     chain_id"), "{text}");
        assert!(text.ends_with("could not be checked.\n"), "{text}");
    }

    #[tokio::test]
    async fn each_check_has_its_line() {
        let receipt = receipt(b"result");
        let report = verify_receipt(&receipt, &Source::Root { root: B256::ZERO, registry: None }).await;
        let text = text(&receipt, &report, Paint::plain());
        assert!(text.contains("ok    inclusion    the proof leads"), "{text}");
        assert!(text.contains("FAIL  root         the receipt's root is 0x"), "{text}");
        assert!(text.ends_with("The receipt of job 019cebab-804e-7c41-9b5e-3f2a8d6c1e07 does not verify.\n"), "{text}");
    }

    #[tokio::test]
    async fn against_a_root_the_verdict_says_what_stays_open() {
        let receipt = receipt(b"result");
        let report = verify_receipt(&receipt, &Source::Root { root: receipt.root, registry: None }).await;
        let text = text(&receipt, &report, Paint::plain());
        assert!(
            text.contains("-     chain_id     not checked: whether the batch was confirmed on chain 31337"),
            "{text}"
        );
        assert!(text.contains("verifies against the given root.\n"), "{text}");
        let open = "Not checked, since only the chain knows: chain_id, registry, transaction, block, finality.\n";
        assert!(text.ends_with(open), "{text}");
    }

    #[test]
    fn a_registry_that_nobody_named_is_told_in_text_and_in_the_document() {
        let receipt = receipt(b"result");
        let check = |name, outcome| Check { name, outcome, explanation: String::new() };
        let believed = vec![check("event", Outcome::Passed), check("finality", Outcome::Passed)];
        let report = |checks| Report { checks };
        let told = text(&receipt, &report(believed.clone()), Paint::plain());
        assert!(told.ends_with(" verifies.\n"), "{told}");
        let believed = [vec![check("expected_registry", Outcome::NotChecked)], believed].concat();
        let told = text(&receipt, &report(believed), Paint::plain());
        let open = format!("Not checked: whether {} is your registry; name it with --registry.\n", receipt.registry);
        assert!(told.contains(" verifies.\n") && told.ends_with(&open), "{told}");
    }

    #[test]
    fn without_a_node_the_error_says_what_to_give() {
        let error = source(&args(), || Ok(None)).unwrap_err();
        assert!(matches!(error, CliError::Usage(text) if text.contains("--rpc") && text.contains("--root")));
    }
}
