//! How the library connects, and what it reports.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use async_nats::{Client, ClientError, ConnectOptions, Event, ServerAddr, ServerError};
use parking_lot::Mutex;

use super::shared::Shared;

/// The maximum duration of one attempt to connect.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// The maximum time between two attempts.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The time before the first attempt after a connection was lost.
const MIN_DELAY: Duration = Duration::from_millis(50);

/// The maximum number of messages of a topic that the library queues for the pump. A queue takes
/// memory for what is in it, and the pump never waits.
const TOPIC_QUEUE: usize = 4_096;

/// The maximum number of commands that the library queues. After a reconnect it still sends these,
/// so there are few: the messages among them are old.
const COMMAND_QUEUE: usize = 64;

/// The options of both connections.
fn configure(options: ConnectOptions, shared: &Arc<Shared>) -> ConnectOptions {
    let delays = Arc::clone(shared);
    options
        .retry_on_initial_connect()
        .max_reconnects(None)
        .connection_timeout(CONNECT_TIMEOUT)
        .subscription_capacity(TOPIC_QUEUE)
        .client_capacity(COMMAND_QUEUE)
        .reconnect_delay_callback(move |attempts| {
            // the library would try for ever, even if nothing uses the connection
            if delays.is_closed() { Duration::MAX } else { delay(attempts, rand::random_range(0.5..=1.0)) }
        })
}

/// Creates the client of the backplane. It connects in the background.
pub(super) async fn connect(
    options: ConnectOptions,
    servers: &[ServerAddr],
    shared: &Arc<Shared>,
) -> Result<Client, async_nats::ConnectError> {
    let (events, shared_for_failures) = (Arc::clone(shared), Arc::clone(shared));
    let failures = Failures::default();
    configure(options, shared)
        .event_callback(move |event| {
            let shared = Arc::clone(&events);
            async move { on_event(&shared, event) }
        })
        // called before each attempt; it does not choose a server, but sees why the last attempts
        // have failed, which no event says
        .reconnect_to_server_callback(move |servers, _| {
            failures.note(&shared_for_failures, &servers);
            async { None }
        })
        .connect(servers)
        .await
}

/// Creates the client of the second connection, which answers round trips.
pub(super) async fn connect_second(
    options: ConnectOptions,
    servers: &[ServerAddr],
    shared: &Arc<Shared>,
) -> Result<Client, async_nats::ConnectError> {
    configure(options, shared).connect(servers).await
}

/// How often each server could not be reached, as far as that was reported.
#[derive(Debug, Default)]
struct Failures(Mutex<HashMap<String, usize>>);

impl Failures {
    fn note(&self, shared: &Shared, servers: &[async_nats::Server]) {
        let mut reported = self.0.lock();
        let mut now = HashMap::with_capacity(servers.len());
        for server in servers {
            let address = format!("{}:{}", server.addr.host(), server.addr.port());
            let before = reported.get(&address).copied().unwrap_or_default();
            if let Some(error) = server.last_error.as_ref().filter(|_| server.failed_attempts > before) {
                shared.connect_failed(&address, error);
            }
            now.insert(address, server.failed_attempts);
        }
        *reported = now;
    }
}

fn on_event(shared: &Shared, event: Event) {
    match event {
        Event::Connected => shared.link_up(None),
        Event::Disconnected | Event::Closed => shared.link_down(),
        Event::SlowConsumer(_) => shared.overrun(),
        Event::ServerError(ServerError::Other(error)) => shared.server_error(&error),
        Event::ServerError(error) => shared.server_error(&error.to_string()),
        // a failed attempt, which is reported before the next one; the server closes the connection
        // soon; this side closes it
        Event::ClientError(ClientError::Other(_)) | Event::LameDuckMode | Event::Draining => {}
        Event::ClientError(error) => shared.server_error(&error.to_string()),
    }
}

/// The time before an attempt to connect: it doubles up to [`MAX_DELAY`]. `jitter` is its share of
/// it, so that not all nodes connect at the same time.
fn delay(attempts: usize, jitter: f64) -> Duration {
    let doublings = u32::try_from(attempts.saturating_sub(1)).unwrap_or(u32::MAX).min(16);
    MIN_DELAY.saturating_mul(1 << doublings).min(MAX_DELAY).mul_f64(jitter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_between_attempts_grows_up_to_a_limit() {
        let millis: Vec<_> = (1..=8).map(|attempts| delay(attempts, 1.0).as_millis()).collect();
        assert_eq!(millis, [50, 100, 200, 400, 800, 1_600, 2_000, 2_000]);
        assert_eq!(delay(usize::MAX, 1.0), MAX_DELAY);
        assert_eq!(delay(0, 0.5), MIN_DELAY / 2);
    }
}
