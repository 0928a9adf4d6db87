//! How often the billing system is asked for its key.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures::future::{BoxFuture, FutureExt as _, join_all};
use jobs::TenantId;
use jobs::credits::PriceList;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::json;

use super::*;
use crate::billing_system::{Invoice, InvoiceHead};

const KEY: &str = include_str!("../../tests/api/app/lago.pem");
const PUBLIC_KEY: &str = include_str!("../../tests/api/app/lago.pub.pem");
const NOTICE: &str = r#"{"webhook_type":"invoice.created"}"#;
/// Longer than any test lasts.
const LONG: Duration = Duration::from_secs(3600);

/// A Lago that is away until it comes back, and counts who asks for its key.
#[derive(Default)]
struct Away {
    is_back: AtomicBool,
    asked: AtomicUsize,
}

impl BillingSystem for Away {
    fn invoices<'a>(&'a self, _: &'a TenantId) -> BoxFuture<'a, Result<Vec<InvoiceHead>, BillingUnavailable>> {
        unreachable!("nobody asks")
    }

    fn invoice<'a>(
        &'a self,
        _: &'a TenantId,
        _: &'a str,
    ) -> BoxFuture<'a, Result<Option<Invoice>, BillingUnavailable>> {
        unreachable!("nobody asks")
    }

    fn prices(&self) -> &dyn PriceList {
        unreachable!("nobody asks")
    }

    fn notice_key(&self) -> BoxFuture<'_, Result<String, BillingUnavailable>> {
        async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            // Others come while it is asked.
            tokio::task::yield_now().await;
            match self.is_back.load(Ordering::SeqCst) {
                true => Ok(PUBLIC_KEY.to_owned()),
                false => Err(BillingUnavailable("connection refused".to_owned())),
            }
        }
        .boxed()
    }
}

fn door(left_alone: Duration) -> (Notices, Arc<Away>) {
    let away = Arc::new(Away::default());
    (Notices { left_alone, ..Notices::of(away.clone()) }, away)
}

fn signed() -> String {
    let key = EncodingKey::from_rsa_pem(KEY.as_bytes()).unwrap();
    encode(&Header::new(Algorithm::RS256), &json!({ "data": NOTICE }), &key).unwrap()
}

fn asked(away: &Away) -> usize {
    away.asked.load(Ordering::SeqCst)
}

#[tokio::test]
async fn while_it_is_away_it_is_asked_once_however_many_notices_come() {
    let (notices, away) = door(LONG);
    let refused = join_all((0..20).map(|_| notices.are_ready())).await;
    assert!(refused.iter().all(|refused| matches!(refused, Err(KeyUnknown { again }) if *again <= LONG)));
    assert!(matches!(notices.check(&signed(), NOTICE.as_bytes()).await, Err(KeyUnknown { .. })));
    assert_eq!(asked(&away), 1);
    away.is_back.store(true, Ordering::SeqCst);
    assert!(notices.are_ready().await.is_err(), "it is left alone for its time");
    assert_eq!(asked(&away), 1);
}

#[tokio::test]
async fn once_its_time_is_over_it_is_asked_again_and_then_no_more() {
    let (notices, away) = door(Duration::ZERO);
    assert!(notices.are_ready().await.is_err() && notices.are_ready().await.is_err());
    assert_eq!(asked(&away), 2);
    away.is_back.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert_eq!(notices.check(&signed(), NOTICE.as_bytes()).await, Ok(Signature::Genuine));
    }
    assert_eq!(notices.check(&signed(), b"another body").await, Ok(Signature::Forged));
    assert_eq!(asked(&away), 3);
}

/// Whoever hangs up while the key is asked for has asked, too.
#[tokio::test]
async fn a_client_that_goes_away_does_not_make_us_ask_again() {
    let (notices, away) = door(LONG);
    assert_eq!(notices.are_ready().now_or_never(), None, "it is being asked");
    assert!(notices.are_ready().await.is_err());
    assert_eq!(asked(&away), 1);
}

/// With the key that is known genuine notices are heard, whatever forged ones make us ask.
#[tokio::test]
async fn a_forged_notice_keeps_no_genuine_one_waiting() {
    let (notices, away) = door(LONG);
    let notices = Notices { ask_again: Duration::ZERO, ..notices };
    away.is_back.store(true, Ordering::SeqCst);
    notices.are_ready().await.unwrap();
    let _asking = notices.asking.lock().await;
    assert_eq!(notices.check(&signed(), NOTICE.as_bytes()).await, Ok(Signature::Genuine));
    let forged = notices.check("forged", NOTICE.as_bytes()).now_or_never();
    assert_eq!(forged, Some(Err(KeyUnknown { again: LONG })), "with its body it waits for no newer key");
}
