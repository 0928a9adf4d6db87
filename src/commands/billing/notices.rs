//! `zama-jobs billing notices`: what the billing system told by its webhook.

use anyhow::Result;
use chrono::Utc;
use clap::Args;
use client::cli::Moment;
use jobs::billing_notice::is_trouble;
use serde_json::{Value, json};
use settings::Settings;
use store::PgPool;
use store::accounts::notices::{self, Notice, Which};

use super::End;
use crate::commands::cut::cut;
use crate::commands::{parts, stand_in};
use crate::output;

/// Notices that are listed unless more are asked for.
const USUAL: i64 = 50;
/// Notices that are listed at most, and of trouble unless fewer are asked for.
const MOST: i64 = 1000;

/// What `notices` takes.
#[derive(Args)]
pub struct NoticesArgs {
    /// Only trouble: what was refused or failed, which somebody must look at. Ends with 9 if there is any.
    #[arg(long)]
    trouble: bool,
    /// Only those received at this time or later: a time, or how long ago, for example 30d.
    #[arg(long, value_name = "TIME")]
    since: Option<Moment>,
    /// At most this many: 50 when not given, with --trouble 1000.
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=MOST))]
    limit: Option<i64>,
}

pub(super) async fn run(settings: &Settings, args: &NoticesArgs, json: bool) -> Result<End> {
    let pool = parts::pool(settings)?;
    store::reach(&pool).await?;
    let limit = args.limit.unwrap_or(if args.trouble { MOST } else { USUAL });
    let kinds = if args.trouble { Some(troubles(&pool).await?) } else { None };
    let since = args.since.map(|moment| moment.before(Utc::now()));
    let mut found = notices::list(&pool, Which { kinds: kinds.as_deref(), since }, limit + 1).await?;
    let has_more = cut(&mut found, limit);
    stand_in::ask_configured(settings).await;
    if json {
        let data: Vec<Value> = found.iter().map(document).collect();
        output::document(&json!({ "data": data, "has_more": has_more }))?;
    } else {
        found.iter().try_for_each(|notice| output::line(line(notice)))?;
    }
    if has_more {
        output::notice(format_args!(
            "more than {limit}: these are the newest (--trouble, --since TIME and --limit list others)"
        ));
    }
    Ok(if args.trouble && !found.is_empty() { End::Trouble } else { End::Done })
}

/// The kinds of trouble that were told.
async fn troubles(pool: &PgPool) -> Result<Vec<String>> {
    Ok(notices::kinds(pool).await?.into_iter().filter(|kind| is_trouble(kind)).collect())
}

fn document(notice: &Notice) -> Value {
    let body = serde_json::from_str::<Value>(&notice.body).unwrap_or_else(|_| json!(notice.body));
    json!({
        "kind": notice.kind, "is_trouble": is_trouble(&notice.kind), "received_at": notice.received_at, "body": body
    })
}

fn line(notice: &Notice) -> String {
    let time = output::moment(notice.received_at);
    let mark = if is_trouble(&notice.kind) { "TROUBLE" } else { "" };
    format!("{time}  {mark:<7}  {:<36} {}", notice.kind, notice.body)
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn trouble_is_marked() {
        let told = |kind: &str, body: &str| {
            let notice = Notice { kind: kind.to_owned(), body: body.to_owned(), received_at: DateTime::UNIX_EPOCH };
            (line(&notice), document(&notice))
        };
        let (line, document) = told("events.errors", "{}");
        let expected = "1970-01-01 00:00:00Z  TROUBLE  events.errors                        {}";
        assert_eq!((line.as_str(), &document["is_trouble"], &document["body"]), (expected, &json!(true), &json!({})));
        let (line, document) = told("invoice.created", "no JSON");
        let expected = "1970-01-01 00:00:00Z           invoice.created                      no JSON";
        assert_eq!((line.as_str(), &document["is_trouble"]), (expected, &json!(false)));
        assert_eq!(document["body"], "no JSON");
    }
}
