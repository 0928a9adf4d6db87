//! One key, one job.

use store::admission::Admitted;

use crate::outbox::{New, Outbox};

#[tokio::test]
async fn a_key_is_free_as_soon_as_its_answer_is_known() {
    let outbox = Outbox::new().await;
    let again = New { key: "k", ..New::default() };
    let other = New { priority: "high", ..again };
    assert!(matches!(outbox.admit(again).await.1, Admitted::New { .. }));
    for _ in 0..50 {
        assert!(matches!(outbox.admit(other).await.1, Admitted::KeyReused { .. }));
        assert!(matches!(outbox.admit(again).await.1, Admitted::Replayed { .. }));
    }
}

#[tokio::test]
async fn while_a_key_is_held_others_do_not_wait() {
    let outbox = Outbox::new().await;
    let mut first = store::begin(&outbox.pool).await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('idempotency/acme/k', 0))")
        .execute(&mut *first)
        .await
        .unwrap();
    assert!(matches!(outbox.admit(New { key: "k", ..New::default() }).await.1, Admitted::InProgress));
    assert!(matches!(outbox.admit(New { key: "other", ..New::default() }).await.1, Admitted::New { .. }));
    first.rollback().await.unwrap();
    assert!(matches!(outbox.admit(New { key: "k", ..New::default() }).await.1, Admitted::New { .. }));
}
