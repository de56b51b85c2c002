//! The announcement of the operator.
//!
//! All changes go through one task, so that the store, the sessions and what new sessions receive
//! agree on which change was the last. A change is stored first, with its record in the audit log.
//! Then the current announcement is replaced, and last the sessions receive the frame.
//!
//! No session misses a change: a session reads the current announcement and is marked as welcomed
//! under the read lock, and the current announcement is replaced under the write lock. So either
//! the session's `welcome` has the change, or the session is in the list of those that receive the
//! frame.

use std::sync::Arc;

use chat_access::{AccessError, AccessStore, Announcement};
use chat_protocol::v2::{self, AnnouncementFrame, ServerFrame};
use chat_protocol::{AnnouncementId, NoticeLevel};
use parking_lot::{RwLock, RwLockReadGuard};
use tokio::sync::{mpsc, oneshot};

use crate::context::Context;
use crate::encoding::frames;
use crate::encoding::rendered::Rendered;

/// How many changes wait for the one that is being carried out. Further ones wait to be queued.
const QUEUED_CHANGES: usize = 8;

/// Why an announcement was not made or withdrawn.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AnnounceError {
    /// The store failed. It is not known whether the change was stored; it is safe to retry.
    #[error(transparent)]
    Store(#[from] AccessError),
    /// The server is shutting down. It is not known whether the change was stored.
    #[error("the server is shutting down")]
    ShuttingDown,
}

/// The current announcement.
#[derive(Debug)]
pub(crate) struct Announcements {
    current: RwLock<Option<Current>>,
    changes: mpsc::Sender<Change>,
}

/// An announcement with its text as HTML, which is rendered once for all sessions.
#[derive(Debug, Clone)]
pub(crate) struct Current {
    announcement: Announcement,
    html: Arc<str>,
}

/// The changes that are to be carried out.
#[derive(Debug)]
pub(crate) struct Changes(mpsc::Receiver<Change>);

/// The outcome of a change.
type Outcome<T> = Result<T, AnnounceError>;

#[derive(Debug)]
enum Change {
    Make { level: NoticeLevel, body: Arc<str>, answer: oneshot::Sender<Outcome<Announcement>> },
    Withdraw { answer: oneshot::Sender<Outcome<Option<Announcement>>> },
}

impl Current {
    fn new(announcement: Announcement, rendered: &Rendered) -> Self {
        let html = rendered.render(&announcement.body);
        Self { announcement, html }
    }

    /// What a session receives, which may have asked for HTML.
    pub(crate) fn shown(&self, with_html: bool) -> v2::Announcement {
        let Announcement { id, level, body, .. } = &self.announcement;
        let html = with_html.then(|| Arc::clone(&self.html));
        v2::Announcement { id: id.clone(), level: *level, body: Arc::clone(body), html }
    }

    fn says(&self, level: NoticeLevel, body: &str) -> bool {
        self.announcement.level == level && *self.announcement.body == *body
    }
}

impl Announcements {
    /// Reads the announcement that an earlier run has stored.
    pub(crate) async fn load(access: &dyn AccessStore, rendered: &Rendered) -> (Self, Changes) {
        let stored = access.announcement().await.unwrap_or_else(|error| {
            tracing::warn!(%error, "the announcement can't be read; users do not see it");
            None
        });
        let (changes, receiver) = mpsc::channel(QUEUED_CHANGES);
        let current = RwLock::new(stored.map(|stored| Current::new(stored, rendered)));
        (Self { current, changes }, Changes(receiver))
    }

    /// The current announcement. It is not replaced while this is held.
    pub(crate) fn current(&self) -> RwLockReadGuard<'_, Option<Current>> {
        self.current.read()
    }

    /// The current announcement, as it is stored.
    pub(crate) fn stored(&self) -> Option<Announcement> {
        self.current().as_ref().map(|current| current.announcement.clone())
    }

    /// Makes an announcement in place of the one before, unless that says the same. Returns the
    /// announcement.
    ///
    /// If the future is dropped, the change may be carried out all the same.
    ///
    /// # Errors
    /// [`AnnounceError`] if the store fails, or the server shuts down.
    pub(crate) async fn make(&self, level: NoticeLevel, body: Arc<str>) -> Outcome<Announcement> {
        self.change(|answer| Change::Make { level, body, answer }).await
    }

    /// Withdraws the announcement, and returns it. As for [`make`](Self::make).
    ///
    /// # Errors
    /// [`AnnounceError`] if the store fails, or the server shuts down.
    pub(crate) async fn withdraw(&self) -> Outcome<Option<Announcement>> {
        self.change(|answer| Change::Withdraw { answer }).await
    }

    async fn change<T>(&self, change: impl FnOnce(oneshot::Sender<Outcome<T>>) -> Change) -> Outcome<T> {
        let (answer, answered) = oneshot::channel();
        self.changes.send(change(answer)).await.map_err(|_| AnnounceError::ShuttingDown)?;
        answered.await.map_err(|_| AnnounceError::ShuttingDown)?
    }
}

impl Changes {
    /// Carries out the changes one after the other, forever.
    pub(crate) async fn carry_out(mut self, context: &Context) {
        while let Some(change) = self.0.recv().await {
            // a caller that is gone needs no answer
            match change {
                Change::Make { level, body, answer } => {
                    drop(answer.send(context.make_announcement(level, body).await));
                }
                Change::Withdraw { answer } => drop(answer.send(context.withdraw_announcement().await)),
            }
        }
    }
}

impl Context {
    async fn make_announcement(&self, level: NoticeLevel, body: Arc<str>) -> Outcome<Announcement> {
        let before = self.announcements.current().clone();
        // a repeated request does not bring back what users have dismissed
        if let Some(same) = before.filter(|before| before.says(level, &body)) {
            return Ok(same.announcement);
        }
        let made = Announcement::new(AnnouncementId::from_random(rand::random()), level, body);
        let current = Current::new(made.clone(), &self.rendered);
        self.engine.access().set_announcement(Some(made.clone()), None).await?;
        *self.announcements.current.write() = Some(current.clone());
        let [plain, html] = [false, true]
            .map(|with_html| frames::v2_frame(&ServerFrame::Announcement(current.shown(with_html).into())));
        let frame = |encoding| if self.encodings.has_html(encoding) { html.clone() } else { plain.clone() };
        self.sessions.send_to_all(frame).await;
        Ok(made)
    }

    async fn withdraw_announcement(&self) -> Outcome<Option<Announcement>> {
        // also if there seems to be none: perhaps what is stored could not be read
        self.engine.access().set_announcement(None, None).await?;
        let before = self.announcements.current.write().take();
        let Some(Current { announcement, .. }) = before else { return Ok(None) };
        let withdrawal = AnnouncementFrame::withdrawal(announcement.id.clone());
        let frame = frames::v2_frame(&ServerFrame::Announcement(withdrawal));
        self.sessions.send_to_all(|_| frame.clone()).await;
        Ok(Some(announcement))
    }
}
