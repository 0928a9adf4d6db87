//! `whoami`: who the token or API key speaks for.

use chrono::{DateTime, Utc};

use super::card;
use super::error::CliError;
use super::exit::Exit;
use super::globals::Session;
use super::paint::tame;
use super::table::pairs;
use crate::me::Me;

pub(super) async fn whoami(session: &Session) -> Result<Exit, CliError> {
    let me = session.client()?.me().await?;
    session.output.result(&me, |_| text(&me, Utc::now()))?;
    if me.submitter.is_none() {
        session
            .output
            .notice("the user has no submitter address, so that no job will be accepted: zama-jobs keys register");
    }
    Ok(Exit::Success)
}

fn text(me: &Me, now: DateTime<Utc>) -> String {
    let submitter = me.submitter.map_or_else(|| "none".to_owned(), |address| address.to_string());
    let left = match me.expires_at - now {
        days if days.num_days() > 1 => format!("in {} days", days.num_days()),
        minutes => format!("in {} min", minutes.num_minutes()),
    };
    let (credential, id) = match &me.api_key {
        Some(id) => ("API key", format!("{} ", tame(id))),
        None => ("Token", String::new()),
    };
    let mut lines = vec![
        ("Tenant", tame(&me.tenant)),
        ("User", tame(&me.user)),
        ("Role", tame(&me.role)),
        ("Scopes", tame(&me.scopes.join(" "))),
        ("Submitter", submitter),
        (credential, format!("{id}expires {} ({left})", card::time(me.expires_at))),
    ];
    if me.test_mode {
        lines.push(("Test mode", "jobs are free and never billed".to_owned()));
    }
    pairs(&lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_told_with_its_checksum() {
        let me: Me = serde_json::from_value(serde_json::json!({
            "tenant": "acme", "user": "ada", "role": "developer", "scopes": ["jobs:submit", "jobs:read"],
            "submitter": "0x70997970c51812dc3a010c7d01b50e0d17dc79c8", "expires_at": "2026-03-14T09:41:53Z",
            "test_mode": false
        }))
        .unwrap();
        let expected = "\
Tenant     acme
User       ada
Role       developer
Scopes     jobs:submit jobs:read
Submitter  0x70997970C51812dc3A010C7d01b50e0d17dc79C8
Token      expires 2026-03-14 09:41:53Z (in 15 min)
";
        assert_eq!(text(&me, "2026-03-14T09:26:53Z".parse().unwrap()), expected);
        let by_key = Me { api_key: Some("4fTq0ZxkW9bYpR2c".to_owned()), test_mode: true, ..me };
        let told = text(&by_key, "2026-03-04T09:26:53Z".parse().unwrap());
        assert!(told.contains("API key    4fTq0ZxkW9bYpR2c expires 2026-03-14 09:41:53Z (in 10 days)\n"), "{told}");
        assert!(told.ends_with("Test mode  jobs are free and never billed\n"), "{told}");
    }
}
