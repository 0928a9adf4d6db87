//! Which nonces were used, and the answers of the last ten minutes: one durable write holds both.

use std::path::Path;

use alloy::primitives::{Address, B256};
use jobs::JobId;
use redb::{Database, ReadableTable, TableDefinition};
use serde::{Deserialize, Serialize};

/// Seconds in which the identical request gets the same answer again.
pub const REPEAT_WINDOW: u64 = 600;

/// (signer, job id, nonce) to (time, fingerprint of the request). Never forgotten.
const USED: TableDefinition<&[u8; KEY], (u64, [u8; 32])> = TableDefinition::new("used");
/// (time, the same key) to the answer; forgotten after [`REPEAT_WINDOW`].
const ANSWERS: TableDefinition<(u64, [u8; KEY]), Vec<u8>> = TableDefinition::new("answers");
const KEY: usize = 20 + 16 + 32;

/// A nonce is unique among those of one signer for one job.
#[derive(Clone, Copy, Debug)]
pub struct NonceUse {
    pub signer: Address,
    pub job_id: JobId,
    pub nonce: B256,
    /// Same for identical requests, different for others.
    pub fingerprint: B256,
}

impl NonceUse {
    fn key(&self) -> [u8; KEY] {
        let mut key = [0; KEY];
        key[..20].copy_from_slice(self.signer.as_slice());
        key[20..36].copy_from_slice(self.job_id.0.as_bytes());
        key[36..].copy_from_slice(self.nonce.as_slice());
        key
    }
}

/// What the owner got.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct SealedAnswer {
    pub enc: Vec<u8>,
    pub ciphertext: Vec<u8>,
    /// The key manager's 65 bytes.
    pub signature: Vec<u8>,
}

/// What is known about a nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nobody used it.
    Fresh,
    /// The identical request did, within the window.
    Answered(SealedAnswer),
    /// Another request did, or this one long ago.
    Replayed,
}

/// The database failed: nothing was recorded, nothing may be given out.
#[derive(Debug, thiserror::Error)]
#[error("the nonce database failed: {0}")]
pub struct NonceStoreError(String);

/// The nonce database; one process at a time.
#[derive(Debug)]
pub struct Nonces(Database);

impl Nonces {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// Another process has it open, or it cannot be read.
    pub fn open(path: &Path) -> Result<Self, NonceStoreError> {
        let database = Database::create(path).map_err(failed)?;
        let transaction = database.begin_write().map_err(failed)?;
        transaction.open_table(USED).map_err(failed)?;
        transaction.open_table(ANSWERS).map_err(failed)?;
        transaction.commit().map_err(failed)?;
        Ok(Self(database))
    }

    /// Looks a nonce up; records nothing. `now` in Unix seconds.
    ///
    /// # Errors
    /// [`NonceStoreError`].
    pub fn look_up(&self, asked: &NonceUse, now: u64) -> Result<Known, NonceStoreError> {
        let transaction = redb::ReadableDatabase::begin_read(&self.0).map_err(failed)?;
        let used = transaction.open_table(USED).map_err(failed)?;
        known(&used, &transaction.open_table(ANSWERS).map_err(failed)?, asked, now)
    }

    /// Records the nonce with its answer, durably, unless somebody was faster. Returns what the caller may give out:
    /// its own answer or the faster one's, or nothing.
    ///
    /// # Errors
    /// [`NonceStoreError`].
    pub fn record(
        &self,
        asked: &NonceUse,
        answer: SealedAnswer,
        now: u64,
    ) -> Result<Option<SealedAnswer>, NonceStoreError> {
        // One writer at a time: what it reads is what stands when it commits, and redb's commit ends with fsync.
        let transaction = self.0.begin_write().map_err(failed)?;
        let outcome = {
            let mut used = transaction.open_table(USED).map_err(failed)?;
            let mut answers = transaction.open_table(ANSWERS).map_err(failed)?;
            match known(&used, &answers, asked, now)? {
                Known::Answered(earlier) => return Ok(Some(earlier)),
                Known::Replayed => return Ok(None),
                Known::Fresh => {}
            }
            let bytes = serde_json::to_vec(&answer).map_err(failed)?;
            used.insert(&asked.key(), (now, asked.fingerprint.0)).map_err(failed)?;
            answers.insert((now, asked.key()), bytes).map_err(failed)?;
            let stale = ..(now.saturating_sub(REPEAT_WINDOW), [0; KEY]);
            answers.retain_in(stale, |_, _| false).map_err(failed)?;
            answer
        };
        transaction.commit().map_err(failed)?;
        Ok(Some(outcome))
    }
}

fn known(
    used: &impl ReadableTable<&'static [u8; KEY], (u64, [u8; 32])>,
    answers: &impl ReadableTable<(u64, [u8; KEY]), Vec<u8>>,
    asked: &NonceUse,
    now: u64,
) -> Result<Known, NonceStoreError> {
    let Some((at, fingerprint)) = used.get(&asked.key()).map_err(failed)?.map(|found| found.value()) else {
        return Ok(Known::Fresh);
    };
    // A clock that went back is no reason to answer again.
    let repeats = fingerprint == asked.fingerprint.0 && now.abs_diff(at) <= REPEAT_WINDOW;
    if !repeats {
        return Ok(Known::Replayed);
    }
    match answers.get((at, asked.key())).map_err(failed)? {
        Some(answer) => Ok(Known::Answered(serde_json::from_slice(&answer.value()).map_err(failed)?)),
        None => Ok(Known::Replayed),
    }
}

fn failed(error: impl std::fmt::Display) -> NonceStoreError {
    NonceStoreError(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn a_use(nonce: u8, fingerprint: u8) -> NonceUse {
        NonceUse {
            signer: Address::repeat_byte(1),
            job_id: "0193c8d4-7f7e-7abc-8def-0123456789ab".parse().unwrap(),
            nonce: B256::repeat_byte(nonce),
            fingerprint: B256::repeat_byte(fingerprint),
        }
    }

    fn answer(text: u8) -> SealedAnswer {
        SealedAnswer { enc: vec![text], ciphertext: vec![text; 2], signature: vec![text; 3] }
    }

    fn open() -> (tempfile::TempDir, Nonces) {
        let folder = tempfile::tempdir().unwrap();
        let nonces = Nonces::open(&folder.path().join("nonces.redb")).unwrap();
        (folder, nonces)
    }

    #[test]
    fn the_identical_request_gets_the_first_answer_for_ten_minutes() {
        let (_folder, nonces) = open();
        assert_eq!(nonces.look_up(&a_use(1, 1), NOW).unwrap(), Known::Fresh);
        assert_eq!(nonces.record(&a_use(1, 1), answer(1), NOW).unwrap(), Some(answer(1)));
        assert_eq!(nonces.record(&a_use(1, 1), answer(2), NOW + 5).unwrap(), Some(answer(1)));
        assert_eq!(nonces.look_up(&a_use(1, 1), NOW + REPEAT_WINDOW).unwrap(), Known::Answered(answer(1)));
        assert_eq!(nonces.look_up(&a_use(1, 1), NOW + REPEAT_WINDOW + 1).unwrap(), Known::Replayed);
    }

    #[test]
    fn another_request_never_gets_a_used_nonce() {
        let (_folder, nonces) = open();
        nonces.record(&a_use(1, 1), answer(1), NOW).unwrap();
        assert_eq!(nonces.look_up(&a_use(1, 2), NOW).unwrap(), Known::Replayed);
        assert_eq!(nonces.record(&a_use(1, 2), answer(2), NOW).unwrap(), None);
        // Of another signer or job it is another nonce.
        let other_job = NonceUse { job_id: JobId::generate(), ..a_use(1, 2) };
        let other_signer = NonceUse { signer: Address::ZERO, ..a_use(1, 2) };
        assert_eq!(nonces.look_up(&other_job, NOW).unwrap(), Known::Fresh);
        assert_eq!(nonces.look_up(&other_signer, NOW).unwrap(), Known::Fresh);
    }

    #[test]
    fn answers_are_forgotten_and_nonces_never() {
        let (folder, nonces) = open();
        nonces.record(&a_use(1, 1), answer(1), NOW).unwrap();
        nonces.record(&a_use(2, 1), answer(2), NOW + REPEAT_WINDOW + 1).unwrap();
        let kept = |nonces: &Nonces| {
            let transaction = redb::ReadableDatabase::begin_read(&nonces.0).unwrap();
            redb::ReadableTableMetadata::len(&transaction.open_table(ANSWERS).unwrap()).unwrap()
        };
        assert_eq!(kept(&nonces), 1);
        drop(nonces);
        let again = Nonces::open(&folder.path().join("nonces.redb")).unwrap();
        assert_eq!(again.look_up(&a_use(1, 1), NOW).unwrap(), Known::Replayed);
        assert_eq!(again.look_up(&a_use(2, 1), NOW + REPEAT_WINDOW + 2).unwrap(), Known::Answered(answer(2)));
    }

    #[test]
    fn of_many_at_once_one_wins() {
        let (_folder, nonces) = open();
        let outcomes: Vec<_> = std::thread::scope(|scope| {
            let race = |text: u8| {
                let nonces = &nonces;
                scope.spawn(move || nonces.record(&a_use(1, text % 2), answer(text), NOW).unwrap())
            };
            let racers: Vec<_> = (0..8).map(race).collect();
            racers.into_iter().map(|racer| racer.join().unwrap()).collect()
        });
        let given: Vec<&SealedAnswer> = outcomes.iter().flatten().collect();
        assert_eq!(given.len(), 4, "the other request's four get nothing");
        assert!(given.iter().all(|it| *it == given[0]));
    }
}
