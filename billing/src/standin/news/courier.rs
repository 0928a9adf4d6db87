//! `Courier`: sends what is due, some notices at once, and notes what became of each before it counts.
//!
//! A notice that was sent when the stand-in died is sent again under the same unique key.

use std::convert::Infallible;
use std::time::Duration;

use axum::http::header::CONTENT_TYPE;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use uuid::Uuid;

use super::Notice;
use super::notice::Outcome;
use crate::NOTICE_ALGORITHM;
use crate::standin::book::Book;
use crate::standin::gate::{NAME, STAND_IN_HEADER};
use crate::standin::keeper::Keeper;
use crate::standin::routes::view_of;

/// Longest time for one attempt.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Notices that are on their way at once.
const AT_ONCE: usize = 16;
/// After the data file could not be written.
const BREATH: Duration = Duration::from_secs(5);

pub(in crate::standin) struct Courier {
    keeper: Keeper,
    http: reqwest::Client,
}

/// A notice on its way.
struct Parcel {
    notice: Notice,
    url: String,
    body: String,
    signature: String,
}

impl Courier {
    pub(in crate::standin) fn of(keeper: Keeper) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()?;
        Ok(Self { keeper, http })
    }

    /// Sends for as long as the stand-in serves.
    pub(in crate::standin) async fn run(self) -> Infallible {
        loop {
            let (due, next_at) = self.keeper.peek(due);
            if due.is_empty() {
                self.waits(next_at).await;
            } else {
                self.sends(due).await;
            }
        }
    }

    /// Until there is something new, or something is due again.
    async fn waits(&self, next_at: Option<DateTime<Utc>>) {
        let changed = self.keeper.changed();
        match next_at {
            Some(next_at) => {
                let pause = (next_at - Utc::now()).to_std().unwrap_or_default();
                drop(tokio::time::timeout(pause, changed).await);
            }
            None => changed.await,
        }
    }

    async fn sends(&self, due: Vec<Notice>) {
        let mut on_their_way = JoinSet::new();
        for notice in due {
            match self.packed(notice.clone()).await {
                Some(parcel) => drop(on_their_way.spawn(deliver(self.http.clone(), parcel))),
                None => self.note(notice.after(Outcome::Pointless, Utc::now())).await,
            }
        }
        while let Some(delivered) = on_their_way.join_next().await {
            if let Ok((notice, outcome)) = delivered {
                let noted = notice.after(outcome, Utc::now());
                if !noted.is_open() && outcome != Outcome::Taken {
                    tracing::warn!(
                        notice.kind = noted.kind,
                        "Lago stand-in gives up a webhook after {} tries",
                        noted.tries
                    );
                }
                self.note(noted).await;
            }
        }
    }

    /// The notice as it is sent; `None` of one that cannot be told any more.
    async fn packed(&self, mut notice: Notice) -> Option<Parcel> {
        let key = self.keeper.signing_key().await.ok()?;
        let packed = self.keeper.look(move |book, now| {
            let url = book.webhook_endpoints.iter().find(|endpoint| endpoint.id == notice.endpoint_id);
            let url = url.map(|endpoint| endpoint.webhook_url.clone());
            let body = notice.body.take().or_else(|| payload(book, &notice, now).map(|value| value.to_string()));
            let (Some(url), Some(body)) = (url, body) else { return Ok(None) };
            let signature = key.sign(&body, &book.origin)?;
            notice.body = Some(body.clone());
            Ok(Some(Parcel { notice, url, body, signature }))
        });
        packed.await.ok().flatten()
    }

    async fn note(&self, notice: Notice) {
        if let Err(error) = self.keeper.note(notice).await {
            tracing::warn!("Lago stand-in could not note a webhook: {error:?}");
            tokio::time::sleep(BREATH).await;
        }
    }
}

/// What is due now, oldest first, and when the next one is.
fn due(book: &Book) -> (Vec<Notice>, Option<DateTime<Utc>>) {
    let now = Utc::now();
    let due = book.notices.values().filter(|notice| notice.next_at <= now).take(AT_ONCE).cloned().collect();
    (due, book.notices.values().map(|notice| notice.next_at).min())
}

/// Lago's envelope.
fn payload(book: &Book, notice: &Notice, now: DateTime<Utc>) -> Option<Value> {
    let object_type = notice.about.object_type();
    let mut payload = json!({
        "webhook_type": notice.kind,
        "object_type": object_type,
        "organization_id": Uuid::nil(),
    });
    payload[object_type] = view_of(book, &notice.about, now)?;
    Some(payload)
}

async fn deliver(http: reqwest::Client, parcel: Parcel) -> (Notice, Outcome) {
    let Parcel { notice, url, body, signature } = parcel;
    let request = http
        .post(url)
        .header(CONTENT_TYPE.as_str(), "application/json")
        .header("X-Lago-Signature", signature)
        .header("X-Lago-Signature-Algorithm", NOTICE_ALGORITHM)
        .header("X-Lago-Unique-Key", notice.id.to_string())
        .header(STAND_IN_HEADER, NAME)
        .body(body);
    let is_taken = request.send().await.is_ok_and(|response| response.status().is_success());
    (notice, if is_taken { Outcome::Taken } else { Outcome::Refused })
}
