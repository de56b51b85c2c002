//! A relay that forwards connections and breaks them after a while.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Forwards connections to the server until it is dropped, each for a random time between 0.5 and
/// 1.5 times `mean_lifetime`.
#[derive(Debug)]
pub(super) struct FlakyRelay {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl FlakyRelay {
    pub(super) async fn start(server: SocketAddr, mean_lifetime: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        let lifetime = mean_lifetime.mul_f64(0.5 + rand::random::<f64>());
                        // both sockets are closed, whether the time is up or a side has closed
                        let _ = timeout(lifetime, tokio::io::copy_bidirectional(&mut near, &mut far)).await;
                    }
                });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for FlakyRelay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
