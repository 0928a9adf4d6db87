//! The children of a worker: as many as may compute at once. One serves one tenant alone, for as long as it lives: it is
//! believed about what it reads, and what it has read of one tenant must not come out in a job of another. One more
//! waits with its keys loaded for a tenant that has none.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result};
use jobs::TenantId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::conversation::KEY_TIME;
use super::network_key::NetworkKey;
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
    waiting: Arc<Mutex<Waiting>>,
    /// What a child that waits for its first tenant has loaded; `None`: none waits.
    network_key: Option<NetworkKey>,
}

#[derive(Default)]
struct Waiting {
    /// Those that served, oldest first.
    served: Vec<(TenantId, Child)>,
    fresh: Option<Child>,
    /// Whether a fresh one is being made.
    making: bool,
}

impl Children {
    /// At most `count` at once; none is started before it is needed.
    #[must_use]
    pub fn new(options: ChildOptions, count: usize) -> Self {
        let permits = Arc::new(Semaphore::new(count));
        Self { options, permits, waiting: Arc::default(), network_key: None }
    }

    /// The same, and from now on one more waits with this key loaded.
    #[must_use]
    pub fn ahead(self, network_key: NetworkKey) -> Self {
        let children = Self { network_key: Some(network_key), ..self };
        children.make_fresh();
        children
    }

    /// Waits for its turn, and takes the right to one child, for this tenant's work.
    ///
    /// # Errors
    /// The worker stops.
    pub async fn lease(&self, tenant: &TenantId) -> Result<Lease> {
        let permit = self.permits.clone().acquire_owned().await.context("the worker stops")?;
        Ok(Lease { children: self.clone(), tenant: tenant.clone(), _permit: permit })
    }

    /// One that served this tenant or nobody, if one waits. There are never more of the others than may compute.
    fn take(&self, tenant: &TenantId) -> Option<Child> {
        let mut waiting = self.waiting();
        while let Some(index) = waiting.served.iter().position(|(owner, _)| owner == tenant) {
            let (_, mut child) = waiting.served.remove(index);
            if child.is_usable() {
                return Some(child);
            }
        }
        if !waiting.served.is_empty() {
            waiting.served.remove(0);
        }
        waiting.fresh.take().and_then(|mut child| child.is_usable().then_some(child))
    }

    /// Makes a child ready beside whatever goes on.
    fn make_fresh(&self) {
        let Some(key) = self.network_key.clone() else { return };
        {
            let mut waiting = self.waiting();
            if waiting.making || waiting.fresh.is_some() {
                return;
            }
            waiting.making = true;
        }
        let children = self.clone();
        tokio::spawn(async move {
            let made = children.fresh(&key).await;
            let mut waiting = children.waiting();
            waiting.making = false;
            match made {
                Ok(child) => waiting.fresh = child,
                // Whoever needs one starts it itself, and fails for itself.
                Err(error) => tracing::warn!(error = format!("{error:#}"), "no computing process waits for work"),
            }
        });
    }

    async fn fresh(&self, key: &NetworkKey) -> Result<Option<Child>> {
        let child = Child::start(&self.options).await?;
        Ok(child.load_key(key.load().await?, &CancellationToken::new(), KEY_TIME).await?.0)
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to one child.
pub struct Lease {
    children: Children,
    tenant: TenantId,
    _permit: OwnedSemaphorePermit,
}

impl Lease {
    /// A child that waits for a request: one that served this tenant before, or nobody.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn child(&self) -> Result<Child> {
        let taken = self.children.take(&self.tenant);
        self.children.make_fresh();
        match taken {
            Some(child) => Ok(child),
            None => self.new_child().await,
        }
    }

    /// A child that has served nobody and holds no key.
    ///
    /// # Errors
    /// It cannot be started.
    pub async fn new_child(&self) -> Result<Child> {
        Child::start(&self.children.options).await
    }

    /// Keeps a child for the tenant's next job, if it is of use.
    pub fn give_back(&self, mut child: Child) {
        if child.is_usable() {
            self.children.waiting().served.push((self.tenant.clone(), child));
        }
    }
}
