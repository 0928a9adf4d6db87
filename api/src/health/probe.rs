//! One way to look at one part.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};

use super::PartName;

/// What a look showed. The sentences are for everybody: they hold no address, no name and no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sight {
    Ok,
    Unavailable(String),
    /// What would tell does not answer itself.
    Unknown(String),
}

impl Sight {
    pub fn unavailable(detail: &str) -> Self {
        Self::Unavailable(detail.to_owned())
    }

    pub fn unknown(detail: &str) -> Self {
        Self::Unknown(detail.to_owned())
    }
}

/// How to look at a part, and how often.
pub struct Probe {
    part: PartName,
    every: Duration,
    look: Box<dyn Fn() -> BoxFuture<'static, Sight> + Send + Sync>,
}

impl Probe {
    /// `look` may take as long as it likes; it is given up soon, and dropped.
    pub fn new<F>(part: PartName, every: Duration, look: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Sight> + Send + 'static,
    {
        Self { part, every, look: Box::new(move || look().boxed()) }
    }

    pub(super) fn part(&self) -> PartName {
        self.part
    }

    pub(super) fn every(&self) -> Duration {
        self.every
    }

    pub(super) fn look(&self) -> BoxFuture<'static, Sight> {
        (self.look)()
    }
}
