//! Checks that ask the chain.

use std::time::Duration;

use alloy::primitives::keccak256;
use alloy::providers::Provider;
use jobs::merkle::Inclusion;
use jobs::receipt::Receipt;

use super::{Check, FINALITY};
use crate::confirmation::event_entries;
use crate::{ChainClient, ChainConfig, ChainError, Endpoints, Standing};

const TIMEOUT: Duration = Duration::from_secs(20);

pub(super) async fn checks(receipt: &Receipt, url: &str) -> Vec<Check> {
    let connected = async {
        let (chain_id, registry) = (receipt.chain_id, receipt.registry);
        let nodes = Endpoints::parse(url, TIMEOUT)?;
        ChainClient::connect(ChainConfig { nodes, chain_id, registry, confirmations: 1 }).await
    };
    let client = match connected.await {
        Ok(client) => client,
        Err(error @ ChainError::NotARegistry(_)) => {
            return vec![chain_id(receipt), Check::refused("registry", &error)];
        }
        Err(error) => return vec![Check::refused("chain_id", &error)],
    };
    vec![
        chain_id(receipt),
        answered("registry", registry(&client, receipt).await),
        answered("event", event(&client, receipt).await),
        answered("canonical", canonical(&client, receipt).await),
        answered(FINALITY, finality(&client, receipt).await),
        answered("bit", bit(&client, receipt).await),
        answered("verdict", verdict(&client, receipt).await),
    ]
}

/// The client refuses to connect to another chain.
fn chain_id(receipt: &Receipt) -> Check {
    Check::new("chain_id", true, format!("the node serves chain {}", receipt.chain_id), "")
}

/// The client refuses to connect to other code; the hash tells which deployment it is.
async fn registry(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let code = client.provider.get_code_at(receipt.registry).await?;
    let hash = keccak256(&code);
    let found = format!("the code at {} is ZamaJobsRegistry's of this version (code hash {hash})", receipt.registry);
    let other = format!("the code at {} ({hash}) is not ZamaJobsRegistry's of this version", receipt.registry);
    Ok(Check::new("registry", contracts::is_registry_code(&code), found, other))
}

fn answered(name: &'static str, check: Result<Check, ChainError>) -> Check {
    check.unwrap_or_else(|error| Check::refused(name, &error))
}

/// The transaction carries the registry's event for exactly this root and these entries.
async fn event(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let Some(transaction) = client.provider.get_transaction_receipt(receipt.tx_hash).await? else {
        return Ok(Check::new("event", false, "", format!("the chain has no transaction {}", receipt.tx_hash)));
    };
    let stands_there =
        transaction.block_number == Some(receipt.block_number) && transaction.block_hash == Some(receipt.block_hash);
    if !stands_there {
        let fault = format!("transaction {} does not stand in the receipt's block", receipt.tx_hash);
        return Ok(Check::new("event", false, "", fault));
    }
    let confirms = transaction
        .inner
        .logs()
        .iter()
        .filter_map(|log| event_entries(receipt.registry, receipt.root, log))
        .any(|entries| entries == receipt.entries);
    Ok(Check::new(
        "event",
        transaction.status() && confirms,
        format!("transaction {} emitted BatchConfirmed with the root and the entries", receipt.tx_hash),
        format!("transaction {} emitted no BatchConfirmed with the root and the entries", receipt.tx_hash),
    ))
}

async fn canonical(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let number = receipt.block_number;
    let canonical = client.standing(number, receipt.block_hash).await? == Standing::Canonical;
    let depth = client.block_number().await?.saturating_sub(number).saturating_add(1);
    Ok(Check::new(
        "canonical",
        canonical,
        format!("block {number} is part of the chain, {depth} deep"),
        format!("block {number} with hash {} is not part of the chain; ask for the receipt again", receipt.block_hash),
    ))
}

/// Until the block is final a reorganisation may take it away; the batch is then anchored again, in another block.
async fn finality(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let number = receipt.block_number;
    Ok(match client.finalized_block().await? {
        Some(finalized) if number <= finalized => {
            Check::new(FINALITY, true, format!("block {number} is final: nothing takes it back"), "")
        }
        Some(finalized) => {
            let told = format!("block {number} is not final yet (final to {finalized}); it may still be replaced");
            Check::pending(FINALITY, told)
        }
        None => Check::pending(FINALITY, "the node names no final block: the depth alone tells how safe it is"),
    })
}

async fn bit(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let index = receipt.leaf.index;
    Ok(Check::new(
        "bit",
        client.is_confirmed(index).await?,
        format!("the registry's bit of index {} is set", index.get()),
        format!("the registry's bit of index {} is not set", index.get()),
    ))
}

async fn verdict(client: &ChainClient, receipt: &Receipt) -> Result<Check, ChainError> {
    let inclusion = Inclusion { root: receipt.root, entries: receipt.entries.clone(), proof: receipt.proof.clone() };
    Ok(Check::new(
        "verdict",
        client.verify_inclusion(&receipt.leaf, &inclusion).await?,
        "the registry itself verifies the leaf's inclusion",
        "the registry itself refuses the leaf",
    ))
}
