//! The service manager: the notifications of sd_notify(3), and the listeners of sd_listen_fds(3).
//! Without a service manager nothing happens.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use chat_server::Control;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::cli::plural;

/// The listeners that were passed: the first is for chat, the second for the admin.
pub(crate) struct PassedListeners(ListenFd);

impl PassedListeners {
    /// Takes the listeners. A second call in the same process finds none.
    pub(crate) fn take() -> Self {
        Self(ListenFd::from_env())
    }

    /// The listener with this index. `None` if it was not passed.
    pub(crate) fn listener(&mut self, index: usize) -> io::Result<Option<TcpListener>> {
        self.0.take_tcp_listener(index)
    }
}

/// Reports that the server is ready.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// Reports that the server is stopping.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// Reports that a reload has begun. [`ready`] reports its end.
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// Notifies the watchdog twice per watchdog interval, forever. Returns if there is no watchdog.
///
/// Each notification needs the runtime and a lock of the engine, so a server in which one of them
/// hangs is restarted. A failing store is not a reason for a restart.
pub(crate) async fn send_watchdog(control: Control) {
    let mut interval_micros = 0;
    if !sd_notify::watchdog_enabled(false, &mut interval_micros) {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_micros(interval_micros) / 2);
    loop {
        ticks.tick().await;
        let rooms = control.engine().room_count();
        notify(&[NotifyState::Watchdog, NotifyState::Status(&plural(rooms, "room"))]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    // keeps the variables in the environment: later notifications need them
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!(%error, "could not notify the service manager");
    }
}
