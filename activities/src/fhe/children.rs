//! The children of a worker: as many as may compute at once, kept between jobs so that keys are loaded once.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::process::Child;

/// How children are started.
#[derive(Clone, Debug)]
pub struct ChildOptions {
    /// This very program, which becomes a child under `fhe-child`.
    pub program: PathBuf,
    /// Largest address space of a child, in bytes.
    pub memory_bytes: u64,
}

/// Cheap to clone.
#[derive(Clone)]
pub struct Children {
    options: ChildOptions,
    permits: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Child>>>,
}

impl Children {
    /// At most `count` at once; none is started before it is needed.
    #[must_use]
    pub fn new(options: ChildOptions, count: usize) -> Self {
        Self { options, permits: Arc::new(Semaphore::new(count)), idle: Arc::default() }
    }

    /// Waits for its turn, and takes the right to one child.
    ///
    /// # Errors
    /// The worker stops.
    pub async fn lease(&self) -> Result<Lease> {
        let permit = self.permits.clone().acquire_owned().await.context("the worker stops")?;
        Ok(Lease { children: self.clone(), _permit: permit })
    }

    fn pop(&self) -> Option<Child> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn push(&self, child: Child) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(child);
    }
}

/// The right to one child.
pub struct Lease {
    children: Children,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// A child that waits for a request: one that served before, else a new one.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn child(&self) -> Result<Child> {
        while let Some(mut child) = self.children.pop() {
            if child.is_usable() {
                return Ok(child);
            }
        }
        Child::start(&self.children.options).await
    }

    /// Keeps a child for the next job, if it is of use.
    pub fn give_back(&self, mut child: Child) {
        if child.is_usable() {
            self.children.push(child);
        }
    }
}
