//! What the billing system told: heard once, forgotten when it is old, and found by its kind and time.

use chrono::{DateTime, Utc};
use store::accounts::notices::{self, Heard, Which};

use crate::outbox::Outbox;

#[tokio::test]
async fn notices_are_heard_once_and_forgotten_when_they_are_old() {
    let outbox = Outbox::new().await;
    for key in ["old", "new", "new"] {
        notices::hear(&outbox.pool, key, "invoice.created", "{}").await.unwrap();
    }
    outbox
        .execute("UPDATE billing_notices SET received_at = now() - interval '91 days' WHERE unique_key = 'old'")
        .await;
    assert_eq!(notices::forget(&outbox.pool, 92).await.unwrap(), 0);
    assert_eq!(notices::forget(&outbox.pool, 90).await.unwrap(), 1);
    assert_eq!(notices::list(&outbox.pool, Which::default(), 9).await.unwrap().len(), 1);
    assert_eq!(notices::hear(&outbox.pool, "new", "invoice.created", "{}").await.unwrap(), Heard::Known);
}

#[tokio::test]
async fn notices_are_found_by_their_kind_and_time_the_newest_first() {
    let outbox = Outbox::new().await;
    let told = "INSERT INTO billing_notices (unique_key, kind, body, received_at) VALUES
                    ('1', 'events.errors', '1', '2026-10-31T23:59:59.9Z'),
                    ('2', 'invoice.created', '2', '2026-11-01T00:00:00Z'),
                    ('3', 'events.errors', '3', '2026-11-01T00:00:00Z'),
                    ('4', 'invoice.created', '4', '2026-11-02T00:00:00Z')";
    outbox.execute(told).await;
    assert_eq!(notices::kinds(&outbox.pool).await.unwrap(), ["events.errors", "invoice.created"]);
    let errors = ["events.errors".to_owned()];
    let november: DateTime<Utc> = "2026-11-01T00:00:00Z".parse().unwrap();
    for (kinds, since, limit, expected) in [
        (None, None, 9, vec!["4", "2", "3", "1"]),
        (None, None, 2, vec!["4", "2"]),
        (None, Some(november), 9, vec!["4", "2", "3"]),
        (Some(&errors[..]), None, 9, vec!["3", "1"]),
        (Some(&errors[..]), Some(november), 9, vec!["3"]),
        (Some(&[][..]), None, 9, vec![]),
    ] {
        let found = notices::list(&outbox.pool, Which { kinds, since }, limit).await.unwrap();
        let bodies: Vec<&str> = found.iter().map(|notice| notice.body.as_str()).collect();
        assert_eq!(bodies, expected, "{kinds:?} {since:?}");
    }
}
