//! Turns at what takes the database long. A question about a large tenant's months takes seconds: only so many are answered
//! at once, so that everybody else finds a connection.

use std::sync::Arc;

use store::StoreError;
use tokio::sync::Semaphore;

use super::problem::Problem;

/// At once in one process: each holds a connection for as long as a statement may take.
const AT_ONCE: usize = 4;

/// Who reads much of the ledger takes a turn. One for the whole server.
#[derive(Clone)]
pub struct Turns(Arc<Semaphore>);

impl Default for Turns {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

impl Turns {
    /// Reads once it is its turn, for which whoever asks waits within the time of its request. In a task of its own: a statement
    /// goes on when nobody waits for it any more, and so does its turn.
    ///
    /// # Errors
    /// What reading met.
    pub async fn take<T: Send + 'static>(
        &self,
        reading: impl Future<Output = Result<T, StoreError>> + Send + 'static,
    ) -> Result<T, Problem> {
        let turn = self.0.clone().acquire_owned().await.map_err(|_| Problem::internal())?;
        let read = tokio::spawn(async move {
            let _turn = turn;
            reading.await
        });
        Ok(read.await.map_err(|_| Problem::internal())??)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Until it holds; whoever else is to do something does it meanwhile.
    async fn until(holds: impl Fn() -> bool) {
        while !holds() {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_turn_lasts_as_long_as_its_statement_and_not_as_its_request() {
        let turns = Turns::default();
        let (begun, answers) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
        let ask = || {
            let (turns, begun, answers) = (turns.clone(), begun.clone(), answers.clone());
            let reading = async move {
                begun.fetch_add(1, Ordering::SeqCst);
                answers.acquire().await.unwrap().forget();
                Ok::<(), StoreError>(())
            };
            tokio::spawn(async move { turns.take(reading).await })
        };
        let gone: Vec<_> = (0..AT_ONCE).map(|_| ask()).collect();
        until(|| begun.load(Ordering::SeqCst) == AT_ONCE).await;
        for asks in gone {
            asks.abort();
            assert!(asks.await.unwrap_err().is_cancelled());
        }
        assert_eq!(turns.0.available_permits(), 0, "their statements go on");
        let waits = ask();
        answers.add_permits(1);
        until(|| begun.load(Ordering::SeqCst) == AT_ONCE + 1).await;
        answers.add_permits(AT_ONCE);
        waits.await.unwrap().unwrap();
        until(|| turns.0.available_permits() == AT_ONCE).await;
    }
}
