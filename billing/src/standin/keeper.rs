//! `Keeper`: the one door to book and journal. A change is on disk before it is visible, and visible before it is answered.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use axum::Json;
use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::Notify;

use super::answer::Refusal;
use super::book::Book;
use super::journal::Journal;
use super::news::{Notice, SigningKey, notices_of};
use super::records::Record;

/// What a handler answers with.
pub(super) type Answer = Result<Json<Value>, Refusal>;

#[derive(Clone, Debug)]
pub(super) struct Keeper {
    inner: Arc<Mutex<Inner>>,
    changed: Arc<Notify>,
}

#[derive(Debug)]
struct Inner {
    book: Book,
    journal: Journal,
}

impl Inner {
    fn keep(&mut self, records: Vec<Record>) -> Result<(), Refusal> {
        if !records.is_empty() {
            self.journal.append(&records).map_err(|error| Refusal::Broken(format!("{error:#}")))?;
            records.into_iter().for_each(|record| self.book.apply(record));
        }
        Ok(())
    }
}

impl Keeper {
    /// `origin` is where the stand-in is reached, without a slash at the end.
    pub(super) fn open(path: &Path, origin: String) -> Result<Self> {
        let (journal, records) = Journal::open(path)?;
        let mut book = Book::at(origin);
        records.into_iter().for_each(|record| book.apply(record));
        Ok(Self { inner: Arc::new(Mutex::new(Inner { book, journal })), changed: Arc::default() })
    }

    /// Answers from the book as it is.
    pub(super) async fn read(
        &self,
        ask: impl FnOnce(&Book, DateTime<Utc>) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answer {
        self.look(ask).await.map(Json)
    }

    /// As [`Self::read`], of what is no JSON.
    pub(super) async fn look<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Book, DateTime<Utc>) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        self.blocking(move |inner| ask(&inner.book, Utc::now())).await
    }

    /// A glance at what is in memory; waits for a change that is being written.
    pub(super) fn peek<T>(&self, ask: impl FnOnce(&Book) -> T) -> T {
        ask(&self.lock().book)
    }

    /// Decides on a change by the book as it is; keeps its records together with the notices of it, or none of them.
    pub(super) async fn change(
        &self,
        decide: impl FnOnce(&Book, DateTime<Utc>) -> Result<(Vec<Record>, Value), Refusal> + Send + 'static,
    ) -> Answer {
        let answer = self.blocking(move |inner| {
            let now = Utc::now();
            let (mut records, answer) = decide(&inner.book, now)?;
            let notices = notices_of(&inner.book, &records, now);
            records.extend(notices.into_iter().map(Record::Notice));
            inner.keep(records)?;
            Ok(answer)
        });
        let answer = answer.await.map(Json);
        self.changed.notify_one();
        answer
    }

    /// Keeps what became of a notice, which is no news itself.
    pub(super) async fn note(&self, notice: Notice) -> Result<(), Refusal> {
        self.blocking(move |inner| inner.keep(vec![Record::Notice(notice)])).await
    }

    /// The key of webhooks, made by the first who asks.
    pub(super) async fn signing_key(&self) -> Result<SigningKey, Refusal> {
        self.blocking(|inner| {
            if let Some(known) = &inner.book.signing_key {
                return Ok(known.clone());
            }
            let made = SigningKey::generate()?;
            inner.keep(vec![Record::SigningKey(made.clone())])?;
            Ok(made)
        })
        .await
    }

    /// Until something has changed since this was awaited last.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Inner) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let keeper = self.clone();
        let done = tokio::task::spawn_blocking(move || work(&mut keeper.lock()));
        done.await.map_err(|error| Refusal::Broken(error.to_string()))?
    }
}
