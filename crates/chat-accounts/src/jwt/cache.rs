//! Holds the keys of an issuer and loads them again.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use super::keys::KeySet;
use super::schedule::Schedule;
use super::source::Source;
use super::{JwtKeyError, JwtKeyErrorKind};

/// The keys that were loaded last.
pub(super) struct KeyCache {
    source: Arc<Source>,
    state: Mutex<State>,
    /// Held while a file is read, so that the content that was read last is the newest.
    reading: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// Why the last attempt failed. `None` if it did not.
    failure: Option<JwtKeyError>,
    schedule: Schedule,
    /// The request that is running. Its channel is closed when it has ended.
    request: Option<watch::Receiver<()>>,
}

impl KeyCache {
    pub(super) fn new(source: Source) -> Self {
        Self { source: Arc::new(source), state: Mutex::default(), reading: tokio::sync::Mutex::default() }
    }

    /// Loads the keys. If that fails, those that were loaded before stay.
    ///
    /// # Errors
    /// The file can't be used. A request that failed is tried again, and not an error.
    pub(super) async fn load(self: &Arc<Self>) -> Result<(), JwtKeyError> {
        if let Source::Url(_) = *self.source {
            let request = self.request(&mut self.state.lock());
            end_of(request).await;
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        let source = Arc::clone(&self.source);
        let read = spawn_blocking(move || source.read()).await.unwrap_or_else(|error| Err(stopped(error)));
        let failure = read.as_ref().err().cloned();
        self.store(read);
        failure.map_or(Ok(()), Err)
    }

    /// The keys, or why there are none. Begins a request if they are due for a refresh, but does
    /// not wait for it.
    pub(super) fn keys(self: &Arc<Self>) -> Result<Arc<KeySet>, Option<JwtKeyError>> {
        let mut state = self.state.lock();
        if let Source::Url(_) = *self.source
            && state.schedule.is_due(Instant::now())
        {
            self.request(&mut state);
        }
        state.keys.clone().ok_or_else(|| state.failure.clone())
    }

    /// Requests the keys because a token has a key that is not among them. Waits for the end, also
    /// of a request that is running already. Returns at once if there must not be a request now.
    pub(super) async fn demand(self: &Arc<Self>) {
        let request = {
            let Source::Url(_) = *self.source else { return };
            let mut state = self.state.lock();
            match running(&state) {
                Some(request) => request,
                None if state.schedule.demand(Instant::now()) => self.request(&mut state),
                None => return,
            }
        };
        end_of(request).await;
    }

    /// Waits for the request that is running, if there is one.
    pub(super) async fn idle(&self) {
        let request = running(&self.state.lock());
        if let Some(request) = request {
            end_of(request).await;
        }
    }

    /// Begins a request, unless one is running. It does not end with the caller.
    fn request(self: &Arc<Self>, state: &mut State) -> watch::Receiver<()> {
        if let Some(request) = running(state) {
            return request;
        }
        let (ended, request) = watch::channel(());
        state.schedule.begin(Instant::now());
        state.request = Some(request.clone());
        let cache = Arc::clone(self);
        tokio::spawn(async move {
            let source = Arc::clone(&cache.source);
            let read =
                spawn_blocking(move || source.read()).await.unwrap_or_else(|error| Err(stopped(error)));
            cache.store(read);
            drop(ended);
        });
        request
    }

    fn store(&self, read: Result<KeySet, JwtKeyError>) {
        let is_url = matches!(*self.source, Source::Url(_));
        let mut state = self.state.lock();
        state.schedule.end(Instant::now(), read.is_ok());
        match read {
            Ok(keys) => {
                state.keys = Some(Arc::new(keys));
                state.failure = None;
            }
            Err(error) => {
                if is_url {
                    let has_keys = state.keys.is_some();
                    tracing::warn!(%error, has_keys, "could not load the keys of JWTs; trying again later");
                }
                state.failure = Some(error);
            }
        }
    }
}

impl fmt::Debug for KeyCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

/// The request that is running. One that has ended has closed its channel, even by a panic.
fn running(state: &State) -> Option<watch::Receiver<()>> {
    state.request.clone().filter(|request| request.has_changed().is_ok())
}

async fn end_of(mut request: watch::Receiver<()>) {
    while request.changed().await.is_ok() {}
}

fn stopped(error: tokio::task::JoinError) -> JwtKeyError {
    JwtKeyError::new(
        JwtKeyErrorKind::Unreadable,
        "the keys of JWTs were not read: the runtime is shutting down",
    )
    .with_source(error)
}
