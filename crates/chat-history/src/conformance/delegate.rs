//! Stores that pass calls on to another store.

/// Makes methods of a [`HistoryStore`](crate::HistoryStore) that pass the call on to the store in a
/// field: for stores in tests that do one thing differently. Use it inside the `impl`.
///
/// ```
/// use chat_history::{HistoryStore, MemoryHistory, NewEvent, OnAppended, delegate_history};
///
/// #[derive(Debug)]
/// struct Forgetful(MemoryHistory);
///
/// impl HistoryStore for Forgetful {
///     fn append(&self, _: NewEvent, _: OnAppended) {}
///
///     delegate_history! {
///         0: epoch durability extent settings public_rooms page changed
///         own_reactions mentions_after prune check
///     }
/// }
/// ```
#[macro_export]
macro_rules! delegate_history {
    ($field:tt: $($method:ident)*) => { $( $crate::__delegate_history_method! { $method $field } )* };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __delegate_history_method {
    (epoch $field:tt) => {
        fn epoch(&self) -> $crate::__protocol::Epoch {
            self.$field.epoch()
        }
    };
    (durability $field:tt) => {
        fn durability(&self) -> $crate::Durability {
            self.$field.durability()
        }
    };
    (append $field:tt) => {
        fn append(&self, event: $crate::NewEvent, on_appended: $crate::OnAppended) {
            self.$field.append(event, on_appended);
        }
    };
    (extent $field:tt) => {
        fn extent(
            &self,
            room: $crate::__protocol::RoomName,
            retention: $crate::Retention,
        ) -> $crate::__BoxFuture<'_, Result<$crate::Extent, $crate::HistoryError>> {
            self.$field.extent(room, retention)
        }
    };
    (settings $field:tt) => {
        fn settings(
            &self,
            room: $crate::__protocol::RoomName,
        ) -> $crate::__BoxFuture<'_, Result<$crate::StoredSettings, $crate::HistoryError>> {
            self.$field.settings(room)
        }
    };
    (public_rooms $field:tt) => {
        fn public_rooms(
            &self,
            limit: usize,
        ) -> $crate::__BoxFuture<'_, Result<Vec<$crate::PublicRoom>, $crate::HistoryError>> {
            self.$field.public_rooms(limit)
        }
    };
    (page $field:tt) => {
        fn page(
            &self,
            room: $crate::__protocol::RoomName,
            page: $crate::Page,
            retention: $crate::Retention,
        ) -> $crate::__BoxFuture<'_, Result<$crate::Messages, $crate::HistoryError>> {
            self.$field.page(room, page, retention)
        }
    };
    (changed $field:tt) => {
        fn changed(
            &self,
            room: $crate::__protocol::RoomName,
            after: u64,
            limit: usize,
        ) -> $crate::__BoxFuture<'_, Result<$crate::Changed, $crate::HistoryError>> {
            self.$field.changed(room, after, limit)
        }
    };
    (own_reactions $field:tt) => {
        fn own_reactions(
            &self,
            room: $crate::__protocol::RoomName,
            targets: Vec<u64>,
            users: Vec<$crate::__protocol::UserId>,
        ) -> $crate::__BoxFuture<'_, Result<$crate::Own, $crate::HistoryError>> {
            self.$field.own_reactions(room, targets, users)
        }
    };
    (mentions_after $field:tt) => {
        fn mentions_after(
            &self,
            room: $crate::__protocol::RoomName,
            after: u64,
            users: Vec<$crate::__protocol::UserId>,
            except: Vec<$crate::__protocol::UserId>,
            max: usize,
            retention: $crate::Retention,
        ) -> $crate::__BoxFuture<'_, Result<$crate::Count, $crate::HistoryError>> {
            self.$field.mentions_after(room, after, users, except, max, retention)
        }
    };
    (prune $field:tt) => {
        fn prune(
            &self,
            retention: $crate::Retention,
        ) -> $crate::__BoxFuture<'_, Result<bool, $crate::HistoryError>> {
            self.$field.prune(retention)
        }
    };
    (check $field:tt) => {
        fn check(&self) -> $crate::__BoxFuture<'_, Result<(), $crate::HistoryError>> {
            self.$field.check()
        }
    };
}
