//! `Keeper`: the one door to book and journal. A change is on disk before it is visible, and visible before it is answered.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use axum::Json;
use chrono::{DateTime, Utc};
use serde_json::Value;

use super::answer::Refusal;
use super::book::Book;
use super::journal::Journal;
use super::records::Record;

/// What a handler answers with.
pub(super) type Answer = Result<Json<Value>, Refusal>;

#[derive(Clone, Debug)]
pub(super) struct Keeper(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    book: Book,
    journal: Journal,
}

impl Keeper {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let (journal, records) = Journal::open(path)?;
        let mut book = Book::default();
        records.into_iter().for_each(|record| book.apply(record));
        Ok(Self(Arc::new(Mutex::new(Inner { book, journal }))))
    }

    /// Answers from the book as it is.
    pub(super) async fn read(
        &self,
        ask: impl FnOnce(&Book, DateTime<Utc>) -> Result<Value, Refusal> + Send + 'static,
    ) -> Answer {
        self.blocking(move |inner| ask(&inner.book, Utc::now())).await
    }

    /// Decides on a change by the book as it is; keeps its records together, or none of them.
    pub(super) async fn change(
        &self,
        decide: impl FnOnce(&Book, DateTime<Utc>) -> Result<(Vec<Record>, Value), Refusal> + Send + 'static,
    ) -> Answer {
        self.blocking(move |inner| {
            let (records, answer) = decide(&inner.book, Utc::now())?;
            if !records.is_empty() {
                inner.journal.append(&records).map_err(|error| Refusal::Broken(format!("{error:#}")))?;
                records.into_iter().for_each(|record| inner.book.apply(record));
            }
            Ok(answer)
        })
        .await
    }

    async fn blocking(&self, work: impl FnOnce(&mut Inner) -> Result<Value, Refusal> + Send + 'static) -> Answer {
        let keeper = self.clone();
        let done =
            tokio::task::spawn_blocking(move || work(&mut keeper.0.lock().unwrap_or_else(PoisonError::into_inner)));
        done.await.map_err(|error| Refusal::Broken(error.to_string()))?.map(Json)
    }
}
