//! The reporter's turns: every tenant has its own, however many rows, trouble or little time the others leave it.

use std::time::Duration;

use axum::http::StatusCode;
use axum::response::IntoResponse as _;

use super::faults::used_by_jobs;
use crate::stage::{ACME, Stage, TENANTS};

impl Stage {
    /// Tenants of which nothing waits.
    async fn served(&self) -> Vec<String> {
        let served = "SELECT id FROM tenants t
                       WHERE NOT EXISTS (SELECT FROM usage_ledger u WHERE u.tenant = t.id AND u.delivered_at IS NULL)
                       ORDER BY id";
        sqlx::query_scalar(served).fetch_all(self.pool()).await.unwrap()
    }
}

#[tokio::test]
async fn a_turn_that_runs_out_of_time_is_gone_on_with_where_it_stopped() {
    let stage = Stage::of_several().await;
    let mut delivery = stage.delivery();
    delivery.turn_time = Duration::ZERO;
    let mut served = Vec::new();
    for round in 0..4 {
        // Each of them has something new, so that one could be served again and again.
        used_by_jobs(&stage, &TENANTS, 3 * round + 1..=3 * round + 3).await;
        assert!(delivery.deliver_overdue(0.0).await.unwrap() > 0);
        served.push(stage.served().await);
    }
    assert_eq!(served, [["abel"], ["acme"], ["globex"], ["abel"]]);
}

#[tokio::test]
async fn a_tenant_whose_rows_cannot_be_delivered_is_named_and_holds_back_nobody() {
    let mut stage = Stage::of_several().await;
    stage.is_watched(|asked| asked.names(ACME).then(|| StatusCode::FORBIDDEN.into_response())).await;
    used_by_jobs(&stage, &TENANTS, 1..=3).await;
    let mut delivery = stage.delivery();
    let failed = delivery.deliver_overdue(0.0).await.unwrap_err();
    assert!(format!("{failed:#}").starts_with("usage of acme: "), "{failed:#}");
    assert_eq!(stage.served().await, ["abel", "globex"]);

    // Nor where a turn has time for one of them alone.
    delivery.turn_time = Duration::ZERO;
    used_by_jobs(&stage, &TENANTS, 4..=6).await;
    let mut turns = Vec::new();
    for _ in TENANTS {
        turns.push(delivery.deliver_overdue(0.0).await.is_ok());
    }
    assert_eq!(turns, [true, false, true]);
    assert_eq!(stage.served().await, ["abel", "globex"]);
}

#[tokio::test]
async fn a_backlog_does_not_wait_for_the_next_turn_and_young_rows_are_left_to_their_jobs() {
    let stage = Stage::of_several().await;
    used_by_jobs(&stage, &TENANTS, 1..=300).await;
    let reporter = stage.reporter_to(&stage.origin);
    assert_eq!(reporter.turn(60.0).await.unwrap(), 0, "they are a second old");
    assert_eq!(reporter.turn(0.0).await.unwrap(), 300 * 4, "more than are asked for at once");
    assert_eq!(stage.served().await, TENANTS);
}
