//! The network key's public parts, kept in memory: the key manager is asked seldom, and not waited for where something is
//! known. Nobody queues behind one that is dead.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use alloy::primitives::B256;
use bytes::Bytes;
use serde::Deserialize;
use tokio::sync::Mutex as Queue;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::key_manager::{KeyManager, KeyManagerError, NetworkKey};

/// How long a manifest is believed without asking again.
const FRESH: Duration = Duration::from_secs(30);
/// How long a failure is the answer to everybody who asks for the same.
const FAILED: Duration = Duration::from_secs(5);
/// Longest time for a manifest to come.
const MANIFEST_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time for a part to come: 4.6 MB at most.
const PART_TIMEOUT: Duration = Duration::from_secs(20);

/// Which of the key's parts that clients need.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = NetworkKeyPart)]
pub enum Part {
    PublicKey,
    Crs,
}

/// One for the whole server.
pub struct NetworkKeys {
    manifests: Arc<Manifests>,
    public_key: Queue<Slot>,
    crs: Queue<Slot>,
}

/// The last manifest and the last failure to get one.
struct Manifests {
    manager: Arc<dyn KeyManager>,
    known: Mutex<Known>,
    /// Whoever asks holds it, so that a crowd asks once.
    asking: Queue<()>,
    fresh: Duration,
}

#[derive(Default)]
struct Known {
    key: Option<(Instant, NetworkKey)>,
    failure: Failure,
}

/// A part's bytes under their hash.
#[derive(Default)]
struct Slot {
    bytes: Option<(B256, Bytes)>,
    failure: Failure,
}

/// A failure, for as long as it is remembered.
#[derive(Default)]
struct Failure(Option<(Instant, KeyManagerError)>);

impl Failure {
    fn recent(&self) -> Option<KeyManagerError> {
        self.0.as_ref().filter(|(at, _)| at.elapsed() < FAILED).map(|(_, error)| error.clone())
    }

    fn note(&mut self, error: &KeyManagerError) {
        self.0 = Some((Instant::now(), error.clone()));
    }
}

impl NetworkKeys {
    #[must_use]
    pub fn new(manager: Arc<dyn KeyManager>) -> Self {
        Self::believing_for(FRESH, manager)
    }

    fn believing_for(fresh: Duration, manager: Arc<dyn KeyManager>) -> Self {
        let (known, asking) = (Mutex::default(), Queue::default());
        let manifests = Arc::new(Manifests { manager, known, asking, fresh });
        Self { manifests, public_key: Queue::default(), crs: Queue::default() }
    }

    pub(crate) fn manager(&self) -> &dyn KeyManager {
        &*self.manifests.manager
    }

    /// Which key there is: the one that was known, at once, and looked after in the background; else the key manager's
    /// answer.
    pub(crate) async fn manifest(&self) -> Result<NetworkKey, KeyManagerError> {
        let known = self.manifests.known().key.clone();
        let Some((at, key)) = known else { return self.manifests.first().await };
        if at.elapsed() >= self.manifests.fresh {
            let manifests = Arc::clone(&self.manifests);
            tokio::spawn(async move { manifests.refresh().await });
        }
        Ok(key)
    }

    /// The bytes of a part of `key`.
    pub(crate) async fn part(&self, part: Part, key: &NetworkKey) -> Result<Bytes, KeyManagerError> {
        let (slot, expected) = match part {
            Part::PublicKey => (&self.public_key, key.public_key.sha256),
            Part::Crs => (&self.crs, key.crs.sha256),
        };
        // Held while asking, so that a crowd asks once.
        let mut slot = slot.lock().await;
        if let Some((sha256, bytes)) = &slot.bytes
            && *sha256 == expected
        {
            return Ok(bytes.clone());
        }
        if let Some(failure) = slot.failure.recent() {
            return Err(failure);
        }
        let asked = async {
            let bytes = match part {
                Part::PublicKey => self.manager().public_key().await?,
                Part::Crs => self.manager().crs().await?,
            };
            if blobs::BlobHash::of(&bytes).0 != expected.0 {
                return Err(KeyManagerError::Unavailable("its key is not the one of its manifest".to_owned()));
            }
            Ok(bytes)
        };
        let bytes = within(PART_TIMEOUT, asked).await.inspect_err(|error| slot.failure.note(error))?;
        slot.bytes = Some((expected, bytes.clone()));
        Ok(bytes)
    }
}

impl Manifests {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// For whoever has to wait, since nothing is known.
    async fn first(&self) -> Result<NetworkKey, KeyManagerError> {
        let _turn = self.asking.lock().await;
        {
            // Whoever went before may have asked.
            let known = self.known();
            if let Some((_, key)) = &known.key {
                return Ok(key.clone());
            }
            if let Some(failure) = known.failure.recent() {
                return Err(failure);
            }
        }
        self.ask().await
    }

    /// Asks again, unless somebody does or has just tried.
    async fn refresh(&self) {
        let Ok(_turn) = self.asking.try_lock() else { return };
        let is_due = {
            let known = self.known();
            known.key.as_ref().is_none_or(|(at, _)| at.elapsed() >= self.fresh) && known.failure.recent().is_none()
        };
        if is_due && let Err(error) = self.ask().await {
            tracing::warn!(%error, "the network key's manifest is the one that was known");
        }
    }

    async fn ask(&self) -> Result<NetworkKey, KeyManagerError> {
        let answer = within(MANIFEST_TIMEOUT, self.manager.manifest()).await;
        let mut known = self.known();
        match &answer {
            Ok(key) => known.key = Some((Instant::now(), key.clone())),
            Err(error) => known.failure.note(error),
        }
        answer
    }
}

async fn within<T>(
    time: Duration,
    answer: impl Future<Output = Result<T, KeyManagerError>>,
) -> Result<T, KeyManagerError> {
    timeout(time, answer).await.unwrap_or_else(|_| Err(KeyManagerError::Unavailable("it is too slow".to_owned())))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use alloy::primitives::Address;
    use futures::FutureExt as _;
    use futures::future::{BoxFuture, pending, ready};
    use retrieval::Answer;

    use super::*;
    use crate::key_manager::{Decryption, KeyFile};

    /// A key manager as it is for the moment.
    #[derive(Clone, Copy)]
    enum Mood {
        /// It answers with a key of this id.
        Well(u8),
        Refusing,
        /// It takes the call and says nothing.
        Dead,
    }

    struct Moody {
        mood: Mutex<Mood>,
        calls: AtomicUsize,
    }

    impl Moody {
        fn of(mood: Mood) -> Arc<Self> {
            Arc::new(Self { mood: Mutex::new(mood), calls: AtomicUsize::new(0) })
        }

        fn becomes(&self, mood: Mood) {
            *self.mood.lock().unwrap() = mood;
        }

        fn calls(&self) -> usize {
            self.calls.load(Ordering::SeqCst)
        }

        fn answer<T: Send + 'static>(
            &self,
            of: impl FnOnce(u8) -> T,
        ) -> BoxFuture<'static, Result<T, KeyManagerError>> {
            self.calls.fetch_add(1, Ordering::SeqCst);
            match *self.mood.lock().unwrap() {
                Mood::Well(id) => ready(Ok(of(id))).boxed(),
                Mood::Refusing => ready(Err(KeyManagerError::Unavailable("no".to_owned()))).boxed(),
                Mood::Dead => pending().boxed(),
            }
        }
    }

    impl KeyManager for Moody {
        fn manifest(&self) -> BoxFuture<'_, Result<NetworkKey, KeyManagerError>> {
            let file = KeyFile { sha256: B256::ZERO, size: 0 };
            self.answer(|id| NetworkKey {
                key_id: B256::repeat_byte(id),
                parameters: String::new(),
                evaluation_key: file,
                public_key: file,
                crs: file,
                signer: Address::ZERO,
                signature: [0; 65],
            })
        }

        fn public_key(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>> {
            self.answer(|_| Bytes::new())
        }

        fn crs(&self) -> BoxFuture<'_, Result<Bytes, KeyManagerError>> {
            self.answer(|_| Bytes::new())
        }

        fn has_access(&self, _: B256, _: Address) -> BoxFuture<'_, Result<bool, KeyManagerError>> {
            self.answer(|_| false)
        }

        fn decrypt(&self, asked: Decryption) -> BoxFuture<'_, Result<Answer, KeyManagerError>> {
            let job_id = asked.retrieval.job_id;
            self.answer(move |_| Answer::ciphertext(job_id, Vec::new()))
        }
    }

    fn id(key: Result<NetworkKey, KeyManagerError>) -> u8 {
        key.unwrap().key_id[0]
    }

    #[tokio::test]
    async fn what_was_known_is_answered_at_once_whatever_became_of_the_key_manager() {
        let manager = Moody::of(Mood::Well(1));
        let keys = NetworkKeys::believing_for(Duration::ZERO, manager.clone());
        assert_eq!(id(keys.manifest().await), 1);
        manager.becomes(Mood::Dead);
        for _ in 0..3 {
            assert_eq!(id(keys.manifest().now_or_never().expect("nobody waits")), 1);
            tokio::task::yield_now().await;
        }
        assert_eq!(manager.calls(), 2, "one asks, and the others do not queue behind it");
    }

    #[tokio::test]
    async fn a_new_manifest_is_found_in_the_background() {
        let manager = Moody::of(Mood::Well(1));
        let keys = NetworkKeys::believing_for(Duration::ZERO, manager.clone());
        assert_eq!(id(keys.manifest().await), 1);
        manager.becomes(Mood::Well(2));
        while id(keys.manifest().await) != 2 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn a_failure_is_everybody_s_answer_for_a_moment() {
        let manager = Moody::of(Mood::Refusing);
        let keys = NetworkKeys::new(manager.clone());
        for _ in 0..3 {
            keys.manifest().await.unwrap_err();
        }
        assert_eq!(manager.calls(), 1, "of the manifest");
        manager.becomes(Mood::Well(1));
        let key = manager.manifest().await.unwrap();
        manager.becomes(Mood::Refusing);
        for _ in 0..3 {
            keys.part(Part::Crs, &key).await.unwrap_err();
        }
        assert_eq!(manager.calls(), 3, "of a part");
    }
}
