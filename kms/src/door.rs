//! The door: who may call what, and how many results are in memory, decided by the headers before any message is read.

use std::mem;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures::future::{BoxFuture, FutureExt as _, ready};
use http::Request;
use http_body_util::Limited;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::Status;
use tonic::body::Body;
use tower::{Layer, Service};

use crate::credentials::{Caller, Credentials};

/// Results in memory at once; each is up to 64 MiB.
const AT_ONCE: usize = 4;
/// Decryptions that may wait for a place, unread.
const WAITING: usize = 32;
/// Largest message of every other call, in bytes: they are all empty.
const SMALL: usize = 4 * 1024;

/// What is called, as far as the door tells it apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Method {
    Health,
    Decrypt,
    /// Keys; and what there is not, of which a stranger need not hear.
    Other,
}

impl Method {
    fn of(path: &str) -> Self {
        match path {
            "/zama.jobs.kms.v1.KeyManager/Health" => Self::Health,
            "/zama.jobs.kms.v1.KeyManager/Decrypt" => Self::Decrypt,
            _ => Self::Other,
        }
    }
}

/// A place for a result in memory, free again when the last copy is dropped.
#[derive(Clone)]
pub(crate) struct Place(#[allow(dead_code, reason = "held, not read")] Arc<[OwnedSemaphorePermit; 2]>);

/// The layer around the whole service. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Door {
    credentials: Credentials,
    /// Places, and those who wait for one.
    crowd: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Door {
    pub(crate) fn new(credentials: Credentials) -> Self {
        let semaphore = |size| Arc::new(Semaphore::new(size));
        Self { credentials, crowd: semaphore(AT_ONCE + WAITING), places: semaphore(AT_ONCE) }
    }

    /// Whether these headers open the door to this method.
    fn admit<B>(&self, request: &Request<B>) -> Result<Method, Status> {
        let method = Method::of(request.uri().path());
        if method == Method::Health {
            return Ok(method);
        }
        match (self.credentials.caller(request.headers())?, method) {
            (Caller::Worker, Method::Decrypt) => {
                Err(Status::permission_denied("this credential may not ask for decryption"))
            }
            _ => Ok(method),
        }
    }

    /// Waits for a place, unless too many do already.
    async fn place(self) -> Result<Place, Status> {
        let too_many = |_| Status::unavailable("too many decryptions at once; try again");
        let crowd = self.crowd.try_acquire_owned().map_err(too_many)?;
        let place = self.places.acquire_owned().await.map_err(|_| Status::unavailable("the key manager is closing"))?;
        Ok(Place(Arc::new([crowd, place])))
    }
}

impl<S> Layer<S> for Door {
    type Service = Guarded<S>;

    fn layer(&self, inner: S) -> Guarded<S> {
        Guarded { inner, door: self.clone() }
    }
}

/// A service behind the door.
#[derive(Clone)]
pub(crate) struct Guarded<S> {
    inner: S,
    door: Door,
}

impl<S> Service<Request<Body>> for Guarded<S>
where
    S: Service<Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: Send,
{
    type Response = http::Response<Body>;
    type Error = S::Error;
    type Future = BoxFuture<'static, Result<Self::Response, S::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<Body>) -> Self::Future {
        // The one that was polled to be ready goes with the request.
        let fresh = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, fresh);
        match self.door.admit(&request) {
            Err(refusal) => ready(Ok(refusal.into_http())).boxed(),
            Ok(Method::Health | Method::Other) => {
                inner.call(request.map(|body| Body::new(Limited::new(body, SMALL)))).boxed()
            }
            Ok(Method::Decrypt) => {
                let door = self.door.clone();
                async move {
                    match door.place().await {
                        Err(refusal) => Ok(refusal.into_http()),
                        Ok(place) => {
                            request.extensions_mut().insert(place);
                            inner.call(request).await
                        }
                    }
                }
                .boxed()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use tonic::Code;

    use super::*;

    fn door() -> Door {
        Door::new(Credentials::new("api secret", "worker secret").unwrap())
    }

    fn asks(method: &str, credential: &str) -> Request<()> {
        let uri = format!("http://kms/zama.jobs.kms.v1.KeyManager/{method}");
        Request::builder().uri(uri).header("authorization", format!("Bearer {credential}")).body(()).unwrap()
    }

    #[test]
    fn each_caller_gets_what_its_credential_opens() {
        let door = door();
        let refused = |method: &str, credential: &str| door.admit(&asks(method, credential)).unwrap_err().code();
        for method in ["GetManifest", "GetCrs", "GetPublicKey", "GetEvaluationKey", "Decrypt", "NoSuchMethod"] {
            assert!(door.admit(&asks(method, "api secret")).is_ok(), "{method}");
            assert_eq!(refused(method, "another"), Code::Unauthenticated, "{method}");
        }
        assert_eq!(door.admit(&asks("Health", "another")).unwrap(), Method::Health);
        assert_eq!(door.admit(&asks("GetCrs", "worker secret")).unwrap(), Method::Other);
        assert_eq!(refused("Decrypt", "worker secret"), Code::PermissionDenied);
    }

    #[tokio::test]
    async fn a_crowd_waits_and_who_comes_after_it_is_sent_away() {
        let door = door();
        let mut inside = Vec::new();
        for _ in 0..AT_ONCE {
            inside.push(door.clone().place().await.unwrap());
        }
        let mut waiting: Vec<_> = (0..WAITING).map(|_| Box::pin(door.clone().place())).collect();
        for one in &mut waiting {
            assert!(futures::poll!(one).is_pending());
        }
        let refused = door.clone().place().await.map(drop).unwrap_err();
        assert_eq!(refused.code(), Code::Unavailable);
        inside.pop();
        waiting.remove(0).await.unwrap();
        let next = pin!(door.place());
        assert!(futures::poll!(next).is_pending(), "there is room to wait again");
    }
}
