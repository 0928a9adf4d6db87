//! Receipts as a source: each names a job, its index and its salt, and proves them by its root.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use ::chain::verify::{Source, verify_receipt};
use alloy::primitives::{Address, B256};
use anyhow::Result;
use jobs::receipt::Receipt;

use super::super::exit::WrongSetUp;

/// What receipts say, by the root that they lead to.
#[derive(Default)]
pub(super) struct Read {
    pub leaves: HashMap<B256, Vec<Receipt>>,
    /// Files that were left aside, each with the reason.
    pub ignored: Vec<String>,
}

/// Reads receipts and folders of them. One that does not verify by itself, or is for another chain or registry, is left
/// aside and named.
///
/// # Errors
/// A path that cannot be read.
pub(super) async fn read(paths: &[PathBuf], chain_id: u64, registry: Address) -> Result<Read> {
    let mut read = Read::default();
    for file in files(paths)? {
        match Box::pin(receipt(&file, chain_id, registry)).await {
            Ok(receipt) => read.leaves.entry(receipt.root).or_default().push(receipt),
            Err(why) => read.ignored.push(format!("{}: {why}", file.display())),
        }
    }
    Ok(read)
}

fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let cannot = |path: &Path, error: std::io::Error| WrongSetUp(format!("cannot read {}: {error}", path.display()));
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            path.metadata().map_err(|error| cannot(path, error))?;
            files.push(path.clone());
            continue;
        }
        for entry in path.read_dir().map_err(|error| cannot(path, error))? {
            let file = entry.map_err(|error| cannot(path, error))?.path();
            if file.extension().is_some_and(|extension| extension == "json") {
                files.push(file);
            }
        }
    }
    files.sort();
    Ok(files)
}

async fn receipt(file: &Path, chain_id: u64, registry: Address) -> Result<Receipt, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let receipt: Receipt = serde_json::from_slice(&bytes).map_err(|error| format!("is not a receipt: {error}"))?;
    if (receipt.chain_id, receipt.registry) != (chain_id, registry) {
        return Err(format!("is for registry {} on chain {}", receipt.registry, receipt.chain_id));
    }
    let report = verify_receipt(&receipt, &Source::Root { root: receipt.root, registry: Some(registry) }).await;
    if report.passed() { Ok(receipt) } else { Err("does not verify: see `zama-jobs verify`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_no_receipt_is_named_and_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.json"), "{}").unwrap();
        std::fs::write(folder.path().join("notes.txt"), "not looked at").unwrap();
        let read = read(&[folder.path().to_owned()], 1, Address::ZERO).await.unwrap();
        assert!(read.leaves.is_empty());
        assert!(read.ignored.len() == 1 && read.ignored[0].contains("a.json: is not a receipt"), "{:?}", read.ignored);
        let absent = folder.path().join("absent.json");
        assert!(super::read(&[absent], 1, Address::ZERO).await.is_err());
    }
}
