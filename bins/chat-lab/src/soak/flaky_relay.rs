//! A bad line: what comes through it is passed on until it breaks.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Passes connections on to the server, each for a random time of `around` half to one and a half, until it is dropped.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) address: SocketAddr,
    task: JoinHandle<()>,
}

impl Relay {
    pub(super) async fn to(server: SocketAddr, around: Duration) -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let task = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                tokio::spawn(async move {
                    if let Ok(mut far) = TcpStream::connect(server).await {
                        let life = around.mul_f64(0.5 + rand::random::<f64>());
                        // broken or ended: both sockets are closed
                        let _ = timeout(life, tokio::io::copy_bidirectional(&mut near, &mut far)).await;
                    }
                });
            }
        });
        Ok(Self { address, task })
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}
