//! A connection of a worker or a reader, made when it is needed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::{EXCHANGE_TIMEOUT, Link};
use super::guard::{Owned, Shared};
use crate::DbError;

/// After a failed attempt to connect, work fails at once for this long: otherwise each piece of
/// queued work would wait for a server that does not answer.
const FAILURE_HOLD: Duration = Duration::from_millis(250);

/// A connection that was not used for this long is checked first.
const CHECK_AFTER: Duration = Duration::from_millis(50);

/// A connection to the database that this process owns.
#[derive(Debug)]
pub(crate) struct Session {
    shared: Arc<Shared>,
    link: Option<(Link, Owned)>,
    used_at: Instant,
    failed: Option<(Instant, DbError)>,
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared, link: None, used_at: Instant::now(), failed: None }
    }

    /// The connection, and the incarnation to write with. Connects if there is none.
    pub(crate) fn link(&mut self) -> Result<(&mut Link, Arc<str>), DbError> {
        let owned = self.shared.owned()?;
        let now = Instant::now();
        if let Some((link, known)) = &mut self.link
            && (*known != owned || (now - self.used_at > CHECK_AFTER && !link.is_alive()))
        {
            self.link = None;
        }
        self.used_at = now;
        if self.link.is_none() {
            if let Some((at, error)) = &self.failed
                && now - *at < FAILURE_HOLD
            {
                return Err(error.clone());
            }
            match self.connect(&owned) {
                Ok(link) => {
                    self.failed = None;
                    self.link = Some((link, owned.clone()));
                }
                Err(error) => {
                    self.failed = Some((Instant::now(), error.clone()));
                    return Err(error);
                }
            }
        }
        match &mut self.link {
            Some((link, owned)) => Ok((link, Arc::clone(&owned.incarnation))),
            None => Err(DbError::Closed),
        }
    }

    /// Closes the connection after a failure: its state is not known.
    pub(crate) fn fail(&mut self) {
        self.link = None;
        self.shared.note_failure();
    }

    fn connect(&self, owned: &Owned) -> Result<Link, DbError> {
        let mut link = Link::open(&self.shared.url, &self.shared.tls, Some(EXCHANGE_TIMEOUT))?;
        let (state, is_older) =
            self.shared.read_state(&mut link.connection).map_err(|error| DbError::failure(&error))?;
        let is_same = state.identity == *owned.identity
            && state.incarnation.as_deref() == Some(&*owned.incarnation)
            && !is_older;
        if !is_same {
            self.shared.suspect();
            return Err(DbError::failure(&"the database is another one than before; it is being taken over"));
        }
        Ok(link)
    }
}
