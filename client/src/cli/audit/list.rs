//! `audit list`

use chrono::{DateTime, Utc};
use clap::Args;
use serde_json::Value;

use super::super::card;
use super::super::error::CliError;
use super::super::exit::Exit;
use super::super::globals::Session;
use super::super::paint::{Paint, tame};
use super::super::table::Table;
use crate::audit::AuditFilter;

/// What `audit list` takes.
#[derive(Args, Debug)]
pub struct ListArgs {
    /// Only entries of this action, such as create_api_key
    #[arg(long)]
    action: Option<String>,
    /// Only entries of this user
    #[arg(long)]
    user: Option<String>,
    /// The oldest entry first
    #[arg(long)]
    oldest_first: bool,
    /// The log of the tenant's sandbox, in which its test keys act
    #[arg(long)]
    test_mode: bool,
    /// Entries on the page
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=100))]
    limit: u32,
    /// Read on from the page before
    #[arg(long)]
    cursor: Option<String>,
}

pub(super) async fn list(session: &Session, args: &ListArgs) -> Result<Exit, CliError> {
    let filter = AuditFilter {
        action: args.action.clone(),
        user: args.user.clone(),
        order: args.oldest_first.then_some("asc"),
        test_mode: args.test_mode.then_some(true),
        cursor: args.cursor.clone(),
        limit: Some(args.limit),
    };
    let page = session.client()?.audit(&filter).await?;
    session.output.result(&page, |paint| table(&page.data, paint))?;
    if page.data.is_empty() {
        session.output.notice("no entries");
    }
    if let Some(cursor) = page.next_cursor.as_ref().filter(|_| !session.output.is_json()) {
        session.output.notice(&format!("more: --cursor {}", tame(cursor)));
    }
    Ok(Exit::Success)
}

fn table(entries: &[Value], paint: Paint) -> String {
    if entries.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["SEQ", "AT", "ACTION", "OUTCOME", "USER", "WITH", "TARGET"]);
    for entry in entries {
        let text = |name: &str| tame(entry[name].as_str().unwrap_or_default());
        let at = entry["at"].as_str().and_then(|at| at.parse::<DateTime<Utc>>().ok());
        let outcome = if entry["code"].is_null() { text("outcome") } else { text("code") };
        let user = if entry["user"].is_null() { "-".to_owned() } else { text("user") };
        let (seq, at) = (entry["seq"].to_string(), at.map(card::time).unwrap_or_default());
        table.row(vec![tame(&seq), at, text("action"), outcome, user, text("credential"), text("target")]);
    }
    table.render(|row, _, cell| if row.is_none() { paint.strong(cell) } else { cell.to_owned() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_says_who_did_what_to_what() {
        let entries = [
            json!({"seq": 8, "at": "2026-03-14T09:26:54.000001Z", "action": "put_user", "outcome": "refused",
                   "code": "INSUFFICIENT_SCOPE", "user": "ada", "credential": "api_key:4fTq0ZxkW9bYpR2c", "target": "/v1/users/ada"}),
            json!({"seq": 7, "at": "2026-03-14T09:26:53.589Z", "action": "tenants close", "outcome": "done",
                   "code": null, "user": null, "credential": "operator", "target": "/v1/tenants/acme"}),
        ];
        let expected = "\
SEQ  AT                    ACTION         OUTCOME             USER  WITH                      TARGET
8    2026-03-14 09:26:54Z  put_user       INSUFFICIENT_SCOPE  ada   api_key:4fTq0ZxkW9bYpR2c  /v1/users/ada
7    2026-03-14 09:26:53Z  tenants close  done                -     operator                  /v1/tenants/acme
";
        assert_eq!(table(&entries, Paint::plain()), expected);
        assert!(table(&[json!("\u{1b}[2J")], Paint::plain()).lines().count() == 2, "what is no entry is a line too");
    }
}
