//! A chatd that is restarted and killed during a soak test. Its address and its database do
//! not change.

use std::error::Error;
use std::net::SocketAddr;
use std::path::PathBuf;

use chat_load::measure::process;
use tokio::task::spawn_blocking;

use super::state::Counts;
use crate::server::{Sandbox, Server, StartError};

/// Small, so that a reader that stalls is disconnected soon, and large enough for a member that
/// reconnects.
const BACKLOG_BYTES: &str = "262144";

/// The server. Starting and stopping it blocks a thread of the blocking pool, so that the
/// participants continue meanwhile.
pub(super) struct RestartingServer {
    pub(super) address: SocketAddr,
    /// The number of restarts.
    pub(super) restarts: u64,
    program: PathBuf,
    sandbox: Sandbox,
    /// `None` only during a restart.
    server: Option<Server>,
}

impl RestartingServer {
    pub(super) async fn start(program: PathBuf) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::new(None)?;
        let server = start(program.clone(), sandbox.clone(), "127.0.0.1:0".to_owned()).await?;
        Ok(Self { address: server.address, restarts: 0, program, sandbox, server: Some(server) })
    }

    /// Shuts the server down, and starts it again.
    pub(super) async fn restart(&mut self, counts: &Counts) -> Result<(), Box<dyn Error>> {
        if let Some(server) = self.server.take() {
            let status = spawn_blocking(|| server.shut_down()).await??;
            if !status.success() {
                counts.violation(format!("the server ended with {status}"));
            }
        }
        self.start_again().await
    }

    /// Kills the server, and starts it again.
    pub(super) async fn kill(&mut self) -> Result<(), Box<dyn Error>> {
        let server = self.server.take();
        spawn_blocking(|| drop(server)).await?;
        self.start_again().await
    }

    async fn start_again(&mut self) -> Result<(), Box<dyn Error>> {
        let (program, sandbox) = (self.program.clone(), self.sandbox.clone());
        self.server = Some(start(program, sandbox, self.address.to_string()).await?);
        self.restarts += 1;
        Ok(())
    }

    /// The resident memory of the process, in bytes.
    pub(super) fn resident(&self) -> Result<u64, Box<dyn Error>> {
        let usage = self.server.as_ref().and_then(|server| process::usage(server.pid()));
        Ok(usage.ok_or("the server has ended, or there is no /proc to read its memory from")?.resident_bytes)
    }

    /// The size of the database's files, in bytes.
    pub(super) fn database_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.sandbox.folder.path()).into_iter().flatten();
        files.filter_map(|file| file.and_then(|file| file.metadata()).ok()).map(|file| file.len()).sum()
    }
}

async fn start(program: PathBuf, sandbox: Sandbox, listen: String) -> Result<Server, Box<dyn Error>> {
    let start = move || -> Result<Server, StartError> {
        let arguments = [
            "--listen",
            &listen,
            "--admin-listen",
            "off",
            "--backlog-bytes",
            BACKLOG_BYTES,
            "--log",
            "error",
        ];
        Server::start(&program, &sandbox, &arguments)
    };
    Ok(spawn_blocking(start).await??)
}
