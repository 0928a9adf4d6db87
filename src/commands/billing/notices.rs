//! `zama-jobs billing notices`: what the billing system told by its webhook.

use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use settings::Settings;

use super::End;
use crate::commands::{parts, stand_in};

/// What `notices` takes.
#[derive(Args)]
pub struct NoticesArgs {
    /// At most this many.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1000))]
    limit: i64,
}

pub(super) async fn run(settings: &Settings, args: &NoticesArgs, json: bool) -> Result<End> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let notices = store::accounts::notices(&pool, args.limit).await?;
    stand_in::ask_configured(settings).await;
    if json {
        let told = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!(text));
        let document = notices.iter().map(
            |notice| json!({ "kind": notice.kind, "received_at": notice.received_at, "body": told(&notice.body) }),
        );
        println!("{:#}", json!({ "data": document.collect::<Vec<_>>() }));
    } else {
        for notice in &notices {
            println!("{}  {:<36} {}", notice.received_at.format("%Y-%m-%d %H:%M:%SZ"), notice.kind, notice.body);
        }
    }
    Ok(End::Done)
}
