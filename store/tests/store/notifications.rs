//! Each line of a month is told once, by the admission that crosses it, however many cross at once.

use futures::future::join_all;
use store::admission::Admitted;
use store::limits::{AdmissionLimits, Ceilings, Packages, month_of};
use store::notifications::{self, Notification};

use crate::outbox::{New, Outbox};

/// Jobs of [`Outbox`] reserve two units each.
fn limits(package: u64, ceiling: u64) -> AdmissionLimits {
    let units = Some(Ceilings { compute: ceiling, fhe: u64::MAX });
    AdmissionLimits { units, packages: Packages { compute: package, fhe: 0 }, ..AdmissionLimits::default() }
}

async fn told(outbox: &Outbox) -> Vec<Notification> {
    let month = month_of(chrono::Utc::now());
    notifications::of_month(&outbox.pool, &"acme".parse().unwrap(), month).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admission_that_crosses_a_line_tells_it_and_no_other_one() {
    let outbox = Outbox::new().await;
    let nodes: [Outbox; 3] = std::array::from_fn(|_| outbox.through_own_pool());
    let new = New { limits: limits(100, 200), ..New::default() };
    let answers = join_all((0..130).map(|turn| nodes[turn % 3].admit(new))).await;
    let admitted = answers.iter().filter(|(_, admitted)| matches!(admitted, Admitted::New { .. })).count();
    assert_eq!(admitted, 100);
    let told = told(&outbox).await;
    let told: Vec<_> = told.iter().map(|line| (line.quota.as_str(), line.percent, line.held_units)).collect();
    let expected = [("package", 80, 80), ("package", 100, 100), ("ceiling", 80, 160), ("ceiling", 100, 200)];
    assert_eq!(told, expected, "none was crossed unseen");
}

#[tokio::test]
async fn one_that_is_refused_crosses_nothing_and_one_that_leaps_crosses_all() {
    let outbox = Outbox::new().await;
    let new = |limits| New { limits, ..New::default() };
    assert!(matches!(outbox.admit(new(limits(1, 1))).await.1, Admitted::Limited(_)));
    assert!(told(&outbox).await.is_empty());
    assert!(matches!(outbox.admit(new(limits(2, 2))).await.1, Admitted::New { .. }));
    let lines = told(&outbox).await;
    assert_eq!(lines.len(), 4, "{lines:?}");
    // A higher quota in the same month is not told again.
    assert!(matches!(outbox.admit(new(limits(4, 100))).await.1, Admitted::New { .. }));
    assert_eq!(told(&outbox).await.len(), 4);
    // The next month has its own lines.
    outbox.execute("UPDATE notifications SET month = month - interval '1 month'").await;
    assert!(matches!(outbox.admit(new(limits(4, 100))).await.1, Admitted::New { .. }));
    let parts: Vec<_> = told(&outbox).await.into_iter().map(|line| (line.quota, line.percent)).collect();
    assert_eq!(parts, [("package".to_owned(), 80), ("package".to_owned(), 100)]);
}

#[tokio::test]
async fn nothing_is_told_where_nothing_is_counted() {
    let outbox = Outbox::new().await;
    let packages = Packages { compute: 1, fhe: 1 };
    let uncounted = New { limits: AdmissionLimits { packages, ..AdmissionLimits::default() }, ..New::default() };
    assert!(matches!(outbox.admit(uncounted).await.1, Admitted::New { .. }));
    assert!(told(&outbox).await.is_empty());
}
