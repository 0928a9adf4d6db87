//! Checks that ask the chain.

use std::time::Duration;

use alloy::providers::Provider;
use jobs::merkle::Inclusion;
use jobs::receipt::Receipt;

use super::Check;
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
        Err(error) => return vec![Check::refused("registry", &error)],
    };
    let found = format!("chain {} has a ZamaJobsRegistry at {}", receipt.chain_id, receipt.registry);
    vec![
        Check::new("registry", true, found, ""),
        answered("event", event(&client, receipt).await),
        answered("canonical", canonical(&client, receipt).await),
        answered("bit", bit(&client, receipt).await),
        answered("verdict", verdict(&client, receipt).await),
    ]
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
    let finalized = client.finalized_block().await?.is_some_and(|finalized| number <= finalized);
    let depth = client.block_number().await?.saturating_sub(number).saturating_add(1);
    let safety = if finalized { "finalized".to_owned() } else { format!("{depth} deep, not finalized yet") };
    Ok(Check::new(
        "canonical",
        canonical,
        format!("block {number} is canonical ({safety})"),
        format!("block {number} with hash {} is not canonical; ask for the receipt again", receipt.block_hash),
    ))
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
