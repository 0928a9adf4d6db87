//! What finance reads to the end when it closes a month: nothing falls off a list unsaid.

use serde_json::json;

use crate::stage::Stage;

impl Stage {
    /// Lago reported these, one each second from `since` on.
    async fn hears(&self, name: &str, kind: &str, since: &str, count: i32) {
        let notices = "INSERT INTO billing_notices (unique_key, kind, body, received_at)
                       SELECT $1 || n, $2, '{}', $3::timestamptz + n * interval '1 second'
                         FROM generate_series(1, $4) AS n";
        let notices = sqlx::query(notices).bind(name).bind(kind).bind(since).bind(count);
        notices.execute(self.pool()).await.unwrap();
    }
}

#[tokio::test]
async fn trouble_is_found_behind_whatever_else_was_told() {
    let stage = Stage::new().await;
    stage.hears("refused", "events.errors", "2026-11-01T00:00:00Z", 1).await;
    stage.hears("unpaid", "invoice.payment_failure", "2026-11-01T00:01:00Z", 2).await;
    stage.hears("made", "invoice.created", "2026-11-01T01:00:00Z", 1000).await;

    let run = stage.runs(&["billing", "notices"]).await.ends(0);
    assert!(!run.stdout.contains("TROUBLE") && run.stderr.contains("more than 50: "), "{run:#?}");
    let run = stage.runs(&["--json", "billing", "notices", "--limit", "1000"]).await.ends(0);
    let found = run.json();
    assert_eq!((found["data"].as_array().unwrap().len(), &found["has_more"]), (1000, &json!(true)));
    assert!(run.stderr.contains("more than 1000: "), "{}", run.stderr);

    let trouble = stage.runs(&["billing", "notices", "--trouble"]).await.ends(9);
    let lines: Vec<&str> = trouble.stdout.lines().collect();
    assert!(lines.len() == 3 && lines.iter().all(|line| line.contains("  TROUBLE  ")), "{trouble:#?}");
    assert!(lines[0].contains("invoice.payment_failure") && lines[2].contains("events.errors"), "{trouble:#?}");
    assert!(!trouble.stderr.contains("more than"), "{}", trouble.stderr);
    let one = stage.runs(&["--json", "billing", "notices", "--trouble", "--limit", "2"]).await.ends(9);
    let found = one.json();
    assert_eq!((&found["data"][0]["is_trouble"], &found["has_more"]), (&json!(true), &json!(true)));
    assert!(one.stderr.contains("more than 2: "), "{}", one.stderr);

    let since = ["--json", "billing", "notices", "--trouble", "--since"];
    let later = stage.runs(&[&since[..], &["2026-11-01T00:00:30Z"]].concat()).await.ends(9).json();
    assert_eq!((later["data"].as_array().unwrap().len(), &later["has_more"]), (2, &json!(false)));
    let none = stage.runs(&[&since[..], &["2026-11-01T00:30:00Z"]].concat()).await.ends(0).json();
    assert_eq!(none["data"].as_array().unwrap().len(), 0, "it was looked at before");
    stage.runs(&[&since[..], &["soon"]].concat()).await.ends(2);
}

#[tokio::test]
async fn dead_letters_that_are_not_listed_are_told_of() {
    let stage = Stage::new().await;
    let dead = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, dead_reason)
                SELECT 'acme:compute_units:' || n, 'acme', 'compute_units', n, 1, '422: no'
                  FROM generate_series(1, 1000) AS n";
    stage.outbox.execute(dead).await;
    let list = ["--json", "billing", "dead-letters", "list"];
    let whole = stage.runs(&list).await.ends(0);
    assert_eq!((whole.json()["data"].as_array().unwrap().len(), &whole.json()["has_more"]), (1000, &json!(false)));
    assert!(!whole.stderr.contains("more than"), "{}", whole.stderr);
    let one_more = "INSERT INTO usage_ledger (id, tenant, metric, segment, units, dead_reason)
                    VALUES ('acme:compute_units:more', 'acme', 'compute_units', 'more', 1, '422: no')";
    stage.outbox.execute(one_more).await;
    let cut = stage.runs(&list).await.ends(0);
    assert_eq!((cut.json()["data"].as_array().unwrap().len(), &cut.json()["has_more"]), (1000, &json!(true)));
    assert!(cut.stderr.contains("more than 1000: "), "{}", cut.stderr);
}

#[tokio::test]
async fn top_ups_are_listed_to_the_last() {
    let stage = Stage::new().await;
    let top_ups = "INSERT INTO credit_top_ups (id, tenant, idempotency_key, amount_cents, currency, kind)
                   SELECT gen_random_uuid(), 'acme', n, 500, 'EUR', 'granted' FROM generate_series(1, 1001) AS n";
    stage.outbox.execute(top_ups).await;
    let listed = stage.runs(&["--json", "credits", "list", "acme"]).await.ends(0).json();
    let mut ids: Vec<&str> =
        listed["data"].as_array().unwrap().iter().map(|top_up| top_up["id"].as_str().unwrap()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 1001, "though all have one time");
}
