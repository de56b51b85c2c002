//! What a service manager wants to know, by the protocol of sd_notify(3), and the listeners that it passes, by sd_listen_fds(3). Without one
//! nothing happens.

use std::io;
use std::net::TcpListener;
use std::time::Duration;

use chat_server::Control;
use listenfd::ListenFd;
use sd_notify::NotifyState;

use crate::cli::text::plural;

/// The listeners that were passed: the first is the server's, the second the operator's.
pub(crate) struct Passed(ListenFd);

impl Passed {
    /// Once in a process: whoever asks later finds none.
    pub(crate) fn take() -> Self {
        Self(ListenFd::from_env())
    }

    /// The next one, if there is one.
    pub(crate) fn listener(&mut self, index: usize) -> io::Result<Option<TcpListener>> {
        self.0.take_tcp_listener(index)
    }
}

/// The server serves.
pub(crate) fn ready(status: &str) {
    notify(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The server ends.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

/// The configuration is read anew; [`ready`] says when that is done.
pub(crate) fn reloading() {
    if let Ok(now) = NotifyState::monotonic_usec_now() {
        notify(&[NotifyState::Reloading, now]);
    }
}

/// Gives a sign of life twice in the time in which one is awaited, for ever; not where none is. Whoever gives it has found its way through
/// the runtime and the engine's lock: a server in which one of them hangs is to be started again. A store that fails is no reason for that.
pub(crate) async fn watch(control: Control) {
    let mut awaited = 0;
    if !sd_notify::watchdog_enabled(false, &mut awaited) {
        return;
    }
    let mut ticks = tokio::time::interval(Duration::from_micros(awaited) / 2);
    loop {
        ticks.tick().await;
        let rooms = control.engine().room_count();
        notify(&[NotifyState::Watchdog, NotifyState::Status(&plural(rooms, "room"))]);
    }
}

fn notify(states: &[NotifyState<'_>]) {
    // the environment stays: a process that is asked to read its configuration anew says so again
    if let Err(error) = sd_notify::notify(false, states) {
        tracing::warn!(%error, "could not notify the service manager");
    }
}
