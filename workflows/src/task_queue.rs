//! Task queues: scale is more workers on these, never a scheduler of our own.
//!
//! A queue's tasks wait for a free slot of its workers. So what computes for minutes has queues of its own: a backlog
//! there delays neither a confirmation nor a bill.

use std::fmt;
use std::str::FromStr;

/// Workflows, and the activities that wait for others rather than compute: confirmation, metering, batches.
pub const JOBS: &str = "jobs";
/// Plain computations.
pub const COMPUTE: &str = "compute";
/// Computations on ciphertexts.
pub const FHE: &str = "fhe";

/// A queue that a worker can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    Jobs,
    Compute,
    Fhe,
}

impl Queue {
    pub const ALL: [Self; 3] = [Self::Jobs, Self::Compute, Self::Fhe];

    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jobs => JOBS,
            Self::Compute => COMPUTE,
            Self::Fhe => FHE,
        }
    }

    /// Reads a list with commas; a queue that is named twice is served once.
    ///
    /// # Errors
    /// An unknown name, or none at all.
    pub fn parse_list(names: &str) -> Result<Vec<Self>, String> {
        let mut queues = Vec::new();
        for name in names.split(',') {
            let queue = name.trim().parse()?;
            if !queues.contains(&queue) {
                queues.push(queue);
            }
        }
        Ok(queues)
    }
}

impl fmt::Display for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Queue {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.map(Self::as_str).join(", ");
        Self::ALL
            .into_iter()
            .find(|queue| queue.as_str() == name)
            .ok_or_else(|| format!("there is no queue {name:?}; known: {known}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_queue_once() {
        assert_eq!(Queue::parse_list("jobs, compute,jobs"), Ok(vec![Queue::Jobs, Queue::Compute]));
        assert_eq!(Queue::parse_list("fhe"), Ok(vec![Queue::Fhe]));
        for unknown in ["", "jobs,", "jobs,gpu"] {
            assert!(Queue::parse_list(unknown).is_err(), "{unknown:?}");
        }
    }
}
