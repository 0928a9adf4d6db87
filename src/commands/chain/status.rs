//! `zama-jobs chain status`: chain, registry, signer and batches in one look. A part that is away is said to be, and the
//! others are shown all the same.

use ::chain::{Block, ChainError, ChainView, Code, Node};
use alloy::primitives::utils::format_ether;
use alloy::primitives::{Address, B256};
use anyhow::Result;
use chrono::Utc;
use serde_json::{Value, json};
use settings::Settings;
use store::StoreError;
use store::overview::{Batches, Overview};

use super::exit::{ChainExit, WrongSetUp};
use super::findings::{Anchor, Finding, Look, findings};
use super::{Format, NamedNode, confirmer, node, parts, registry, stored_registry};

/// All that one look gave.
struct Status {
    rpc: String,
    registry: Address,
    chain: Result<ChainView, ChainError>,
    database: Result<Overview, StoreError>,
    findings: Vec<Finding>,
}

/// # Errors
/// Settings that cannot be used.
pub(super) async fn run(settings: &Settings, format: Format) -> Result<ChainExit> {
    let status = Box::pin(look(settings)).await?;
    format.answer(&document(&status), || text(&status))?;
    Ok(exit(&status))
}

fn exit(status: &Status) -> ChainExit {
    match (&status.chain, &status.database) {
        (_, Err(_)) => ChainExit::Failed,
        (Err(_), _) => ChainExit::NoAnswer,
        (Ok(_), Ok(_)) if status.findings.is_empty() => ChainExit::Done,
        (Ok(_), Ok(_)) => ChainExit::Trouble,
    }
}

async fn look(settings: &Settings) -> Result<Status> {
    let (signer, on) = (confirmer(settings)?, stored_registry(settings)?);
    let low_balance = parts::low_balance(settings).map_err(|error| WrongSetUp(format!("{error:#}")))?;
    let NamedNode { node, name } = node(settings).await?;
    let pool = parts::pool(settings)?;
    let (chain, database) = tokio::join!(node.inspect(signer), store::overview::read(&pool, &on));
    let (anchor, next_index_is_taken) = match (&chain, &database) {
        (Ok(chain), Ok(database)) if chain.registry.is_some() => between(&node, database).await,
        _ => (Anchor::Unknown, false),
    };
    let findings = findings(&Look {
        expected_chain: settings.chain.chain_id,
        low_balance,
        chain: chain.as_ref().ok(),
        database: database.as_ref().ok(),
        anchor,
        next_index_is_taken,
        now: Utc::now(),
    });
    Ok(Status { rpc: name, registry: registry(settings)?, chain, database, findings })
}

/// What the chain says about what the database holds. A node that goes away meanwhile says nothing.
async fn between(node: &Node, database: &Overview) -> (Anchor, bool) {
    let anchor = match &database.newest_anchor {
        None => Anchor::Unknown,
        Some(newest) => match node.canonical(newest.block_number.cast_unsigned()).await {
            Ok(Some(block)) if block.hash == newest.block_hash => Anchor::Stands,
            Ok(Some(_)) => Anchor::Replaced,
            Ok(None) => Anchor::Behind,
            Err(_) => Anchor::Unknown,
        },
    };
    (anchor, node.is_confirmed(database.next_index.cast_unsigned()).await.unwrap_or(false))
}

fn text(status: &Status) -> String {
    let mut lines: Vec<(&str, String)> = Vec::new();
    match &status.chain {
        Ok(chain) => of_chain(status, chain, &mut lines),
        Err(error) => lines.push(("chain", format!("AWAY at {}: {error}", status.rpc))),
    }
    match &status.database {
        Ok(database) => of_database(database, &mut lines),
        Err(error) => lines.push(("database", format!("AWAY: {}", jobs::causes::with_causes(error)))),
    }
    let mut text: String = lines.iter().map(|(name, value)| format!("{name:<10}  {value}\n")).collect();
    for finding in &status.findings {
        text.push_str(&format!("LOOK        {}\n            {}\n", finding.what, finding.advice));
    }
    if status.findings.is_empty() && status.chain.is_ok() && status.database.is_ok() {
        text.push_str("everything fits together\n");
    }
    text
}

fn of_chain(status: &Status, chain: &ChainView, lines: &mut Vec<(&'static str, String)>) {
    lines.push(("chain", format!("{} at {}", chain.chain_id, status.rpc)));
    let finalized =
        chain.finalized.map_or("nothing final yet".to_owned(), |block| format!("final to {}", block.number));
    lines.push(("head", format!("{}, {finalized}", chain.head.number)));
    let code = match chain.code {
        Code::Nothing => "NO CODE".to_owned(),
        Code::Another { hash } => format!("ANOTHER CONTRACT, code hash {hash}"),
        Code::Registry { hash } => format!("code as of this version, hash {hash}"),
    };
    lines.push(("registry", format!("{} {code}", status.registry)));
    if let Some(registry) = chain.registry {
        let running = if registry.is_paused { "PAUSED" } else { "not paused" };
        let manager = registry.key_manager.map_or("none".to_owned(), |manager| manager.to_string());
        lines.push(("", format!("{running}, key manager {manager}")));
        let next = registry.next_admin.map(|next| format!(", handing over to {next}")).unwrap_or_default();
        lines.push(("admin", format!("{}{next}", registry.admin)));
    }
    let signer = chain.signer;
    let roles = chain.registry.map_or("no registry to ask", |registry| match registry {
        _ if registry.signer_confirms && registry.signer_pauses => "CONFIRMER_ROLE, PAUSER_ROLE",
        _ if registry.signer_confirms => "CONFIRMER_ROLE",
        _ if registry.signer_pauses => "PAUSER_ROLE ALONE",
        _ => "NO ROLE",
    });
    lines.push(("signer", format!("{} {roles}", signer.address)));
    let (balance, nonce, waiting) = (format_ether(signer.balance), signer.nonce, signer.waiting());
    lines.push(("", format!("{balance} ETH, nonce {nonce}, {waiting} transactions wait in the pool")));
}

fn of_database(database: &Overview, lines: &mut Vec<(&'static str, String)>) {
    let waiting = match &database.oldest_waiting {
        None => "no job waits".to_owned(),
        Some(oldest) => {
            let age = (Utc::now() - oldest.since).num_seconds().max(0);
            format!(
                "{} in no batch yet; the oldest without a block: {} for {age} s",
                many(database.unsealed, "job"),
                oldest.job
            )
        }
    };
    lines.push(("waiting", waiting));
    let of = |state: Batches| format!("{} ({})", state.batches, many(state.jobs, "job"));
    let (sealed, sent) = (of(database.sealed), of(database.sent));
    lines.push(("batches", format!("sealed {sealed}, sent {sent}")));
    let (confirmed, finalized) = (of(database.confirmed), of(database.finalized));
    let given_up = match database.abandoned.batches {
        0 => String::new(),
        _ => format!(", given up {}", of(database.abandoned)),
    };
    lines.push(("", format!("anchored {confirmed}, final {finalized}{given_up}")));
    if let Some(waiting) = &database.waiting_transaction {
        let (hash, nonce) = (B256::from(waiting.tx_hash), waiting.nonce);
        let age = (Utc::now() - waiting.since).num_seconds().max(0);
        lines.push(("", format!("{hash} waits for its block: nonce {nonce}, for {age} s")));
    }
    let highest = database.highest_index.map_or("none".to_owned(), |highest| highest.to_string());
    lines.push(("index", format!("next {}, highest given {highest}", database.next_index)));
}

fn many(count: i64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

fn document(status: &Status) -> Value {
    json!({
        "rpc": status.rpc,
        "registry": status.registry,
        "chain": status.chain.as_ref().map_or_else(|error| away(&error.to_string()), chain_document),
        "database": status.database.as_ref().map_or_else(
            |error| away(&jobs::causes::with_causes(error)),
            database_document,
        ),
        "findings": status.findings,
        "exit_code": exit(status).code(),
    })
}

fn away(error: &str) -> Value {
    json!({ "error": error })
}

fn chain_document(chain: &ChainView) -> Value {
    let block = |block: Block| json!({ "number": block.number, "hash": block.hash });
    let (code, code_hash) = match chain.code {
        Code::Nothing => ("none", Value::Null),
        Code::Another { hash } => ("another", json!(hash)),
        Code::Registry { hash } => ("registry", json!(hash)),
    };
    let registry = chain.registry;
    json!({
        "chain_id": chain.chain_id,
        "head": block(chain.head),
        "finalized": chain.finalized.map(block),
        "code": code,
        "code_hash": code_hash,
        "paused": registry.map(|registry| registry.is_paused),
        "admin": registry.map(|registry| registry.admin),
        "next_admin": registry.and_then(|registry| registry.next_admin),
        "key_manager": registry.and_then(|registry| registry.key_manager),
        "signer": {
            "address": chain.signer.address,
            "confirms": registry.map(|registry| registry.signer_confirms),
            "pauses": registry.map(|registry| registry.signer_pauses),
            "balance_wei": chain.signer.balance.to_string(),
            "nonce": chain.signer.nonce,
            "nonce_pending": chain.signer.nonce_pending,
        },
    })
}

fn database_document(database: &Overview) -> Value {
    let of = |state: Batches| json!({ "batches": state.batches, "jobs": state.jobs });
    json!({
        "unsealed_jobs": database.unsealed,
        "oldest_waiting": database.oldest_waiting.map(|waiting| json!({ "job_id": waiting.job, "since": waiting.since })),
        "sealed": of(database.sealed),
        "sent": of(database.sent),
        "anchored": of(database.confirmed),
        "finalized": of(database.finalized),
        "abandoned": of(database.abandoned),
        "refused_batches": database.refused,
        "waiting_transaction": database.waiting_transaction.map(|waiting| json!({
            "tx_hash": B256::from(waiting.tx_hash),
            "nonce": waiting.nonce,
            "since": waiting.since,
        })),
        "highest_index": database.highest_index,
        "next_index": database.next_index,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn away_everywhere() -> Status {
        Status {
            rpc: "127.0.0.1:8545".to_owned(),
            registry: Address::ZERO,
            chain: Err(ChainError::Unavailable("refused".to_owned())),
            database: Err(StoreError::Unreachable { address: "db".to_owned(), reason: "refused".to_owned() }),
            findings: Vec::new(),
        }
    }

    #[test]
    fn a_part_that_is_away_is_named() {
        let status = away_everywhere();
        let text = text(&status);
        assert!(text.contains("chain       AWAY at 127.0.0.1:8545: the EVM node is unavailable: refused"), "{text}");
        assert!(text.contains("database    AWAY: the database at db is unavailable: refused"), "{text}");
        assert!(!text.contains("fits"), "{text}");
        let document = document(&status);
        assert_eq!(
            (&document["exit_code"], &document["chain"]["error"]),
            (&json!(1), &json!("the EVM node is unavailable: refused"))
        );
    }
}
