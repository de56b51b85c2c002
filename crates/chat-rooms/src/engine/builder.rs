//! The builder of an engine.

use std::fmt;
use std::sync::{Arc, Weak};

use chat_access::{AccessStore, MemoryAccess, Scope};
use chat_backplane::{Backplane, NodeName, Receiver};
use chat_history::{HistoryStore, MemoryHistory, Retention};
use chat_log::Occasional;
use chat_presence::{PresenceStore, StoreError};
use parking_lot::Mutex;
use tokio::sync::Semaphore;

use crate::delivery::encoding::{Encoding, EncodingId, Encodings};
use crate::engine::{Engine, cluster, pruner};
use crate::limits::EngineLimits;
use crate::metrics::Meters;
use crate::registry::MessageObserver;
use crate::registry::Registry;
use crate::registry::usage::Usage;
use crate::room::RoomContext;
use crate::room::policy::ServerRules;
use crate::room::presence_cleanup::PresenceCleanup;
use crate::room::publisher::Publisher;
use crate::room::retention::RetentionRules;
use crate::sync::atomic::{AtomicBool, AtomicUsize};
use crate::sync::{self, Handle, TaskGuard};

/// Configures and starts an [`Engine`]. Created by [`Engine::builder`].
#[must_use = "nothing runs before `start`"]
pub struct EngineBuilder {
    store: Arc<dyn PresenceStore>,
    history: Arc<dyn HistoryStore>,
    access: Arc<dyn AccessStore>,
    retention: Retention,
    encodings: Vec<(EncodingId, Box<dyn Encoding>)>,
    limits: EngineLimits,
    metrics_prefix: String,
    counts_usage: bool,
    observer: Option<Box<dyn MessageObserver>>,
    node: Option<Node>,
}

/// A node of a cluster.
struct Node {
    name: NodeName,
    backplane: Arc<dyn Backplane>,
    receiver: Receiver,
}

impl EngineBuilder {
    pub(super) fn new(store: impl PresenceStore) -> Self {
        Self {
            store: Arc::new(store),
            history: Arc::new(MemoryHistory::new()),
            access: Arc::new(MemoryAccess::new()),
            retention: Retention::default(),
            encodings: Vec::new(),
            limits: EngineLimits::default(),
            metrics_prefix: "chat".to_owned(),
            counts_usage: false,
            observer: None,
            node: None,
        }
    }

    /// Adds an encoding of events. A sink that takes its bytes refers to it by `id`: see
    /// [`Sink::Frames`](crate::Sink::Frames).
    ///
    /// An encoding that no member uses costs nothing.
    pub fn encoding(mut self, id: EncodingId, encoding: impl Encoding) -> Self {
        self.encodings.push((id, Box::new(encoding)));
        self
    }

    /// Sets the store that keeps messages (default: in memory).
    pub fn history(mut self, history: impl HistoryStore) -> Self {
        self.history = Arc::new(history);
        self
    }

    /// Sets the store that knows who has a role in a room, and who is banned or muted (default: in
    /// memory).
    pub fn access(mut self, access: Arc<dyn AccessStore>) -> Self {
        self.access = access;
        self
    }

    /// Sets how long messages are kept (default: all of them, forever).
    pub fn retention(mut self, retention: Retention) -> Self {
        self.retention = retention;
        self
    }

    /// Sets the limits of the engine. See [`EngineLimits`] for the defaults.
    pub fn limits(mut self, limits: EngineLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the prefix of the names of the engine's metrics (default: `chat`, as in
    /// `chat_messages_total`).
    ///
    /// The metrics go to the recorder of the `metrics` facade that is installed when the engine
    /// starts.
    pub fn metrics_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.metrics_prefix = prefix.into();
        self
    }

    /// Sets whether the usage of each room is counted (default: no).
    ///
    /// If it is, call [`Engine::take_usage`] regularly: until they are taken, the counts grow by
    /// one entry per room.
    pub fn count_usage(mut self, counts: bool) -> Self {
        self.counts_usage = counts;
        self
    }

    /// Sets who learns of every message that is stored (default: nobody).
    pub fn observer(mut self, observer: impl MessageObserver) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Makes the engine a node of a cluster: its members see the events and the members of the same
    /// rooms on the other nodes. Each node has a name of its own, in the presence store, too, and
    /// all have the same stores.
    ///
    /// The backplane makes that fast. What it loses, a node finds in the stores: within a second
    /// while the backplane is not connected, and otherwise at the next event of the room, or within
    /// 10 s.
    ///
    /// Notices, typing, [`Engine::kick`], [`Engine::close_room`] and rules of the whole server
    /// concern the members of this node.
    ///
    /// ```
    /// use chat_backplane::{Hub, NodeName};
    /// use chat_history::MemoryHistory;
    /// use chat_presence::{MemoryPresence, NodeId};
    /// use chat_rooms::Engine;
    /// # use std::sync::Arc;
    ///
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let (hub, history) = (Hub::new(), Arc::new(MemoryHistory::new()));
    /// let (backplane, receiver) = hub.join();
    /// let engine = Engine::builder(MemoryPresence::new(NodeId::new("one")))
    ///     .history(Arc::clone(&history))
    ///     .node(NodeName::parse("one")?, backplane, receiver)
    ///     .start()
    ///     .await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn node(mut self, name: NodeName, backplane: impl Backplane, receiver: Receiver) -> Self {
        self.node = Some(Node { name, backplane: Arc::new(backplane), receiver });
        self
    }

    /// Removes the rows that the node's previous run left in the presence store, and starts the
    /// engine.
    ///
    /// Must be called within a Tokio runtime with time enabled. The tasks of the engine run there.
    ///
    /// # Errors
    /// [`StoreError`] if the presence store fails, or the one of roles and bans.
    pub async fn start(self) -> Result<Engine, StoreError> {
        let stale = self.store.clear().await?;
        if stale > 0 {
            tracing::info!(rows = stale, "removed the presence rows that the last run left behind");
        }
        let server_rules = self.access.rules(Scope::Server).await.map_err(StoreError::other)?;
        let runtime = Handle::current();
        let presence_cleanup = Arc::new(PresenceCleanup::default());
        let cleanup_task = runtime.spawn(Arc::clone(&presence_cleanup).run(Arc::clone(&self.store)));
        let cleanup_task = TaskGuard::new(cleanup_task.abort_handle());
        let rules = Arc::new(RetentionRules::new(self.retention));
        let publisher =
            self.node.as_ref().map(|node| Publisher::new(Arc::clone(&node.backplane), node.name.clone()));
        let context = RoomContext {
            publisher,
            presence: self.store,
            runtime: runtime.clone(),
            history: Arc::clone(&self.history),
            access: self.access,
            server_rules: ServerRules::new(server_rules),
            tails: Arc::default(),
            presence_cleanup,
            retention: Arc::clone(&rules),
            encodings: Encodings::new(self.encodings),
            max_pumps: sync::parallelism(),
            max_members: AtomicUsize::new(self.limits.members_per_room),
            limits: self.limits,
            meters: Meters::new(&self.metrics_prefix),
        };
        let shared = |this: &Weak<Registry>| {
            let pruner = pruner::start(&runtime, Arc::clone(&self.history), rules, this.clone());
            let node = self.node.into_iter();
            let cluster_tasks =
                node.flat_map(|node| cluster::start(&runtime, node.backplane, node.receiver, this.clone()));
            Registry {
                _cluster_tasks: cluster_tasks.collect(),
                context: Arc::new(context),
                rooms: Mutex::default(),
                cleanup_task,
                _pruner_task: pruner,
                append_failures: Occasional::new(),
                usage: self.counts_usage.then(Usage::default),
                observer: self.observer,
                closing: AtomicBool::new(false),
                leave_events_suppressed: AtomicBool::new(false),
                admissions: Arc::new(Semaphore::new(self.limits.pending_joins.min(Semaphore::MAX_PERMITS))),
                budget: Arc::new(Semaphore::new(self.limits.in_flight_bytes as usize)),
            }
        };
        Ok(Engine { shared: Arc::new_cyclic(shared) })
    }
}

impl fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EngineBuilder").field("store", &self.store).finish_non_exhaustive()
    }
}
