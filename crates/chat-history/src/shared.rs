//! Stores that are shared.

use std::sync::Arc;

use chat_protocol::{Epoch, RoomName, UserId};
use futures::future::BoxFuture;

use crate::{
    Changed, Count, Durability, Extent, HistoryError, HistoryStore, Messages, NewEvent, OnAppended, Own,
    Page, PublicRoom, Retention, RoomVersion, StoredSettings,
};

/// Every call is passed on.
impl<S: HistoryStore + ?Sized> HistoryStore for Arc<S> {
    fn epoch(&self) -> Epoch {
        (**self).epoch()
    }

    fn durability(&self) -> Durability {
        (**self).durability()
    }

    fn append(&self, event: NewEvent, on_appended: OnAppended) {
        (**self).append(event, on_appended);
    }

    fn extent(&self, room: RoomName, retention: Retention) -> BoxFuture<'_, Result<Extent, HistoryError>> {
        (**self).extent(room, retention)
    }

    fn settings(&self, room: RoomName) -> BoxFuture<'_, Result<StoredSettings, HistoryError>> {
        (**self).settings(room)
    }

    fn public_rooms(&self, limit: usize) -> BoxFuture<'_, Result<Vec<PublicRoom>, HistoryError>> {
        (**self).public_rooms(limit)
    }

    fn page(
        &self,
        room: RoomName,
        page: Page,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Messages, HistoryError>> {
        (**self).page(room, page, retention)
    }

    fn changed(
        &self,
        room: RoomName,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Result<Changed, HistoryError>> {
        (**self).changed(room, after, limit)
    }

    fn count_after(
        &self,
        room: RoomName,
        after: u64,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        (**self).count_after(room, after, except, max, retention)
    }

    fn newer(&self, known: Vec<RoomVersion>) -> BoxFuture<'_, Result<Vec<RoomVersion>, HistoryError>> {
        (**self).newer(known)
    }

    fn own_reactions(
        &self,
        room: RoomName,
        targets: Vec<u64>,
        users: Vec<UserId>,
    ) -> BoxFuture<'_, Result<Own, HistoryError>> {
        (**self).own_reactions(room, targets, users)
    }

    fn mentions_after(
        &self,
        room: RoomName,
        after: u64,
        users: Vec<UserId>,
        except: Vec<UserId>,
        max: usize,
        retention: Retention,
    ) -> BoxFuture<'_, Result<Count, HistoryError>> {
        (**self).mentions_after(room, after, users, except, max, retention)
    }

    fn prune(&self, retention: Retention) -> BoxFuture<'_, Result<bool, HistoryError>> {
        (**self).prune(retention)
    }

    fn check(&self) -> BoxFuture<'_, Result<(), HistoryError>> {
        (**self).check()
    }
}
