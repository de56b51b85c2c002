//! One run of the server, from its start to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chat_presence::{MemoryPresence, NodeId};
use chat_protocol::{DeletedBy, RoomName};
use chat_rooms::Engine;
use chat_server::{Config, Server, Timings};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::disk::{Disk, Store};
use crate::world::runtime;

pub(crate) struct Run {
    /// Declared before the runtime, so that it is dropped first: a kill comes from outside the
    /// runtime.
    pub(crate) engine: Engine,
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
    runtime: Runtime,
}

impl Run {
    pub(crate) fn start(disk: &Arc<Disk>, seed: u64) -> Self {
        let runtime = runtime();
        let (stop, stopped) = oneshot::channel();
        let (engine, address, task) = runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let store = Store::open(Arc::clone(disk), seed);
            let presence = MemoryPresence::new(NodeId::new("here"));
            let server = Server::new(listener, presence, store, config()).await.unwrap();
            let (engine, address) = (server.engine().clone(), server.local_addr().unwrap());
            let task = tokio::spawn(async { server.run(async { drop(stopped.await) }).await.unwrap() });
            (engine, address, task)
        });
        Self { engine, address, stop: Some(stop), task, runtime }
    }

    pub(crate) fn turn(&mut self, time: Duration) {
        self.runtime.block_on(async { sleep(time).await });
        assert!(!self.task.is_finished() || self.stop.is_none(), "the server has ended by itself");
    }

    /// Deletes messages, as the operator does, and does not wait for it.
    pub(crate) fn delete(&self, room: RoomName, targets: Vec<u64>) {
        let engine = self.engine.clone();
        self.runtime.spawn(async move {
            // a failure is retried until the server ends
            while engine.delete_messages(&room, &targets, DeletedBy::Operator).await.is_err() {
                sleep(Duration::from_millis(300)).await;
            }
        });
    }

    /// Shuts the server down, as SIGTERM does.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.stop.is_none()
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }
}

/// Shorter time limits than the defaults, so that more happens in less time.
fn config() -> Config {
    let seconds = Duration::from_secs;
    let timings = Timings {
        head: seconds(3),
        ping: seconds(2),
        silence: seconds(5),
        hello: seconds(3),
        replace: seconds(2),
        probe: seconds(1),
        message: seconds(4),
        hang_up: seconds(1),
        close: seconds(1),
        notice: seconds(0),
        drain: seconds(1),
    };
    Config { timings, ..Config::default() }
}
