//! API keys as people read them.

use chrono::{DateTime, Utc};

use super::super::card::time;
use super::super::moment::spoken;
use super::super::paint::{Paint, tame};
use super::super::table::{Table, pairs};
use crate::api_keys::ApiKey;

/// A new key, with its secret where it goes to stdout.
pub(super) fn card(about: &ApiKey, key: Option<&str>, paint: Paint) -> String {
    let mut lines = Vec::new();
    lines.extend(key.map(|key| ("Key", paint.strong(&tame(key)))));
    lines.push(("Id", tame(&about.id)));
    lines.push(("Name", tame(&about.name)));
    lines.push(("User", tame(&about.user)));
    lines.push(("Scopes", tame(&about.scopes.join(" "))));
    lines.push(("Expires", time(about.expires_at)));
    if about.test_mode {
        lines.push(("Test mode", "jobs are free and never billed".to_owned()));
    }
    pairs(&lines)
}

pub(super) fn table(keys: &[ApiKey], now: DateTime<Utc>, paint: Paint) -> String {
    if keys.is_empty() {
        return String::new();
    }
    let mut table = Table::new(&["ID", "MODE", "STATUS", "USER", "SCOPES", "EXPIRES", "USED", "NAME"]);
    for key in keys {
        let mode = if key.test_mode { "test" } else { "live" };
        let used = key.last_used_at.map_or_else(|| "never".to_owned(), |at| format!("{} ago", spoken(now - at)));
        table.row(vec![
            tame(&key.id),
            mode.to_owned(),
            status(key),
            tame(&key.user),
            tame(&key.scopes.join(" ")),
            time(key.expires_at),
            used,
            tame(&key.name),
        ]);
    }
    table.render(|row, _, cell| if row.is_none() { paint.strong(cell) } else { cell.to_owned() })
}

/// A key in its overlap is in force, and somebody should know that it ends.
fn status(key: &ApiKey) -> String {
    match (key.status.as_str(), &key.replaced_by) {
        ("active", Some(_)) => "replaced".to_owned(),
        (status, _) => tame(status),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKey {
        serde_json::from_value(serde_json::json!({
            "id": "4fTq0ZxkW9bYpR2c", "name": "nightly import", "user": "ada", "test_mode": true,
            "scopes": ["jobs:submit", "jobs:read"], "status": "active", "created_by": "ada",
            "created_at": "2026-03-14T09:26:53Z", "expires_at": "2027-03-14T09:26:53Z", "last_used_at": null,
            "revoked_at": null, "replaced_by": null
        }))
        .unwrap()
    }

    #[test]
    fn a_list_never_shows_more_than_the_id() {
        let used = Some("2026-03-14T09:20:00Z".parse().unwrap());
        let rotated = ApiKey { last_used_at: used, replaced_by: Some("x".to_owned()), test_mode: false, ..key() };
        let expected = "\
ID                MODE  STATUS    USER  SCOPES                 EXPIRES               USED           NAME
4fTq0ZxkW9bYpR2c  test  active    ada   jobs:submit jobs:read  2027-03-14 09:26:53Z  never          nightly import
4fTq0ZxkW9bYpR2c  live  replaced  ada   jobs:submit jobs:read  2027-03-14 09:26:53Z  6 min 53 s ago  nightly import
";
        let now = "2026-03-14T09:26:53Z".parse().unwrap();
        let text = table(&[key(), rotated], now, Paint::plain());
        let squeeze = |text: &str| {
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        assert_eq!(squeeze(&text), squeeze(expected));
    }

    #[test]
    fn the_secret_goes_where_it_is_wanted() {
        let shown = card(&key(), Some("zj_test_4fTq0ZxkW9bYpR2c_secret"), Paint::plain());
        assert!(shown.starts_with("Key        zj_test_4fTq0ZxkW9bYpR2c_secret\n"), "{shown}");
        assert!(!card(&key(), None, Paint::plain()).contains("zj_test_"));
    }
}
